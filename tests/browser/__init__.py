"""What a real browser lets pages do, and what not: Debian's Chromium."""
