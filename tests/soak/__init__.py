"""Months of the whole daemon in minutes, with restarts: `python -m tests.soak --days 400`."""
