"""The outbox: entries as written, claims that only one can make, and decisions that are stored whole."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alert import AlertState
from alertd.core.alert_event import Unsuppressed
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.store.alerts import AlertEvent
from alertd.store.outbox import Attempt, EntryMoved, EntryUpdate
from alertd.store.store import Store
from tests.examples import examples
from tests.store.places import Place
from tests.store.samples import HOUR, NOW, alert_of, entries, entry_of

LATER = NOW + timedelta(minutes=1)
HOUR_LONG = timedelta(hours=1)


def added(store: Store, entry: OutboxEntry) -> OutboxEntry:
    store.outbox.add([entry])
    (found,) = [known for known in store.outbox.entries_of(entry.fingerprints[0]) if known.key == entry.key]
    return found


def claimed(entry: OutboxEntry) -> OutboxEntry:
    return replace(entry, state=EntryState.SENDING, attempts=entry.attempts + 1, started_at=LATER)


@examples(5, thorough=25)
@given(found=st.lists(entries, max_size=3, unique_by=lambda e: e.key))
def test_entries_when_added_then_another_connection_reads_them_equal(place: Place, found: list[OutboxEntry]) -> None:
    """What leaves after a restart must be what was decided before it, to the byte."""
    with (
        place.fresh() as url,
        closing(Store.open(url, now=NOW)) as store,
        closing(Store.open_read_only(url)) as reader,
    ):
        assert store.outbox.add(found) == len(found)
        for number, entry in enumerate(found, 1):
            read = reader.outbox.entry(number)
            assert read == replace(entry, id=number)
            assert msgspec.json.encode(read.message) == msgspec.json.encode(entry.message)
        assert [e.key for e in reader.outbox.open_entries()] == [e.key for e in found if e.state.is_open]
        assert reader.check() == []


@examples(5, thorough=25)
@given(first=entries, second=entries)
def test_entry_when_updated_then_all_that_may_change_is_stored(
    place: Place, first: OutboxEntry, second: OutboxEntry
) -> None:
    """A column left out of the update would forget an attempt or a reference."""
    with place.fresh() as url, closing(Store.open(url, now=NOW)) as store:
        store.outbox.add([first])
        before = store.outbox.entry(1)
        assert before is not None
        after = replace(
            second,
            id=1,
            key=before.key,
            receiver=before.receiver,
            recipient=before.recipient,
            group=before.group,
            fingerprints=before.fingerprints,
            created_at=before.created_at,
        )
        assert store.outbox.update(before, after)
        assert store.outbox.entry(1) == after


def test_open_entries_when_nothing_changed_then_no_message_is_read_again(place: Place) -> None:
    """Every poll and every page asks for them, and a message of thousands of alerts has megabytes."""
    with (
        place.fresh() as url,
        closing(Store.open(url, now=NOW)) as store,
        closing(Store.open_read_only(url)) as reader,
    ):
        store.outbox.add([entry_of("k1"), entry_of("k2", group="other")])
        first = reader.outbox.open_entries()
        again = reader.outbox.open_entries()
        assert again == first
        assert all(one.message is before.message for one, before in zip(again, first, strict=True))
        before, other = first
        after = replace(claimed(before), message=replace(before.message, title="Written anew"))
        assert store.outbox.update(before, after)
        assert reader.outbox.open_entries() == (after, other)
        assert store.outbox.update(after, replace(after, state=EntryState.DELIVERED, finished_at=LATER))
        assert reader.outbox.open_entries() == (other,)


def test_open_entries_when_a_message_alone_is_changed_then_it_is_the_new_one(store: Store) -> None:
    """What is kept of the last time must not outlive a change that counts no attempt."""
    before = added(store, entry_of("k1"))
    assert store.outbox.open_entries() == (before,)
    after = replace(before, message=replace(before.message, title="Written anew"))
    assert store.outbox.update(before, after)
    assert store.outbox.open_entries() == (after,)


def test_key_when_due_twice_then_one_entry(store: Store) -> None:
    """A cycle that is run again after a crash must not send again."""
    assert store.outbox.add([entry_of("k1"), entry_of("k2")]) == 2
    assert store.outbox.add([entry_of("k2", group="other"), entry_of("k3")]) == 1
    assert [entry.key for entry in store.outbox.open_entries()] == ["k1", "k2", "k3"]
    assert store.outbox.open_entries()[1].group == "f1"


def test_open_entries_when_asked_then_without_the_finished_in_order(store: Store) -> None:
    """The order of ids is the order of sending."""
    store.outbox.add([entry_of(f"k{n}", receiver="ab"[n % 2]) for n in range(5)])
    store.outbox.add([entry_of("done", receiver="a", state=EntryState.DELIVERED)])
    assert [entry.key for entry in store.outbox.open_entries()] == ["k0", "k1", "k2", "k3", "k4"]


def test_claim_when_two_take_the_same_entry_then_one_gets_it(store: Store) -> None:
    """Two senders of one entry are two messages."""
    entry = added(store, entry_of())
    assert store.outbox.start_attempt(entry, claimed(entry))
    assert not store.outbox.start_attempt(entry, claimed(entry))
    assert len(store.outbox.attempts(entry.id)) == 1


def test_claim_when_the_entry_went_round_once_then_a_stale_reader_is_refused(store: Store) -> None:
    """The state alone is pending again after a failed attempt; the count of attempts tells them apart."""
    entry = added(store, entry_of())
    taken = claimed(entry)
    store.outbox.start_attempt(entry, taken)
    back = replace(taken, state=EntryState.PENDING)
    store.outbox.finish_attempt(taken, back, finished_at=LATER, outcome="not sent", detail="HTTP 503")
    assert not store.outbox.start_attempt(entry, claimed(entry))
    assert store.outbox.start_attempt(back, claimed(back))


def test_attempts_when_made_then_each_is_kept_with_its_end(store: Store) -> None:
    """`alertd explain` shows each send and its answer."""
    entry = added(store, entry_of())
    first = claimed(entry)
    store.outbox.start_attempt(entry, first)
    unsent = replace(first, state=EntryState.PENDING)
    store.outbox.finish_attempt(first, unsent, finished_at=LATER, outcome="not sent", detail="HTTP 503")
    second = claimed(unsent)
    store.outbox.start_attempt(unsent, second)
    failed = Attempt(
        entry_id=entry.id, number=1, started_at=LATER, finished_at=LATER, outcome="not sent", detail="HTTP 503"
    )
    under_way = Attempt(entry_id=entry.id, number=2, started_at=LATER, finished_at=None, outcome="", detail="")
    assert store.outbox.attempts(entry.id) == (failed, under_way)
    sent = replace(second, state=EntryState.DELIVERED)
    store.outbox.finish_attempt(second, sent, finished_at=LATER + HOUR_LONG, outcome="delivered", detail="#finops")
    ended = replace(under_way, finished_at=LATER + HOUR_LONG, outcome="delivered", detail="#finops")
    assert store.outbox.attempts(entry.id) == (failed, ended)


def test_attempt_when_the_entry_was_folded_meanwhile_then_its_end_is_refused(store: Store) -> None:
    """An answer that comes too late must not bring a finished entry back."""
    entry = added(store, entry_of())
    taken = claimed(entry)
    store.outbox.start_attempt(entry, taken)
    store.outbox.update(taken, replace(taken, state=EntryState.UNKNOWN))
    sent = replace(taken, state=EntryState.DELIVERED)
    assert not store.outbox.finish_attempt(taken, sent, finished_at=LATER, outcome="delivered", detail="")
    assert store.outbox.attempts(entry.id)[0].finished_at is None


@pytest.mark.parametrize(
    ("attempts", "started_at"),
    [
        pytest.param(0, LATER, id="not counted"),
        pytest.param(2, LATER, id="counted twice"),
        pytest.param(1, None, id="no beginning"),
    ],
)
def test_claim_when_it_does_not_count_itself_then_refused(store: Store, attempts: int, started_at: object) -> None:
    """Two attempts of one number could not be distinguished."""
    entry = added(store, entry_of())
    after = replace(entry, state=EntryState.SENDING, attempts=attempts, started_at=LATER if started_at else None)
    with pytest.raises(ValueError, match="a claim counts one attempt more"):
        store.outbox.start_attempt(entry, after)


def test_update_when_it_is_another_notification_then_refused(store: Store) -> None:
    """A silent difference between key and content would break "the same at every attempt"."""
    entry = added(store, entry_of())
    with pytest.raises(ValueError, match="key, receiver cannot change"):
        store.outbox.update(entry, replace(entry, key="other", receiver="other"))


def test_counts_when_entries_are_in_many_states_then_by_receiver_and_state(store: Store) -> None:
    """The metrics show the outbox by these two."""
    store.outbox.add(
        [entry_of("1"), entry_of("2"), entry_of("3", state=EntryState.GAVE_UP), entry_of("4", receiver="b")]
    )
    assert store.outbox.counts() == {
        ("finops", EntryState.PENDING): 2,
        ("finops", EntryState.GAVE_UP): 1,
        ("b", EntryState.PENDING): 1,
    }


def test_entries_of_when_a_storm_reports_of_many_then_each_alert_finds_it(store: Store) -> None:
    """`alertd explain` of one alert must find the message that told of fifty."""
    store.outbox.add([entry_of("1", fingerprints=("f1", "f2", "f2")), entry_of("2", fingerprints=("f2",))])
    assert [entry.key for entry in store.outbox.entries_of("f2")] == ["1", "2"]
    assert [entry.key for entry in store.outbox.entries_of("f1")] == ["1"]
    assert store.outbox.entries_of("f3") == ()


def test_decisions_when_saved_then_alerts_events_entries_and_folds_together(store: Store) -> None:
    """An entry that waited is notified by the newer one, whose id is not known before."""
    old = added(store, entry_of("old"))
    fold = EntryUpdate(
        before=old, after=replace(old, state=EntryState.FOLDED, finished_at=LATER), folded_into_key="new"
    )
    event = AlertEvent(fingerprint="f1", episode=1, happened_at=NOW, change=Unsuppressed())
    new = store.save_decisions(alerts=(alert_of(),), events=(event,), entries=(entry_of("new"),), updates=(fold,))
    assert new == 1
    folded = store.outbox.entry(old.id)
    assert folded is not None
    assert (folded.state, folded.folded_into) == (EntryState.FOLDED, store.outbox.entries_of("f1")[1].id)
    assert store.alerts.all_alerts() == (alert_of(),)
    assert store.alerts.events("f1") == (event,)


def test_decisions_when_an_entry_was_claimed_meanwhile_then_nothing_is_kept(store: Store) -> None:
    """Folding what is being sent would tell it twice; half a decision would lose the alert or the message."""
    old = added(store, entry_of("old"))
    store.outbox.start_attempt(old, claimed(old))
    fold = EntryUpdate(before=old, after=replace(old, state=EntryState.FOLDED), folded_into_key="new")
    with pytest.raises(EntryMoved, match="no longer pending after 0 attempts") as caught:
        store.save_decisions(alerts=(alert_of(),), entries=(entry_of("new"),), updates=(fold,))
    assert caught.value.entry == old
    assert store.alerts.all_alerts() == ()
    assert [entry.key for entry in store.outbox.open_entries()] == ["old"]


def test_decisions_when_folded_into_nothing_then_refused_whole(store: Store) -> None:
    """A folded entry that no other tells of would be a lost message."""
    old = added(store, entry_of("old"))
    fold = EntryUpdate(before=old, after=replace(old, state=EntryState.FOLDED), folded_into_key="typo")
    with pytest.raises(ValueError, match="delivery key typo"):
        store.save_decisions(entries=(entry_of("new"),), updates=(fold,))
    assert [entry.key for entry in store.outbox.open_entries()] == ["old"]


def test_transaction_when_it_holds_several_calls_then_all_or_none(store: Store) -> None:
    """A fallback copy belongs to the outcome that calls for it."""
    entry = added(store, entry_of())

    def half() -> None:
        with store.transaction():
            store.outbox.start_attempt(entry, claimed(entry))
            store.outbox.add([entry_of("copy")])
            raise RuntimeError("between")

    with pytest.raises(RuntimeError, match="between"):
        half()
    assert store.outbox.open_entries() == (entry,)
    assert store.outbox.attempts(entry.id) == ()


def test_prune_when_entries_are_old_then_only_finished_ones_of_ended_alerts_go(store: Store) -> None:
    """What is still to be sent, or continued by its alert's next message, is never deleted."""
    old = NOW - timedelta(days=400)
    store.alerts.save([alert_of("open"), alert_of("done", state=AlertState.RESOLVED)])
    done = EntryState.DELIVERED
    store.outbox.add(
        [
            entry_of("gone", state=done, finished_at=old, created_at=old, fingerprints=("done",)),
            entry_of("recent", state=done, finished_at=NOW, created_at=old, fingerprints=("done",)),
            entry_of("waiting", created_at=old, fingerprints=("other",)),
            entry_of("continued", state=done, finished_at=old, created_at=old, fingerprints=("done", "open")),
            entry_of("folded", state=EntryState.FOLDED, created_at=old, fingerprints=("done",)),
        ]
    )
    assert store.prune(before_hour=HOUR, before=NOW - timedelta(days=1)).entries == 2
    assert {e.key for e in store.outbox.entries_of("done")} == {"recent", "continued"}
    assert [e.key for e in store.outbox.open_entries()] == ["waiting"]
    assert store.check() == []


