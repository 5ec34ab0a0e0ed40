"""Which delivered message a correction replaces and a reply continues, asked of a real store."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from alertd.core.alerts.reason import NotifyReason
from alertd.core.hours import HourRange
from alertd.core.messages.outbox import EntryState, OutboxEntry, Target
from alertd.core.spend.ledger import CategoryBook, SeriesTable, file_rows
from alertd.core.spend.steps import Steps, sum_steps
from alertd.daemon.store_gateway import StoreGateway
from alertd.store.bills import BookChange
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import HOUR, NOW, RUNNING, Desk, bill_rows, rolling, row, usd
from tests.core.stage import TEAM, Stage

EDITING = replace(TEAM, default=("finops", "oncall"), editors=frozenset({"finops", "oncall"}))


@pytest.fixture
async def thread() -> AsyncIterator[StoreThread]:
    opened = await StoreThread.start(lambda: Store.open("sqlite://", now=NOW))
    yield opened
    await opened.close()


async def kept(thread: StoreThread, entries: list[OutboxEntry]) -> list[OutboxEntry]:
    """Store entries as delivered, each at a ref that names its receiver and place; return them with their ids."""
    placed = [
        replace(
            entry,
            id=0,
            state=EntryState.DELIVERED if not entry.ref else entry.state,
            finished_at=NOW,
            ref=f"{entry.receiver}/{number}" if entry.ref != "none" else "",
        )
        for number, entry in enumerate(entries, 1)
    ]
    await thread.call(lambda store: store.save_decisions(alerts=(), events=(), entries=tuple(placed)))
    found = await thread.call(lambda store: [store.outbox.entry(number) for number in range(1, len(placed) + 1)])
    return [entry for entry in found if entry is not None]


def corrections(entries: list[OutboxEntry]) -> list[OutboxEntry]:
    return [entry for entry in entries if entry.message.reason is NotifyReason.CORRECTED]


async def refs(thread: StoreThread, stage: Stage, reason: NotifyReason) -> list[str]:
    """Return for each entry of a reason what it corrects, or continues."""
    gateway = StoreGateway(thread)
    entries = [entry for entry in await kept(thread, stage.decided) if entry.message.reason is reason]
    if reason is NotifyReason.CORRECTED:
        found = await gateway.targets(entries)
        return [found[entry.id].ref if entry.id in found else "" for entry in entries]
    return [await gateway.thread_ref(entry) for entry in entries]


async def test_correction_when_notified_once_then_replaces_that(thread: StoreThread) -> None:
    """Each recipient's own message."""
    stage = Stage(audience=EDITING)
    stage.cycle({"gpu-1": "60"})
    stage.cycle({"gpu-1": "60"}, restated="90")
    assert await refs(thread, stage, NotifyReason.CORRECTED) == ["finops/1", "oncall/2"]


@pytest.mark.parametrize(("values", "number"), [("60 120", 3), ("60 60", 3)], ids=["a rise", "a repeat"])
async def test_correction_when_notified_again_then_replaces_the_last(
    thread: StoreThread, values: str, number: int
) -> None:
    """The value that stands in it is the one that is wrong."""
    stage = Stage(audience=EDITING, rule=rolling(repeat_interval=HOUR))
    stage.lives(values)
    stage.rule = rolling(repeat_interval=None)
    stage.cycle({"gpu-1": values.rsplit(maxsplit=1)[-1]}, restated="300")
    assert await refs(thread, stage, NotifyReason.CORRECTED) == [f"finops/{number}", f"oncall/{number + 1}"]


async def test_correction_when_an_earlier_episode_was_notified_singly_then_its_message_is_left_alone(
    thread: StoreThread,
) -> None:
    """This episode began in a storm: no message of its own stands anywhere, and the old one was right."""
    stage = Stage(audience=EDITING)
    stage.cycle({"gpu-1": "60"})
    stage.cycle({"gpu-1": "44"})
    stage.cycle({f"gpu-{n}": "60" for n in range(6)})
    stage.cycle({"gpu-1": "60"}, restated="90")
    assert len(corrections(stage.decided)) == 2
    assert await refs(thread, stage, NotifyReason.CORRECTED) == ["", ""]


