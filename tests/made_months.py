"""Months of synthetic daily spend, one kind per function, on which forecasts are measured and tested."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEFORE, MONTH = 35, 30
"""Number of days of history before the month, and of the month."""


def _noise(random: np.random.Generator, groups: int, sigma: float = 0.15) -> Floats:
    return random.lognormal(0, sigma, (BEFORE + MONTH, groups))


def _workdays(random: np.random.Generator, groups: int, weekend: float = 0.25) -> Floats:
    """Return the weekly rhythm, in which each group has its own first day of the week."""
    day = np.arange(BEFORE + MONTH)[:, None] + random.integers(0, 7, (1, groups))
    return np.where(day % 7 < 5, 1.0, weekend)


def _since(random: np.random.Generator, groups: int) -> Floats:
    """Return the share of each day that follows a random time in the first half of the month."""
    start = BEFORE + random.uniform(2, 14, (1, groups))
    share: Floats = np.clip(np.arange(BEFORE + MONTH)[:, None] + 1 - start, 0, 1)
    return share


def steady(random: np.random.Generator, groups: int) -> Floats:
    """GPUs that run all month and cost the same every day."""
    return np.repeat(random.uniform(10, 200, (1, groups)), BEFORE + MONTH, axis=0)


def noisy(random: np.random.Generator, groups: int) -> Floats:
    """Noise around a constant level."""
    days: Floats = 100 * _noise(random, groups)
    return days


def llm_rhythm(random: np.random.Generator, groups: int) -> Floats:
    """LLM calls of an office: workdays and weekends, 5 % of noise."""
    days: Floats = 100 * _noise(random, groups, 0.05) * _workdays(random, groups)
    return days


def mix(random: np.random.Generator, groups: int) -> Floats:
    """GPUs by the hour, LLM calls with the week's rhythm, and batch jobs on some days."""
    batches = (random.random((BEFORE + MONTH, groups)) < 0.15) * random.uniform(20, 80, (BEFORE + MONTH, groups))
    days: Floats = 60 + 80 * _noise(random, groups) * _workdays(random, groups) + batches
    return days


def growth(random: np.random.Generator, groups: int) -> Floats:
    """A product that grows by 1.2 % a day, with weekends."""
    day = np.arange(BEFORE + MONTH)[:, None]
    days: Floats = llm_rhythm(random, groups) * np.exp(0.012 * day)
    return days


def decline(random: np.random.Generator, groups: int) -> Floats:
    """A product that shrinks by 1.2 % a day, with weekends."""
    day = np.arange(BEFORE + MONTH)[:, None]
    days: Floats = llm_rhythm(random, groups) * np.exp(-0.012 * day)
    return days


def spikes(random: np.random.Generator, groups: int) -> Floats:
    """Weekdays and weekends, with an occasional expensive day."""
    size = (BEFORE + MONTH, groups)
    return 100 * _noise(random, groups) * _workdays(random, groups) + (random.random(size) < 0.03) * random.uniform(
        500, 1500, size
    )


def gpu_left_on(random: np.random.Generator, groups: int) -> Floats:
    """A second GPU of one to four times the base cost, left on from a time in the first half of the month."""
    base = 30 * _noise(random, groups, 0.08)
    return base + random.uniform(30, 120, (1, groups)) * _since(random, groups)


def fleet_stopped(random: np.random.Generator, groups: int) -> Floats:
    """A fleet of which 70 % is stopped at a time in the first half of the month."""
    return 500 * _noise(random, groups, 0.03) * (1 - 0.7 * _since(random, groups))


def on_and_off(random: np.random.Generator, groups: int) -> Floats:
    """GPUs that are on for some days and off for others, at random."""
    size = (BEFORE + MONTH, groups)
    switched = np.cumsum(random.random(size) < 0.25, axis=0) % 2 == 1
    days: Floats = 5 + 100 * switched.astype(np.float64)
    return days


def doubled(random: np.random.Generator, groups: int) -> Floats:
    """Weekdays and weekends whose level doubles on a random day before or in the month."""
    day = np.arange(BEFORE + MONTH)[:, None]
    return llm_rhythm(random, groups) * np.where(day < random.integers(20, 60, (1, groups)), 1, 2)


KINDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "steady": steady,
    "noise": noisy,
    "llm rhythm": llm_rhythm,
    "mix": mix,
    "growth": growth,
    "decline": decline,
    "rare spikes": spikes,
    "gpu left on": gpu_left_on,
    "fleet stopped": fleet_stopped,
    "on and off": on_and_off,
    "doubled": doubled,
}


def made_month(kind: str, *, groups: int = 200, seed: int = 7) -> Floats:
    """Return daily spend in USD: a row for each of BEFORE + MONTH days, a column for each group."""
    return KINDS[kind](np.random.default_rng(seed), groups)
