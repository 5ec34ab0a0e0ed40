"""What leaves first: news before repeats, those before reports, edits last; and never an end before its beginning."""

from dataclasses import replace

import pytest

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.outbox import EntryState, OutboxEntry, Urgency
from alertd.core.severity import Severity
from alertd.notify.delivery.order import due_edits, ready
from tests.core.builders import NOW, entry
from tests.held_sizes import sizes
from tests.outbox_double import PATIENCE, SECOND, EditingNotifier, MemoryOutbox, Run, run_for, worker

FIRST, RAISED, REPEAT = NotifyReason.FIRST, NotifyReason.RAISED, NotifyReason.REPEAT
RESOLVED, UPDATED, CORRECTED = NotifyReason.RESOLVED, NotifyReason.UPDATED, NotifyReason.CORRECTED
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def about(
    number: int,
    alert: str,
    reason: NotifyReason = FIRST,
    severity: Severity = WARNING,
    *,
    is_resolved: bool | None = None,
    **parts: object,
) -> OutboxEntry:
    """An entry about one alert, for a reason."""
    plain = entry(number, fingerprints=(alert,) if alert else (), group=alert or "report", **parts)
    resolved = reason is RESOLVED if is_resolved is None else is_resolved
    return replace(plain, message=replace(plain.message, reason=reason, severity=severity, is_resolved=resolved))


def sent_in_order(entries: list[OutboxEntry]) -> list[int]:
    """The ids in the order in which one lane sends them."""
    left, order = list(entries), []
    while turn := ready(left, NOW):
        [head] = turn.values()
        order.append(head.id)
        left = [each for each in left if each.id != head.id]
    return order


def test_entry_when_it_is_held_after_failed_attempts_then_goes_with_the_critical_one_behind_it() -> None:
    """Tried in the evening and held for the night, it held up what became critical in the night until the morning."""
    held = about(1, "a", not_before=NOW + 9 * PATIENCE, attempts=2)
    assert ready([held], NOW) == {}
    assert sent_in_order([held, about(2, "a", RAISED, CRITICAL)]) == [1, 2]


@pytest.mark.parametrize(
    ("reason", "is_resolved", "urgency"),
    [
        (FIRST, False, Urgency.NEW),
        (RAISED, False, Urgency.NEW),
        (NotifyReason.ESCALATED, False, Urgency.NEW),
        (NotifyReason.STORM, False, Urgency.NEW),
        (NotifyReason.UNDELIVERED, False, Urgency.NEW),
        (RESOLVED, True, Urgency.RESOLVED),
        (NotifyReason.STORM, True, Urgency.RESOLVED),
        (REPEAT, False, Urgency.REPEAT),
        (NotifyReason.ACKNOWLEDGED, False, Urgency.REPEAT),
        (UPDATED, False, Urgency.EDIT),
        (UPDATED, True, Urgency.EDIT),
        (CORRECTED, False, Urgency.EDIT),
    ],
)
def test_urgency_then_by_what_the_message_is(reason: NotifyReason, is_resolved: bool, urgency: Urgency) -> None:
    """A storm of ends is no news of spend."""
    assert about(1, "a", reason, is_resolved=is_resolved).urgency is urgency


@pytest.mark.parametrize(
    ("entries", "order"),
    [
        pytest.param(
            [
                about(1, "a", UPDATED),
                about(2, ""),
                about(3, "b", REPEAT),
                about(4, "c", RESOLVED),
                about(5, "d"),
                about(6, "e", RAISED, CRITICAL),
            ],
            [6, 5, 4, 3, 2, 1],
            id="each kind in its turn",
        ),
        pytest.param(
            [*(about(n, f"a{n}", RESOLVED) for n in range(1, 4)), about(4, "b", FIRST, CRITICAL)],
            [4, 1, 2, 3],
            id="a critical alert before ends that wait",
        ),
        pytest.param(
            [about(1, "a"), about(2, "b", FIRST, CRITICAL), about(3, "c", FIRST, CRITICAL)],
            [2, 3, 1],
            id="the higher severity first, then the older",
        ),
        pytest.param([about(1, "a"), about(2, "a", RESOLVED)], [1, 2], id="an end after its beginning"),
        pytest.param(
            [about(1, "a", REPEAT), about(2, "b"), about(3, "a", RAISED, CRITICAL)],
            [1, 3, 2],
            id="what a critical one waits for goes with it",
        ),
        pytest.param(
            [about(1, "a", UPDATED), about(2, "b"), about(3, "a", RAISED, CRITICAL)],
            [3, 2, 1],
            id="news of an alert does not wait for an edit of it",
        ),
        pytest.param(
            [about(1, "a", CORRECTED), about(2, "a", UPDATED)], [1, 2], id="edits of an alert keep their order"
        ),
        pytest.param([about(1, "a"), about(2, "a", UPDATED)], [1, 2], id="an edit waits for the message it changes"),
    ],
)
def test_lane_then_sends_the_most_urgent_first(entries: list[OutboxEntry], order: list[int]) -> None:
    """One message a second: what nobody needs now must not stand before what somebody does."""
    assert sent_in_order(entries) == order


