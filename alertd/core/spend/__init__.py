"""Bills as facts: rows, the ledger, the data edge, what a group has spent and what it is forecast to spend."""
