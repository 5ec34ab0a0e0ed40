"""Rule types: one module each. The rules file finds them by the entry point group `alertd.rule_types`."""
