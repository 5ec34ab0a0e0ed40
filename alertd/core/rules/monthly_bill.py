"""`monthly_bill`: how long a monthly bill has been in a state that it should leave, such as overdue."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd, format_usd
from alertd.core.rules.base import NOT_MATCHED, Key, Rule, days_of, rising_problems
from alertd.core.rules.facts import Facts
from alertd.core.severity import Severity
from alertd.core.spend.bill import BillStatus, TrackedBill
from alertd.core.words import format_age, format_instant


@dataclass(frozen=True, kw_only=True)
class MonthlyBillRule(Rule):
    """Count the days since a bill was first seen in one of the states; one alert per bill."""

    TYPE: ClassVar[str] = "monthly_bill"
    HELP: ClassVar[str] = "Days since a monthly bill was first seen in one of the states; one alert per bill."
    NEEDS_PAYMENT: ClassVar[bool] = True
    GROUP: ClassVar[tuple[str, ...]] = ("account", "month", "bill_id")
    ADVICE: ClassVar[str] = "Pay it in the billing console: an unpaid bill stops everything that runs."

    account: Annotated[Patterns, Key("Which accounts' bills: a value, a glob or a list.", example="prod")] = Patterns()
    status: Annotated[
        tuple[str, ...],
        Key(
            "States that count; a bill that owes money counts as overdue whatever its state says.", example=["overdue"]
        ),
    ] = (BillStatus.OVERDUE.value,)
    min_debt: Annotated[Usd, Key("Bills that owe less are ignored.", example="$1", at_least=0)] = Usd(0)
    thresholds: Annotated[
        Mapping[Severity, timedelta],
        Key("Severity to days in that state.", example={"warning": "0d", "critical": "7d"}, at_least=timedelta()),
    ] = field(default_factory=lambda: {Severity.WARNING: timedelta(), Severity.CRITICAL: timedelta(days=7)})

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with states and thresholds."""
        if not self.status:
            yield "status", "status is empty; write e.g. status: [overdue]"
        yield from rising_problems("thresholds", self.thresholds)

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge every bill that is in one of the states, and watched bills that have left them."""
        samples = []
        for tracked in facts.bills:
            group = _group(tracked)
            if not self.account.matches(tracked.bill.account):
                continue
            since = self._since(tracked)
            if since is not None or group in watched:
                samples.append(self._sample(facts, tracked, group, since))
        return samples

    def left_out(self, facts: Facts, group: Labels) -> str:
        """Return `NOT_MATCHED` for a bill that was never in the states or whose account is excluded; else empty."""
        found = next((tracked for tracked in facts.bills if _group(tracked) == group), None)
        if found is None or (self.account.matches(found.bill.account) and self._lasted(found) is not None):
            return ""
        return NOT_MATCHED

    def _counts(self, status: str, *, owes: bool) -> bool:
        return status in self.status or (owes and BillStatus.OVERDUE in self.status)

    def _since(self, tracked: TrackedBill) -> datetime | None:
        """Return when the bill's unbroken time in the states began; None if it is not in them or owes too little."""
        since = None
        for phase in reversed(tracked.phases):
            if not self._counts(phase.status, owes=phase.owes):
                break
            since = phase.since
        return since if tracked.bill.owed >= self.min_debt else None

    def _lasted(self, tracked: TrackedBill) -> timedelta | None:
        """Return how long the bill was last in the states, up to when it left them or was last seen; None if never."""
        ended = None
        began = None
        for phase in reversed(tracked.phases):
            if self._counts(phase.status, owes=phase.owes):
                began = phase.since
            elif began is None:
                ended = phase.since
            else:
                break
        if began is None:
            return None
        return (ended or tracked.last_seen_at) - began

    def _sample(self, facts: Facts, tracked: TrackedBill, group: Labels, since: datetime | None) -> Sample:
        bill = tracked.bill
        # Whether a bill that is no longer listed was paid is unknown: its age stops growing.
        age = (tracked.gone_since or facts.now) - since if since is not None else self._lasted(tracked) or timedelta()
        reached = max((s for s, limit in self.thresholds.items() if age >= limit), default=None) if since else None
        gaps = tuple(filter(None, (facts.bill_gaps.get(bill.account), _gone(tracked))))
        return Sample(
            group=group,
            labels=(*self.labels, *group, ("status", bill.status)),
            account=bill.account,
            headline=_headline(tracked, age, is_over=since is None),
            value=days_of(age),
            unit=Unit.DAYS,
            reached=reached,
            # Days only grow: a severity ends when the bill leaves the states, not below a share of the threshold.
            held=reached,
            thresholds=tuple((s, days_of(limit)) for s, limit in sorted(self.thresholds.items())),
            as_of=tracked.last_seen_at,
            is_complete=not gaps,
            caveats=gaps,
            facts=(
                ("Owed", format_usd(bill.owed)),
                ("Bill total", format_usd(bill.total)),
                ("Month", bill.month),
                ("Status", bill.status),
            ),
            url=bill.invoice_url,
        )


def _group(tracked: TrackedBill) -> Labels:
    bill = tracked.bill
    return tuple(zip(MonthlyBillRule.GROUP, (bill.account, bill.month, bill.bill_id), strict=True))


def _gone(tracked: TrackedBill) -> str:
    """Return the caveat for a bill that is no longer listed; empty while it is."""
    if tracked.gone_since is None:
        return ""
    return (
        f"the bill is missing from Novita's list since {format_instant(tracked.gone_since)}; "
        "whether it was paid is not known, so its age stays as it was then"
    )


def _headline(tracked: TrackedBill, age: timedelta, *, is_over: bool) -> str:
    bill = tracked.bill
    state = "owes money" if bill.owed and bill.status != BillStatus.OVERDUE else f"is {bill.status}"
    amount = (
        f"{format_usd(bill.owed)} owed of {format_usd(bill.total)}" if bill.owed else f"total {format_usd(bill.total)}"
    )
    lasting = f" {'after' if is_over else 'for'} {format_age(age)}" if age >= timedelta(hours=1) else ""
    return f"Bill of {bill.month} ({bill.account}) {state}{lasting}: {amount}"
