"""
What spend must come out, computed slowly with fractions from the written meaning of rules; shares no code with alertd.

Hours are counted from 1970. A window ends at the data edge: the later of the end of the newest hour with a row (the
running hour included, later ones ignored) and the last read less the settle delay, down to the hour.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from tests.e2e.world import CATEGORIES, HOUR, Row

Group = tuple[tuple[str, str], ...]

METHODS = {1: "on-demand", 2: "subscription", 4: "spot"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A rolling-spend rule as its author means it."""

    name: str
    window_hours: int
    group_by: tuple[str, ...] = ()
    metric: str = "amount"
    categories: tuple[str, ...] = CATEGORIES
    """Those that the rule's category filter lets through."""
    counts: Callable[[Row], bool] = lambda _row: True
    """Its other filters."""
    yaml: Mapping[str, str] = field(default_factory=dict)
    """The same filters as written."""


def money(row: Row, metric: str) -> Fraction:
    """Return what a row says of a metric: the decimals, or the integers where there are only those."""
    exact = {"amount": row.amount, "voucher": row.voucher, "pay": row.pay}[metric]
    return Fraction(int(exact * 10000), 10000) if row.style == "integers" else Fraction(exact)


def hours_of(row: Row) -> range:
    """Return the hours that a row covers."""
    return range(row.start // HOUR, row.start // HOUR + row.hours)


def label(row: Row, name: str, teams: Mapping[str, str]) -> str:
    """Return a row's value of a group key."""
    match name:
        case "billing_method":
            return METHODS[row.method]
        case "team":
            return teams.get(row.owner, "")
        case "account":
            return "default"
        case _:
            return str(getattr(row, name))


def edge(rows: Iterable[Row], categories: Iterable[str], *, now_s: float, settle_s: int) -> int:
    """Return the hour up to which the categories are billed, all of them read just now."""
    running = int(now_s) // HOUR
    wanted = set(categories)
    ends = [hour + 1 for row in rows if row.category in wanted for hour in hours_of(row) if hour <= running]
    return max([*ends, int(now_s - settle_s) // HOUR])


def sums(rows: Iterable[Row], spec: Spec, *, start: int, end: int, teams: Mapping[str, str]) -> dict[Group, Fraction]:
    """Return what each group spent in the hours from *start* up to, not including, *end*."""
    found: dict[Group, Fraction] = defaultdict(Fraction)
    for row in rows:
        if row.category not in spec.categories or not spec.counts(row):
            continue
        inside = sum(start <= hour < end for hour in hours_of(row))
        if inside:
            group = tuple((name, label(row, name, teams)) for name in spec.group_by)
            found[group] += money(row, spec.metric) * inside / row.hours
    return dict(found)


def exact(text: str) -> Fraction:
    """Return a decimal text as it stands."""
    return Fraction(Decimal(text))
