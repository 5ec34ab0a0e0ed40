"""The outbox worker: lanes, order, claims and outcomes. Waits take no time here."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

import pytest
from structlog.testing import capture_logs

from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.severity import Severity
from alertd.errors import StoreError
from alertd.notify.base import (
    CannotLook,
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    Envelope,
    Lookup,
    NotFound,
    NotSent,
    Outcome,
)
from alertd.notify.delivery.order import next_due, ready
from alertd.notify.delivery.withholding import Withhold
from tests.core.builders import HOUR, NOW, entry
from tests.outbox_double import (
    BUSY,
    CUT,
    DELIVERED,
    SECOND,
    SENDING,
    UNKNOWN,
    MemoryOutbox,
    PacedNotifier,
    Run,
    ScriptedNotifier,
    elapsed_s,
    of_alert,
    outbox_of,
    run_for,
    run_jumping,
    worker,
)

# --- the usual ------------------------------------------------------------------------------------------------------


def test_entry_when_due_then_claimed_sent_and_recorded(jumping: Run) -> None:
    """The notifier itself checks that `sending` was stored before the first byte left."""
    outbox = outbox_of(entry())
    outbox.threads[entry().group] = "C1/1.0"
    slack = ScriptedNotifier(outbox, Delivered("C1/1.2"))
    jumping(run_for(worker(outbox, {"slack": slack}), 5))
    assert outbox.history == ["1 sending", "1 delivered (Delivered)"]
    assert (outbox[1].ref, outbox[1].attempts) == ("C1/1.2", 1)
    (envelope,) = slack.envelopes
    assert (envelope.key, envelope.thread_ref, envelope.recipient) == ("key-1", "C1/1.0", "")


def test_entry_when_not_due_yet_then_waits(jumping: Run) -> None:
    """`not_before` is kept to the second."""
    outbox = outbox_of(entry(not_before=NOW + 90 * SECOND))
    slack = ScriptedNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 300))
    assert slack.sent == [(90, "key-1")]


def test_entry_when_it_was_held_then_written_anew_stored_and_repeated_as_it_left(jumping: Run) -> None:
    """What is sent is what is stored as leaving; a copy that may have left is never written in other words."""
    outbox = outbox_of(entry(not_before=NOW + HOUR), of_alert(2, "b"))
    mail = ScriptedNotifier(outbox, Delivered(""), CUT, Delivered(""))

    async def write(held: OutboxEntry, now: datetime) -> OutboxEntry:
        return replace(held, message=replace(held.message, title=f"as of {now:%H:%M}"))

    jumping(run_for(worker(outbox, {"slack": mail}, write_anew=write), 5000))
    assert [envelope.message.title for envelope in mail.envelopes] == [
        "alert 2",
        "as of 13:05",
        "as of 13:05",
    ]
    assert outbox[1].message.title == "as of 13:05"


def test_entry_when_it_cannot_be_written_anew_then_sent_as_it_was() -> None:
    """A fault in the words loses no message."""
    outbox = outbox_of(entry(not_before=NOW + HOUR))
    slack = ScriptedNotifier(outbox)

    async def fail(held: OutboxEntry, now: datetime) -> OutboxEntry:
        raise ZeroDivisionError

    with capture_logs() as logs:
        run_jumping(run_for(worker(outbox, {"slack": slack}, write_anew=fail), 4000))
    assert [envelope.message for envelope in slack.envelopes] == [entry().message]
    assert "message not updated" in [line["event"] for line in logs]


def held_where(*silenced: str) -> Withhold:
    """Withhold what speaks of these alerts alone, for an hour."""

    async def withhold(entries: Sequence[OutboxEntry], now: datetime) -> Sequence[OutboxEntry]:
        if any(not set(due.fingerprints) <= set(silenced) for due in entries):
            return ()
        return [replace(due, not_before=now + HOUR) for due in entries]

    return withhold


def test_entry_when_it_is_withheld_at_the_last_moment_then_waits_and_nothing_failed() -> None:
    """Somebody silenced it between the decision and the attempt, or between two attempts."""
    outbox = outbox_of(of_alert(1, "a"), of_alert(2, "b"))
    slack = ScriptedNotifier(outbox)
    assert run_jumping(worker(outbox, {"slack": slack}, withhold=held_where("a")).drain(patience=10 * SECOND))
    assert outbox[1].not_before == NOW + HOUR
    assert (outbox[1].state, outbox[1].attempts) == (EntryState.PENDING, 0)
    run_jumping(run_for(worker(outbox, {"slack": slack}), 4000))
    assert slack.sent == [(0, "key-2"), (3600, "key-1")]


@pytest.mark.parametrize(
    ("behind", "sent"),
    [
        pytest.param("a", ["key-1", "key-2"], id="wanted: neither is held up"),
        pytest.param("b", [], id="withheld as well: both wait"),
    ],
)
def test_entry_when_it_is_withheld_and_something_critical_waits_for_it_then_asked_once(
    behind: str, sent: list[str]
) -> None:
    """What was held was pulled forward by what waited for it and held anew, as fast as the store could write."""
    alarm = entry(2, fingerprints=("b", behind))
    alarm = replace(alarm, message=replace(alarm.message, severity=Severity.CRITICAL))
    outbox = outbox_of(of_alert(1, "b"), alarm)
    slack = ScriptedNotifier(outbox)
    run_jumping(run_for(worker(outbox, {"slack": slack}, withhold=held_where("b")), 600))
    assert [key for _, key in slack.sent] == sent
    assert outbox.calls["record"] == 2


@pytest.mark.parametrize("fault", [ZeroDivisionError(), StoreError("locked")])
def test_entry_when_nobody_can_say_whether_it_is_withheld_then_sent_as_soon_as_the_store_answers(
    fault: Exception,
) -> None:
    """A fault in a silence loses no message; without its store alertd sends nothing."""
    outbox, faults = outbox_of(entry()), [fault]

    async def withhold(_: Sequence[OutboxEntry], now: datetime) -> Sequence[OutboxEntry]:
        if faults:
            raise faults.pop()
        return ()

    slack = ScriptedNotifier(outbox)
    run_jumping(run_for(worker(outbox, {"slack": slack}, withhold=withhold), 60))
    assert slack.sent == [(isinstance(fault, StoreError), "key-1")]


class Printer(ScriptedNotifier):
    """Prints what another would send."""

    stands_in = True


@pytest.mark.parametrize(
    ("notifier", "event"), [(ScriptedNotifier, "notification delivered"), (Printer, "notification would be sent")]
)
def test_log_when_nothing_is_sent_then_says_what_would_be(notifier: type[ScriptedNotifier], event: str) -> None:
    """A dry run logged "notification delivered"."""
    outbox = outbox_of(entry())
    with capture_logs() as logs:
        run_jumping(run_for(worker(outbox, {"slack": notifier(outbox)}), 5))
    assert [line["event"] for line in logs] == [event]


def test_worker_when_woken_then_sends_what_was_added(jumping: Run) -> None:
    """A decision is on its way within five seconds, not at the next look."""
    outbox = outbox_of(entry(not_before=NOW + HOUR))
    slack = ScriptedNotifier(outbox)
    delivery = worker(outbox, {"slack": slack})

    async def add_later() -> None:
        running = asyncio.create_task(run_for(delivery, 120))
        await asyncio.sleep(17)
        outbox.add(entry(2))
        delivery.wake()
        await running

    jumping(add_later())
    assert slack.sent == [(17, "key-2")]


def test_worker_when_nobody_wakes_it_then_looks_each_minute(jumping: Run) -> None:
    """A lost signal delays a message, it does not lose it."""
    outbox = MemoryOutbox()
    slack = ScriptedNotifier(outbox)

    async def add_quietly() -> None:
        running = asyncio.create_task(run_for(worker(outbox, {"slack": slack}), 200))
        await asyncio.sleep(17)
        outbox.add(entry())
        await running

    jumping(add_quietly())
    assert slack.sent == [(60, "key-1")]


def test_worker_when_stopped_then_finishes_what_is_in_flight(jumping: Run) -> None:
    """A stop must not turn a message into one whose outcome nobody knows."""
    outbox = outbox_of(entry(), of_alert(2, "b"))

    class Slow(ScriptedNotifier):
        async def send(self, envelope):  # type: ignore[no-untyped-def]
            await asyncio.sleep(8)
            return Delivered("late")

    jumping(run_for(worker(outbox, {"slack": Slow(outbox)}), 3))
    assert [outbox[n].state for n in (1, 2)] == [DELIVERED, EntryState.PENDING]


def test_entry_when_its_receiver_is_gone_then_waits_for_it(jumping: Run) -> None:
    """A receiver that is commented out for an hour loses nothing."""
    outbox = outbox_of(entry(receiver="gone"), of_alert(2, "b"))
    slack = ScriptedNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 100))
    assert [outbox[n].state for n in (1, 2)] == [EntryState.PENDING, DELIVERED]


def test_lane_when_paced_then_one_message_a_second_and_other_lanes_at_once(jumping: Run) -> None:
    """Slack takes one message a second and channel."""
    outbox = outbox_of(*(of_alert(n, f"a{n}") for n in (1, 2, 3)), of_alert(4, "a4", recipient="#b"))
    slack = PacedNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 30))
    assert sorted(slack.sent) == [(0, "key-1"), (0, "key-4"), (1, "key-2"), (2, "key-3")]


def test_heads_when_something_is_due_then_the_first_of_each_lane_with_its_attempts(jumping: Run) -> None:
    """What stays there moves no more; what only waits, or waits for a receiver that is gone, is not meant."""
    outbox = outbox_of(
        entry(),
        entry(2),
        entry(3, recipient="other", attempts=4),
        entry(4, recipient="later", not_before=NOW + HOUR),
        entry(5, receiver="gone"),
    )
    assert jumping(worker(outbox, {"slack": ScriptedNotifier(outbox)}).heads()) == {(1, 0), (3, 4)}


def test_use_when_receivers_are_reloaded_then_the_next_attempt_goes_through_the_new_ones(jumping: Run) -> None:
    """A mended receiver delivers without a restart."""
    outbox = outbox_of(entry(receiver="new"))
    slack = ScriptedNotifier(outbox)
    delivery = worker(outbox, {})

    async def reload() -> None:
        running = asyncio.create_task(run_for(delivery, 30))
        await asyncio.sleep(5)
        delivery.use({"new": slack}, {})
        await running

    jumping(reload())
    assert slack.sent == [(5, "key-1")]


# --- lanes and order ------------------------------------------------------------------------------------------------


def test_lane_when_dead_then_the_others_are_not_held_up(jumping: Run) -> None:
    """A hanging receiver costs its own messages their deadline, nobody else's."""
    outbox = outbox_of(entry(), of_alert(2, "b", receiver="mail"), of_alert(3, "c", recipient="#other"))

    class OneChannelHangs(ScriptedNotifier):
        async def send(self, envelope):  # type: ignore[no-untyped-def]
            if not envelope.recipient:
                await asyncio.sleep(10**9)
            return await super().send(envelope)

    slack, mail = OneChannelHangs(outbox), ScriptedNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack, "mail": mail}), 20))
    assert (mail.sent, slack.sent) == ([(0, "key-2")], [(0, "key-3")])
    assert outbox[1].state is UNKNOWN
    assert outbox[1].error == "no answer within 30 s"


