"""From a due notification to a message in the outbox: all texts are chosen here."""
