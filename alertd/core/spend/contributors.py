"""The parts of a group's spend by owner, product and category: which are largest, and which rose most."""

from fractions import Fraction

from alertd.core.alert import Contributor
from alertd.core.hours import HourRange
from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.view import SpendView


def largest_parts(
    spend: SpendView,
    query: SpendQuery,
    metric: str,
    window: HourRange,
    group: Labels,
    *,
    before: HourRange | None,
    count: int = 3,
) -> tuple[Contributor, ...]:
    """
    Return the largest parts of a group's sum by owner, product and category, largest first; kept until spend changes.

    Args:
        before: The window to compare with; None if it is not known.
        count: Maximum number of parts; parts without spend are left out.
    """
    # Rules with the same filters and window share them.
    asked = ("largest parts", query, metric, window, group, before, count)
    found = spend.kept.get(asked)
    if not isinstance(found, tuple):
        parts = spend.parts(query, metric, (window, before or HourRange(0, 0)), group, largest=count)
        columns = zip(parts.now.tolist(), parts.numbers.tolist(), parts.then.tolist(), strict=True)
        largest = sorted((-now, parts.names[part], then) for now, part, then in columns if now > 0)
        spend.kept[asked] = found = tuple(
            _contributor(names, Usd(-amount), before=Usd(earlier) if before is not None else None)
            for amount, names, earlier in largest[:count]
        )
    return found


def risen_parts(
    spend: SpendView,
    query: SpendQuery,
    metric: str,
    window: HourRange,
    group: Labels,
    *,
    before: HourRange,
    count: int = 3,
) -> tuple[Contributor, ...]:
    """
    Return the parts of a group's sum that rose most over their mean of earlier windows, largest rise first.

    Args:
        before: The earlier windows, of the same length, end to end.
        count: Maximum number of parts; those that did not rise are left out.
    """
    windows = len(before) // len(window)
    parts = spend.parts(query, metric, (window, before), group)
    columns = zip(parts.numbers.tolist(), parts.now.tolist(), parts.then.tolist(), strict=True)
    rises = [
        (now * windows - then, parts.names[part], now, then) for part, now, then in columns if now * windows > then
    ]
    return tuple(
        _contributor(names, Usd(now), before=Usd(round(Fraction(then, windows))))
        for _, names, now, then in sorted(rises, key=lambda rise: (-rise[0], rise[1]))[:count]
    )


def _contributor(names: tuple[str, str, str], amount: Usd, *, before: Usd | None) -> Contributor:
    owner, product, category = names
    return Contributor(owner=owner, product=product, category=category, amount=amount, before=before)
