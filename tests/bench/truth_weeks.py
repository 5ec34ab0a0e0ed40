"""
Measure flaps of steady spend and late ends of stopped spend over thousands of synthetic weeks.

Run by hand: `python -m tests.bench.truth weeks [worlds of each kind]`; 125 worlds of each of 40 kinds, two weeks each,
are 10,000 weeks and take a few minutes. The worlds of a kind are groups of one ledger, so that a poll judges all of
them at once; they share failed reads and the usual lateness of their streams.

A flap is an alert that resolves while true spend is at its resolve level in every window that ends within the settle
delay; for steady kinds every end is a flap. An end is late if the alert fires longer, after its spend stopped, than its
window, its stream's lateness and step, and one hour.
"""

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from alertd.core.hours import hour_of
from alertd.core.spend.edges import edges_of
from alertd.core.spend.ends import two_ends
from alertd.core.spend.selection import SpendQuery
from tests.bench.truth import DAYS, HOURS, KINDS, WEEKS, WINDOWS, Made, made, steady, true_spend
from tests.core.builders import rolling
from tests.core.late_bills import FIRST, LateBills, Shown, at, daily, hourly, polls

_LEAVE = 0.9
_SHARES = (0.8, 0.97)
_RULES = [(length, share) for length in WINDOWS for share in _SHARES]
_STOPS = 150
"""The hour of a world, from its beginning, at which spend stops."""


def _until(late: float) -> Callable[[random.Random], list[Shown]]:
    return lambda _: hourly(range(FIRST, FIRST + _STOPS), "10", late=late)


