"""alertd's rules about itself, which no rules file can name."""