def test_prune_when_the_end_of_an_alert_is_not_sent_yet_then_the_message_in_which_it_began_stays(store: Store) -> None:
    """The end was sent outside the thread, and the first message said "firing" for ever."""
    old = NOW - timedelta(days=400)
    store.alerts.save([alert_of("done", state=AlertState.RESOLVED)])
    began = entry_of("began", state=EntryState.DELIVERED, finished_at=old, created_at=old, fingerprints=("done", "too"))
    store.outbox.add([began, entry_of("end", fingerprints=("done",))])
    assert store.prune(before_hour=HOUR, before=NOW - timedelta(days=1)).entries == 0
    [end] = store.outbox.open_entries()
    store.outbox.update(end, replace(end, state=EntryState.DELIVERED, finished_at=NOW))
    assert store.prune(before_hour=HOUR, before=NOW - timedelta(days=1)).entries == 1


def test_prune_when_an_entry_goes_then_its_attempts_go_and_its_id_is_not_given_again(
    store: Store, place: Place, url: str
) -> None:
    """Ids order what is sent: one that came again would overtake."""
    entry = added(store, entry_of(created_at=NOW - timedelta(days=9)))
    taken = claimed(entry)
    store.outbox.start_attempt(entry, taken)
    sent = replace(taken, state=EntryState.DELIVERED, finished_at=NOW - timedelta(days=8))
    store.outbox.finish_attempt(taken, sent, finished_at=NOW - timedelta(days=8), outcome="delivered", detail="")
    assert store.prune(before_hour=HOUR, before=NOW).entries == 1
    assert place.run(url, "SELECT COUNT(*) FROM attempt") == [(0,)]
    assert added(store, entry_of("next")).id == entry.id + 1


@pytest.mark.parametrize(
    ("state", "ended", "is_found"),
    [
        pytest.param(AlertState.FIRING, None, True, id="fires"),
        pytest.param(AlertState.RESOLVED, NOW - timedelta(microseconds=1), False, id="ended before"),
        pytest.param(AlertState.RESOLVED, NOW, True, id="ended at that instant"),
        pytest.param(AlertState.RESOLVED, LATER, True, id="ended since"),
    ],
)
def test_delivered_when_asked_since_an_instant_then_what_is_open_or_ended_since(
    store: Store, state: AlertState, ended: datetime | None, is_found: bool
) -> None:
    """Alertmanager is sent what ended lately once more, and not what ended long ago."""
    store.alerts.save([alert_of("f1", state=state, resolved_at=ended)])
    entry = added(store, entry_of(state=EntryState.DELIVERED))
    for key, other in (
        ("k2", {"receiver": "bridge"}),
        ("k3", {"recipient": "#ops"}),
        ("k4", {"state": EntryState.GAVE_UP}),
    ):
        added(store, entry_of(key, **{"state": EntryState.DELIVERED, **other}))  # type: ignore[arg-type]
    assert store.outbox.delivered("finops", "#finops", since=NOW) == ((entry,) if is_found else ())
