"""Queries of the command line and the status page about the stored state."""
