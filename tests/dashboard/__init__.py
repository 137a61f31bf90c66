"""The page that `aiobpy serve` shows to people, in Debian's Chromium."""
