"""Fuzzing of every entrance through which alertd takes what others made: `python -m tests.fuzz --minutes 60`."""
