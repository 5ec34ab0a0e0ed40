"""What somebody else has moved meanwhile is written by nobody else, and nothing that belongs to the write is kept."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from alertd.core.actions import CallAnswer, CallResult, answered, begin_call
from alertd.core.alert_event import Acknowledged
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.daemon.store_gateway import StoreGateway
from alertd.store.alerts import AlertEvent
from alertd.store.outbox import EntryMoved, EntryUpdate
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import HOUR, NOW, entry, firing
from tests.core.test_actions import request

COPY = entry(9, id=0, key="copy", receiver="mail")


@pytest.fixture
async def gateway() -> AsyncIterator[StoreGateway]:
    thread = await StoreThread.start(lambda: Store.open("sqlite://", now=NOW))
    yield StoreGateway(thread)
    await thread.close()


async def stored(gateway: StoreGateway, first: OutboxEntry) -> OutboxEntry:
    """Store one entry and return it as it is."""
    await gateway.call(lambda store: store.save_decisions(entries=(replace(first, id=0),)))
    (found,) = await gateway.open_entries()
    return found


def everything(store: Store) -> dict[str, Any]:
    """Return all that a write of these tests may leave."""
    numbers = range(1, 9)
    return {
        "entries": [store.outbox.entry(number) for number in numbers],
        "attempts": [store.outbox.attempts(number) for number in numbers],
        "alerts": store.alerts.all_alerts(),
        "events": store.alerts.events(firing().fingerprint),
        "requests": store.actions.all_requests(),
        "silences": store.silences.unended(),
    }


def claimed(before: OutboxEntry) -> OutboxEntry:
    return replace(before, state=EntryState.SENDING, attempts=before.attempts + 1, started_at=NOW)


def delivered(before: OutboxEntry) -> OutboxEntry:
    return replace(before, state=EntryState.DELIVERED, finished_at=NOW, ref="1.1")


def put_off(before: OutboxEntry) -> OutboxEntry:
    return replace(before, not_before=NOW + HOUR)


@pytest.mark.parametrize(
    ("begun", "step"),
    [
        pytest.param(lambda one: one, claimed, id="a claim"),
        pytest.param(claimed, delivered, id="an outcome"),
        pytest.param(lambda one: one, put_off, id="a change while it waits"),
    ],
)
async def test_entry_when_it_moved_meanwhile_then_neither_it_nor_its_copies_are_written(
    gateway: StoreGateway, begun: Callable[[OutboxEntry], OutboxEntry], step: Callable[[OutboxEntry], OutboxEntry]
) -> None:
    """A copy for the fallback belongs to the outcome that made it."""
    fresh = await stored(gateway, entry())
    before = begun(fresh)
    if before is not fresh:
        assert await gateway.replace_entry(fresh, before, add=(), outcome="")
    assert await gateway.replace_entry(before, step(before), add=(COPY,), outcome="Delivered")
    known = await gateway.call(everything)
    assert [one.key for one in known["entries"] if one is not None] == ["key-1", "copy"]
    other = replace(COPY, key="another copy")
    # By somebody who read it at another moment.
    stale = replace(before, attempts=before.attempts + 7)
    assert not await gateway.replace_entry(stale, step(stale), add=(other,), outcome="")
    if step is not put_off:
        assert not await gateway.replace_entry(before, step(before), add=(other,), outcome="")
        await gateway.fold([before], why="nothing to do", now=NOW)
    assert await gateway.call(everything) == known


async def test_decisions_when_one_entry_moved_meanwhile_then_nothing_of_them_is_kept(gateway: StoreGateway) -> None:
    """All or none: alerts, history, notifications and what is folded."""
    fresh = await stored(gateway, entry())
    assert await gateway.replace_entry(fresh, claimed(fresh), add=(), outcome="")
    known, alert = await gateway.call(everything), firing()

    def decide(store: Store) -> None:
        store.save_decisions(
            alerts=(alert,),
            events=(AlertEvent.of(alert, Acknowledged(by="dana"), NOW),),
            entries=(COPY,),
            updates=(EntryUpdate(before=fresh, after=replace(fresh, state=EntryState.FOLDED, finished_at=NOW)),),
        )

    with pytest.raises(EntryMoved):
        await gateway.call(decide)
    assert await gateway.call(everything) == known


async def test_request_when_it_moved_meanwhile_then_neither_history_nor_notification_is_kept(
    gateway: StoreGateway,
) -> None:
    """Of two processes that carry a request out, one writes what came of it."""
    asked, alert = request(fingerprint=firing().fingerprint), firing()
    await gateway.call(lambda store: store.save_decisions(alerts=(alert,), actions=(asked,)))
    calling = begin_call(asked, NOW)
    assert await gateway.move_action(asked, calling, alert, (), NOW)
    known = await gateway.call(everything)
    assert len(known["events"]) == 1
    assert not await gateway.move_action(asked, calling, alert, (COPY,), NOW)
    assert await gateway.call(everything) == known
    after = answered(calling, CallAnswer(result=CallResult.TAKEN), NOW)
    assert await gateway.move_action(calling, after, alert, (COPY,), NOW)
    found = await gateway.call(everything)
    assert len(found["events"]) == 2
    assert [one.key for one in found["entries"] if one is not None] == ["copy"]
    assert found["requests"] == (after,)
