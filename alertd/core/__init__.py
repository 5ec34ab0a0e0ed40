"""The pure core: bills, spend, rules, the life of an alert. No I/O, no clock, no log, no environment."""
