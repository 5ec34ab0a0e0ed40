"""The outbox worker when things go wrong: crashes, giving up, a failing store, and draining."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.errors import StoreError
from alertd.notify.base import (
    ContentRefused,
    Delivered,
    Envelope,
    NotFound,
    NotSent,
    Outcome,
)
from tests.core.builders import HOUR, NOW, entry
from tests.examples import examples
from tests.outbox_double import (
    BUSY,
    CUT,
    DELIVERED,
    INVITE,
    PATIENCE,
    SECOND,
    SENDING,
    UNKNOWN,
    MemoryOutbox,
    PacedNotifier,
    Run,
    ScriptedNotifier,
    Step,
    elapsed_s,
    of_alert,
    outbox_of,
    run_for,
    run_jumping,
    worker,
)

# --- crashes --------------------------------------------------------------------------------------------------------


def test_recover_when_stopped_while_unknown_then_looks_from_the_beginning_on(jumping: Run) -> None:
    """The message may lie before the stop: time that does not count as an attempt still counts for the search."""
    stopped = NOW - timedelta(hours=5)
    waiting = entry(
        state=UNKNOWN,
        attempts=1,
        unknowns=1,
        created_at=stopped,
        first_attempt_at=stopped,
        started_at=stopped,
        not_before=stopped,
    )
    outbox = outbox_of(waiting)
    slack = ScriptedNotifier(outbox, lookups=[Delivered("C1/1.2")])

    async def restart() -> None:
        delivery = worker(outbox, {"slack": slack})
        await delivery.recover()
        await run_for(delivery, 5)

    jumping(restart())
    assert slack.asked_since == [stopped]
    assert (slack.sent, outbox[1].state) == ([], DELIVERED)


@pytest.mark.parametrize(
    ("lookups", "sends"),
    [
        pytest.param(None, [60], id="nobody can tell: once more after a minute"),
        pytest.param([Delivered("C1/1.2")], [], id="it had arrived"),
        pytest.param([NotFound()], [31], id="it had not"),
    ],
)
def test_recover_when_killed_in_the_middle_of_an_attempt_then_learnt_or_sent_again(
    lookups: list[Delivered | NotFound] | None, sends: list[int], jumping: Run
) -> None:
    """Nothing is lost by a SIGKILL, and nothing is sent twice where that can be known."""
    outbox = outbox_of(entry())

    async def crash_and_restart() -> ScriptedNotifier:
        dying = asyncio.create_task(run_for(worker(outbox, {"slack": ScriptedNotifier(outbox, "hang")}), 100))
        await asyncio.sleep(0.001)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        assert outbox[1].state is SENDING
        slack = ScriptedNotifier(outbox, lookups=lookups)
        delivery = worker(outbox, {"slack": slack})
        await delivery.recover()
        assert outbox[1].state is UNKNOWN
        await run_for(delivery, 100)
        return slack

    slack = jumping(crash_and_restart())
    assert isinstance(slack, ScriptedNotifier)
    assert [s for s, _ in slack.sent] == sends
    assert outbox[1].state is DELIVERED


@pytest.mark.parametrize(
    ("unknowns", "sends"),
    [
        pytest.param(0, [0], id="a configuration that may have been mended: tried at once"),
        pytest.param(1, [0], id="also where one earlier answer was lost"),
        pytest.param(2, [3600], id="two lost answers: a person looks, a restart sends no third copy"),
    ],
)
def test_recover_when_blocked_then_tried_at_once_unless_copies_pile_up(
    unknowns: int, sends: list[int], jumping: Run
) -> None:
    """A restart is often the mending."""
    outbox = outbox_of(entry(state=EntryState.BLOCKED, unknowns=unknowns, not_before=NOW + HOUR))
    slack = ScriptedNotifier(outbox)
    delivery = worker(outbox, {"slack": slack})

    async def restart() -> None:
        await delivery.recover()
        await run_for(delivery, 4000)

    jumping(restart())
    assert [s for s, _ in slack.sent] == sends


# --- giving up ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fallback_when_blocked_for_days_then_one_copy_and_an_attempt_each_hour(jumping: Run) -> None:
    """The fallback hears of it now and once; the receiver is tried until 72 hours are over."""
    outbox = outbox_of(entry())
    slack, mail = ScriptedNotifier(outbox, *[INVITE] * 200), ScriptedNotifier(outbox, recipients=("a@x.io",))
    jumping(run_for(worker(outbox, {"slack": slack, "mail": mail}, fallback={"slack": "mail"}), 80 * 3600))
    assert [s for s, _ in slack.sent] == [hour * 3600 for hour in range(73)]
    assert outbox[1].state is EntryState.GAVE_UP
    (copy,) = mail.envelopes
    assert (copy.recipient, copy.message.title) == ("a@x.io", "alert 1 [undelivered to slack]")
    assert copy.message.history == ('Receiver "slack" did not get this: invite the bot',)
    assert mail.sent[0][0] == 0


def test_fallback_when_it_fails_too_then_no_copy_of_the_copy(jumping: Run) -> None:
    """Two dead receivers must not feed each other."""
    outbox = outbox_of(entry())
    slack, mail = (ScriptedNotifier(outbox, *[INVITE] * 200) for _ in range(2))
    jumping(
        run_for(worker(outbox, {"slack": slack, "mail": mail}, fallback={"slack": "mail", "mail": "slack"}), 80 * 3600)
    )
    assert [e.state for e in outbox.entries.values()] == [EntryState.GAVE_UP] * 2
    assert len({key for _, key in slack.sent}) == len({key for _, key in mail.sent}) == 1


def test_fallback_when_there_is_none_then_the_log_says_so() -> None:
    """Giving up is never quiet."""
    outbox = outbox_of(entry())
    with capture_logs() as logs:
        run_jumping(run_for(worker(outbox, {"slack": ScriptedNotifier(outbox, INVITE)}), 1))
    assert ("fallback receiver missing", "error") in [(log["event"], log["log_level"]) for log in logs]
    assert not outbox[1].fallback_sent


def test_entry_when_the_clock_that_dated_its_attempt_was_ahead_then_is_tried_at_once(jumping: Run) -> None:
    """Started with a clock 400 days ahead, which the API's first answer corrects: nobody waits until it is set."""
    ahead = NOW + 9600 * HOUR
    outbox = outbox_of(
        entry(
            state=EntryState.UNKNOWN, attempts=1, unknowns=1, first_attempt_at=ahead, started_at=ahead, not_before=ahead
        )
    )
    slack = ScriptedNotifier(outbox, NotSent("busy"), Delivered(""))
    jumping(run_for(worker(outbox, {"slack": slack}), 60))
    assert outbox[1].state is EntryState.DELIVERED
    assert slack.sent[0][0] == 0
    assert outbox[1].first_attempt_at == NOW


