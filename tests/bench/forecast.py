"""
Accuracy of forecasts of a month's total on synthetic months, compared with three simple extrapolations.

    python -m tests.bench.forecast

Prints the mean absolute error as a share of the month's true total, and how often the 80 % range contains it.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from alertd.core.hours import HOURS_PER_DAY
from alertd.core.spend.forecast import SpendHistory, expected_rest, rest_range
from tests.made_months import BEFORE, KINDS, MONTH, made_month

Floats = NDArray[np.float64]
DAYS = (4, 7, 10, 14, 21)


def history_of(days: Floats, days_left: int) -> SpendHistory:
    """Return the history of days whose spend is spread evenly over the hours."""
    return SpendHistory(
        days=days,
        heads=np.zeros_like(days),
        hours=np.repeat(days[-1:] / HOURS_PER_DAY, HOURS_PER_DAY, axis=0),
        hours_left=days_left * HOURS_PER_DAY,
    )


def forecasts(days: Floats, elapsed: int) -> dict[str, Floats]:
    """Return the month's total as forecast by each method, *elapsed* days into the month."""
    now, left = BEFORE + elapsed, MONTH - elapsed
    spent = days[BEFORE:now].sum(axis=0)
    return {
        "alertd": spent + expected_rest(history_of(days[:now], left)),
        "month so far": spent / elapsed * MONTH,
        "last 7 days": spent + days[now - 7 : now].mean(axis=0) * left,
        "last 24 hours": spent + days[now - 1] * left,
    }


def held(days: Floats, elapsed: int) -> float:
    """Return the share of groups whose true remaining spend is within the forecast range."""
    now, left = BEFORE + elapsed, MONTH - elapsed
    low, high = rest_range(history_of(days[:now], left))
    rest = days[now:].sum(axis=0)
    slack = 1e-9 * np.abs(rest)
    return float(((low <= rest + slack) & (rest <= high + slack)).mean())


def main() -> None:
    """Print the tables."""
    ways = ("alertd", "month so far", "last 7 days", "last 24 hours")
    lines = [f"{'% off on day':<16} " + "".join(f"{way:>36}" for way in ways) + f"{'range holds, %':>36}"]
    lines.append(" " * 17 + "".join(f"{day:>7}" for day in DAYS).rjust(36) * (len(ways) + 1))
    for kind in KINDS:
        days = made_month(kind)
        actual = days[BEFORE:].sum(axis=0)
        made = {day: forecasts(days, day) for day in DAYS}
        cells = [100 * float((np.abs(made[day][way] - actual) / actual).mean()) for way in ways for day in DAYS]
        ranges = [100 * held(days, day) for day in DAYS]
        text = [f"{cell:>7.1f}" for cell in cells] + [f"{cell:>7.0f}" for cell in ranges]
        groups = ["".join(text[at : at + len(DAYS)]).rjust(36) for at in range(0, len(text), len(DAYS))]
        lines.append(f"{kind:<16} " + "".join(groups))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
