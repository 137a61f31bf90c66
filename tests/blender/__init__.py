"""Tests that drive real Blenders with windows."""