@pytest.mark.slow
def test_entry_when_never_accepted_then_gives_up_after_72_hours(jumping: Run) -> None:
    """Not before, and not much later."""
    outbox = outbox_of(entry())
    slack = ScriptedNotifier(outbox, *[NotSent("down", HOUR)] * 200)
    jumping(run_for(worker(outbox, {"slack": slack}), 80 * 3600))
    assert (outbox[1].state, slack.sent[-1][0]) == (EntryState.GAVE_UP, 72 * 3600)


def test_entry_when_every_attempt_is_cut_and_disproved_then_ends_after_72_hours(jumping: Run) -> None:
    """Every entry ends: a server that fails in the middle each time is no exception."""
    outbox = outbox_of(entry(attempts=8000, first_attempt_at=NOW - 71 * HOUR))
    slack = ScriptedNotifier(outbox, *[CUT] * 1000, lookups=[NotFound()] * 1000)
    jumping(run_for(worker(outbox, {"slack": slack}), 2 * 3600))
    assert outbox[1].state is EntryState.GAVE_UP


def test_entry_when_every_attempt_is_disproved_then_attempts_become_as_rare_as_failed_ones(jumping: Run) -> None:
    """A Slack that answered 500 was posted to every half minute for hours, with two questions for each message."""
    outbox = outbox_of(entry())
    slack = ScriptedNotifier(outbox, *[CUT] * 1000, lookups=[NotFound()] * 1000)
    jumping(run_for(worker(outbox, {"slack": slack}), 2 * 3600))
    sent = [at_s for at_s, _ in slack.sent]
    # Half the longest wait, after the 30 seconds in which the attempt may still arrive.
    assert {later - earlier for earlier, later in pairwise(sent[10:])} == {150 + 30}


STEPS = st.sampled_from([Delivered("r"), BUSY, NotSent("429", 20 * SECOND), CUT, INVITE, ContentRefused("c"), "hang"])


@examples(4, thorough=25)
@given(st.lists(STEPS, max_size=7), st.none() | st.lists(st.sampled_from([Delivered("r"), NotFound()]), max_size=4))
def test_entries_when_anything_happens_then_each_ends_in_order_and_with_three_copies_at_most(
    script: list[Step], lookups: list[Delivered | NotFound] | None
) -> None:
    """The promises hold for every history of answers."""
    outbox = outbox_of(of_alert(1, "a"), of_alert(2, "a"), of_alert(3, "b", recipient="#b"))
    slack, mail = ScriptedNotifier(outbox, *script, lookups=lookups), ScriptedNotifier(outbox)
    with capture_logs():
        run_jumping(run_for(worker(outbox, {"slack": slack, "mail": mail}, fallback={"slack": "mail"}), 12 * 3600))
    finals = [outbox[n].state for n in (1, 2, 3)]
    assert set(finals) <= {DELIVERED, EntryState.GAVE_UP}
    begun = [key for _, key in slack.sent if key in {"key-1", "key-2"}]
    assert begun == sorted(begun)
    assert all(outbox[n].unknowns <= 3 for n in (1, 2, 3))
    gone = sum(state is EntryState.GAVE_UP for state in finals)
    assert gone <= len(mail.envelopes) <= 3
    assert all(e.message.reason is NotifyReason.UNDELIVERED for e in mail.envelopes)


