"""Sites on the web server."""
