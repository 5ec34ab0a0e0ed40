"""What alertd costs beside the least that could do the same work; run by hand: `python -m tests.bench`."""
