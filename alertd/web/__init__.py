"""The HTTP server: health, metrics and JSON for machines, the status page for people."""
