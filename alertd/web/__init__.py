"""What alertd shows over HTTP: health, metrics and JSON, for machines; it changes nothing."""
