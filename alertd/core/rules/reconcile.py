"""
`reconcile`: the hourly rows of a month against its issued bill, or against spend by API key.

Only complete data is compared: an issued bill, and a month of which every hour was read, has settled, and neither
failed nor is in doubt, in both views if two are compared. A month is compared through the second month after it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.calendar import Period, period_of
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.money import UNITS_PER_USD, format_usd
from alertd.core.rules.base import (
    NOT_MATCHED,
    Key,
    Metric,
    Rule,
    Share,
    highest,
    ratio_decimal,
    severity_problems,
)
from alertd.core.rules.facts import Facts
from alertd.core.rules.standing import share_text
from alertd.core.severity import Severity
from alertd.core.spend.bill import BillStatus, MonthlyBill
from alertd.core.spend.data_state import DataState
from alertd.core.spend.lists import View
from alertd.core.spend.selection import SpendQuery
from alertd.core.words import format_instant, format_share

_ROUNDING = UNITS_PER_USD // 100
"""Bills are rounded more coarsely than rows: up to one cent does not count as a difference."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sums in 1e-10 USD; the difference is given as a share of the first."""

    first: int
    second: int

    @property
    def difference(self) -> int:
        """The difference, above zero if the first is higher."""
        return self.first - self.second

    @property
    def share(self) -> Fraction:
        """The difference as a share of the first; 1 if the first is zero, 0 within rounding."""
        if abs(self.difference) <= _ROUNDING:
            return Fraction(0)
        return Fraction(abs(self.difference), abs(self.first)) if self.first else Fraction(1)

    @property
    def more_or_less(self) -> str:
        """Whether the first is `more` or `less` than the second."""
        return "more" if self.difference > 0 else "less"

    @property
    def against(self) -> str:
        """Both sums in a clause: `$100.00 against $95.00`."""
        return f"{format_usd(self.first)} against {format_usd(self.second)}"

    @property
    def apart(self) -> str:
        """The difference with its share: `$5.00 (5 %)`."""
        return f"{format_usd(abs(self.difference))} ({share_text(self.share)})"


def hours_of_month(month: str) -> HourRange:
    """Return the hours of a month, `YYYY-MM`, in UTC."""
    return period_of(hour_of(datetime.fromisoformat(f"{month}-01T00:00Z")), Period.MONTH, "UTC").hours


def month_before(now: datetime, count: int) -> str:
    """Return the month that is *count* months before the current one, `YYYY-MM`."""
    year, number = divmod(now.year * 12 + now.month - 1 - count, 12)
    return f"{year:04}-{number + 1:02}"


def lacking(data: DataState, keys: tuple[tuple[str, str], ...], span: HourRange) -> list[str]:
    """Return why the spend of categories in *span* is not known for sure, as clauses; empty if it is."""
    return [gap.text for gap in data.gaps(keys, span)] or list(_unsettled(data, keys, span))


def _unsettled(data: DataState, keys: tuple[tuple[str, str], ...], span: HourRange) -> Iterator[str]:
    """Yield a clause for each category that may still get rows: a stream is not billed through the end of *span*."""
    for key in keys:
        states = data.streams.states(key)
        if not states or min(state.edge for state in states) < span.end:
            through = f" (through {format_instant(start_of(min(state.edge for state in states)))})" if states else ""
            yield f"{data.books[key].title} is not billed through {format_instant(start_of(span.end))} yet{through}"


_GROUP = ("account", "month", "bill_id")
_KEY_GROUP = ("account", "category", "month")
_LOOKBACK = timedelta(days=92)
"""The longest three consecutive months: at the end of the third the first is still compared, from its first day."""
_MONTHS = 2
"""Number of months before the current one that are compared."""


