"""Reports and overviews: spend of a period, budgets, debts."""
