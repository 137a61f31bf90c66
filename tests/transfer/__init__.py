"""Downloads, uploads, requests and file work, against real servers."""