def test_lane_when_an_alert_is_stuck_then_its_end_waits_and_other_alerts_pass(jumping: Run) -> None:
    """An end is never notified before its beginning."""
    outbox = outbox_of(of_alert(1, "a"), of_alert(2, "a"), of_alert(3, "b"))
    slack = ScriptedNotifier(outbox, NotSent("429", 100 * SECOND))
    jumping(run_for(worker(outbox, {"slack": slack}), 300))
    assert slack.sent == [(0, "key-1"), (0, "key-3"), (100, "key-1"), (100, "key-2")]


def test_end_when_the_beginning_gave_up_then_goes_out(jumping: Run) -> None:
    """What can never be notified must not hold up the rest for ever."""
    outbox = outbox_of(of_alert(1, "a", is_plain=True), of_alert(2, "a"))
    slack = ScriptedNotifier(outbox, ContentRefused("no"))
    jumping(run_for(worker(outbox, {"slack": slack}), 10))
    assert [outbox[n].state for n in (1, 2)] == [EntryState.GAVE_UP, DELIVERED]


@pytest.mark.parametrize(
    ("entries", "chosen", "due_s"),
    [
        pytest.param([], [], None, id="nothing"),
        pytest.param([of_alert(1, "a"), of_alert(2, "b")], [1], 0, id="one a lane, the oldest"),
        pytest.param([of_alert(1, "a"), of_alert(2, "a", recipient="x")], [1, 2], 0, id="one in each lane"),
        pytest.param(
            [of_alert(1, "a", not_before=NOW + SECOND), of_alert(2, "b")], [2], 0, id="one that waits is passed"
        ),
        pytest.param(
            [of_alert(1, "a", not_before=NOW + SECOND), of_alert(2, "a")], [], 1, id="not by its own alert's next"
        ),
        pytest.param([of_alert(1, "a", state=SENDING), of_alert(2, "a")], [], None, id="sending: its next waits"),
        pytest.param([of_alert(1, "a", state=SENDING), of_alert(2, "b")], [2], 0, id="sending: others do not"),
        pytest.param([of_alert(1, "a", state=UNKNOWN), of_alert(2, "a")], [1], 0, id="unknown: asked first"),
        pytest.param(
            [of_alert(1, "a", state=EntryState.BLOCKED, not_before=NOW + HOUR), of_alert(2, "a")],
            [],
            3600,
            id="blocked",
        ),
        pytest.param(
            [entry(1, fingerprints=("a", "b"), not_before=NOW + SECOND), of_alert(2, "b"), of_alert(3, "c")],
            [3],
            0,
            id="a storm holds up each of its alerts",
        ),
        pytest.param(
            [of_alert(1, "a", not_before=NOW + SECOND), entry(2, fingerprints=("a", "b")), of_alert(3, "b")],
            [],
            1,
            id="a storm waits for each of its alerts, and what comes after it too",
        ),
        pytest.param([entry(1, fingerprints=()), entry(2, fingerprints=())], [1], 0, id="two reports, the oldest"),
        pytest.param([entry(1, fingerprints=()), of_alert(2, "a"), of_alert(3, "b")], [2], 0, id="an alert before one"),
        pytest.param(
            [entry(1, fingerprints=()), of_alert(2, "a", not_before=NOW + SECOND)], [1], 0, id="not one that waits"
        ),
        pytest.param(
            [entry(1, fingerprints=()), of_alert(2, "a", recipient="x")], [1, 2], 0, id="each in its own lane"
        ),
    ],
)
def test_ready_when_entries_wait_for_each_other_then_one_a_lane(
    entries: list[OutboxEntry], chosen: list[int], due_s: int | None
) -> None:
    """Order within an alert, freedom between alerts, one attempt a lane."""
    assert [e.id for e in ready(entries, NOW).values()] == chosen
    due = next_due(entries)
    assert (due - NOW == due_s * SECOND if due is not None else due_s is None) if due_s is not None else due is None


