"""alertd: budget alerts for Novita AI accounts."""

__version__ = "0.1.0"
