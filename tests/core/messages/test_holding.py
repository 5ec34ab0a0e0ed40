"""What waits for quiet hours is held on while its alert is withheld; what shows how an alert stands never waits."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import Alert
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.mutes import NO_RECEIVER
from alertd.core.alerts.quiet_hours import QuietHours
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.holding import held, is_held, overdue, withheld
from alertd.core.messages.outbox import EntryState, OutboxEntry
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


ACKNOWLEDGED = replace(firing(), acknowledged_by="dana")
ENDED = replace(firing(), muted=Muted(kind=MuteKind.SILENCE, id="5113aaaa", by="dana", until=NOW))
TRIED = {"attempts": 3, "first_attempt_at": NOW - HOUR, "not_before": NOW}


@pytest.mark.parametrize(
    ("reason", "alert", "parts", "waits"),
    [
        pytest.param(NotifyReason.FIRST, SILENCED, {}, True, id="silenced before the first attempt"),
        pytest.param(NotifyReason.FIRST, SILENCED, TRIED, True, id="silenced while the receiver was away"),
        pytest.param(NotifyReason.RAISED, SILENCED, TRIED | {"state": EntryState.BLOCKED}, True, id="while blocked"),
        pytest.param(NotifyReason.STORM, SILENCED, TRIED, True, id="all of a storm"),
        pytest.param(NotifyReason.REPEAT, ACKNOWLEDGED, TRIED, True, id="a repeat of what is acknowledged"),
        pytest.param(NotifyReason.FIRST, ACKNOWLEDGED, TRIED, False, id="a beginning that somebody acknowledged"),
        pytest.param(NotifyReason.FIRST, firing(), TRIED, False, id="nothing withholds it"),
        pytest.param(NotifyReason.FIRST, ENDED, TRIED, False, id="its silence is over, and no cycle noted it"),
        pytest.param(NotifyReason.RESOLVED, SILENCED, TRIED, False, id="an end"),
        pytest.param(NotifyReason.UPDATED, SILENCED, TRIED, False, id="an edit"),
        pytest.param(NotifyReason.ACKNOWLEDGED, SILENCED, TRIED, False, id="an answer to somebody"),
        pytest.param(NotifyReason.UNDELIVERED, SILENCED, TRIED, False, id="the copy of what another could not take"),
        pytest.param(NotifyReason.FIRST, SILENCED, TRIED | {"unknowns": 1}, False, id="a copy may have left"),
        pytest.param(NotifyReason.FIRST, SILENCED, {"state": EntryState.SENDING}, False, id="it is leaving"),
    ],
)
def test_notification_when_it_is_about_to_be_sent_then_waits_where_it_is_withheld_by_now(
    reason: NotifyReason, alert: Alert, parts: dict[str, object], waits: bool
) -> None:
    """A silence made during an outage of the receiver was ignored when the outage ended."""
    due = entry(fingerprints=(alert.fingerprint,), **parts)  # type: ignore[arg-type]
    due = replace(due, message=replace(due.message, reason=reason))
    found = withheld([due], {alert.fingerprint: alert}, AUDIENCE, NOW)
    assert bool(found) is waits
    if found:
        assert is_held(found[0], NOW), "it is neither late nor lost: what withholds it can end"
        assert overdue(found, NOW + HOUR) == []
        until = held(found, {alert.fingerprint: replace(alert, muted=None, acknowledged_by=None)}, AUDIENCE, NOW)
        assert until == {due.id: NOW}


def test_storm_when_one_of_it_is_not_withheld_then_is_sent() -> None:
    """What somebody has not silenced is news."""
    other = replace(firing(), fingerprint="other")
    due = entry(fingerprints=(SILENCED.fingerprint, other.fingerprint))
    due = replace(due, message=replace(due.message, reason=NotifyReason.STORM))
    assert withheld([due], {SILENCED.fingerprint: SILENCED, other.fingerprint: other}, AUDIENCE, NOW) == ()


def test_notifications_when_one_of_them_is_wanted_then_none_waits() -> None:
    """What waits in its lane for one that is silenced cannot pass it."""
    other = replace(firing(), fingerprint="other")
    alerts = {SILENCED.fingerprint: SILENCED, other.fingerprint: other}
    dues = [entry(number, fingerprints=(fingerprint,)) for number, fingerprint in enumerate(alerts, 1)]
    assert withheld(dues, alerts, AUDIENCE, NOW) == ()
    assert [due.id for due in withheld(dues, dict.fromkeys(alerts, SILENCED), AUDIENCE, NOW)] == [1, 2]


def test_notification_when_no_route_leads_to_its_receiver_any_more_then_sent_there() -> None:
    """What was due is sent or given up with a word; an edited rules file made it wait until the alert's end."""
    due = entry(fingerprints=(firing().fingerprint,), not_before=NOW + HOUR)
    alert = replace(firing(), muted=NO_RECEIVER)
    assert withheld([due], {alert.fingerprint: alert}, AUDIENCE, NOW) == ()
    assert held([due], {alert.fingerprint: alert}, AUDIENCE, NOW) == {due.id: NOW}


