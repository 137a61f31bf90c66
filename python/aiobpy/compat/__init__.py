"""The names of older asyncio add-ons, on the loop that all add-ons share.

**Invariant:** nothing here does what the rest of aiobpy does not: a name of old becomes a call of
the new one. Deliberately absent: what the old modules did wrong, as the guides list it.
"""
