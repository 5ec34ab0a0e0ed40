"""
alertd's alert about itself that its system's clock disagrees with the billing API's, or cannot be checked.

Like `alertd-blind` it is not in the rules file, and goes to the default receivers. It is judged by the checked time, so
that the wrong clock cannot hold it back.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.rules.base import Rule
from alertd.core.rules.data_stale import hours_of
from alertd.core.rules.facts import ClockFault, Facts
from alertd.core.severity import Severity
from alertd.core.words import format_age, format_instant

NAME = "alertd-clock"
"""Reserved: no rule of a rules file may have it."""


@dataclass(frozen=True, kw_only=True)
class WrongClock(Rule):
    """
    Fire while the system's clock is more than an hour from the `Date` of the billing API's answers.

    It also fires if the answers have no readable `Date`: critical while rules are not judged, otherwise info.
    """

    TYPE: ClassVar[str] = "clock"
    HELP: ClassVar[str] = "Hours between the system's clock and the billing API's."
    ADVICE: ClassVar[str] = (
        "Set the clock of the system that alertd runs on, and let NTP keep it. Where that clock is right, and the API "
        "or a proxy before it spoils or removes the Date of its answers, set ALERTD_CLOCK=system. While the clocks "
        "disagree no bills are filed and no other alert begins, changes or ends; what is read meanwhile is read again "
        "then."
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
        reached = None
        if fault is not None:
            reached = Severity.INFO if fault.is_decided else Severity.CRITICAL
        return [
            # Without thresholds: it fires at once.
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
    if fault.api is None:
        then = "it goes by the clock as it is" if fault.is_decided else "it decides nothing until it can"
        return f"alertd cannot check its system's clock, because the billing API's answers have no date: {then}"
    off = abs(fault.system - fault.api)
    side = "ahead" if fault.system > fault.api else "behind"
    return f"The system's clock is {format_age(off)} {side}: alertd decides nothing until it is right"


def _hours(fault: ClockFault | None) -> Decimal:
    if fault is None or fault.api is None:
        return Decimal(0)
    return hours_of(abs(fault.system - fault.api))


def _both(fault: ClockFault | None) -> tuple[tuple[str, str], ...]:
    if fault is None:
        return ()
    return (
        ("This system", format_instant(fault.system)),
        (f'Billing API of "{fault.account}"', format_instant(fault.api) if fault.api is not None else "says nothing"),
    )