@pytest.mark.parametrize(("ends_after", "waits"), [(1, 1), (9, 9), (None, 0)])
def test_notification_when_quiet_hours_are_edited_while_it_is_held_then_waits_for_the_new_end(
    ends_after: int | None, waits: int
) -> None:
    """Whoever makes the night longer is not woken at the hour at which it used to end."""
    due = entry(fingerprints=(firing().fingerprint,), not_before=NOW + 3 * HOUR)
    days = frozenset(range(7))
    ends = (NOW + ends_after * HOUR).time() if ends_after is not None else None
    hours = {"slack": (QuietHours(days=days, start=(NOW - HOUR).time(), end=ends),)} if ends is not None else {}
    audience = replace(AUDIENCE, quiet_hours=hours)
    assert held([due], {firing().fingerprint: firing()}, audience, NOW) == {due.id: NOW + waits * HOUR}


QUIET = QuietHours(days=frozenset(range(7)), start=(NOW - HOUR).time(), end=(NOW + 9 * HOUR).time())


@pytest.mark.parametrize(
    ("reason", "severity", "parts", "waits"),
    [
        pytest.param(NotifyReason.FIRST, Severity.WARNING, {}, True, id="alertd did not run when it was due"),
        pytest.param(
            NotifyReason.FIRST, Severity.WARNING, TRIED, True, id="its receiver did not answer when it was due"
        ),
        pytest.param(NotifyReason.STORM, Severity.INFO, TRIED, True, id="a storm"),
        pytest.param(NotifyReason.RESOLVED, Severity.WARNING, TRIED, True, id="an end"),
        pytest.param(NotifyReason.ACKNOWLEDGED, Severity.WARNING, {}, False, id="an answer to somebody"),
        pytest.param(NotifyReason.FIRST, Severity.CRITICAL, {}, False, id="critical"),
        pytest.param(NotifyReason.UPDATED, Severity.WARNING, {}, False, id="an edit"),
        pytest.param(NotifyReason.ACTION, Severity.WARNING, {}, False, id="what came of an action"),
        pytest.param(
            NotifyReason.UNDELIVERED, Severity.WARNING, {}, False, id="the copy of what another could not take"
        ),
        pytest.param(NotifyReason.FIRST, Severity.WARNING, TRIED | {"unknowns": 1}, False, id="a copy may have left"),
    ],
)
def test_notification_when_it_was_delayed_into_quiet_hours_then_waits_for_their_end(
    reason: NotifyReason, severity: Severity, parts: dict[str, object], waits: bool
) -> None:
    """alertd was killed in the evening before it sent a warning; it was sent in the night when it started again."""
    audience = replace(AUDIENCE, quiet_hours={"slack": (QUIET,)})
    due = entry(fingerprints=(firing().fingerprint,), **parts)  # type: ignore[arg-type]
    due = replace(due, message=replace(due.message, reason=reason, severity=severity))
    found = withheld([due], {firing().fingerprint: firing()}, audience, NOW)
    assert [each.not_before for each in found] == [NOW + 9 * HOUR] * waits
    assert overdue(found, NOW + HOUR) == []


def test_notification_when_quiet_hours_have_no_end_then_sent_when_it_was_due() -> None:
    """Quiet hours all week hold nothing twice: it would never be sent."""
    always = QuietHours(days=frozenset(range(7)))
    audience = replace(AUDIENCE, quiet_hours={"slack": (always,)})
    assert withheld([entry()], {}, audience, NOW) == ()


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


@pytest.mark.parametrize(
    ("behind", "is_late"),
    [
        pytest.param({}, False, id="it waits with what is held"),
        pytest.param(
            {"attempts": 1, "first_attempt_at": NOW - HOUR}, True, id="it was tried: it does not wait for that"
        ),
        pytest.param({"fingerprints": ("f" * 16,)}, True, id="about another alert"),
        pytest.param({"receiver": "mail"}, True, id="to another receiver"),
    ],
)
def test_entry_when_it_is_due_behind_what_is_held_then_late_unless_it_waits_for_that(
    behind: dict[str, object], *, is_late: bool
) -> None:
    """What waits for the morning is no fault of a receiver; what fails is."""
    fingerprint = "a" * 16
    waiting = entry(1, fingerprints=(fingerprint,), not_before=NOW + HOUR)
    later = entry(2, **{"fingerprints": (fingerprint,), "not_before": NOW - HOUR, **behind})
    assert [one.id for one in overdue([waiting, later], NOW)] == ([2] if is_late else [])