class Against(StrEnum):
    """What the hourly rows of the usage bills are compared with."""

    BILL = "bill"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One pair of sums to be judged: a bill and its rows, or a month in two views."""

    group: Labels
    account: str
    comparison: Comparison
    headline: str
    facts: tuple[tuple[str, str], ...]
    month: str
    missing: tuple[str, ...] = ()
    """Reasons why it cannot be compared yet, a clause each."""
    labels: Labels = ()
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Reconcile(Rule):
    """Compare a month's hourly rows with its issued bill, or with spend by API key."""

    TYPE: ClassVar[str] = "reconcile"
    HELP: ClassVar[str] = (
        "Difference between an issued monthly bill's total and the hourly rows of that UTC month, as a share of the "
        "bill, once both are complete; one alert per bill. Or, with `against: api_key`, between those rows and spend "
        "by API key (llm, gen_api, web_search); one alert per account, category and month."
    )
    ADVICE: ClassVar[str] = (
        "Look at the sums below: spend without an API key is in the usage bills alone, and where Novita does not list "
        "subscriptions they are on the invoice alone; ask the billing support about the rest."
    )

    account: Annotated[Patterns, Key("Which accounts' bills: a value, a glob or a list.", example="prod")] = Patterns()
    against: Annotated[
        Against,
        Key("What the hourly rows are compared with: `bill`, or `api_key` for spend by API key.", example="api_key"),
    ] = Against.BILL
    tolerance: Annotated[
        Share,
        Key(
            "Differences up to this share of the bill (or of the usage bills) are ignored.",
            example="1%",
            at_least=Fraction(0),
        ),
    ] = Share(Fraction(1, 100))
    severity: Annotated[
        Severity | None,
        Key(
            "Severity of every difference above the tolerance, instead of thresholds; without either, warning.",
            example="warning",
        ),
    ] = None
    thresholds: Annotated[
        Mapping[Severity, Share],
        Key(
            "Severity to the share of the bill (or of the usage bills), instead of `severity`.",
            example={"warning": "1%", "critical": "10%"},
            at_least=Fraction(0),
        ),
    ] = field(default_factory=dict)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between tolerance, severity and thresholds."""
        yield from severity_problems(self.severity, self.thresholds)
        if self.thresholds:
            least = min(self.thresholds.values())
            if least < self.tolerance:
                low, floor = (format_share(ratio_decimal(share)) for share in (least, self.tolerance))
                text = f"thresholds: {low} is below the tolerance of {floor} and would never count"
                yield "thresholds", f"{text}; lower tolerance"

    def lookback(self) -> timedelta:
        """Return how far back the first day of the month before last can be."""
        return _LOOKBACK

    @property
    def metrics(self) -> frozenset[Metric]:
        """Only the amount: bills are about the full price."""
        return frozenset({Metric.AMOUNT})

    @property
    def views(self) -> frozenset[View]:
        """The usage bills, and spend by API key if they are compared with it."""
        return frozenset(View) if self.against is Against.API_KEY else frozenset({View.USAGE})

    @property
    def group_keys(self) -> tuple[str, ...]:
        """The labels of one bill, or of one month of an account's category."""
        return _KEY_GROUP if self.against is Against.API_KEY else _GROUP

    @cached_property
    def _limits(self) -> Mapping[Severity, Fraction]:
        return self.thresholds or {self.severity or Severity.WARNING: self.tolerance}

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge every pair of sums that can be compared, and the watched ones."""
        cases = self._key_cases if self.against is Against.API_KEY else self._bill_cases
        samples = (self._sample(case) for case in cases(facts, watched))
        return [sample for sample in samples if sample.held is not None or sample.group in watched]

    def left_out(self, facts: Facts, group: Labels) -> str:
        """Return why a group is no longer judged: its bill is voided, its month too old or its account excluded."""
        names = dict(group)
        if why := self._ended(names["account"], names["month"], facts.now):
            return why
        voided = (_group(each.bill) for each in facts.bills if each.bill.status == BillStatus.VOIDED)
        return "the bill is voided" if group in voided else ""

    def _bill_cases(self, facts: Facts, watched: Collection[Labels]) -> Iterator[_Case]:
        for bill in (tracked.bill for tracked in facts.bills):
            if bill.status == BillStatus.VOIDED or self._ended(bill.account, bill.month, facts.now):
                continue
            group, missing = _group(bill), _missing(facts, bill)
            if group in watched or not missing:
                yield _bill_case(facts, bill, group, missing=missing)

    def _key_cases(self, facts: Facts, watched: Collection[Labels]) -> Iterator[_Case]:
        of_keys = facts.of(View.API_KEY)
        recent = [month_before(facts.now, count) for count in range(_MONTHS, 0, -1)]
        wanted = dict.fromkeys((*key, month) for key in sorted(of_keys.data.books) for month in recent)
        known = (dict(group) for group in watched)
        wanted |= {
            (names["account"], names["category"], names["month"]): None for names in known if {*names} == {*_KEY_GROUP}
        }
        for account, category, month in wanted:
            group = tuple(zip(_KEY_GROUP, (account, category, month), strict=True))
            if self._ended(account, month, facts.now):
                continue
            missing = _missing_of_views(facts, of_keys, (account, category), hours_of_month(month))
            if group in watched or not missing:
                yield _key_case(facts, of_keys, group, missing=missing)

    def _ended(self, account: str, month: str, now: datetime) -> str:
        """Return why a month of an account is not judged; empty if it is."""
        if not self.account.matches(account):
            return NOT_MATCHED
        return "its hours are too long ago" if month < month_before(now, _MONTHS) else ""

    def _severity(self, share: Fraction, kept: Fraction) -> Severity | None:
        """Return a difference's severity, with limits and tolerance scaled by *kept*; None within the tolerance."""
        if share <= self.tolerance * kept:
            return None
        return highest({severity: limit * kept for severity, limit in self._limits.items()}, share)

    def _sample(self, case: _Case) -> Sample:
        share = case.comparison.share
        return Sample(
            group=case.group,
            labels=(*self.labels, *case.group, *case.labels),
            account=case.account,
            headline=case.headline,
            value=ratio_decimal(share),
            unit=Unit.RATIO,
            reached=self._severity(share, Fraction(1)) if not case.missing else None,
            held=self._severity(share, self.resolve_below),
            thresholds=tuple((severity, ratio_decimal(limit)) for severity, limit in sorted(self._limits.items())),
            as_of=start_of(hours_of_month(case.month).end),
            is_complete=not case.missing,
            may_raise=not case.missing,
            caveats=case.missing,
            facts=case.facts,
            url=case.url,
        )


