"""
What spend must come out, computed slowly with fractions from the written meaning of rules; shares no code with alertd.

Hours are counted from 1970. All is read once, just now, so that nobody knows how late rows come.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from tests.e2e.world import CATEGORIES, HOUR, Row

Group = tuple[tuple[str, str], ...]
Stream = tuple[str, bool]
"""A category, and whether its rows are longer than an hour."""
Spent = Mapping[Stream, Mapping[int, Fraction]]
"""By stream and hour."""

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


def streams(rows: Iterable[Row], spec: Spec, teams: Mapping[str, str]) -> dict[Group, dict[Stream, list[Row]]]:
    """Return the rows of each group by stream: a category's rows of up to an hour, and its longer ones."""
    found: dict[Group, dict[Stream, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.category in spec.categories and spec.counts(row):
            group = tuple((name, label(row, name, teams)) for name in spec.group_by)
            found[group][row.category, row.hours > 1].append(row)
    return found


def edge(rows: Iterable[Row], *, is_long: bool, now_s: float, settle_s: int) -> int:
    """Return the hour up to which a group is billed in a stream, all of it read just now for the first time."""
    running = int(now_s) // HOUR
    ends = [hours_of(row)[-1] + 1 for row in rows]
    newest = max((end for end in ends if end <= running + (not is_long)), default=-1)
    settled = int(now_s - settle_s) // HOUR
    if is_long:
        settled -= settled % 24
        if newest == settled - 24:
            # Nobody saw a day's row come yet: the one that is due is waited for until its day is a day over.
            settled = min(settled, (running // 24 - 1) * 24)
    return max(newest, settled)


def billed(rows: Iterable[Row], metric: str, *, running: int) -> dict[int, Fraction]:
    """Return what rows show in each hour; what has not ended is spread over its hours so far."""
    found: dict[int, Fraction] = defaultdict(Fraction)
    for row in rows:
        hours = hours_of(row)
        if hours[0] <= running:
            hours = range(hours[0], min(hours[-1], running) + 1)
        for hour in hours:
            found[hour] += money(row, metric) / len(hours)
    return found


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a group's sum, and through when the lower one is billed."""

    at_least: Fraction
    about: Fraction
    through: int


def two_ends(
    rows: Iterable[Row], spec: Spec, *, now_s: float, settle_s: int, teams: Mapping[str, str]
) -> dict[Group, Ends]:
    """Return what each group of a rule spent in its window, all of it read just now for the first time."""
    running, length = int(now_s) // HOUR, spec.window_hours
    by_group = streams(rows, spec, teams)
    edges = {
        group: {
            key: edge(mine, is_long=key[1], now_s=now_s, settle_s=settle_s)
            for key, mine in of_group.items()
            if any(hours_of(row)[0] <= running for row in mine)
        }
        for group, of_group in by_group.items()
    }
    latest = max((each for found in edges.values() for each in found.values()), default=running)
    recent = -(-int(now_s - settle_s) // HOUR)
    result = {}
    for group, known in edges.items():
        spent = {key: billed(by_group[group][key], spec.metric, running=running) for key in known}

        def window(
            end: int, keys: Iterable[Stream], spent: Mapping[Stream, Mapping[int, Fraction]] = spent
        ) -> Fraction:
            hours = range(end - length, end)
            return sum((spent[key].get(hour, Fraction(0)) for key in keys for hour in hours), Fraction(0))

        about = sum((max(window(each, [key]), window(latest, [key])) for key, each in known.items()), Fraction(0))
        about = max([about, *(window(end, known) for end in range(recent, latest + 1))])
        first = min([*known.values(), recent, latest])
        largest = max(window(end, known) for end in range(first, latest + 1))
        through = max(end for end in range(first, latest + 1) if window(end, known) == largest)
        result[group] = Ends(min(largest, about), about, through)
    return result


def sums(rows: Iterable[Row], spec: Spec, *, start: int, end: int, teams: Mapping[str, str]) -> dict[Group, Fraction]:
    """Return what each group spent in the hours from *start* up to *end*, which ends the running one."""
    found: dict[Group, Fraction] = {}
    for group, of_group in streams(rows, spec, teams).items():
        spent = [billed(mine, spec.metric, running=end - 1) for mine in of_group.values()]
        inside = [amount for each in spent for hour, amount in each.items() if start <= hour < end]
        if inside:
            found[group] = sum(inside, Fraction(0))
    return found


def exact(text: str) -> Fraction:
    """Return a decimal text as it stands."""
    return Fraction(Decimal(text))
