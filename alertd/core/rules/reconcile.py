"""
`reconcile`: an issued monthly bill against the sum of the hourly rows of its month.

It compares only what is complete: a bill that is issued, and a month of which every hour of every category was read,
settled, not failed and not doubted. A bill is compared until the second month after its own is over.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.bill import BillStatus, MonthlyBill
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.ledger import DataState
from alertd.core.money import UNITS_PER_USD, format_usd
from alertd.core.rules.base import Facts, Key, Metric, Rule, Share, highest, ratio_decimal, rising_problems
from alertd.core.severity import Severity
from alertd.core.spend import SpendQuery
from alertd.core.words import format_instant, format_share

_GROUP = ("account", "month", "bill_id")
_LOOKBACK = timedelta(days=92)
"""The longest three months in a row: at their last instant the first of them is still looked at whole."""
_ROUNDING = UNITS_PER_USD // 100
"""Bills are told in coarser units than rows: up to a cent is no difference."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """A bill's total and what the hourly rows of its month add up to; in 1e-10 USD."""

    billed: int
    rows: tuple[tuple[str, int], ...]
    """By category, largest first."""

    @property
    def charged(self) -> int:
        return sum(amount for _, amount in self.rows)

    @property
    def difference(self) -> int:
        """Above zero where the bill is higher."""
        return self.billed - self.charged

    @property
    def share(self) -> Fraction:
        """The difference as a share of the bill; all of it where the bill is of nothing."""
        if abs(self.difference) <= _ROUNDING:
            return Fraction(0)
        return Fraction(abs(self.difference), abs(self.billed)) if self.billed else Fraction(1)


@dataclass(frozen=True, kw_only=True)
class Reconcile(Rule):
    """Compare each issued monthly bill with its hourly rows; one alert per bill."""

    TYPE: ClassVar[str] = "reconcile"
    HELP: ClassVar[str] = (
        "Difference between an issued monthly bill's total and the hourly rows of that UTC month, as a share of the "
        "bill, once both are complete; one alert per bill."
    )
    ADVICE: ClassVar[str] = (
        "Compare the invoice with the categories below: fixed-term subscriptions are on the invoice alone; ask the "
        "billing support about the rest."
    )

    account: Annotated[Patterns, Key("Which accounts' bills: a value, a glob or a list.", example="prod")] = Patterns()
    tolerance: Annotated[
        Share,
        Key("A difference up to this share of the bill is none.", example="1%", at_least=Fraction(0)),
    ] = Share(Fraction(1, 100))
    severity: Annotated[
        Severity | None,
        Key("Of every difference above the tolerance; without it or thresholds, warning.", example="warning"),
    ] = None
    thresholds: Annotated[
        Mapping[Severity, Share],
        Key(
            "Severity to share of the bill, in place of `severity`.",
            example={"warning": "1%", "critical": "10%"},
            at_least=Fraction(0),
        ),
    ] = field(default_factory=dict)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between tolerance, severity and thresholds."""
        if self.severity is not None and self.thresholds:
            yield "severity", "the thresholds say the severity already; keep one of them"
        if self.thresholds:
            yield from rising_problems("thresholds", self.thresholds)
            least = min(self.thresholds.values())
            if least < self.tolerance:
                low, floor = (format_share(ratio_decimal(share)) for share in (least, self.tolerance))
                text = f"thresholds: {low} is below the tolerance of {floor} and would never count"
                yield "thresholds", f"{text}; lower tolerance"

    def lookback(self) -> timedelta:
        """Return the time back to the first day of the month before last, whatever the day."""
        return _LOOKBACK

    @property
    def metrics(self) -> frozenset[Metric]:
        """Bills are of the whole price."""
        return frozenset({Metric.AMOUNT})

    @property
    def group_keys(self) -> tuple[str, ...]:
        """One alert per bill."""
        return _GROUP

    @cached_property
    def _limits(self) -> Mapping[Severity, Fraction]:
        return self.thresholds or {self.severity or Severity.WARNING: self.tolerance}

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge every bill that can be compared, and the watched ones."""
        samples = []
        for tracked in facts.bills:
            bill = tracked.bill
            group = tuple(zip(_GROUP, (bill.account, bill.month, bill.bill_id), strict=True))
            ended = self._ended(bill, facts.now)
            missing = () if ended else _missing(facts, bill)
            if group not in watched and (ended or missing):
                continue
            sample = self._sample(bill, group, _sums(facts, bill), ended, missing)
            if sample.held is not None or group in watched:
                samples.append(sample)
        return samples

    def _ended(self, bill: MonthlyBill, now: datetime) -> str:
        """Say why a bill is none of the rule's business, or not any more; empty where it is."""
        if not self.account.matches(bill.account):
            return "its account is not looked at"
        if bill.status == BillStatus.VOIDED:
            return "it is voided"
        return "its hours are too long ago" if bill.month < _oldest_month(now) else ""

    def _severity(self, share: Fraction, kept: Fraction) -> Severity | None:
        """Return the severity of a difference, its limits lowered to *kept* of them; the tolerance is still allowed."""
        if share <= self.tolerance * kept:
            return None
        return highest({severity: limit * kept for severity, limit in self._limits.items()}, share)

    def _sample(self, bill: MonthlyBill, group: Labels, sums: _Sums, ended: str, missing: tuple[str, ...]) -> Sample:
        is_judged = not ended and not missing
        return Sample(
            group=group,
            labels=(*self.labels, *group, ("status", bill.status)),
            account=bill.account,
            headline=_headline(bill, sums, ended),
            value=ratio_decimal(sums.share) if not ended else Decimal(0),
            unit=Unit.RATIO,
            reached=self._severity(sums.share, Fraction(1)) if is_judged else None,
            held=self._severity(sums.share, self.resolve_below) if not ended else None,
            thresholds=tuple((severity, ratio_decimal(limit)) for severity, limit in sorted(self._limits.items())),
            as_of=start_of(_hours_of(bill.month).end),
            is_complete=not missing,
            may_raise=not missing,
            caveats=missing,
            facts=() if ended else _figures(bill, sums),
            url=bill.invoice_url,
        )


