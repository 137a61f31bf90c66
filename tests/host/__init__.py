"""The host: whose everything is, and how long a tick may last."""
