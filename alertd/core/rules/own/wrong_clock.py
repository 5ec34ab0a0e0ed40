"""
The alert that alertd raises of itself when its system's clock and the billing API's disagree.

Like `alertd-blind` it is no rule of the rules file, and goes to the default receivers. It is judged by the checked
time, so that the clock that it is about cannot hold it back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.labels import Labels
from alertd.core.money import plain
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import ClockFault, Facts
from alertd.core.severity import Severity
from alertd.core.words import format_age, format_instant

NAME = "alertd-clock"
"""Reserved: no rule of a rules file may have it."""


@dataclass(frozen=True, kw_only=True)
class WrongClock(Rule):
    """Fire while the system's clock is more than an hour from the `Date` of the billing API's answers."""

    TYPE: ClassVar[str] = "clock"
    HELP: ClassVar[str] = "Hours between the system's clock and the billing API's."
    ADVICE: ClassVar[str] = (
        "Set the clock of the system that alertd runs on, and let it be kept by NTP. Until both agree no bills are "
        "filed and no other alert begins, changes or ends; what is read meanwhile is read again then."
    )
    NOT_REPLAYED: ClassVar[str] = "it is about the clock, not about bills"

    @classmethod
    def watching(cls, *, notify: tuple[str, ...]) -> "WrongClock":
        """Build the rule."""
        return cls(
            name=NAME,
            description="alertd watches itself: the clock of its system is wrong, and nothing is decided by it.",
            notify=notify,
        )

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge the last comparison of both clocks."""
        fault = facts.clock
        if fault is None and () not in watched:
            return []
        reached = Severity.CRITICAL if fault is not None else None
        return [
            # Without thresholds: it counts from the first moment.
            Sample(
                group=(),
                labels=(),
                account="",
                headline=_headline(fault),
                value=_hours(fault),
                unit=Unit.HOURS,
                reached=reached,
                held=reached,
                thresholds=(),
                as_of=facts.now,
                is_complete=True,
                facts=_both(fault),
            )
        ]


def _headline(fault: ClockFault | None) -> str:
    if fault is None:
        return "The system's clock is right again: alertd decides as before"
    off = abs(fault.system - fault.api)
    side = "ahead" if fault.system > fault.api else "behind"
    return f"The system's clock is {format_age(off)} {side}: alertd decides nothing until it is right"


def _hours(fault: ClockFault | None) -> Decimal:
    off = int(abs(fault.system - fault.api).total_seconds()) if fault is not None else 0
    return plain(Decimal(off) / 3600)


def _both(fault: ClockFault | None) -> tuple[tuple[str, str], ...]:
    if fault is None:
        return ()
    return (
        ("This system", format_instant(fault.system)),
        (f'Billing API of "{fault.account}"', format_instant(fault.api)),
    )
