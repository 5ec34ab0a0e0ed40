"""The parts of a group's spend by owner, product and category: which are largest, and which rose most."""

from fractions import Fraction

from alertd.core.alert import Contributor
from alertd.core.arrays import np
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
    Return the largest parts of a group's sum by owner, product and category, largest first.

    Args:
        before: The window to compare with; None if it is not known.
        count: Maximum number of parts; parts without spend are left out.
    """
    parts = spend.parts(query, metric, (window, before or HourRange(0, 0)), group)
    now = parts.now
    chosen = np.flatnonzero(now > 0)
    if len(chosen) > count:
        # Include all that are as large as the last of them: names decide between equals.
        least = np.partition(now[chosen], -count)[-count]
        chosen = chosen[now[chosen] >= least]
    largest = sorted((-int(now[n]), parts.names[parts.numbers[n]], int(parts.then[n])) for n in chosen.tolist())
    return tuple(
        _contributor(names, Usd(-amount), before=Usd(earlier) if before is not None else None)
        for amount, names, earlier in largest[:count]
    )


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
