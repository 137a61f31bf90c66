"""The guides of `docs/guides`, run inside real Blenders against real servers."""
