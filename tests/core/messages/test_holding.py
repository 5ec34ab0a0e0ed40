"""What waits for quiet hours is held on while its alert is withheld; what shows how an alert stands never waits."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import Alert
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.holding import held, overdue
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.muted import Muted, MuteKind
from alertd.core.severity import Severity
from tests.core.builders import HOUR, NOW, entry, firing

SILENCED = replace(firing(), muted=Muted(kind=MuteKind.SILENCE, id="1234abcd", by="dana"))
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


MORNING = NOW + 9 * HOUR


def about(
    number: int, reason: NotifyReason = NotifyReason.FIRST, not_before: datetime = NOW - HOUR, **parts: object
) -> OutboxEntry:
    """An entry of one and the same alert, an hour old."""
    made = entry(number, fingerprints=("f",), not_before=not_before, **parts)
    severity = Severity.CRITICAL if reason is NotifyReason.RAISED else Severity.WARNING
    return replace(made, message=replace(made.message, reason=reason, severity=severity))


@pytest.mark.parametrize(
    ("entries", "late"),
    [
        pytest.param([about(1)], [1], id="due and not sent"),
        pytest.param([about(1, not_before=MORNING)], [], id="held by quiet hours"),
        pytest.param(
            [about(1, not_before=MORNING), about(2, NotifyReason.CORRECTED)], [], id="an edit of what is held"
        ),
        pytest.param([about(1, not_before=MORNING), about(2, NotifyReason.RESOLVED)], [], id="the end of what is held"),
        pytest.param(
            [about(1, not_before=MORNING), about(2, NotifyReason.RAISED)], [2], id="critical: it does not wait"
        ),
        pytest.param(
            [about(1, not_before=MORNING), about(2, receiver="mail")], [2], id="another receiver holds nothing"
        ),
        pytest.param([about(1, not_before=MORNING), entry(3, not_before=NOW - HOUR)], [3], id="another alert"),
        pytest.param([about(1, attempts=2, first_attempt_at=NOW - HOUR, not_before=MORNING)], [1], id="tried in vain"),
    ],
)
def test_overdue_when_quiet_hours_hold_something_then_only_what_could_have_arrived(
    entries: list[OutboxEntry], late: list[int]
) -> None:
    """Metrics, health and exit codes go by it: a night of quiet hours is no failure."""
    assert [one.id for one in overdue(entries, NOW)] == late