# --- outcomes -------------------------------------------------------------------------------------------------------


def test_entry_when_tried_again_then_the_same_key_and_the_same_words(jumping: Run) -> None:
    """Byte-identical copies are what lets a receiver tell repeats."""
    outbox = outbox_of(entry())
    slack = ScriptedNotifier(outbox, BUSY, CUT, ValueError("a plugin's fault"))
    jumping(run_for(worker(outbox, {"slack": slack}), 8000))
    # 2 s at half jitter; a minute after the first unknown; an hour after the second.
    assert slack.sent == [(0, "key-1"), (1, "key-1"), (61, "key-1"), (3661, "key-1")]
    assert len({(e.key, e.message) for e in slack.envelopes}) == 1
    assert (outbox[1].state, outbox[1].unknowns) == (DELIVERED, 2)


def test_notifier_when_it_raises_then_unknown_and_the_fault_is_logged() -> None:
    """An unclassified exception may have come after the last byte."""
    outbox = outbox_of(entry())
    with capture_logs() as logs:
        run_jumping(run_for(worker(outbox, {"slack": ScriptedNotifier(outbox, KeyError("xoxb-secret"))}), 1))
    assert outbox[1].state is UNKNOWN
    assert outbox[1].error == "KeyError in the notifier"
    assert [log["event"] for log in logs] == ["notifier failed", "notification not delivered yet"]