def _days_until(late: float) -> Callable[[random.Random], list[Shown]]:
    return lambda _: daily(range(1, 1 + _STOPS // 24), "240", late=late)


STOPPED: dict[str, Callable[[random.Random], list[Shown]]] = {
    "stopped, prompt": _until(0),
    "stopped, 1 h late": _until(1),
    "stopped, 3 h late": _until(3),
    "stopped, 8 h late": _until(8),
    "stopped, 30 h late": _until(30),
    "stopped, rows within 6 h": lambda c: hourly(range(FIRST, FIRST + _STOPS), "10", late=lambda _: c.uniform(0, 6)),
    "stopped day rows, 2 h late": _days_until(2),
    "stopped day rows, 9 h late": _days_until(9),
    "stopped day rows, 20 h late": _days_until(20),
    "stopped gpu beside llm": lambda c: [*_until(3)(c), *steady(0, "llm", "0.5", "key")],
}
"""Kinds whose spend stops, with different lateness of bills."""
STEADY = (
    "prompt gpu", "gpu 1 h late", "gpu 3 h late", "gpu 8 h late", "gpu 30 h late", "day rows 2 h late",
    "day rows 9 h late", "day rows 20 h late", "day rows at 6 to 12 h", "gpu and day rows",
    "gpu and day rows in one category", "late gpu and day rows", "llm and gpu 1 h late", "llm and gpu 2 h late",
    "llm and gpu 5 h late", "llm, gpu and day rows", "an owner later than others", "rows within 3 h",
    "rows within 6 h", "1 in 50 rows 10 h late", "1 in 12 rows 5 h late", "freak rows 40 h late", "outages",
)  # fmt: skip
"""Kinds whose spend never changes, with different lateness of bills."""


@dataclass(slots=True, kw_only=True)
class Found:
    """The results for the worlds of one kind."""

    weeks: float = 0
    episodes: int = 0
    """Number of alerts that began to fire."""
    flaps: int = 0
    late_ends: int = 0
    latest_h: float = 0
    """The most hours by which an end was late."""
    unended: int = 0


def live(kind: str, worlds: int) -> Found:
    """Simulate many worlds of a kind at once."""
    chance = random.Random(f"weeks {kind}")
    made_rows = [_of_world(number, _made(kind, random.Random(f"{kind} {number}"))) for number in range(worlds)]
    truths = [true_spend(rows) for rows in made_rows]
    _, is_down, first = _made(kind, chance)
    rule = rolling(window=timedelta(hours=max(WINDOWS)))
    world = LateBills([shown for rows in made_rows for shown in rows], (rule,), is_down=is_down)
    # The usual cost of an hour; for kinds that stop, before they do.
    last = FIRST + _STOPS // 24 * 24 if kind in STOPPED else HOURS[-1]
    costs = [sorted(cost for hour, cost in truth.items() if hour < last) for truth in truths]
    bases = np.array([each[len(each) // 2] for each in costs])
    lines = np.array([bases * length * share for length, share in _RULES]).astype(np.int64)
    true = _true_windows(truths)
    is_firing = np.zeros(lines.shape, np.bool_)
    found = Found(weeks=worlds * (at(DAYS[-1], 23) - first) / timedelta(days=7))
    lateness_h = 0.0
    for now in polls(first, at(DAYS[-1], 23, 7)):
        facts = world.poll(now)
        query = SpendQuery(group_by=("product",), accounts=facts.data.accounts)
        edges = edges_of(facts.spend, facts.data, query, facts.data.books)
        is_whole = not any(book.failed_at for book in world.books.values())
        order = [edges.cells.numbers.get((("product", f"w{number}"),), -1) for number in range(worlds)]
        lateness_h = max(lateness_h, max(facts.data.streams.lateness_s.values(), default=0) / 3600)
        ends = {w: two_ends(facts.spend, facts.data, "amount", edges, length=w) for w in WINDOWS}
        hour = hour_of(now)
        for place, (length, _) in enumerate(_RULES):
            low, lasting = _of(ends[length].at_least, order), _of(ends[length].lasting, order)
            begins = ~is_firing[place] & (low >= lines[place])
            stops = is_firing[place] & (lasting < lines[place] * _LEAVE) & is_whole
            is_true = np.all([true[length][hour - FIRST + ago] >= lines[place] * _LEAVE for ago in (-2, -1, 0)], axis=0)
            is_false = stops if kind in STEADY else stops & is_true
            found.episodes += int(begins.sum())
            found.flaps += int(is_false.sum())
            is_firing[place] = (is_firing[place] | begins) & ~stops
            if kind in STOPPED:
                step = 24 if "day rows" in kind else 1
                over_h = (now - at(1)) / timedelta(hours=1) - (_STOPS // step * step + length + lateness_h + step + 1)
                if over_h > 0 and is_firing[place].any():
                    found.late_ends += int(is_firing[place].sum())
                    found.latest_h = max(found.latest_h, over_h)
    if kind in STOPPED:
        found.unended = int(is_firing.sum())
    return found


def _made(kind: str, chance: random.Random) -> Made:
    if kind in STOPPED:
        return STOPPED[kind](chance), lambda _now, _category: False, at(1, chance.randint(0, 23), 7)
    return made(kind, chance)


def _of_world(number: int, world: Made) -> list[Shown]:
    """Return the rows of a world, with its number as their product."""
    return [
        replace(shown, row=replace(shown.row, series=shown.row.series._replace(product=f"w{number}")))
        for shown in world[0]
    ]


def _true_windows(truths: list[dict[int, int]]) -> dict[int, NDArray[np.int64]]:
    """Return true spend by window length: an array (hour at which the window ends, world)."""
    hours = range(FIRST, HOURS[-1] + 26)
    by_hour = np.array([[truth.get(hour, 0) for truth in truths] for hour in hours], np.int64)
    totals = np.concatenate((np.zeros((max(WINDOWS) + 1, len(truths)), np.int64), np.cumsum(by_hour, axis=0)))
    return {w: totals[max(WINDOWS) :] - totals[max(WINDOWS) - w : len(totals) - w] for w in WINDOWS}


def _of(values: NDArray[np.int64], order: list[int]) -> NDArray[np.int64]:
    padded = np.append(values, 0)
    found: NDArray[np.int64] = padded[order]
    return found


def tables(worlds: int) -> Iterator[str]:
    """Yield the lines of the table, each as soon as its kind is finished."""
    yield f"{'kind':34} {'weeks':>8} {'episodes':>9} {'flaps':>6} {'late':>6} {'by h':>6} {'on':>4}"
    total = Found()
    for kind in (*KINDS, *STOPPED):
        found = live(kind, worlds)
        total.weeks += found.weeks
        total.episodes += found.episodes
        total.flaps += found.flaps
        total.late_ends += found.late_ends
        numbers = f"{found.flaps:6} {found.late_ends:6} {found.latest_h:6.1f} {found.unended:4}"
        yield f"{kind:34} {found.weeks:8.0f} {found.episodes:9} {numbers}"
    yield (
        f"{total.weeks:.0f} made weeks, {len(_RULES)} rules each: {total.episodes} episodes, {total.flaps} flaps, "
        f"{total.late_ends} polls with an alert that should have ended"
    )


def main(worlds: int) -> None:
    """Print the table."""
    for line in tables(worlds):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


__all__ = ["STEADY", "STOPPED", "WEEKS", "live", "main", "tables"]
