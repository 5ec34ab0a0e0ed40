"""From a notification that is due to a message in the outbox: words are chosen here, once."""
