"""
Measure false ends and missed episodes on 30 kinds of synthetic worlds, with one edge per rule (formerly) and two ends.

Run by hand: `python -m tests.bench.truth [seeds]`, or `python -m tests.bench.truth weeks [worlds]` for thousands of
weeks at once (`truth_weeks`). True spend is the spend in the final bills. A false end is an alert that resolves
while true spend is at or above its resolve level in every window that ends within the settle delay. A missed episode
is a day with true spend at the threshold, on which and in the two days after it the alert never fires.
"""

import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alertd.core.hours import HourRange, hour_of
from alertd.core.spend.edges import edges_of
from alertd.core.spend.ends import two_ends
from alertd.core.spend.selection import SpendQuery
from tests.core.builders import SETTLE, rolling
from tests.core.late_bills import FIRST, LateBills, Shown, at, daily, hourly, polls

WEEKS = 2
DAYS = range(1, 7 * WEEKS + 1)
HOURS = range(FIRST, FIRST + 7 * 24 * WEEKS)
WINDOWS = (1, 3, 24, 72)
_EPISODE = 24
"""Minimum hours of an episode: shorter ones may have ended before their bills arrive."""
_LEAVE = 0.9

Made = tuple[list[Shown], Callable[[datetime, str], bool], datetime]
"""A synthetic world: its rows, a function that decides which reads fail, and the time of the first poll."""


@dataclass(slots=True)
class Tally:
    """The errors of one method."""

    false_ends: int = 0
    missed: int = 0
    weeks: float = 0


@dataclass(slots=True)
class Judge:
    """One alert under one method."""

    line: int
    is_firing: bool = False
    ends: list[datetime] = field(default_factory=list)
    firing: set[int] = field(default_factory=set)

    def step(self, now: datetime, at_least: int, lasting: int) -> None:
        """Fire if *at_least* reaches the threshold, resolve if *lasting* falls below the resolve level."""
        if self.is_firing and lasting < self.line * _LEAVE:
            self.is_firing = False
            self.ends.append(now)
        elif at_least >= self.line:
            self.is_firing = True
        if self.is_firing:
            self.firing.add(hour_of(now))


def never(_now: datetime, _category: str) -> bool:
    """Return False: no read fails."""
    return False


def steady(late: float, category: str = "gpu", amount: str = "10", owner: str = "gpu-1") -> list[Shown]:
    """Return spend that never changes."""
    return hourly(HOURS, amount, late=late, category=category, owner=owner)


def jitter(chance: random.Random, low: float, high: float) -> Callable[[int], float]:
    """Return a delay in hours for each row, random between *low* and *high*."""
    delays = {hour: chance.uniform(low, high) for hour in (*HOURS, *DAYS)}
    return delays.__getitem__


def freaks(chance: random.Random, usual: float, share: float, late: float) -> Callable[[int], float]:
    """Return a delay in hours for each row, which is *late* for a random share of rows."""
    delays = {hour: late if chance.random() < share else usual for hour in (*HOURS, *DAYS)}
    return delays.__getitem__


def stepped(chance: random.Random, late: float, category: str = "gpu") -> list[Shown]:
    """Return spend that changes about every two days."""
    levels: dict[int, str] = {}
    level = 10
    for hour in HOURS:
        level = chance.choice([2, 5, 10, 20, 40]) if chance.random() < 1 / 48 else level
        levels[hour] = str(level)
    return hourly(HOURS, levels.__getitem__, late=late, category=category)


def stopped(chance: random.Random, late: float, category: str = "gpu") -> list[Shown]:
    """Return spend that stops for 60 hours."""
    stop = chance.randint(100, 200)
    hours = [hour for hour in HOURS if not FIRST + stop <= hour < FIRST + stop + 60]
    return hourly(hours, "10", late=late, category=category)


def revised(chance: random.Random, first: str, last: str, after: float) -> list[Shown]:
    """Return rows that are first billed in part and then in full."""
    found = []
    for shown in hourly(HOURS, first, late=0):
        until = shown.shown_from + after * 3600 * chance.uniform(0.5, 1)
        (full,) = hourly([shown.row.hour], last)
        found += [
            Shown(row=shown.row, shown_from=shown.shown_from, shown_until=until),
            Shown(row=full.row, shown_from=until),
        ]
    return found


