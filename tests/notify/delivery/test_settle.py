"""What becomes of an entry after an attempt: every outcome in every situation, and lives of several attempts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.notify.base import (
    CannotLook,
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    Lookup,
    NotFound,
    NotSent,
    Outcome,
    Unknown,
)
from alertd.notify.delivery.backoff import LOOKUP_PATIENCE
from alertd.notify.delivery.settle import Settled, claim, found_sending, needs_fallback, settle, settle_lookup
from tests.core.builders import HOUR, NOW, entry

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DEADLINE = timedelta(seconds=30)

PENDING, SENDING, UNKNOWN = EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN
DELIVERED, BLOCKED, GAVE_UP = EntryState.DELIVERED, EntryState.BLOCKED, EntryState.GAVE_UP


def sending(**parts: object) -> OutboxEntry:
    """A claimed entry at its first attempt, begun a second ago."""
    claimed = claim(entry(), NOW - SECOND)
    return replace(claimed, **parts)  # type: ignore[arg-type]


def judge(before: OutboxEntry, outcome: Outcome, *, looks: bool = False) -> Settled:
    return settle(before, outcome, now=NOW, can_look_up=looks, deadline=DEADLINE, jitter=0.5)


OLD = {"attempts": 900, "first_attempt_at": NOW - 72 * HOUR}
YOUNGER = {"attempts": 900, "first_attempt_at": NOW - 72 * HOUR + SECOND}


@pytest.mark.parametrize(
    ("parts", "outcome", "looks", "state", "wait", "escalates"),
    [
        pytest.param({}, Delivered("C1/1.2"), False, DELIVERED, None, False, id="delivered"),
        pytest.param({}, NotSent("DNS"), False, PENDING, SECOND, False, id="not sent: 2 s at half jitter"),
        pytest.param({"attempts": 3}, NotSent("DNS"), False, PENDING, 4 * SECOND, False, id="not sent the third time"),
        pytest.param({}, NotSent("429", 30 * SECOND), False, PENDING, 30 * SECOND, False, id="asked to wait"),
        pytest.param({}, NotSent("429", 9 * HOUR), False, PENDING, HOUR, False, id="asked to wait for too long"),
        pytest.param(YOUNGER, NotSent("DNS"), False, PENDING, 150 * SECOND, False, id="just short of 72 hours"),
        pytest.param(OLD, NotSent("DNS"), False, GAVE_UP, None, True, id="72 hours of attempts"),
        pytest.param({}, Unknown("cut"), False, UNKNOWN, MINUTE, False, id="unknown once: again after a minute"),
        pytest.param({"unknowns": 1}, Unknown("cut"), False, BLOCKED, HOUR, True, id="unknown twice: a person looks"),
        pytest.param(
            {"unknowns": 2}, Unknown("cut"), False, GAVE_UP, None, True, id="unknown three times: enough copies"
        ),
        pytest.param({}, Unknown("cut"), True, UNKNOWN, 29 * SECOND, False, id="looked up when its deadline is over"),
        pytest.param({"unknowns": 1}, Unknown("cut"), True, UNKNOWN, 29 * SECOND, False, id="and a second time"),
        pytest.param({"unknowns": 2}, Unknown("cut"), True, GAVE_UP, None, True, id="three that nobody could disprove"),
        pytest.param(
            {"started_at": NOW - MINUTE},
            Unknown("cut"),
            True,
            UNKNOWN,
            0 * SECOND,
            False,
            id="its deadline is long over",
        ),
        pytest.param({}, ConfigurationRefused("invite"), False, BLOCKED, HOUR, True, id="configuration: each hour"),
        pytest.param(
            {"unknowns": 1}, ConfigurationRefused("invite"), True, BLOCKED, HOUR, True, id="the same after one unknown"
        ),
        pytest.param(OLD, ConfigurationRefused("invite"), False, GAVE_UP, None, True, id="configuration for 72 hours"),
        pytest.param({}, ContentRefused("blocks"), False, PENDING, 0 * SECOND, False, id="content: plain at once"),
        pytest.param({"is_plain": True}, ContentRefused("text"), False, GAVE_UP, None, True, id="plain refused too"),
    ],
)
def test_settle_when_an_attempt_ends_then_state_wait_and_escalation(
    parts: dict[str, object], outcome: Outcome, looks: bool, state: EntryState, wait: timedelta | None, escalates: bool
) -> None:
    """Every outcome in one place; nothing is lost and nothing given up quietly."""
    settled = judge(sending(**parts), outcome, looks=looks)
    after = settled.entry
    assert (after.state, settled.escalates) == (state, escalates)
    if wait is None:
        assert (after.finished_at, after.state.is_open) == (NOW, False)
    else:
        assert (after.not_before - NOW, after.finished_at, after.state.is_open) == (wait, None, True)
    assert after.error == getattr(outcome, "reason", "") or after.error.startswith("cut; 3 copies")
    assert after.key == entry().key


def test_settle_when_delivered_then_keeps_where_it_is() -> None:
    """Later messages continue it there; an old failure is no error any more."""
    after = judge(sending(error="DNS"), Delivered("C1/1.2")).entry
    assert (after.ref, after.error) == ("C1/1.2", "")


def test_settle_when_content_is_refused_then_the_plain_form_is_tried_once() -> None:
    """The alert matters more than its looks."""
    plain = judge(sending(), ContentRefused("invalid_blocks")).entry
    assert plain.is_plain
    assert judge(claim(plain, NOW), ContentRefused("msg_too_long")).entry.state is GAVE_UP


def test_claim_when_repeated_then_counts_and_keeps_the_first_instant() -> None:
    """72 hours count from the first attempt."""
    once = claim(entry(), NOW)
    twice = claim(replace(once, state=PENDING), NOW + HOUR)
    assert (once.state, once.attempts, once.started_at, once.first_attempt_at) == (SENDING, 1, NOW, NOW)
    assert (twice.attempts, twice.started_at, twice.first_attempt_at) == (2, NOW + HOUR, NOW)


# --- lookups --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("started", "found", "state", "wait", "unknowns"),
    [
        pytest.param(DEADLINE, Delivered("C1/1.2"), DELIVERED, None, 1, id="it is there: adopted"),
        pytest.param(DEADLINE, NotFound(), PENDING, SECOND, 0, id="it is not: sent again soon, disproved"),
        pytest.param(DEADLINE, CannotLook("500"), UNKNOWN, MINUTE, 1, id="cannot tell: asked again in a minute"),
        pytest.param(
            LOOKUP_PATIENCE - SECOND, CannotLook("500"), UNKNOWN, MINUTE, 1, id="cannot tell, nearly out of patience"
        ),
        pytest.param(LOOKUP_PATIENCE, CannotLook("500"), PENDING, 0 * SECOND, 1, id="cannot tell for 15 minutes: sent"),
    ],
)
def test_lookup_when_asked_then_adopted_or_sent_again(
    started: timedelta, found: Lookup, state: EntryState, wait: timedelta | None, unknowns: int
) -> None:
    """A copy is sent only when the first did not arrive, or nobody can tell for long."""
    before = sending(state=UNKNOWN, unknowns=1, started_at=NOW - started, error="the answer was lost")
    after = settle_lookup(before, found, now=NOW, jitter=0.5).entry
    assert (after.state, after.unknowns) == (state, unknowns)
    assert bool(after.error) is (state is not DELIVERED), "what arrived has no error"
    assert after.finished_at == (NOW if wait is None else None)
    if wait is not None:
        assert after.not_before - NOW == wait


def test_lost_answer_when_the_receiver_cannot_be_reached_for_long_then_looked_for_before_the_next_attempt() -> None:
    """It was sent blindly as soon as the receiver was back, and came twice."""
    lost = sending(unknowns=1, started_at=NOW - 7 * HOUR)
    unreachable = settle_lookup(replace(lost, state=UNKNOWN), CannotLook("down"), now=NOW, jitter=0.5).entry
    assert unreachable.state is PENDING
    waiting = judge(claim(unreachable, NOW), NotSent("down"), looks=True).entry
    assert (waiting.state, waiting.unknowns) == (UNKNOWN, 1)
    assert settle_lookup(waiting, Delivered("C1/2"), now=NOW, jitter=0.5).entry.state is DELIVERED


def test_lookup_when_never_found_for_72_hours_then_gives_up_and_reports() -> None:
    """A server that fails each attempt in the middle must not be tried for ever: every entry ends."""
    before = sending(state=UNKNOWN, unknowns=1, **OLD)
    settled = settle_lookup(before, NotFound(), now=NOW, jitter=0.5)
    assert (settled.entry.state, settled.escalates) == (GAVE_UP, True)


@pytest.mark.parametrize(
    ("looks", "states"),
    [
        pytest.param(False, [UNKNOWN, BLOCKED, GAVE_UP], id="nobody can look"),
        pytest.param(True, [UNKNOWN, UNKNOWN, GAVE_UP], id="the lookup never works"),
    ],
)
def test_entry_when_every_answer_is_lost_then_three_copies_at_most(looks: bool, states: list[EntryState]) -> None:
    """One, and two whose outcome could not be learnt; then it gives up loudly."""
    life, now, found = entry(), NOW, []
    while life.state.is_open:
        now = max(now, life.not_before)
        if life.state is UNKNOWN and looks:
            life = settle_lookup(life, CannotLook("500"), now=now, jitter=0.5).entry
            if life.state is UNKNOWN:
                continue
        life = settle(claim(life, now), Unknown("cut"), now=now, can_look_up=looks, deadline=DEADLINE, jitter=0.5).entry
        found.append(life.state)
    assert (found, life.attempts, life.unknowns) == (states, 3, 3)


def test_entry_when_lookups_disprove_each_attempt_then_it_may_be_sent_more_often() -> None:
    """No copy arrived, so none counts."""
    life = entry()
    for _ in range(10):
        unknown = settle(claim(life, NOW), Unknown("cut"), now=NOW, can_look_up=True, deadline=DEADLINE, jitter=0.5)
        life = settle_lookup(unknown.entry, NotFound(), now=NOW, jitter=0.5).entry
    assert (life.state, life.unknowns, life.attempts) == (PENDING, 0, 10)


# --- after a crash --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unknowns", "looks", "state", "wait"),
    [
        pytest.param(0, False, UNKNOWN, MINUTE, id="the first"),
        pytest.param(1, False, BLOCKED, HOUR, id="the second: a person looks"),
        pytest.param(2, False, GAVE_UP, None, id="the third: enough"),
        pytest.param(0, True, UNKNOWN, 29 * SECOND, id="looked up when the attempt's deadline is over"),
    ],
)
def test_found_sending_when_alertd_stopped_meanwhile_then_unknown(
    unknowns: int, looks: bool, state: EntryState, wait: timedelta | None
) -> None:
    """Nobody knows whether the last byte left."""
    settled = found_sending(sending(unknowns=unknowns), now=NOW, can_look_up=looks, deadline=DEADLINE)
    assert settled.entry.state is state
    assert "alertd stopped while it was being sent" in settled.entry.error
    if wait is not None:
        assert settled.entry.not_before - NOW == wait


@pytest.mark.parametrize(
    "repeats", [pytest.param(False, id="a copy may have arrived"), pytest.param(True, id="a mirror")]
)
def test_found_sending_when_alertd_was_down_for_days_then_that_time_does_not_count(repeats: bool) -> None:
    """Killed in the middle of an attempt, and started after a long weekend: 72 hours of attempts are far away."""
    cut = sending(first_attempt_at=NOW - 81 * HOUR, started_at=NOW - 80 * HOUR)
    settled = found_sending(cut, now=NOW, can_look_up=False, deadline=DEADLINE, may_repeat=repeats)
    assert settled.entry.state is (PENDING if repeats else UNKNOWN)
    assert settled.entry.first_attempt_at == NOW - HOUR - DEADLINE


# --- the fallback ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "reason", "sent", "needed"),
    [
        pytest.param(ConfigurationRefused("x"), NotifyReason.FIRST, False, True, id="blocked"),
        pytest.param(ConfigurationRefused("x"), NotifyReason.FIRST, True, False, id="blocked again: once an entry"),
        pytest.param(ConfigurationRefused("x"), NotifyReason.UNDELIVERED, False, False, id="a copy has no copy"),
        pytest.param(ConfigurationRefused("x"), NotifyReason.TEST, False, False, id="a test has none"),
        pytest.param(NotSent("x"), NotifyReason.FIRST, False, False, id="not yet"),
        pytest.param(Unknown("x"), NotifyReason.FIRST, False, False, id="unknown once"),
    ],
)
def test_fallback_when_somebody_must_hear_then_once(
    outcome: Outcome, reason: NotifyReason, sent: bool, needed: bool
) -> None:
    """Giving up is never quiet, and never an endless chain of copies."""
    before = sending(fallback_sent=sent, message=replace(entry().message, reason=reason))
    assert needs_fallback(judge(before, outcome)) is needed
