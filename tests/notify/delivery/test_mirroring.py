"""Receivers that keep alerts are sent again what fires; an attempt without an answer is made again without a bound."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import structlog

from alertd.core.alert import Address, AlertState
from alertd.core.messages.dispatch import Decisions as Decided
from alertd.core.messages.message import AlertFacts
from alertd.core.messages.outbox import EntryState
from alertd.core.severity import Severity
from alertd.daemon.store_gateway import StoreGateway
from alertd.errors import StoreError
from alertd.notify.base import Delivered, NotSent, Outcome, Unknown
from alertd.notify.delivery.mirroring import Mirroring
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.builders import alert_facts, firing_message, resolved_message
from tests.core.builders import NOW, entry, firing
from tests.outbox_double import MemoryOutbox, ScriptedNotifier, run_for, run_jumping, wall_clock, worker

FACTS = alert_facts()


class MirrorNotifier(ScriptedNotifier):
    """Keeps what it is notified again."""

    def __init__(self, outbox: MemoryOutbox, *script: Outcome, answers: Sequence[Outcome] = ()) -> None:
        super().__init__(outbox, *script, recipients=("a", "b"))
        self._answers = list(answers)
        self.notified: list[tuple[str, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def mirror(self, alerts: Sequence[AlertFacts], *, recipient: str) -> Outcome:
        self.notified.append((recipient, len(alerts)))
        await self.gate.wait()
        return self._answers.pop(0) if self._answers else Delivered()


class Facts:
    """The store's answer for each recipient."""

    def __init__(self, **of_recipient: tuple[AlertFacts, ...]) -> None:
        self._of_recipient = of_recipient

    async def mirrored(self, receiver: str, recipient: str, now: datetime) -> tuple[AlertFacts, ...]:
        if recipient not in self._of_recipient:
            raise StoreError("database is locked")
        return self._of_recipient[recipient]


def test_round_when_made_then_reports_each_mirror_what_fires_there() -> None:
    """Receivers that keep nothing are left alone, and so are recipients for whom nothing fires."""

    async def main() -> None:
        outbox = MemoryOutbox()
        mirror, other = MirrorNotifier(outbox), ScriptedNotifier(outbox)
        delivery = worker(outbox, {"am": mirror, "finops": other})
        mirroring = Mirroring(delivery=delivery, notified=Facts(a=(FACTS,), b=()), now=wall_clock)
        await mirroring.mirror()
        await mirroring.mirror()
        assert mirror.notified == [("a", 1), ("a", 1)]
        assert other.sent == []

    run_jumping(main())


def test_round_when_it_fails_then_the_log_says_so_once_and_again_when_it_works() -> None:
    """A receiver that is down all night must not fill the log, and the next round tries it anew."""

    async def main() -> list[str]:
        outbox = MemoryOutbox()
        mirror = MirrorNotifier(outbox, answers=[NotSent("down"), Unknown("cut"), Delivered()])
        mirroring = Mirroring(delivery=worker(outbox, {"am": mirror}), notified=Facts(a=(FACTS,), b=()), now=wall_clock)
        with structlog.testing.capture_logs() as lines:
            for _ in range(4):
                await mirroring.mirror()
        assert len(mirror.notified) == 4
        return [str(line["event"]) for line in lines]

    assert run_jumping(main()) == ["mirroring failed", "mirroring recovered"]


def test_round_when_the_store_cannot_be_read_then_said_and_the_others_are_notified() -> None:
    """It is no fault of the lane, and tried again in the next round."""

    async def main() -> list[str]:
        outbox = MemoryOutbox()
        mirror = MirrorNotifier(outbox)
        delivery = worker(outbox, {"am": mirror})
        mirroring = Mirroring(delivery=delivery, notified=Facts(b=(FACTS,)), now=wall_clock)
        with structlog.testing.capture_logs() as lines:
            for _ in range(2):
                await mirroring.mirror()
                await run_for(delivery, 1)
        assert mirror.notified == [("b", 1), ("b", 1)]
        return [str(line["event"]) for line in lines]

    assert run_jumping(main()) == ["alerts to mirror not read"] * 2


@pytest.mark.parametrize("fault", ["raises", "hangs"])
def test_round_when_a_notifier_misbehaves_then_the_others_are_notified(fault: str) -> None:
    """One plugin's fault, or one recipient that cannot be read, is its own."""

    class Faulty(MirrorNotifier):
        async def mirror(self, alerts: Sequence[AlertFacts], *, recipient: str) -> Outcome:
            await asyncio.sleep(10**6 if fault == "hangs" else 0)
            raise RuntimeError("no")

    async def main() -> None:
        outbox = MemoryOutbox()
        mirror = MirrorNotifier(outbox)
        delivery = worker(outbox, {"faulty": Faulty(outbox), "am": mirror})
        with structlog.testing.capture_logs() as lines:
            await Mirroring(delivery=delivery, notified=Facts(a=(FACTS,)), now=wall_clock).mirror()
        assert mirror.notified == [("a", 1)]
        assert "mirroring failed" in {line["event"] for line in lines}

    run_jumping(main())


