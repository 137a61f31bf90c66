"""The event loop under thousands of connections that stall, reset and half-close, for long."""
