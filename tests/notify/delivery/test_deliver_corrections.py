"""Corrections on their way out: in the right place, again after a lost answer, after the original, or not at all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.messages.storm import with_worst
from alertd.core.severity import Severity
from alertd.notify.base import ConfigurationRefused, ContentRefused, NotFound, NotSent, Unknown
from alertd.notify.base import Outcome as Answer
from alertd.notify.delivery.order import next_due, ready
from tests.builders import storm_message
from tests.core.builders import HOUR, NOW, entry
from tests.outbox_double import EditingNotifier, MemoryOutbox, Run, ScriptedNotifier, run_for, worker

WHERE = "C1/1.0"


def reasoned(made: OutboxEntry, reason: NotifyReason, severity: Severity = Severity.WARNING) -> OutboxEntry:
    return replace(made, message=replace(made.message, reason=reason, severity=severity))


def correction(number: int = 1, **parts: object) -> OutboxEntry:
    same: dict[str, object] = {"group": f"{1:016x}", "fingerprints": (f"{1:016x}",)}
    return reasoned(entry(number, **{**same, **parts}), NotifyReason.CORRECTED)


def outbox_of(*entries: OutboxEntry, notified: bool = True) -> MemoryOutbox:
    outbox = MemoryOutbox()
    outbox.add(*entries)
    if notified:
        outbox.threads[f"{1:016x}"] = WHERE
    return outbox


def test_correction_when_due_then_edits_what_was_notified_and_sends_nothing(jumping: Run) -> None:
    """The ref is that of the message, and the claim is stored before the first byte leaves."""
    outbox = outbox_of(correction())
    slack = EditingNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 5))
    assert (slack.edited, slack.sent) == ([(0, WHERE)], [])
    assert outbox.history == ["1 sending", "1 delivered (Delivered)"]
    assert outbox[1].ref == WHERE


def test_correction_when_its_answer_is_lost_then_made_again_without_a_lookup(jumping: Run) -> None:
    """Made twice it is the same, so there is no copy to fear and nothing to look up."""
    outbox = outbox_of(correction())
    slack = EditingNotifier(
        outbox, Unknown("cut"), Unknown("cut"), Unknown("cut"), Unknown("cut"), lookups=[NotFound()]
    )
    jumping(run_for(worker(outbox, {"slack": slack}), 300))
    assert len(slack.edited) == 5
    assert (slack.asked, outbox[1].state, outbox[1].unknowns) == ([], EntryState.DELIVERED, 0)


def test_correction_when_a_crash_left_it_sending_then_made_again(jumping: Run) -> None:
    """The same after a power cut."""
    outbox = outbox_of(correction(state=EntryState.SENDING, attempts=1, started_at=NOW, first_attempt_at=NOW))
    slack = EditingNotifier(outbox, lookups=[NotFound()])
    delivery = worker(outbox, {"slack": slack})

    async def recover() -> None:
        await delivery.recover()
        await run_for(delivery, 120)

    jumping(recover())
    assert ([ref for _, ref in slack.edited], slack.asked) == ([WHERE], [])
    assert outbox[1].state is EntryState.DELIVERED


def test_correction_when_what_it_corrects_is_under_way_then_waits_for_it(jumping: Run) -> None:
    """First the message, then its correction."""
    original = entry(
        1, state=EntryState.PENDING, attempts=1, first_attempt_at=NOW, not_before=NOW + timedelta(seconds=60)
    )
    outbox = outbox_of(original, correction(2))
    slack = EditingNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 300))
    assert (slack.sent, slack.edited) == ([(60, "key-1")], [(60, WHERE)])


def test_correction_when_there_is_nothing_to_correct_then_folded_and_what_follows_goes_on(jumping: Run) -> None:
    """A storm told it, or nobody could be notified: the next message has the right value."""
    outbox = outbox_of(
        correction(), reasoned(entry(2, fingerprints=(f"{1:016x}",)), NotifyReason.RESOLVED), notified=False
    )
    slack = EditingNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 60))
    assert (slack.edited, slack.sent) == ([], [(0, "key-2")])
    assert (outbox[1].state, outbox[1].attempts) == (EntryState.FOLDED, 0)
    assert outbox[1].error == "the message that it was to change was not delivered, or is about several alerts"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(ConfigurationRefused("invite the bot"), EntryState.BLOCKED, id="thrown out: blocked"),
        pytest.param(NotSent("busy", timedelta(hours=1)), EntryState.PENDING, id="too fast: later"),
    ],
)
def test_correction_when_it_cannot_be_made_now_then_tried_again(
    jumping: Run, answer: Answer, state: EntryState
) -> None:
    """As any other message."""
    outbox = outbox_of(correction())
    slack = EditingNotifier(outbox, answer)
    delivery = worker(outbox, {"slack": slack})
    jumping(run_for(delivery, 60))
    assert outbox[1].state is state
    jumping(run_for(worker(outbox, {"slack": slack}), 7300))
    assert outbox[1].state is EntryState.DELIVERED


def test_correction_when_its_layout_is_refused_then_once_more_as_plain_text(jumping: Run) -> None:
    """And given up loudly after that."""
    outbox = outbox_of(correction())
    slack = EditingNotifier(outbox, ContentRefused("invalid_blocks"))
    jumping(run_for(worker(outbox, {"slack": slack}), 60))
    assert [envelope.is_plain for envelope in slack.envelopes] == [False, True]
    assert outbox[1].state is EntryState.DELIVERED


def test_correction_when_its_receiver_cannot_edit_any_more_then_the_lane_is_not_stuck(jumping: Run) -> None:
    """The receiver was changed to a webhook meanwhile: it goes out as a message."""
    outbox = outbox_of(correction(), entry(2))
    slack = ScriptedNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 60))
    assert [key for _, key in slack.sent] == ["key-2", "key-1"]


# --- order of what quiet hours hold ---------------------------------------------------------------------------------

MORNING = NOW + 9 * HOUR
STORM = entry(1, fingerprints=("a", "b"), not_before=MORNING)


@pytest.mark.parametrize(
    ("later", "first", "due"),
    [
        pytest.param(
            reasoned(entry(2, fingerprints=("b",)), NotifyReason.RAISED, Severity.CRITICAL),
            [1],
            NOW,
            id="a critical one",
        ),
        pytest.param(
            reasoned(entry(2, fingerprints=("b",), not_before=MORNING), NotifyReason.RAISED), [], MORNING, id="held too"
        ),
        pytest.param(
            reasoned(entry(2, fingerprints=("b",)), NotifyReason.CORRECTED, Severity.CRITICAL),
            [],
            MORNING,
            id="a correction is not urgent",
        ),
        pytest.param(
            reasoned(entry(2, fingerprints=("c",)), NotifyReason.RAISED, Severity.CRITICAL),
            [2],
            NOW,
            id="of another alert",
        ),
        pytest.param(
            reasoned(entry(2, fingerprints=("b",), receiver="mail"), NotifyReason.RAISED, Severity.CRITICAL),
            [2],
            NOW,
            id="for another receiver",
        ),
    ],
)
def test_held_when_something_critical_waits_for_it_then_goes_first_and_now(
    later: OutboxEntry, first: list[int], due: object
) -> None:
    """In order, and neither of them in the morning."""
    assert [one.id for one in ready([STORM, later], NOW).values()] == first
    assert next_due([STORM, later]) == due


def test_retry_when_something_critical_waits_for_it_then_keeps_its_time() -> None:
    """A receiver that asked to be left alone for a while is."""
    tried = replace(STORM, attempts=1, first_attempt_at=NOW)
    later = reasoned(entry(2, fingerprints=("b",)), NotifyReason.RAISED, Severity.CRITICAL)
    assert ready([tried, later], NOW) == {}
    assert next_due([tried, later]) == MORNING


def test_update_when_a_storm_stands_there_then_that_storm_is_shown_with_its_first_alert_as_it_is(jumping: Run) -> None:
    """One alert by itself in the place of many would hide all others."""
    edit = reasoned(correction(), NotifyReason.UPDATED)
    outbox = outbox_of(edit)
    storm = storm_message()
    outbox.storms[edit.group] = storm
    slack = EditingNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 5))
    (shown,) = [envelope.message for envelope in slack.envelopes]
    assert shown == with_worst(storm, edit.message)
    assert outbox[1].message == edit.message
