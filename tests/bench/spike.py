"""
How often `spike` raises a false alarm in synthetic worlds of 300 owners, and how long it takes to detect a leak.

    python -m tests.bench.spike

Owners' levels follow a power law. A third are API keys of people (office hours, weekends, 30 % of noise), a third are
GPUs at a constant price that are on for hours or weeks, a third are batch jobs on some days. None of this is unusual,
so every episode counts as a false alarm: in worlds where the mean of 7 days with `min_increase: $1`, the former
default, raises about 290 of them, and in others where every owner costs ten times as much. Then a leak of a few
dollars an hour is added to keys that cost about a dollar an hour. Each line is one method; windows are 24 hours, the
threshold is twice the usual spend.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from alertd.core.spend.rises import Compare, Lengths, double_usual, highest_windows

Floats = NDArray[np.float64]
DAY, WEEK = 24, 168
HISTORY, MONTH = 28 * DAY, 30 * DAY
OWNERS = 300
_CHEAPEST = (0.005, 0.05)
"""USD an hour of the cheapest owner, in the two kinds of worlds."""
UNITS = 10**10
WINDOW, RATIO, LEAVE = 24, 2, 0.9


def made_world(random: np.random.Generator, cheapest: float) -> Floats:
    """Return the hourly spend in USD as an array (hours, owners)."""
    hours = HISTORY + WINDOW + MONTH
    level = cheapest * (random.pareto(1.1, OWNERS) + 1)
    return np.stack([_KINDS[number % 3](random, hours) * level[number] for number in range(OWNERS)], axis=1)


def _key(random: np.random.Generator, hours: int) -> Floats:
    hour = np.arange(hours) + random.integers(0, WEEK)
    is_office = (hour % DAY >= 8) & (hour % DAY < 18) & (hour // DAY % 7 < 5)
    day_noise = np.repeat(random.lognormal(0, 0.3, hours // DAY + 1), DAY)[:hours]
    shape: Floats = np.where(is_office, 3.0, 0.1) * random.lognormal(0, 0.3, hours) * day_noise
    return shape


def _gpu(random: np.random.Generator, hours: int) -> Floats:
    """Return a GPU that is switched on and off, each time for hours to weeks."""
    is_on, at = np.zeros(hours), 0
    on = bool(random.integers(0, 2))
    while at < hours:
        length = int(random.lognormal(4.5, 1.2)) + 1
        is_on[at : at + length] = on
        at, on = at + length, not on
    return is_on * 8


def _batch(random: np.random.Generator, hours: int) -> Floats:
    """Return jobs of a few hours on a third of the days, of varying size."""
    spent = np.zeros(hours)
    for day in range(hours // DAY):
        if random.random() < 1 / 3:
            start = day * DAY + int(random.integers(0, 18))
            spent[start : start + int(random.integers(1, 7))] = 10 * random.lognormal(0, 0.5)
    return spent


_KINDS = (_key, _gpu, _batch)


def judged(hourly: Floats, *, way: str, min_increase: float) -> NDArray[np.bool_]:
    """Return whether the alert fires, as an array (hours of the month, owners)."""
    units = np.round(hourly * UNITS).astype(np.int64)
    totals = np.concatenate([np.zeros((1, units.shape[1]), np.int64), np.cumsum(units, axis=0)])
    first = np.where((units != 0).any(axis=0), np.argmax(units != 0, axis=0), len(units))
    fires = np.zeros((len(units) - HISTORY - WINDOW, units.shape[1]), np.bool_)
    state = np.zeros(units.shape[1], np.bool_)
    for row in range(len(fires)):
        edge = HISTORY + WINDOW + row + 1
        spent = totals[edge] - totals[edge - WINDOW]
        if way == "mean of 7 days":
            usual = (totals[edge - WINDOW] - totals[edge - WINDOW - WEEK]) / 7
            enough = usual > 0
            highest = np.zeros_like(spent)
        else:
            baseline = Lengths(window=WINDOW, baseline=HISTORY, compare=Compare.SAME_HOURS)
            (doubled,), (known,) = double_usual(totals, 0, np.array([edge]), baseline, first)
            usual = doubled / 2
            highest = highest_windows(totals[edge - WINDOW - HISTORY : edge - WINDOW + 1], WINDOW)
            enough = known & (usual > 0) & (edge - WINDOW - first >= WEEK)
        for share, keeps in ((1.0, ~state), (LEAVE, state)):
            is_spike = (spent >= RATIO * share * usual) & (spent - usual >= min_increase * share * UNITS)
            is_spike &= enough & (spent >= 1.2 * share * highest)
            fires[row] = np.where(keeps, is_spike, fires[row])
        state = fires[row]
    return fires


def false_alarms(world: Floats, *, way: str, min_increase: float) -> int:
    """Return how many episodes begin in the month."""
    fires = judged(world, way=way, min_increase=min_increase)
    before = np.concatenate([np.zeros((1, fires.shape[1]), np.bool_), fires[:-1]])
    return int((fires & ~before).sum())


def hours_to_see(random: np.random.Generator, leak: float, *, way: str, min_increase: float) -> tuple[float, int]:
    """Return the median hours until a leak fires, and how many of 60 leaks are not detected within two days."""
    hours = HISTORY + WINDOW + MONTH
    world = np.stack([1.0 * random.lognormal(0, 0.1, hours) for _ in range(60)], axis=1)
    at = HISTORY + WINDOW + 200
    world[at:] += leak
    fires = judged(world, way=way, min_increase=min_increase)[200 : 200 + 2 * DAY]
    seen = np.where(fires.any(axis=0), np.argmax(fires, axis=0) + 1.0, np.inf)
    return float(np.median(seen)), int(np.isinf(seen).sum())


def main() -> None:
    """Print the table."""
    ways = (("mean of 7 days", 1.0), ("same hours", 1.0), ("same hours", 10.0), ("same hours", 20.0))
    heads = f"{'way':<16}{'min_increase':>14}{'false alarms a month':>22}{'dearer':>8}{'$5/h seen':>11}{'$2/h':>8}"
    sys.stdout.write(f"{heads}{'missed':>8}\n")
    worlds = [[made_world(np.random.default_rng(seed), cheapest) for seed in range(1, 5)] for cheapest in _CHEAPEST]
    for way, least in ways:
        few, more = (np.mean([false_alarms(each, way=way, min_increase=least) for each in kind]) for kind in worlds)
        (soon, lost), (later, lost_too) = (
            hours_to_see(np.random.default_rng(5), leak, way=way, min_increase=least) for leak in (5.0, 2.0)
        )
        row = f"{way:<16}{f'${least:.0f}':>14}{few:>22.0f}{more:>8.0f}{soon:>9.0f} h{later:>6.0f} h{lost + lost_too:>8}"
        sys.stdout.write(row + "\n")


if __name__ == "__main__":
    main()
