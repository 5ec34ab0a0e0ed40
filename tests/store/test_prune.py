"""What is deleted of each table when it is old: the last thing before the border goes, the first one after it stays."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.actions import ActionRequest, ActionState
from alertd.core.alert import AlertState
from alertd.core.alert_event import Unsuppressed
from alertd.core.alerts.silence import Silence
from alertd.core.hours import SECONDS_PER_HOUR, HourRange, start_of
from alertd.core.labels import Patterns
from alertd.core.messages.outbox import EntryState
from alertd.core.money import Usd
from alertd.core.resources import Resource, ResourceKind
from alertd.core.spend.bill import Balance, Term
from alertd.core.spend.lists import View
from alertd.core.utilization import SLOT
from alertd.store.alerts import AlertEvent
from alertd.store.store import Pruned, Store
from tests.core.test_actions import request
from tests.store.samples import HOUR, NOW, alert_of, block_of, change_of, entry_of, table_of

SPEND = HOUR - 1000
"""Spend from before this hour is old."""
MESSAGES = NOW - timedelta(days=9)
"""Messages from before this instant are old; a later one than that of spend, so that neither stands for the other."""
MOMENT = timedelta(microseconds=1)
SLOTS_AN_HOUR = SECONDS_PER_HOUR // int(SLOT.total_seconds())


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store.open("sqlite://", now=NOW)) as opened:
        yield opened


def a_term(owner: str, ends_at: datetime) -> Term:
    bought_at = start_of(SPEND) - timedelta(days=40)
    return Term(
        account="a",
        owner=owner,
        product="H100",
        product_id="p",
        category="gpu",
        kind="new",
        bought_at=bought_at,
        starts_at=bought_at,
        ends_at=ends_at,
        amount=Usd(1),
        voucher=Usd(0),
        pay=Usd(1),
    )


def a_resource(name: str, gone_at: datetime | None) -> Resource:
    return Resource(
        account="a",
        id=name,
        kind=ResourceKind.INSTANCE,
        name="",
        status="running",
        product="",
        gpus=0,
        started_at=None,
        stopped_at=None,
        gone_at=gone_at,
    )


def a_silence(name: str, *, ends_at: datetime | None, expired_at: datetime | None = None) -> Silence:
    return Silence(
        id=name,
        matchers=(("team", Patterns(("x",))),),
        author="kim",
        created_at=NOW - timedelta(days=99),
        ends_at=ends_at,
        expired_at=expired_at,
    )


def an_action(name: str, finished_at: datetime | None) -> ActionRequest:
    state = ActionState.DONE if finished_at is not None else ActionState.REQUESTED
    return request(id=name, owner=name, requested_at=NOW - timedelta(days=99), finished_at=finished_at, state=state)


def fill(store: Store) -> None:
    """Put into each table a thing that is just old, and one that is just not."""
    border = start_of(SPEND)
    for view in View:
        hours = {SPEND - 2: block_of(1), SPEND - 1: block_of(2), SPEND: block_of(3)}
        store.save_facts(table_of(), books=[change_of(hours)], view=view)
    for at in (border - 2 * MOMENT, border - MOMENT, border):
        store.balances.save(Balance(account="a", available=Usd(1), read_at=at))
    store.balances.save(Balance(account="quiet", available=Usd(1), read_at=border - timedelta(days=1)))
    terms = [a_term("old", border - MOMENT), a_term("new", border)]
    store.terms.replace("a", HourRange(0, HOUR), terms)
    store.resources.save([a_resource("old", border - MOMENT), a_resource("new", border), a_resource("there", None)])
    slot = SPEND * SLOTS_AN_HOUR
    store.utilization.save(("a", "gpu-1"), {slot - 1: 1, slot: 2}, slot - 1)
    before = MESSAGES - MOMENT
    store.alerts.save([alert_of("done", state=AlertState.RESOLVED), alert_of("open")])
    store.alerts.add_events(
        AlertEvent(fingerprint=name, episode=1, happened_at=at, change=Unsuppressed())
        for name in ("done", "open")
        for at in (before, MESSAGES)
    )
    sent = {"state": EntryState.DELIVERED, "created_at": before}
    store.outbox.add(
        [
            entry_of("old", finished_at=before, fingerprints=("done",), **sent),  # type: ignore[arg-type]
            entry_of("new", finished_at=MESSAGES, fingerprints=("done",), **sent),  # type: ignore[arg-type]
            entry_of("open", finished_at=before, fingerprints=("open",), **sent),  # type: ignore[arg-type]
        ]
    )
    store.silences.save(
        [
            a_silence("over", ends_at=before),
            a_silence("ended", ends_at=None, expired_at=before),
            a_silence("ended early", ends_at=NOW, expired_at=before),
            a_silence("new", ends_at=MESSAGES),
            a_silence("newly ended", ends_at=None, expired_at=MESSAGES),
            a_silence("for good", ends_at=None),
        ]
    )
    store.save_decisions(actions=[an_action("old", before), an_action("new", MESSAGES), an_action("open", None)])


def test_prune_when_each_table_has_old_and_new_then_the_old_alone_goes(store: Store) -> None:
    """A table that is left out grows for ever; one that goes by the other border loses what is still asked for."""
    fill(store)
    assert store.prune(before_hour=SPEND, before=MESSAGES) == Pruned(hours=4, entries=1, events=1, silences=3)
    border = start_of(SPEND)
    for view in View:
        books = store.books_of(view)
        assert [hour for hour, _ in books.iter_blocks(0)] == [SPEND]
        assert books.load_books()["a", "gpu"].covered.ranges[0].start == SPEND
    kept = [(one.account, one.read_at) for one in store.balances.since(border - timedelta(days=9))]
    # The newest of an account stays, however old: it is what is known of it.
    assert kept == [("quiet", border - timedelta(days=1)), ("a", border)]
    assert [term.owner for term in store.terms.load()] == ["new"]
    assert [one.id for one in store.resources.load()] == ["new", "there"]
    assert store.utilization.load() == {("a", "gpu-1"): {SPEND * SLOTS_AN_HOUR: 2}}
    assert [event.happened_at for event in store.alerts.events("done")] == [MESSAGES]
    assert len(store.alerts.events("open")) == 2
    assert [entry.key for entry in store.outbox.entries_of("done")] == ["new"]
    assert [entry.key for entry in store.outbox.entries_of("open")] == ["open"]
    assert {one.id for one in store.silences.all_silences()} == {"new", "newly ended", "for good"}
    assert {one.id for one in store.actions.all_requests()} == {"new", "open"}
    assert store.check() == []


def test_prune_when_nothing_is_old_then_nothing_goes(store: Store) -> None:
    """Deleting once a day must not gnaw at what is kept."""
    fill(store)
    long_ago = NOW - timedelta(days=400)
    assert store.prune(before_hour=SPEND - 2, before=long_ago) == Pruned(hours=0, entries=0, events=0, silences=0)
    assert len(store.terms.load()) == 2
    assert len(store.resources.load()) == 3
    assert len(store.actions.all_requests()) == 3
    assert len(store.balances.since(long_ago)) == 4


def test_silences_when_somebody_ended_them_then_not_held_any_more(store: Store) -> None:
    """What the daemon holds must not grow with each silence there ever was; whose time ran out is judged."""
    fill(store)
    assert {one.id for one in store.silences.unended()} == {"over", "new", "for good"}
    assert len(store.silences.all_silences()) == 6


def test_requests_when_read_then_in_the_order_in_which_they_were_asked_for(store: Store) -> None:
    """The first that was asked for is carried out first, whatever its id."""
    asked = [
        replace(an_action(name, None), requested_at=NOW + timedelta(minutes=at))
        for name, at in (("b", 2), ("c", 1), ("a", 3))
    ]
    store.save_decisions(actions=asked)
    for found in (store.actions.open_requests(), store.actions.all_requests(), store.actions.recent(NOW)):
        assert [one.id for one in found] == ["c", "b", "a"]


def test_blocks_when_some_hours_are_asked_for_then_those_alone(store: Store) -> None:
    """An hour beside them would be filed as if it had been read."""
    hours = {SPEND + number: block_of(number + 1) for number in range(5)}
    store.save_facts(table_of(), books=[change_of(hours)])
    for asked in ([1], [1, 2], [0, 2, 4], [9], []):
        found = store.bills.blocks("a", "gpu", [SPEND + number for number in asked])
        assert sorted(found) == [SPEND + number for number in asked if number < 5]


def test_utilization_when_saved_then_each_slot_of_each_hour_is_read_back(store: Store) -> None:
    """A gap in it ends a stretch of idleness."""
    first = SPEND * SLOTS_AN_HOUR
    slots = {first + number: number for number in range(2 * SLOTS_AN_HOUR)}
    store.utilization.save(("a", "gpu-1"), slots, first)
    assert store.utilization.load() == {("a", "gpu-1"): slots}
    newer = {**slots, first + SLOTS_AN_HOUR: 999}
    store.utilization.save(("a", "gpu-1"), newer, first + SLOTS_AN_HOUR)
    assert store.utilization.load() == {("a", "gpu-1"): newer}


def test_terms_when_read_again_then_what_was_bought_in_the_range_alone_is_replaced(store: Store) -> None:
    """A term that is no longer in the list is gone; one bought in the hour after the range stays."""
    at = start_of(SPEND)
    bought = (at - MOMENT, at, at + timedelta(hours=1) - MOMENT, at + timedelta(hours=1))
    terms = [replace(a_term(str(number), NOW), bought_at=one) for number, one in enumerate(bought)]
    store.terms.replace("a", HourRange(0, HOUR), terms)
    store.terms.replace("other", HourRange(0, HOUR), [replace(terms[1], account="other")])
    store.terms.replace("a", HourRange(SPEND, SPEND + 1), [])
    assert [(term.account, term.owner) for term in store.terms.load()] == [("a", "0"), ("a", "3"), ("other", "1")]
