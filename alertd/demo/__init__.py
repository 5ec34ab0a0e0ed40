"""The demo: a simulated month that needs no API key."""
