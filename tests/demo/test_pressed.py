"""What is pressed in the demo is carried out to its end while the clock of the month stands still."""

from pathlib import Path

from alertd.core.alerts.requests import Acknowledge
from alertd.core.hand_clock import HandClock
from alertd.daemon.poll import poll
from alertd.demo.demo import carry_out
from tests.daemon.clock_life import living
from tests.daemon.test_clock_life import billing
from tests.virtual_clock import VirtualClock


async def test_request_when_pressed_then_what_it_leaves_is_sent_before_it_is_answered(tmp_path: Path) -> None:
    """The page of the demo shows the outcome at once: nothing waits for a poll that comes only in the month's time."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        await poll(life.app)
        assert await life.app.gateway.open_entries() != ()
        (alert, *_) = life.app.cycle.open_alerts()
        outcome = await carry_out(
            life.app, Acknowledge(fingerprint=alert.fingerprint, by="dana"), HandClock(life.app.time.now())
        )
        assert outcome.change is not None
        (known,) = (one for one in life.app.cycle.open_alerts() if one.fingerprint == alert.fingerprint)
        assert known.acknowledged_by == "dana"
        assert life.sent
        assert await life.app.gateway.open_entries() == ()