# --- a failing store ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "sends"),
    [
        pytest.param("read", [10], id="unreadable: sent once it can be read"),
        pytest.param("claim", [10], id="cannot claim: nothing leaves that is not stored as leaving"),
        pytest.param("record", [0], id="cannot record: kept until the store takes it, not sent again"),
    ],
)
def test_worker_when_the_store_fails_for_a_while_then_goes_on(call: str, sends: list[int], jumping: Run) -> None:
    """A locked database delays messages, it neither loses nor doubles one."""
    outbox = outbox_of(entry())
    outbox.broken = lambda name: name == call and elapsed_s() < 10
    slack = ScriptedNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 30))
    assert [s for s, _ in slack.sent] == sends
    assert outbox[1].state is DELIVERED


class DoubtfulOutbox(MemoryOutbox):
    """Stores every claim in its first ten seconds, and says that it failed: the answer to the commit was lost."""

    async def replace_entry(
        self, before: OutboxEntry, after: OutboxEntry, *, add: Sequence[OutboxEntry], outcome: str
    ) -> bool:
        stored = await super().replace_entry(before, after, add=add, outcome=outcome)
        if after.state is SENDING and elapsed_s() < 10:
            raise StoreError("no answer to the commit")
        return stored


def test_claim_when_stored_though_the_store_said_it_failed_then_taken_back_and_sent_once(jumping: Run) -> None:
    """An entry that counts as being sent, and is not, would be touched by nobody until the next start."""
    outbox = DoubtfulOutbox()
    outbox.add(entry(1, group="one"), entry(2, group="two"))
    slack = ScriptedNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": slack}), 120))
    assert sorted(key for _, key in slack.sent) == ["key-1", "key-2"]
    assert (outbox[1].state, outbox[2].state) == (DELIVERED, DELIVERED)
    assert outbox[1].attempts > 1
    assert outbox[1].unknowns == 0


# --- drain ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "lookups", "delivered", "attempts"),
    [
        pytest.param([], None, True, 1, id="at once"),
        pytest.param([BUSY, BUSY], None, True, 3, id="after some attempts"),
        pytest.param([BUSY] * 99, None, False, 11, id="not within its patience"),
        pytest.param([INVITE], None, False, 1, id="blocked"),
        pytest.param([ContentRefused("x"), ContentRefused("x")], None, False, 2, id="given up"),
        pytest.param([CUT], None, True, 2, id="unknown, then sent again"),
        pytest.param([CUT], [Delivered("r")], True, 1, id="unknown, then found: it was delivered in the end"),
        pytest.param([CUT], [NotFound()], True, 2, id="unknown, not found, sent again"),
    ],
)
def test_drain_when_done_then_says_whether_all_was_delivered(
    script: list[Step], lookups: list[Delivered | NotFound] | None, delivered: bool, attempts: int, jumping: Run
) -> None:
    """The exit code of `--once` rests on it."""
    outbox = outbox_of(entry())
    slack = ScriptedNotifier(outbox, *script, lookups=lookups)
    assert jumping(worker(outbox, {"slack": slack}).drain(patience=PATIENCE)) is delivered
    assert len(slack.sent) == attempts


def test_drain_when_the_claim_cannot_be_stored_then_false(jumping: Run) -> None:
    """Nothing was sent: a timer's job must not end as if all were well."""
    outbox = outbox_of(entry())
    outbox.broken = lambda name: name == "claim"

    async def drained() -> bool:
        async with asyncio.timeout(2 * PATIENCE.total_seconds()):
            return await worker(outbox, {"slack": ScriptedNotifier(outbox)}).drain(patience=PATIENCE)

    assert jumping(drained()) is False


def test_drain_when_its_patience_ends_before_all_are_tried_then_false(jumping: Run) -> None:
    """What is due and was never tried is not delivered either."""
    outbox = outbox_of(*(of_alert(n, f"a{n}") for n in range(1, 9)))
    slack = PacedNotifier(outbox)
    assert jumping(worker(outbox, {"slack": slack}).drain(patience=3 * SECOND)) is False
    assert len(slack.sent) == 4


