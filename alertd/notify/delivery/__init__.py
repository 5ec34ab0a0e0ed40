"""The outbox worker: claims, sends, records."""
