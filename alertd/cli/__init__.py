"""The command line: one module per command; each reads arguments, calls, prints and chooses the exit code."""
