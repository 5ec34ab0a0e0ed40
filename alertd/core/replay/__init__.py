"""The same core over the past: replay, suggestions, and what an edit of a rule changes."""