def _missing(facts: Facts, bill: MonthlyBill) -> tuple[str, ...]:
    """Return why bill and rows cannot be compared yet, a clause each; empty where both are complete."""
    if bill.status == BillStatus.PENDING:
        return ("the bill is not issued yet",)
    if bill.month >= f"{facts.now:%Y-%m}":
        return ("its month is not over",)
    found = [gap] if (gap := facts.bill_gaps.get(bill.account)) else []
    keys = facts.data.select(Patterns((bill.account,)), Patterns())
    span = _hours_of(bill.month)
    found += [gap.text for gap in facts.data.gaps(keys, span)] or _unsettled(facts.data, keys, span)
    return tuple(found) if keys else ("no category of the account is read",)


def _unsettled(data: DataState, keys: tuple[tuple[str, str], ...], span: HourRange) -> list[str]:
    """Name the categories of which rows of the month may still come: read before its last hour had settled."""
    end = format_instant(start_of(span.end) + data.settle_delay)
    books = (data.books[key] for key in keys)
    return [
        f"{book.category} was not read since its bills of the month settled, at {end}"
        for book in books
        if book.read_at is None or hour_of(book.read_at - data.settle_delay) < span.end
    ]


def _sums(facts: Facts, bill: MonthlyBill) -> _Sums:
    query = SpendQuery(group_by=("category",), accounts=frozenset({bill.account}))
    sums = facts.spend.sums(query, Metric.AMOUNT, _hours_of(bill.month))
    rows = ((dict(group)["category"], int(sums.of(group))) for group in sums.groups)
    return _Sums(bill.total, tuple(sorted((row for row in rows if row[1]), key=lambda row: (-row[1], row[0]))))


def _hours_of(month: str) -> HourRange:
    """Return the hours of a `YYYY-MM`, UTC."""
    year, number = map(int, month.split("-"))
    start = datetime(year, number, 1, tzinfo=UTC)
    # 31 days after a first lies in the next month, whichever it is.
    following = (start + timedelta(days=31)).replace(day=1)
    return HourRange(hour_of(start), hour_of(following))


def _oldest_month(now: datetime) -> str:
    """Return the month before last."""
    year, number = divmod(now.year * 12 + now.month - 1 - 2, 12)
    return f"{year:04}-{number + 1:02}"


def _figures(bill: MonthlyBill, sums: _Sums) -> tuple[tuple[str, str], ...]:
    by_category = ", ".join(f"{category} {format_usd(amount)}" for category, amount in sums.rows)
    return (
        ("Bill total", format_usd(bill.total)),
        ("Hourly rows", format_usd(sums.charged)),
        ("Difference", _difference(sums)),
        ("Rows by category", by_category or "none"),
        ("Month", f"{bill.month} (UTC)"),
        ("Status", bill.status),
    )


def _difference(sums: _Sums) -> str:
    which = "more" if sums.difference > 0 else "less"
    return f"{format_usd(abs(sums.difference))} {which} on the bill" if sums.difference else "none"


def _headline(bill: MonthlyBill, sums: _Sums, ended: str) -> str:
    name = f"Bill of {bill.month} ({bill.account})"
    if ended:
        return f"{name} is not compared any more: {ended}"
    against = f"{format_usd(bill.total)} against {format_usd(sums.charged)}"
    if not sums.share:
        return f"{name} agrees with its hourly rows: {against}"
    which = "more" if sums.difference > 0 else "less"
    share = format_share(ratio_decimal(sums.share))
    return f"{name} is {format_usd(abs(sums.difference))} ({share}) {which} than its hourly rows: {against}"
