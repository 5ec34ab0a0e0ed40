"""The names of alertd's rules about itself, and which of them need no bills."""

from alertd.core.rules.own import broken_rules, failed_rules, unread_bills, wrong_clock

BLINDNESS = unread_bills.NAME
WITHOUT_BILLS = frozenset({broken_rules.NAME, wrong_clock.NAME})
"""Judged by neither bills nor other rules, and so by any time."""
OWN = frozenset({BLINDNESS, failed_rules.NAME, *WITHOUT_BILLS})
