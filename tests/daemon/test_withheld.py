"""A silence counts from the moment that somebody makes it, also for what is on its way out by then."""

from datetime import timedelta
from pathlib import Path

import pytest

from alertd.core.alerts.requests import AddSilence
from alertd.core.hours import hour_of
from alertd.core.labels import Patterns
from alertd.daemon.poll import poll
from alertd.notify.base import ConfigurationRefused, Delivered, NotSent, Outcome
from tests.daemon.clock_life import Billing, Life, Pager, hourly, living
from tests.virtual_clock import VirtualClock

_SILENCED_FOR = timedelta(hours=4)


async def silence(life: Life) -> None:
    """Silence the owner for four hours."""
    matchers = (("owner", Patterns(("gpu-1",))),)
    ends_at = life.clock.true + _SILENCED_FOR
    await life.app.cycle.carry_out(
        AddSilence(id="5113aaaa", matchers=matchers, by="dana", ends_at=ends_at), life.clock.true
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="between the decision and the first attempt"),
        pytest.param(NotSent("down"), id="while the receiver is down"),
        pytest.param(ConfigurationRefused("invite the app"), id="while the receiver is blocked"),
    ],
)
async def test_alert_when_it_is_silenced_before_it_left_then_notified_once_when_the_silence_ends(
    answer: Outcome | None, tmp_path: Path
) -> None:
    """It woke people four hours after they had said that they know."""
    clock = VirtualClock()
    running = hour_of(clock.true)
    billing = Billing(clock=clock, rows=hourly("gpu-1", "5", running - 40, running + 40))
    pager = Pager(clock, answer=answer)
    async with living(tmp_path, clock, billing=billing, pager=pager) as life:
        # The first round only finds out what the time is.
        await poll(life.app)
        if answer is not None:
            await life.poll(3)
        assert life.firing() == {"gpugpu-1"}
        await silence(life)
        until = clock.true + _SILENCED_FOR
        pager.answer = Delivered()
        await life.app.delivery.unblock()
        await life.app.delivery.drain(patience=timedelta())
        while clock.true < until - timedelta(minutes=20):
            await life.poll()
        assert life.sent == []
        await life.poll(5)
        assert life.sent == [("firing", "gpugpu-1")]
