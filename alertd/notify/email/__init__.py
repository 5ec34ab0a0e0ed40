"""The email receiver."""
