"""
The alert about alertd itself when a rule cannot be computed: the others still are, but that one watches nothing.

It is not in the rules file, is judged after all other rules, and goes to the default receivers: one alert per rule.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.rules.base import Rule
from alertd.core.rules.data_stale import hours_of
from alertd.core.rules.facts import Facts
from alertd.core.severity import Severity
from alertd.core.words import format_instant

NAME = "alertd-rule-failed"
"""Reserved: no rule in a rules file may have this name."""
LABEL = "failed_rule"
"""The label with the name of the failed rule; the label `rule` names the alert's own rule."""


@dataclass(frozen=True, kw_only=True)
class FailedRules(Rule):
    """Fire for every rule whose last evaluation failed, until one succeeds."""

    TYPE: ClassVar[str] = "rule_failed"
    HELP: ClassVar[str] = "Hours since a rule could be computed last."
    ADVICE: ClassVar[str] = (
        "Find the error in the log, where it has the name `rule failed`, and change or disable the rule. Until it can "
        "be computed again it raises no alert, and its open alerts neither end nor change."
    )
    NOT_REPLAYED: ClassVar[str] = "it depends on evaluations, not on bills"
    GROUP: ClassVar[tuple[str, ...]] = (LABEL,)

    @classmethod
    def watching(cls, *, notify: tuple[str, ...]) -> "FailedRules":
        """Build the rule."""
        return cls(name=NAME, description="alertd watches itself: this rule cannot be computed.", notify=notify)

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Report the rules that could not be computed, and end the alerts of those that can be again."""
        failed = {((LABEL, name),): name for name in facts.rule_faults}
        over = {group: name for group in watched if group not in failed and (name := dict(group).get(LABEL))}
        return [
            *(_sample(facts, group, name, Severity.CRITICAL) for group, name in failed.items()),
            *(_sample(facts, group, name, None) for group, name in over.items()),
        ]


def _sample(facts: Facts, group: Labels, name: str, reached: Severity | None) -> Sample:
    fault = facts.rule_faults.get(name)
    said = (("What went wrong", fault.text), ("Since", format_instant(fault.since))) if fault is not None else ()
    return Sample(
        group=group,
        labels=group,
        account="",
        headline=f'Rule "{name}" {"cannot be computed" if fault is not None else "is no longer failing"}',
        value=hours_of(facts.now - fault.since if fault is not None else timedelta()),
        unit=Unit.HOURS,
        reached=reached,
        held=reached,
        # Without thresholds: it fires from the first moment.
        thresholds=(),
        as_of=facts.now,
        is_complete=True,
        facts=said,
    )