class Quitter(ScriptedNotifier):
    """A plugin that does what no plugin should."""

    def __init__(self, outbox: MemoryOutbox, does: Callable[[], object]) -> None:
        super().__init__(outbox)
        self.can_look_up = True
        self._does = does

    async def send(self, envelope: Envelope) -> Outcome:
        return cast("Outcome", self._does())

    async def find(self, key: str, *, recipient: str, since: datetime, thread_ref: str = "") -> Lookup:
        return cast("Lookup", self._does())


def _raise(error: BaseException) -> Callable[[], object]:
    def does() -> object:
        raise error

    return does


@pytest.mark.parametrize(
    ("does", "words"),
    [
        pytest.param(_raise(SystemExit(3)), "SystemExit in the notifier", id="leaves the program"),
        pytest.param(_raise(asyncio.CancelledError()), "CancelledError in the notifier", id="ends its task"),
        pytest.param(_raise(MemoryError()), "MemoryError in the notifier", id="has no memory"),
        pytest.param(lambda: None, "the notifier returned NoneType, which is not an outcome", id="returns nothing"),
        pytest.param(lambda: "ok", "the notifier returned str, which is not an outcome", id="returns a word"),
        pytest.param(lambda: Delivered, "the notifier returned type, which is not an outcome", id="returns a class"),
    ],
)
def test_plugin_whatever_it_does_then_unknown_and_the_other_lanes_go_on(does: Callable[[], object], words: str) -> None:
    """`sys.exit()` in a plugin ended the daemon; an answer that is none ended the lane."""
    outbox = outbox_of(entry(receiver="odd"), of_alert(2, "b"))
    other = ScriptedNotifier(outbox)
    with capture_logs():
        run_jumping(run_for(worker(outbox, {"odd": Quitter(outbox, does), "slack": other}), 100))
    assert (outbox[1].state, outbox[1].error.partition(";")[0]) == (UNKNOWN, words)
    assert other.sent == [(0, "key-2")]


