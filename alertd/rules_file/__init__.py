"""The rules file: YAML with source positions, its schema, and the loading of text into rules."""