def test_lane_when_it_is_notified_again_then_messages_wait_and_the_other_way_round() -> None:
    """An older "it fires" that arrives after the end would begin the alert anew."""

    async def main() -> None:
        outbox = MemoryOutbox()
        mirror = MirrorNotifier(outbox)
        delivery = worker(outbox, {"am": mirror})
        mirroring = Mirroring(delivery=delivery, notified=Facts(a=(FACTS,), b=()), now=wall_clock)
        running = asyncio.create_task(run_for(delivery, 100))
        mirror.gate.clear()
        round_ = asyncio.create_task(mirroring.mirror())
        await asyncio.sleep(1)
        outbox.add(entry(receiver="am", recipient="a"))
        delivery.wake()
        await asyncio.sleep(1)
        assert mirror.sent == []
        mirror.gate.set()
        await round_
        await asyncio.sleep(1)
        assert [second for second, _ in mirror.sent] == [2]
        await running

    run_jumping(main())


def test_lane_when_a_message_is_under_way_then_is_notified_again_next_time() -> None:
    """The round does not queue up behind a dead receiver."""

    async def main() -> None:
        outbox = MemoryOutbox()
        outbox.add(entry(receiver="am", recipient="a"))
        mirror = MirrorNotifier(outbox, "hang")  # type: ignore[arg-type] # a step of the script
        delivery = worker(outbox, {"am": mirror})
        running = asyncio.create_task(run_for(delivery, 60))
        await asyncio.sleep(1)
        await Mirroring(delivery=delivery, notified=Facts(a=(FACTS,), b=(FACTS,)), now=wall_clock).mirror()
        assert mirror.notified == [("b", 1)]
        await running

    run_jumping(main())


def test_answer_when_lost_many_times_then_is_sent_again_until_it_is_known() -> None:
    """Copies do no harm where the state is kept: three lost answers are no reason to give up."""
    outbox = MemoryOutbox()
    outbox.add(entry(receiver="am", recipient="a"))
    mirror: MirrorNotifier

    async def main() -> MirrorNotifier:
        mirror = MirrorNotifier(outbox, *[Unknown("cut")] * 6)
        await run_for(worker(outbox, {"am": mirror}), 600)
        return mirror

    mirror = run_jumping(main())
    assert (outbox[1].state, outbox[1].attempts, outbox[1].unknowns) == (EntryState.DELIVERED, 7, 0)
    assert len({key for _, key in mirror.sent}) == 1


def test_entry_when_found_sending_then_is_sent_again_at_once() -> None:
    """A crash counts as no copy either."""
    outbox = MemoryOutbox()
    outbox.add(entry(receiver="am", recipient="a", state=EntryState.SENDING, attempts=1, started_at=NOW, unknowns=0))

    async def main() -> None:
        mirror = MirrorNotifier(outbox)
        delivery = worker(outbox, {"am": mirror})
        await delivery.recover()
        assert (outbox[1].state, outbox[1].unknowns) == (EntryState.PENDING, 0)
        await run_for(delivery, 1)
        assert mirror.sent == [(0, outbox[1].key)]

    run_jumping(main())


def test_attempt_when_the_receiver_mirrors_then_is_given_what_was_notified() -> None:
    """Only by that can it end what it was notified under another severity."""
    outbox = MemoryOutbox(notified_facts=(FACTS,))
    outbox.add(entry(1, receiver="am", recipient="a"), entry(2, receiver="finops"))

    async def main() -> tuple[MirrorNotifier, ScriptedNotifier]:
        mirror, other = MirrorNotifier(outbox), ScriptedNotifier(outbox)
        await run_for(worker(outbox, {"am": mirror, "finops": other}), 1)
        return mirror, other

    mirror, other = run_jumping(main())
    assert [envelope.notified for envelope in (*mirror.envelopes, *other.envelopes)] == [(FACTS,), ()]


async def test_store_when_asked_what_was_notified_then_by_lane_and_only_what_arrived() -> None:
    """What did not arrive there, or arrived elsewhere, is nothing that can be ended or told again."""
    alert = replace(
        firing(), fingerprint=FACTS.fingerprint, fired_at=FACTS.starts_at, notified_to=(Address("am", "a"),)
    )
    critical = replace(FACTS, severity=Severity.CRITICAL)
    lane = {"receiver": "am", "recipient": "a", "group": alert.fingerprint, "fingerprints": (alert.fingerprint,)}
    notified = entry(1, **lane, state=EntryState.DELIVERED, message=firing_message())
    entries = (
        notified,
        entry(2, **lane, state=EntryState.GAVE_UP, message=firing_message(alerts=(critical,))),
        entry(3, **lane | {"recipient": "b"}, state=EntryState.DELIVERED, message=firing_message(alerts=(critical,))),
        entry(4, **lane, message=resolved_message()),
    )

    thread = await StoreThread.start(lambda: Store.open("sqlite://", now=NOW))
    try:
        gateway = StoreGateway(thread)
        await gateway.decide(lambda _: Decided(alerts=(alert,), moves=(), entries=entries, folded={}, held={}), NOW)
        assert await gateway.notified(entries[3]) == (FACTS,)
        assert await gateway.mirrored("am", "a", NOW) == (FACTS,)
        assert await gateway.mirrored("am", "b", NOW) == (critical,)
        assert await gateway.mirrored("am", "c", NOW) == ()
        over = replace(alert, state=AlertState.RESOLVED, resolved_at=NOW)
        await gateway.decide(lambda _: Decided(alerts=(over,), moves=(), entries=(), folded={}, held={}), NOW)
        later = NOW + timedelta(minutes=15)
        assert await gateway.mirrored("am", "a", later) == (replace(FACTS, is_resolved=True, ends_at=NOW),)
        assert await gateway.mirrored("am", "a", later + timedelta(seconds=1)) == ()
    finally:
        await thread.close()
