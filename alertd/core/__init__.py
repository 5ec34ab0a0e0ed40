"""The pure core: bills, spend, rules, the lifecycle of alerts. No I/O, clock, logging or environment."""
