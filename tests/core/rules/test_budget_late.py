"""Forecasts where streams lag: an hour that is not billed yet is unknown, not free."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from alertd.core.calendar import Period
from alertd.core.hours import HourRange
from alertd.core.rules.base import Share
from alertd.core.rules.budget import BudgetRule
from tests.core.builders import WARNING, stand, usd
from tests.core.late_bills import FIRST, LateBills, Shown, at, daily, hourly, polls
from tests.core.spend.test_ends import HOURS
from tests.examples import rest_slow

DAYS = range(1, 9)


def storage() -> list[Shown]:
    return daily(DAYS, "240", late=9)


def gpu(late: float) -> list[Shown]:
    return hourly(HOURS, "10", late=late)


@pytest.mark.parametrize(
    ("rows", "per_hour"),
    rest_slow(
        [
            pytest.param([*gpu(0), *storage()], 20, id="a day row nine hours after its day"),
            pytest.param(
                [*gpu(0), *storage(), *daily(DAYS, "48", late=20, category="gen_api")], 22, id="and one of twenty hours"
            ),
            pytest.param(
                [*gpu(8), *hourly(HOURS, "5", category="llm", owner="key")], 15, id="a category eight hours behind"
            ),
        ]
    ),
)
def test_forecast_when_a_stream_lags_then_its_hours_are_not_taken_for_free(rows: list[Shown], per_hour: int) -> None:
    """Spend is even: whatever the hour of the day, the month ends at as many hours times that."""
    rule = BudgetRule(
        name="monthly",
        period=Period.MONTH,
        amount=usd("1"),
        thresholds={WARNING: Share(Fraction(1))},
        forecast={WARNING: Share(Fraction(1))},
    )
    world = LateBills(rows, (rule,))
    for now in polls(at(1, 0, 2), at(8, 23), timedelta(hours=3)):
        facts = world.poll(now)
        for key, book in world.books.items():
            # The bills of the weeks before are known, and empty.
            world.books[key] = replace(book, covered=book.covered.add(HourRange(FIRST - 60 * 24, FIRST)))
        facts = world.facts(now)
        if now < at(6):
            continue
        (standing,) = (each.standing for each in stand(rule, facts))
        assert standing.forecast is not None
        assert standing.forecast.total == pytest.approx(usd(str(per_hour * 744)), rel=0.01), now
        assert standing.last_day == pytest.approx(usd(str(per_hour * 24)), rel=0.01), now
