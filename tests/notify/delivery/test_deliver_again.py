"""The outbox worker the second time: another reload, claim or start; and clocks that were wrong before."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.errors import StoreError
from alertd.notify.base import Delivered, NotSent
from alertd.notify.delivery.backoff import BLOCKED_WAIT, GIVE_UP_AFTER
from alertd.notify.delivery.settle import claim, undelivered
from tests.core.builders import HOUR, NOW, entry
from tests.outbox_double import (
    DELIVERED,
    INVITE,
    SECOND,
    SENDING,
    UNKNOWN,
    MemoryOutbox,
    Run,
    ScriptedNotifier,
    outbox_of,
    run_for,
    worker,
)

MINUTE = timedelta(minutes=1)


class SecondDoubtful(MemoryOutbox):
    """Stores the second claim of an entry, and says that it failed: the answer to the commit was lost."""

    async def replace_entry(
        self, before: OutboxEntry, after: OutboxEntry, *, add: Sequence[OutboxEntry], outcome: str
    ) -> bool:
        stored = await super().replace_entry(before, after, add=add, outcome=outcome)
        if after.state is SENDING and after.attempts == 2:
            raise StoreError("no answer to the commit")
        return stored


def test_claim_when_the_second_has_no_answer_then_taken_back_as_the_first_would_be(jumping: Run) -> None:
    """An attempt that was recorded says nothing of the next one: nothing has left, so nothing is unknown."""
    outbox = SecondDoubtful()
    outbox.add(entry())
    slack = ScriptedNotifier(outbox, NotSent("busy"))
    jumping(run_for(worker(outbox, {"slack": slack}), 300))
    assert len(slack.sent) == 2
    assert outbox.history == [
        "1 sending",
        "1 pending (NotSent)",
        "1 sending",
        "1 pending (not sent)",
        "1 sending",
        "1 delivered (Delivered)",
    ]
    assert outbox[1].unknowns == 0


def test_use_when_fallbacks_are_reloaded_then_each_copy_goes_to_the_one_in_force(jumping: Run) -> None:
    """After the second edit, too."""
    outbox = outbox_of(*(entry(number, not_before=NOW + 10 * (number - 1) * SECOND) for number in (1, 2, 3)))
    notifiers = {"slack": ScriptedNotifier(outbox, *[INVITE] * 9)}
    notifiers |= {name: ScriptedNotifier(outbox) for name in ("mail", "pager", "hook")}
    delivery = worker(outbox, notifiers, fallback={"slack": "mail"})

    async def reload() -> None:
        running = asyncio.create_task(run_for(delivery, 30))
        for name in ("pager", "hook"):
            await asyncio.sleep(10 if name == "hook" else 5)
            delivery.use(notifiers, {"slack": name})
        await running

    jumping(reload())
    assert [len(notifiers[name].sent) for name in ("mail", "pager", "hook")] == [1, 1, 1]


def test_unblock_when_the_worker_sleeps_then_sent_at_once(jumping: Run) -> None:
    """Whoever mended the receiver and sent SIGHUP looks at the channel now; the second time as the first."""
    outbox = outbox_of(entry())
    slack = ScriptedNotifier(outbox, INVITE, INVITE)
    delivery = worker(outbox, {"slack": slack})

    async def mend() -> None:
        running = asyncio.create_task(run_for(delivery, 50))
        for _ in range(2):
            await asyncio.sleep(10)
            await delivery.unblock()
        await running

    jumping(mend())
    assert [s for s, _ in slack.sent] == [0, 10, 20]
    assert outbox[1].state is DELIVERED


@pytest.mark.parametrize("not_before", [NOW + 5 * MINUTE, NOW, NOW - 5 * HOUR])
def test_recover_when_an_entry_was_due_meanwhile_then_only_that_time_does_not_count(
    not_before: datetime, jumping: Run
) -> None:
    """What still waits for its time has lost none."""
    first = NOW - 71 * HOUR
    outbox = outbox_of(entry(attempts=9, first_attempt_at=first, not_before=not_before))
    delivery = worker(outbox, {"slack": ScriptedNotifier(outbox)})
    lost = max(NOW - outbox[1].not_before, timedelta())
    jumping(delivery.recover())
    assert outbox[1].first_attempt_at == first + lost


def test_lookup_when_the_entry_is_dated_in_the_future_then_searched_from_any_time_on(jumping: Run) -> None:
    """By a clock that was ahead; a search from there would find nothing, and send again."""
    ahead = NOW + 2 * HOUR
    waiting = entry(state=UNKNOWN, attempts=1, unknowns=1, created_at=ahead, first_attempt_at=NOW, started_at=NOW)
    outbox = outbox_of(waiting)
    slack = ScriptedNotifier(outbox, lookups=[Delivered("C1/1.2")])
    jumping(run_for(worker(outbox, {"slack": slack}), 5))
    assert (slack.asked_since, slack.sent) == ([NOW - GIVE_UP_AFTER], [])


@pytest.mark.parametrize(
    ("late", "counts"),
    [
        pytest.param(BLOCKED_WAIT, True, id="as late as a turn may be"),
        pytest.param(BLOCKED_WAIT + SECOND, False, id="longer: the host slept"),
        pytest.param(50 * HOUR, False, id="for days"),
    ],
)
def test_claim_when_it_is_late_then_time_asleep_is_no_time_of_attempts(late: timedelta, *, counts: bool) -> None:
    """Otherwise a laptop that was shut for a weekend gives up at its first attempt on Monday."""
    first = NOW - 60 * HOUR
    waiting = entry(attempts=3, first_attempt_at=first, not_before=NOW - late)
    assert claim(waiting, NOW).first_attempt_at == (first if counts else min(NOW, first + late))


def test_copy_for_the_fallback_when_made_then_is_about_the_same_alerts() -> None:
    """Its end goes there too, and it waits for what was sent there of them before."""
    of_two = entry(1, fingerprints=("a" * 16, "b" * 16), group="pair", error="no such channel")
    later = NOW + HOUR
    copies = undelivered(of_two, fallback="mail", to=("a@x.io", "b@x.io"), now=later, install_id="install")
    assert [(one.receiver, one.recipient) for one in copies] == [("mail", "a@x.io"), ("mail", "b@x.io")]
    for one in copies:
        assert (one.fingerprints, one.group, one.state) == (of_two.fingerprints, "pair", EntryState.PENDING)
        assert (one.created_at, one.not_before, one.attempts) == (later, later, 0)
    again = undelivered(replace(of_two, attempts=4), fallback="mail", to=("a@x.io",), now=later, install_id="install")
    assert again[0].key == copies[0].key != copies[1].key