def test_drain_when_a_correction_waits_behind_what_quiet_hours_hold_then_nothing_failed(jumping: Run) -> None:
    """`run --once` exited 1 until morning although everything was as it should be."""
    held = of_alert(1, "a1")
    correction = replace(of_alert(2, "a1"), message=replace(held.message, reason=NotifyReason.CORRECTED))
    outbox = outbox_of(replace(held, not_before=NOW + 9 * HOUR), correction)
    slack = ScriptedNotifier(outbox)
    assert jumping(worker(outbox, {"slack": slack}).drain(patience=PATIENCE)) is True
    assert slack.sent == []


def test_drain_when_nothing_is_due_then_returns_at_once(jumping: Run) -> None:
    """What waits for tomorrow is no failure of today."""
    outbox = outbox_of(entry(not_before=NOW + HOUR), entry(2, receiver="gone"))

    async def drained() -> tuple[bool, int]:
        return await worker(outbox, {"slack": ScriptedNotifier(outbox)}).drain(patience=PATIENCE), elapsed_s()

    assert jumping(drained()) == (True, 0)


def test_drain_when_many_are_due_then_all_lanes_and_paces_are_kept(jumping: Run) -> None:
    """`--once` delivers everything, as politely as the service."""
    outbox = outbox_of(*(of_alert(n, f"a{n}") for n in range(1, 6)), of_alert(6, "a6", receiver="mail"))
    slack, mail = PacedNotifier(outbox), ScriptedNotifier(outbox, BUSY)
    assert jumping(worker(outbox, {"slack": slack, "mail": mail}).drain(patience=PATIENCE)) is True
    assert [s for s, _ in slack.sent] == [0, 1, 2, 3, 4]
    assert {e.state for e in outbox.entries.values()} == {DELIVERED}
    assert replace(outbox[1], id=0).finished_at is not None


class Buggy(MemoryOutbox):
    """An outbox some of whose calls fail in a way that nobody foresaw."""

    def _call(self, name: str) -> None:
        if self.broken(name):
            raise RuntimeError(f"{name}: a bug")


def once(*calls: str) -> Callable[[str], bool]:
    """Return what lets the named calls fail once each."""
    left = list(calls)

    def is_broken(call: str) -> bool:
        if call not in left:
            return False
        left.remove(call)
        return True

    return is_broken


def buggy(*calls: str) -> Buggy:
    """An outbox with an entry for each of two lanes, whose named calls fail once each."""
    outbox = Buggy(broken=once(*calls))
    outbox.add(of_alert(1, "a"), of_alert(2, "b", recipient="dana"))
    return outbox


@pytest.mark.parametrize("call", ["claim", "record"])
def test_attempt_when_it_fails_unforeseen_then_logged_and_other_lanes_go_on(call: str) -> None:
    """One lane's bug must not end the worker, nor cut what the others send."""
    outbox, counted = buggy(call), list[str]()
    notifier = ScriptedNotifier(outbox, recipients=("", "dana"))
    with capture_logs() as log:
        delivery = worker(outbox, {"slack": notifier})
        delivery._on_fault = counted.append
        run_jumping(run_for(delivery, 1))
    assert counted == ["delivery attempt"]
    (line,) = [line for line in log if line["event"] == "delivery attempt failed"]
    assert isinstance(line["exc_info"], RuntimeError)
    assert [outbox[number].state for number in (1, 2)].count(DELIVERED) == 1


def test_attempt_when_its_outcome_cannot_be_recorded_by_a_bug_then_unknown_and_never_sent_for_ever(
    jumping: Run,
) -> None:
    """It may have arrived: as after a crash one more copy is sent, and then a person looks."""
    outbox = buggy("record")
    outbox.entries.pop(2)
    notifier = ScriptedNotifier(outbox)
    jumping(run_for(worker(outbox, {"slack": notifier}), 24 * 3600))
    assert outbox[1].state is DELIVERED
    assert outbox[1].unknowns == 1
    assert len(notifier.sent) == 2


def test_worker_when_it_fails_then_what_is_under_way_goes_on_and_is_taken_up(jumping: Run) -> None:
    """It is started again by its supervisor; an answer that comes meanwhile counts."""
    outbox = buggy()
    outbox.entries.pop(2)
    notifier = ScriptedNotifier(outbox)
    delivery = worker(outbox, {"slack": notifier})

    async def scene() -> None:
        answer = asyncio.Event()
        sent = list[str]()

        async def slow(envelope: Envelope) -> Outcome:
            sent.append(envelope.key)
            await answer.wait()
            return Delivered("ref")

        notifier.send = slow  # type: ignore[method-assign]
        running = asyncio.create_task(run_for(delivery, 10))
        await asyncio.sleep(1)
        outbox.broken = once("read")
        delivery.wake()
        with pytest.raises(RuntimeError, match="a bug"):
            await running
        again = asyncio.create_task(run_for(delivery, 10))
        answer.set()
        await again
        assert sent == ["key-1"]

    jumping(scene())
    assert outbox[1].state is DELIVERED