async def test_correction_when_the_message_was_never_delivered_then_there_is_none(thread: StoreThread) -> None:
    """What gave up stands nowhere."""
    stage = Stage(audience=EDITING)
    stage.cycle({"gpu-1": "60"})
    stage.cycle({"gpu-1": "60"}, restated="90")
    stage.decided = [
        replace(entry, state=EntryState.GAVE_UP, ref="none") if entry.message.reason is NotifyReason.FIRST else entry
        for entry in stage.decided
    ]
    assert await refs(thread, stage, NotifyReason.CORRECTED) == ["", ""]


async def test_end_when_this_episode_began_then_continues_its_own_beginning(thread: StoreThread) -> None:
    """An end in the thread of an older episode would be read as its end."""
    stage = Stage(audience=EDITING)
    stage.lives("60 44 60 44")
    assert await refs(thread, stage, NotifyReason.RESOLVED) == ["finops/1", "oncall/2", "finops/5", "oncall/6"]


async def test_rise_when_this_recipient_was_notified_of_an_older_episode_only_then_begins_its_own_thread(
    thread: StoreThread,
) -> None:
    """A receiver that a route adds at critical has no beginning of this episode."""
    stage = Stage(audience=EDITING)
    stage.lives("60 44")
    stage.audience = replace(EDITING, default=("finops",))
    stage.lives("60")
    stage.audience = EDITING
    stage.lives("120")
    assert await refs(thread, stage, NotifyReason.RAISED) == ["finops/5", ""]


async def test_update_when_the_alert_began_in_a_storm_then_changes_that_only_for_its_worst(
    thread: StoreThread,
) -> None:
    """The worst one has the buttons below the message; a press of them must be seen there."""
    stage = Stage(audience=replace(EDITING, default=("finops",)))
    stage.cycle({f"gpu-{n}": "60" if n else "70" for n in range(6)})
    (storm,) = await kept(thread, stage.decided)
    shown = [
        replace(
            storm,
            key=f"edit {facts.fingerprint}",
            fingerprints=(facts.fingerprint,),
            message=replace(storm.message, reason=NotifyReason.UPDATED, alerts=(facts,)),
        )
        for facts in storm.message.alerts
    ]
    found = await StoreGateway(thread).targets([replace(edit, id=n) for n, edit in enumerate(shown, 10)])
    assert found == {10: Target(ref=storm.ref, storm=storm.message)}


async def test_update_when_a_storm_speaks_of_an_alert_that_began_alone_then_its_own_message_is_changed(
    thread: StoreThread,
) -> None:
    """Each alert is one message in the channel: it said "firing" for ever, and the end was in the storm's thread."""
    stage = Stage(audience=replace(EDITING, default=("finops",)))
    stage.cycle({"gpu-0": "60"})
    stage.cycle({f"gpu-{n}": "70" if n else "120" for n in range(6)})
    own, storm = [entry for entry in await kept(thread, stage.decided) if not entry.message.reason.is_edit]
    assert storm.message.reason is NotifyReason.STORM
    assert storm.message.alerts[0].fingerprint == own.fingerprints[0]
    edit = replace(
        own,
        id=99,
        key="later",
        message=replace(own.message, reason=NotifyReason.UPDATED, alerts=storm.message.alerts[:1]),
    )
    end = replace(edit, message=replace(edit.message, reason=NotifyReason.RESOLVED))
    gateway = StoreGateway(thread)
    assert await gateway.targets([edit]) == {99: Target(ref=own.ref)}
    assert await gateway.thread_ref(end) == own.ref


async def test_steps_when_summed_from_the_store_then_from_their_first_hour_through_their_last(
    thread: StoreThread,
) -> None:
    """The page's bars are of whole windows, whatever lies around them."""
    rows = [row(RUNNING - ago, str(ago)) for ago in range(2, 12)]
    table, desk = SeriesTable(), Desk()
    book = CategoryBook(account="default", category="gpu")
    filing = file_rows(book, table, bill_rows(rows), HourRange(RUNNING - 20, RUNNING + 1), read_at=NOW)
    await thread.call(lambda store: store.save_facts(table, books=[BookChange(book=filing.book, blocks=filing.blocks)]))
    desk.read(rows, HourRange(RUNNING - 20, RUNNING + 1))
    steps = Steps(edges=tuple(range(RUNNING - 9, RUNNING - 3)), is_by_day=False, running=RUNNING)
    sums = await StoreGateway(thread).step_sums(steps)
    found = sum_steps(sums, desk.facts().data, by="owner", owners=desk.facts().owners, most=5)
    (group,) = found.groups
    assert list(group.amounts) == [usd(str(ago)) for ago in range(9, 4, -1)]
