"""The web server against its rivals: see `suite.py`."""
