"""A fleet that is attacked while jobs flow through it."""