def outage(chance: random.Random, hours: int, category: str | None = None) -> Callable[[datetime, str], bool]:
    """Return a function that makes reads fail for *hours*."""
    begin = at(chance.randint(5, 10), chance.randint(0, 23))
    return lambda now, name: begin <= now < begin + timedelta(hours=hours) and category in {None, name}


KINDS: dict[str, Callable[[random.Random], list[Shown]]] = {
    "prompt gpu": lambda _: steady(0),
    "gpu 1 h late": lambda _: steady(1),
    "gpu 3 h late": lambda _: steady(3),
    "gpu 8 h late": lambda _: steady(8),
    "gpu 30 h late": lambda _: steady(30),
    "day rows 2 h late": lambda _: daily(DAYS, "240", late=2),
    "day rows 9 h late": lambda _: daily(DAYS, "240", late=9),
    "day rows 20 h late": lambda _: daily(DAYS, "240", late=20),
    "day rows at 6 to 12 h": lambda c: daily(DAYS, "240", late=jitter(c, 6, 12)),
    "gpu and day rows": lambda _: [*steady(0), *daily(DAYS, "240")],
    "gpu and day rows in one category": lambda _: [*steady(0), *daily(DAYS, "240", category="gpu")],
    "late gpu and day rows": lambda _: [*steady(5), *daily(DAYS, "240")],
    "llm and gpu 1 h late": lambda _: [*steady(0, "llm", "1", "key"), *steady(1)],
    "llm and gpu 2 h late": lambda _: [*steady(0, "llm", "1", "key"), *steady(2)],
    "llm and gpu 5 h late": lambda _: [*steady(0, "llm", "1", "key"), *steady(5)],
    "llm, gpu and day rows": lambda _: [*steady(0, "llm", "5", "key"), *steady(3), *daily(DAYS, "120")],
    "an owner later than others": lambda _: [*steady(0), *steady(6, owner="gpu-2")],
    "two owners, one stopped": lambda c: [*stopped(c, 0), *steady(4, owner="gpu-2")],
    "rows within 3 h": lambda c: hourly(HOURS, "10", late=jitter(c, 0, 3)),
    "rows within 6 h": lambda c: hourly(HOURS, "10", late=jitter(c, 0, 6)),
    "1 in 50 rows 10 h late": lambda c: hourly(HOURS, "10", late=freaks(c, 0, 0.02, 10)),
    "1 in 12 rows 5 h late": lambda c: hourly(HOURS, "10", late=freaks(c, 0, 0.08, 5)),
    "freak rows 40 h late": lambda c: hourly(HOURS, "10", late=freaks(c, 0, 0.01, 40)),
    "steps, prompt": lambda c: stepped(c, 0),
    "steps, 4 h late": lambda c: stepped(c, 4),
    "stop and start": lambda c: stopped(c, 2),
    "billed in part first": lambda c: revised(c, "6", "10", 3),
    "raised later": lambda c: revised(c, "8", "10", 20),
    "outages": lambda _: [*steady(1), *daily(DAYS, "240")],
    "an outage of one category, fresh": lambda _: [*steady(0), *daily(DAYS, "240")],
}


def made(kind: str, chance: random.Random) -> Made:
    """Return a world of a kind; in kinds with outages some reads fail."""
    rows = KINDS[kind](chance)
    if kind == "outages":
        return rows, outage(chance, chance.randint(2, 30)), at(1, 0, 7)
    if kind.startswith("an outage of one"):
        return rows, outage(chance, 12, "gpu"), at(3, chance.randint(0, 23), 7)
    return rows, never, at(1, chance.randint(0, 23), 7)


def true_spend(rows: list[Shown]) -> dict[int, int]:
    """Return the final cost of each hour."""
    found: dict[int, int] = defaultdict(int)
    for shown in rows:
        if shown.shown_until > 2**60:
            for hour in range(shown.row.hour, shown.row.hour + shown.row.span):
                found[hour] += shown.row.amount // shown.row.span
    return found


