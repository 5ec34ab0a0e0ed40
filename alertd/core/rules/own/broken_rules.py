"""
The alert about alertd itself when an edited rules file cannot be used: the previous rules stay in force.

Like `alertd-blind`, it is not in the rules file and goes to the default receivers, which are notified when it begins
and when it ends.
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
from alertd.core.words import format_count

NAME = "alertd-rules"
"""Reserved: no rule in a rules file may have this name."""
_TOLD = 5
"""Maximum number of faults listed; the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class RulesBroken(Rule):
    """Fire while the present rules file cannot be used."""

    TYPE: ClassVar[str] = "rules_file"
    HELP: ClassVar[str] = "Hours since the rules file was edited into one that cannot be used."
    NOT_REPLAYED: ClassVar[str] = "it depends on the rules file, not on bills"
    ADVICE: ClassVar[str] = "Fix the file; it is read again automatically. `alertd check` finds every mistake at once."

    @classmethod
    def watching(cls, *, notify: tuple[str, ...]) -> "RulesBroken":
        """Build the rule."""
        return cls(
            name=NAME,
            description="alertd watches itself: the last edit of its rules file is not in force.",
            repeat_interval=None,
            notify=notify,
        )

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge the last reading of the file."""
        file = facts.rules_file
        if not file.faults and () not in watched:
            return []
        reached = Severity.WARNING if file.faults else None
        age = facts.now - file.broken_since if file.broken_since is not None else timedelta()
        return [
            # Without thresholds: it fires from the first moment.
            Sample(
                group=(),
                labels=(),
                account="",
                headline=_headline(len(file.faults), file.changes),
                value=hours_of(age),
                unit=Unit.HOURS,
                reached=reached,
                held=reached,
                thresholds=(),
                as_of=facts.now,
                is_complete=True,
                facts=_told(file.faults),
            )
        ]


def _headline(faults: int, changes: str) -> str:
    if faults:
        mistakes = "a mistake" if faults == 1 else format_count(faults, "mistake")
        return f"The rules file has {mistakes}: the rules from before the edit stay in force"
    return f"The rules file is in force again{f': {changes}' if changes else ''}"


def _told(faults: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    notified = [(f"Mistake {number}" if len(faults) > 1 else "Mistake", text) for number, text in enumerate(faults, 1)]
    more = [("And more", format_count(len(faults) - _TOLD, "mistake"))] if len(faults) > _TOLD else []
    return (*notified[:_TOLD], *more)
