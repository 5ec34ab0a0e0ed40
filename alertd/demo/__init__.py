"""The simulated month that needs no key."""
