"""What waits for quiet hours is held on while its alert is withheld; what shows how an alert stands never waits."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.alert import Alert
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.holding import held
from tests.core.builders import NOW, entry, firing

SILENCED = replace(firing(), withheld="silenced by dana")
AUDIENCE = Audience(recipients={"slack": ("",)})


def held_until(reason: NotifyReason, alert: Alert, *, filed_after: timedelta) -> timedelta | None:
    """How long after the cycle's instant an entry filed so much later may be sent; None where that stays as it is."""
    filed = entry(fingerprints=(alert.fingerprint,), not_before=NOW + filed_after)
    filed = replace(filed, message=replace(filed.message, reason=reason))
    until = held([filed], {alert.fingerprint: alert}, AUDIENCE, NOW).get(filed.id)
    return until - NOW if until is not None else None


@pytest.mark.parametrize("reason", [NotifyReason.UPDATED, NotifyReason.CORRECTED, NotifyReason.ACKNOWLEDGED])
def test_entry_when_somebody_silences_while_a_cycle_runs_then_the_button_turns_at_once(reason: NotifyReason) -> None:
    """The cycle's instant is a moment before the press: the entry is new, and waits for no quiet hours."""
    assert held_until(reason, SILENCED, filed_after=timedelta(milliseconds=1)) is None


@pytest.mark.parametrize(
    ("alert", "until"),
    [
        pytest.param(SILENCED, timedelta(days=1), id="silenced meanwhile: it waits on"),
        pytest.param(firing(), timedelta(), id="nothing withholds it, and the quiet hours are gone"),
    ],
)
def test_notification_when_it_waits_for_quiet_hours_then_waits_as_long_as_it_is_withheld(
    alert: Alert, until: timedelta
) -> None:
    """A night's notification of an alert that is silenced in the night wakes nobody in the morning."""
    assert held_until(NotifyReason.FIRST, alert, filed_after=timedelta(hours=1)) == until
