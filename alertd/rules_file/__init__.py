"""The rules file: YAML with places, its schema, and the way from text to rules."""
