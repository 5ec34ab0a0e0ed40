"""What a wrong clock dated into the future is dated to now, and everything else is left as it is."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import get_args, get_type_hints

import pytest

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.lifecycle import step
from alertd.core.alerts.rebase import rebase
from alertd.core.alerts.silence import Silence
from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.labels import Patterns
from alertd.core.messages.outbox import EntryState
from alertd.core.messages.rebase import rebased_entry
from alertd.core.spend.bill import TrackedBill
from alertd.core.spend.ledger import CategoryBook, Suspicion
from tests.core.builders import NOW, entry, firing, monthly_bill, rolling, sample, tracked, usd

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AHEAD = NOW + 40 * DAY
TRIED = {"attempts": 3, "first_attempt_at": NOW, "started_at": NOW}


def test_rebase_when_nothing_is_ahead_then_changes_nothing() -> None:
    """It is asked in every cycle."""
    silence = Silence(id="1", matchers=(("rule", Patterns()),), author="dana", created_at=NOW, ends_at=AHEAD)
    book = CategoryBook(account="default", category="gpu", read_at=NOW, deep_read_at=NOW, full_read_at=NOW - DAY)
    assert not rebase([firing()], [silence], [book], [tracked((NOW, monthly_bill()))], NOW)


def test_rebase_when_an_alert_is_ahead_then_its_repeat_and_escalation_count_from_now() -> None:
    """They would come in 40 days."""
    alert = replace(firing(now=AHEAD), notified_at=AHEAD, acknowledged_at=AHEAD, escalated_at=None)
    (after,) = rebase([alert], [], [], [], NOW).alerts
    assert (after.started_at, after.fired_at, after.notified_at, after.acknowledged_at) == (NOW, NOW, NOW, NOW)
    assert after.escalated_at is None


OF_THE_BILLS = {"as_of", "notified_as_of", "period_start"}
"""Instants up to which, or from which on, is billed: no clock of this host made them."""


def test_rebase_when_any_instant_of_an_alert_is_ahead_then_it_is_now() -> None:
    """One that is left ahead makes what counts from it wait: the end by `keep_firing_for`, too."""
    hints = get_type_hints(Alert)
    instants = {one.name for one in fields(Alert) if datetime in {hints[one.name], *get_args(hints[one.name])}}
    assert instants > OF_THE_BILLS
    alert = replace(firing(), **dict.fromkeys(instants, AHEAD))  # type: ignore[arg-type]
    (after,) = rebase([alert], [], [], [], NOW).alerts
    assert {name for name in instants if getattr(after, name) != NOW} == OF_THE_BILLS


def test_alert_when_its_condition_ended_ahead_then_it_ends_by_its_time_from_now_on() -> None:
    """It would have fired on for 40 days."""
    rule = rolling(keep_firing_for=2 * HOUR)
    calm = sample("1", rule)
    ending = step(firing(rule=rule), calm, rule, AHEAD)
    assert ending is not None
    assert ending.condition_ended_at == AHEAD
    (after,) = rebase([ending], [], [], [], NOW).alerts
    assert [getattr(step(after, calm, rule, NOW + wait), "state", None) for wait in (HOUR, 2 * HOUR)] == [
        AlertState.FIRING,
        AlertState.RESOLVED,
    ]


def test_rebase_when_a_silence_was_made_ahead_then_lasts_as_long_from_now_on() -> None:
    """An hour was meant, not 40 days and an hour."""
    silence = Silence(id="1", matchers=(("rule", Patterns()),), author="dana", created_at=AHEAD, ends_at=AHEAD + HOUR)
    (after,) = rebase([], [silence], [], [], NOW).silences
    assert (after.created_at, after.ends_at) == (NOW, NOW + HOUR)


def test_rebase_when_a_book_was_read_ahead_then_the_month_is_read_again_and_hours_to_come_are_unread() -> None:
    """Late rows of the days since were never read."""
    running = hour_of(NOW)
    book = CategoryBook(
        account="default",
        category="gpu",
        covered=HourSet.of([HourRange(running - 100, running + 960)]),
        read_at=AHEAD,
        deep_read_at=AHEAD,
        full_read_at=NOW - HOUR,
        suspicions={running: Suspicion(digest=b"", total=usd("1"), since=AHEAD)},
    )
    (after,) = rebase([], [], [book], [], NOW).books
    assert (after.read_at, after.deep_read_at, after.full_read_at) == (NOW, None, None)
    assert after.covered.ranges[-1].end == running + 1
    assert after.suspicions[running].since == NOW


def test_rebase_when_a_bill_was_seen_ahead_then_its_days_count_from_now() -> None:
    """An overdue bill would be young until then."""
    (after,) = rebase([], [], [], [tracked((AHEAD, monthly_bill()))], NOW).bills
    assert isinstance(after, TrackedBill)
    assert (after.phases[0].since, after.last_seen_at) == (NOW, NOW)


@pytest.mark.parametrize(
    ("parts", "due"),
    [
        pytest.param({"not_before": NOW + 8 * HOUR}, 8 * HOUR, id="held by quiet hours: waits on"),
        pytest.param({"not_before": AHEAD, **TRIED}, timedelta(), id="tried ahead: due now"),
        pytest.param(
            {**TRIED, "started_at": AHEAD, "not_before": AHEAD + MINUTE}, MINUTE, id="tried ahead, and asked to wait"
        ),
        pytest.param({"not_before": NOW + HOUR, **TRIED}, HOUR, id="tried, and asked to wait an hour"),
        pytest.param({"not_before": NOW + 8 * HOUR, "attempts": 3}, 8 * HOUR, id="tried, and held since: waits on"),
        pytest.param(
            {"created_at": AHEAD, "not_before": AHEAD, **TRIED}, timedelta(), id="made and tried ahead: due now"
        ),
        pytest.param({"created_at": AHEAD, "not_before": AHEAD}, timedelta(), id="made ahead: due now"),
        pytest.param(
            {"created_at": AHEAD, "not_before": NOW + MINUTE, **TRIED}, MINUTE, id="made ahead, tried since: waits on"
        ),
        pytest.param({"created_at": AHEAD, "not_before": AHEAD + HOUR}, HOUR, id="made ahead, to wait for an hour"),
    ],
)
def test_entry_when_dated_ahead_then_waits_as_long_as_it_was_meant_to(parts: dict[str, object], due: timedelta) -> None:
    """A notification that is due in 40 days is lost."""
    waiting = replace(entry(), **parts)  # type: ignore[arg-type]
    after = rebased_entry(waiting, NOW)
    assert after.not_before - NOW == due
    # Every poll asks again.
    assert rebased_entry(after, NOW) == after


def test_entry_when_being_sent_then_left_to_who_sends_it() -> None:
    """Its claim holds only as long as nobody else changes it."""
    sending = entry(state=EntryState.SENDING, attempts=1, started_at=AHEAD, not_before=AHEAD)
    assert rebased_entry(sending, NOW) is sending