def test_edit_when_its_message_waits_still_then_is_not_due() -> None:
    """There is nothing to change yet; to close it now would lose it."""
    stuck = about(1, "a", not_before=NOW + SECOND)
    assert due_edits([stuck, about(2, "a", UPDATED), about(3, "b", UPDATED)], NOW) == [about(3, "b", UPDATED)]


def test_edit_when_an_earlier_one_of_its_alert_waits_then_is_not_made_before_it() -> None:
    """The message would show the older words in the end."""
    waits = about(1, "a", CORRECTED, not_before=NOW + SECOND)
    assert ready([waits, about(2, "a", UPDATED)], NOW) == {}
    assert [head.id for head in ready([waits, about(2, "b", UPDATED)], NOW).values()] == [2]


def after_many_ended(number: int, *, with_targets: bool) -> tuple[MemoryOutbox, int]:
    """An outbox with an edit for each of many alerts, and then a fresh critical one; and its id."""
    outbox = MemoryOutbox()
    edits = [about(n, f"{n:016x}", UPDATED, is_resolved=True) for n in range(1, number + 1)]
    outbox.add(*edits, about(number + 1, "fresh", FIRST, CRITICAL))
    outbox.threads = {edit.group: f"C1/{edit.id}.1" for edit in edits} if with_targets else {}
    return outbox, number + 1


def test_fresh_critical_alert_when_200_ended_then_is_sent_first(jumping: Run) -> None:
    """It waited for minutes behind edits that nobody waits for."""
    outbox, fresh = after_many_ended(200, with_targets=True)
    slack = EditingNotifier(outbox)
    jumping(worker(outbox, {"slack": slack}).drain(patience=PATIENCE))
    delivered = [line for line in outbox.history if line.endswith("(Delivered)")]
    assert delivered[0] == f"{fresh} delivered (Delivered)"
    assert len(delivered) == 201


@pytest.mark.parametrize("number", [8, 800])
def test_edits_without_a_message_then_are_closed_in_one_go(jumping: Run, number: int) -> None:
    """After a storm there are hundreds: each read the whole outbox, which grew with their square."""
    outbox, fresh = after_many_ended(number, with_targets=False)
    slack = EditingNotifier(outbox)
    jumping(worker(outbox, {"slack": slack}).drain(patience=PATIENCE))
    assert outbox[fresh].state is EntryState.DELIVERED
    assert {outbox[n].state for n in range(1, number + 1)} == {EntryState.FOLDED}
    assert (outbox.calls["targets"], outbox.calls["fold"]) == (1, 1)
    assert outbox.calls["read"] <= 6, "however many they are"


def test_edits_with_a_message_then_are_looked_up_once(jumping: Run) -> None:
    """Which message an edit changes does not change while it waits for its turn."""
    outbox, _ = after_many_ended(50, with_targets=True)
    slack = EditingNotifier(outbox)
    jumping(worker(outbox, {"slack": slack}).drain(patience=PATIENCE))
    assert outbox.calls["targets"] == 1
    assert {each.state for each in outbox.entries.values()} == {EntryState.DELIVERED}


class PacedEditor(EditingNotifier):
    """One message a second, edits too."""

    pace = SECOND


def test_edits_when_later_ones_took_them_over_then_nothing_is_kept_of_them(jumping: Run) -> None:
    """Which messages they were to change was remembered until the next start."""
    outbox, _ = after_many_ended(20, with_targets=True)
    delivery = worker(outbox, {"slack": PacedEditor(outbox)})

    async def lived() -> None:
        await run_for(delivery, 3)
        await outbox.fold(await outbox.open_entries(), why="made anew", now=NOW)
        await run_for(delivery, 600)

    jumping(lived())
    assert {each.state for each in outbox.entries.values()} == {EntryState.DELIVERED, EntryState.FOLDED}
    assert sizes(delivery)["Delivery._targets"] == 0
