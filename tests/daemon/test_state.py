"""How far back the daemon reads and holds spend: as far as its rules look, and planned spans that they see begin."""

from datetime import timedelta

import pytest

from alertd.core.alerts.audience import Audience
from alertd.core.hours import HourRange, hour_of
from alertd.core.money import Usd
from alertd.core.spend.planned import PlannedSpend
from alertd.daemon.state import Plan
from tests.core.builders import NOW, SETTLE, rolling

MIDNIGHT = hour_of(NOW) - hour_of(NOW) % 24
FIRST = MIDNIGHT - 5 * 24
"""Two windows of a day, from their midnight, and three days more: so far behind a stream may be."""


@pytest.mark.parametrize(
    ("spans", "days"),
    [
        pytest.param([], 0, id="nothing is planned"),
        pytest.param([(-40 * 24, 5)], 35, id="a span that goes on"),
        pytest.param([(-40 * 24 + 7, 5)], 35, id="from its midnight"),
        pytest.param([(-40 * 24, -5 * 24 + 1)], 35, id="a span of which a rule sees the last hour"),
        pytest.param([(-40 * 24, -5 * 24)], 0, id="a span that is over before"),
        pytest.param([(-24, 5)], 0, id="a span that begins later"),
        pytest.param([(24, 48)], 0, id="a span to come"),
        pytest.param([(24, 48), (-40 * 24, 5), (-50 * 24, 6)], 45, id="the earliest of several"),
    ],
)
def test_horizon_when_spend_is_planned_then_from_the_start_of_the_span(spans: list[tuple[int, int]], days: int) -> None:
    """How much of an amount is left depends on every hour since its span began."""
    plan = Plan(
        accounts={},
        settle_delay=SETTLE,
        rules=(rolling(), rolling(name="off", enabled=False, window=timedelta(days=30))),
        audience=Audience(),
        headline_of=lambda alert, _rule: alert.headline,
        planned=tuple(PlannedSpend(amount=Usd(1), hours=HourRange(MIDNIGHT + a, MIDNIGHT + b)) for a, b in spans),
    )
    assert plan.horizon(NOW) == FIRST - days * 24
