"""The store: SQL in, dataclasses out, no decisions."""
