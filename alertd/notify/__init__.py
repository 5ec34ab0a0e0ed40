"""Notifiers: one module per receiver type, the registry that finds them, and the worker that empties the outbox."""