def test_content_when_refused_then_the_plain_form_at_once(jumping: Run) -> None:
    """The alert matters more than its looks."""
    outbox = outbox_of(entry())
    slack = ScriptedNotifier(outbox, ContentRefused("invalid_blocks"))
    jumping(run_for(worker(outbox, {"slack": slack}), 5))
    assert [(e.is_plain, e.key) for e in slack.envelopes] == [(False, "key-1"), (True, "key-1")]


@pytest.mark.parametrize(
    ("lookups", "sends", "asks"),
    [
        pytest.param([Delivered("C1/1.2")], [0], [30], id="found: adopted, not sent again"),
        pytest.param([NotFound()], [0, 31], [30], id="not found: sent again a second later"),
        pytest.param([CannotLook("500")] * 2 + [NotFound()], [0, 151], [30, 90, 150], id="asked until it can tell"),
    ],
)
def test_unknown_when_the_receiver_can_look_then_asked_after_the_deadline(
    lookups: list[Delivered | NotFound | CannotLook], sends: list[int], asks: list[int], jumping: Run
) -> None:
    """With a lookup there is one copy even when an answer was lost."""
    outbox = outbox_of(entry())
    slack = ScriptedNotifier(outbox, CUT, lookups=lookups)
    jumping(run_for(worker(outbox, {"slack": slack}), 2000))
    assert ([s for s, _ in slack.sent], [s for s, _ in slack.asked]) == (sends, asks)
    assert outbox[1].state is DELIVERED


@pytest.mark.parametrize(
    ("last", "sends"),
    [
        pytest.param(Delivered("C1/1.2"), [0, 930], id="it had arrived"),
        pytest.param(NotFound(), [0, 930, 4532], id="it had not"),
    ],
)
def test_unknown_when_its_next_attempt_is_refused_for_the_configuration_then_looked_for_once_it_is_fixed(
    last: Delivered | NotFound, sends: list[int], jumping: Run
) -> None:
    """What waits for a person had been sent once already, and its answer was lost."""
    outbox = outbox_of(entry())
    lookups = [*[CannotLook("invalid_auth")] * 16, last]
    slack = ScriptedNotifier(outbox, CUT, ConfigurationRefused("invalid_auth"), lookups=lookups)
    jumping(run_for(worker(outbox, {"slack": slack}), 8000))
    assert ([s for s, _ in slack.sent], [s for s, _ in slack.asked][-2:]) == (sends, [930, 4530])
    assert outbox[1].state is DELIVERED


def test_claim_when_another_worker_was_faster_then_nothing_is_sent(jumping: Run) -> None:
    """Compare-and-set decides, before the first byte leaves."""

    class Stale(MemoryOutbox):
        async def open_entries(self):  # type: ignore[no-untyped-def]
            return [entry()] if elapsed_s() < 1 else []

    outbox = Stale()
    outbox.add(entry(state=SENDING, attempts=1))
    slack = ScriptedNotifier(outbox)

    async def one_look() -> None:
        delivery = worker(outbox, {"slack": slack})
        await delivery._start_ready()
        await asyncio.gather(*delivery._busy.values())

    jumping(one_look())
    assert (slack.sent, outbox.history) == ([], [])
