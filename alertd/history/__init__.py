"""Commands that work through stored or fetched history."""
