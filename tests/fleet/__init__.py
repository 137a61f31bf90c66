"""The fleet with real Blenders: workers by themselves, and `aiobpy serve` over HTTP."""