# --- a bill and its rows --------------------------------------------------------------------------------------------


def _group(bill: MonthlyBill) -> Labels:
    return tuple(zip(_GROUP, (bill.account, bill.month, bill.bill_id), strict=True))


def _bill_case(facts: Facts, bill: MonthlyBill, group: Labels, *, missing: tuple[str, ...]) -> _Case:
    rows = _rows(facts, bill)
    comparison = Comparison(bill.total, sum(amount for _, amount in rows))
    name = f"Bill of {bill.month} ({bill.account})"
    if comparison.share:
        which = f"{comparison.apart} {comparison.more_or_less}"
        headline = f"{name} is {which} than its hourly rows: {comparison.against}"
    else:
        headline = f"{name} agrees with its hourly rows: {comparison.against}"
    return _Case(
        group=group,
        account=bill.account,
        comparison=comparison,
        headline=headline,
        facts=(
            ("Bill total", format_usd(comparison.first)),
            ("Hourly rows", format_usd(comparison.second)),
            ("Difference", _difference(comparison, "on the bill")),
            ("Rows by category", ", ".join(f"{name} {format_usd(amount)}" for name, amount in rows) or "none"),
            ("Month", f"{bill.month} (UTC)"),
            ("Status", bill.status),
        ),
        month=bill.month,
        missing=missing,
        labels=(("status", bill.status),),
        url=bill.invoice_url,
    )


def _missing(facts: Facts, bill: MonthlyBill) -> tuple[str, ...]:
    """Return why bill and rows cannot be compared yet, a clause each; empty if both are complete."""
    if bill.status == BillStatus.PENDING:
        return ("the bill is not issued yet",)
    if bill.month >= month_before(facts.now, 0):
        return ("its month is not over",)
    found = [gap] if (gap := facts.bill_gaps.get(bill.account)) else []
    keys = facts.data.select(Patterns((bill.account,)), Patterns())
    found += lacking(facts.data, keys, hours_of_month(bill.month))
    return tuple(found) if keys else ("no category of the account is read",)


def _rows(facts: Facts, bill: MonthlyBill) -> list[tuple[str, int]]:
    """Return the sums of the hourly rows of the bill's month by category, largest first; sums of zero are left out."""
    query = SpendQuery(group_by=("category",), accounts=frozenset({bill.account}))
    sums = facts.spend.sums(query, Metric.AMOUNT, hours_of_month(bill.month))
    rows = ((dict(group)["category"], int(sums.of(group))) for group in sums.groups)
    return sorted((row for row in rows if row[1]), key=lambda row: (-row[1], row[0]))


# --- usage bills and spend by API key -------------------------------------------------------------------------------


def _key_case(facts: Facts, of_keys: Facts, group: Labels, *, missing: tuple[str, ...]) -> _Case:
    account, category, month = (value for _, value in group)
    hours = hours_of_month(month)
    query = SpendQuery(filters=(("category", Patterns((category,))),), accounts=frozenset({account}))
    usage, by_key = (one.spend.sums(query, Metric.AMOUNT, hours).of(()) for one in (facts, of_keys))
    comparison = Comparison(usage, by_key)
    name = f"{category} of {month} ({account})"
    if comparison.share:
        which = f"{comparison.apart} {comparison.more_or_less}"
        headline = f"{name} is {which} in the usage bills than by API key: {comparison.against}"
    else:
        headline = f"{name} agrees in the usage bills and by API key: {comparison.against}"
    return _Case(
        group=group,
        account=account,
        comparison=comparison,
        headline=headline,
        facts=(
            ("Usage bills", format_usd(usage)),
            ("By API key", format_usd(by_key)),
            ("Difference", _difference(comparison, "in the usage bills")),
            ("Month", f"{month} (UTC)"),
        ),
        month=month,
        missing=missing,
    )


def _missing_of_views(facts: Facts, of_keys: Facts, key: tuple[str, str], hours: HourRange) -> tuple[str, ...]:
    """Return why the two views cannot be compared yet, a clause each; empty if both are complete."""
    if any(key not in one.data.books for one in (facts, of_keys)):
        return (f"{key[1]} is not read in both views",)
    return (*lacking(facts.data, (key,), hours), *lacking(of_keys.data, (key,), hours))


def _difference(comparison: Comparison, where: str) -> str:
    if not comparison.difference:
        return "none"
    return f"{format_usd(abs(comparison.difference))} {comparison.more_or_less} {where}"
