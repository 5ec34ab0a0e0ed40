"""How far back the daemon reads and holds spend: as far as its rules look, and planned spans that they see begin."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alertd.core.alerts.audience import Audience
from alertd.core.hours import HourRange, hour_of
from alertd.core.money import Usd
from alertd.core.spend.bill import Term
from alertd.core.spend.ledger import SeriesTable
from alertd.core.spend.planned import PlannedSpend
from alertd.daemon.state import DaemonState, Plan
from tests.core.builders import NOW, SETTLE, rolling
from tests.daemon.clock_life import Billing, hourly, living
from tests.virtual_clock import VirtualClock

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


async def test_alert_when_an_old_one_of_it_was_deleted_then_its_episode_has_a_number_that_none_had(
    tmp_path: Path,
) -> None:
    """Numbered from one again, its delivery key would be that of a message sent months ago, and look delivered."""
    clock = VirtualClock(true=datetime(2026, 1, 12, 9, tzinfo=UTC))
    billing = Billing(clock=clock, rows=hourly("gpu-1", "80", hour_of(clock.true) - 3, hour_of(clock.true)))
    async with living(tmp_path, clock, billing=billing) as life:
        await life.app.gateway.call(lambda store: store.meta.put_first_episode(10))
        await life.poll(2)
        (alert,) = (one for one in life.app.cycle.open_alerts() if one.rule == "gpu")
        assert alert.episode == 10
        assert life.sent == [("firing", "gpugpu-1")]


def test_terms_when_a_range_is_read_again_then_those_bought_in_it_are_replaced_whenever_they_begin() -> None:
    """A renewal is bought before the term of before ends: by its beginning it would be kept twice."""

    def term(owner: str, bought_at: datetime, *, days: int = 0, account: str = "default") -> Term:
        parts = {"product": "H100", "product_id": "h100", "category": "gpu", "kind": "renew", "ends_at": None}
        money = {"amount": Usd(1), "voucher": Usd(0), "pay": Usd(1)}
        starts = {"bought_at": bought_at, "starts_at": bought_at + timedelta(days=days)}
        return Term(account=account, owner=owner, **parts, **money, **starts)  # type: ignore[arg-type]

    span = HourRange(hour_of(NOW) - 24, hour_of(NOW))
    inside, before, after = NOW - timedelta(hours=9), NOW - timedelta(days=2), NOW + timedelta(hours=1)
    kept = [term("a", before, days=2), term("b", after), term("c", inside, account="dev")]
    state = DaemonState(
        table=SeriesTable(), books={}, bills={}, alerts={}, silences={}, watched_since=NOW, is_fresh=False
    )
    state.terms = (*kept, term("d", inside), term("e", inside, days=30))
    fresh = (term("e", inside, days=31),)
    state.replace_terms("default", span, fresh)
    assert state.terms == (*kept, *fresh)
