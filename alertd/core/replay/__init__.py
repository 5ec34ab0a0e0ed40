"""The core applied to the past: replay, suggestions, and the effects of an edit."""
