"""What `aiobpy serve --demo` offers."""
