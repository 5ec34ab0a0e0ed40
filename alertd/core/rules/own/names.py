"""The names of alertd's rules about itself, what they say, and which of them need no bills."""

from collections.abc import Mapping

from alertd.core.rules.own import broken_rules, failed_rules, unread_bills, wrong_clock

BLINDNESS = unread_bills.NAME
WITHOUT_BILLS = frozenset({broken_rules.NAME, wrong_clock.NAME})
"""Rules that depend on neither bills nor other rules, so that they can be judged even while the clock is wrong."""
OWN: Mapping[str, str] = {
    unread_bills.NAME: "the alert that bills cannot be read",
    failed_rules.NAME: "the alert that a rule cannot be computed",
    broken_rules.NAME: "the alert that the rules file cannot be used",
    wrong_clock.NAME: "the alert that the system's clock is wrong",
}
"""What the alert of each rule says, by name. The names are reserved: no rule of a rules file may have one."""
