"""Reports and overviews: spend of a period, budgets, what is owed."""