def one_edge(world: LateBills, now: datetime, length: int) -> int:
    """Return the sum up to one edge: the later of the newest row's end and the last read minus the settle delay."""
    running = hour_of(now)
    ends = [min(s.end, running + 1) for book in world.books.values() for h, s in book.hours.items() if h <= running]
    reads = [hour_of(book.read_at - SETTLE) for book in world.books.values() if book.read_at is not None]
    edge = max([*ends, *reads], default=running)
    assert world.view is not None
    return int(world.view.sums(SpendQuery(), "amount", HourRange(edge - length, edge)).of(()))


def live(kind: str, seed: int) -> Iterator[tuple[str, Judge, int, int]]:
    """Simulate a world; yield (method, its judge, window in hours, threshold) of each rule."""
    chance = random.Random(f"{kind} {seed}")
    rows, is_down, first = made(kind, chance)
    world = LateBills(rows, (rolling(window=timedelta(hours=max(WINDOWS))),), is_down=is_down)
    truth = true_spend(rows)
    base = sorted(truth.values())[len(truth) // 2]
    lines = {(length, share): int(base * length * share) for length in WINDOWS for share in (0.8, 0.97)}
    judges = {(way, *key): Judge(line) for way in ("one edge", "two ends") for key, line in lines.items()}
    for now in polls(first, at(DAYS[-1], 23, 7)):
        facts = world.poll(now)
        query = SpendQuery(accounts=facts.data.accounts)
        edges = edges_of(facts.spend, facts.data, query, facts.data.books)
        is_whole = not any(book.failed_at for book in world.books.values())
        for length in WINDOWS:
            both = two_ends(facts.spend, facts.data, "amount", edges, length=length).of(())
            single = one_edge(world, now, length)
            for share in (0.8, 0.97):
                for way, low, high in (("one edge", single, single), ("two ends", both.at_least, both.lasting)):
                    # A failed read resolves no alert, under either method.
                    judges[way, length, share].step(now, low, high if is_whole else 2**62)
    for (way, length, share), judge in judges.items():
        _count(judge, truth, length)
        yield way, judge, length, lines[length, share]


def _count(judge: Judge, truth: dict[int, int], length: int) -> None:
    """Keep only the false ends in *judge*."""

    def window(end: int) -> int:
        return sum(truth.get(hour, 0) for hour in range(end - length, end))

    recent = range(-2, 1)
    judge.ends = [now for now in judge.ends if all(window(hour_of(now) + ago) >= judge.line * _LEAVE for ago in recent)]


def missed(judge: Judge, truth: dict[int, int], length: int, first: int) -> int:
    """Count the episodes during which, and in the two days after, the alert did not fire."""
    found, run = 0, 0
    for end in range(first, HOURS[-1] - 48):
        is_high = sum(truth.get(hour, 0) for hour in range(end - length, end)) >= judge.line
        run = run + 1 if is_high else 0
        if run == _EPISODE:
            found += not any(hour in judge.firing for hour in range(end - _EPISODE, end + 49))
    return found


def main(seeds: int) -> None:
    """Print a table of false ends and missed episodes by kind, for both methods."""
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for kind in KINDS:
        for seed in range(seeds):
            rows, _, first = made(kind, random.Random(f"{kind} {seed}"))
            truth = true_spend(rows)
            for way, judge, length, _ in live(kind, seed):
                tally = tallies[kind, way]
                tally.false_ends += len(judge.ends)
                tally.missed += missed(judge, truth, length, hour_of(first) + length)
                tally.weeks += (at(DAYS[-1], 23) - first) / timedelta(days=7)
        old, new = tallies[kind, "one edge"], tallies[kind, "two ends"]
        line = f"{kind:34} {new.weeks:8.0f} {old.false_ends:8} {new.false_ends:6} {old.missed:8} {new.missed:6}"
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    for way in ("one edge", "two ends"):
        mine = [tally for (_, name), tally in tallies.items() if name == way]
        totals = [sum(t.false_ends for t in mine), sum(t.missed for t in mine), round(sum(t.weeks for t in mine))]
        sys.stdout.write(f"{way}: {totals[0]} false ends, {totals[1]} missed episodes in {totals[2]} rule-weeks\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["weeks"]:
        from tests.bench import truth_weeks

        truth_weeks.main(int(sys.argv[2]) if len(sys.argv) > 2 else 125)
    else:
        sys.stdout.write(f"{'kind':34} {'weeks':>8} {'ends: 1':>8} {'2':>6} {'missed 1':>8} {'2':>6}\n")
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
