"""Alerts, their history, the cycles and the facts about the installation."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alert import Alert, AlertState
from alertd.core.alert_event import Unsuppressed
from alertd.core.messages.outbox import EntryState
from alertd.store.alerts import AlertEvent
from alertd.store.cycles import KEPT_CYCLES, CycleRecord
from alertd.store.store import Store
from tests.examples import examples
from tests.store.places import Place
from tests.store.samples import HOUR, NOW, alert_events, alert_of, alerts, cycle_records, entry_of

EXAMPLES = examples(4, thorough=20)


@EXAMPLES
@given(found=st.lists(alerts, max_size=3, unique_by=lambda a: a.fingerprint), events=st.lists(alert_events, max_size=3))
def test_alerts_when_saved_then_another_connection_reads_them_equal(
    place: Place, found: list[Alert], events: list[AlertEvent]
) -> None:
    """An alert that changed by being stored would be notified again, or its end never."""
    with (
        place.fresh() as url,
        closing(Store.open(url, now=NOW)) as store,
        closing(Store.open_read_only(url)) as reader,
    ):
        store.alerts.save(found)
        store.alerts.add_events(events)
        assert {alert.fingerprint: alert for alert in reader.alerts.all_alerts()} == {
            alert.fingerprint: alert for alert in found
        }
        assert {str(a.value) for a in reader.alerts.all_alerts()} == {str(a.value) for a in found}
        still_open = {a.fingerprint for a in found if a.state is not AlertState.RESOLVED}
        assert {a.fingerprint for a in reader.alerts.open_alerts()} == still_open
        for event in events:
            same = tuple(e for e in events if e.fingerprint == event.fingerprint)
            assert reader.alerts.events(event.fingerprint) == same
        assert reader.check() == []


def test_alert_when_saved_again_then_the_latest_episode_stands(store: Store) -> None:
    """One row a fingerprint; the history has the rest."""
    store.alerts.save([alert_of(state=AlertState.RESOLVED, resolved_at=NOW)])
    store.alerts.save([alert_of(episode=2)])
    assert store.alerts.all_alerts() == (alert_of(episode=2),)
    assert store.alerts.alert("f1") == alert_of(episode=2)
    assert store.alerts.alert("f2") is None


def test_prune_when_alerts_are_old_then_those_go_of_which_nothing_is_left_and_their_numbers_never_come_again(
    store: Store,
) -> None:
    """Every instance that was ever alerted about stayed in the daemon's memory, for as long as the store lived."""
    old, border = NOW - timedelta(days=400), NOW - timedelta(days=90)
    store.alerts.save(
        [
            alert_of("gone", episode=7, state=AlertState.RESOLVED, resolved_at=old),
            replace(alert_of("never fired", episode=2, state=AlertState.RESOLVED), started_at=old, fired_at=None),
            alert_of("in a message", episode=9, state=AlertState.RESOLVED, resolved_at=old),
            alert_of("newly ended", episode=9, state=AlertState.RESOLVED, resolved_at=border),
            replace(alert_of("open", episode=9), started_at=old),
            replace(
                alert_of("long, newly ended", episode=9, state=AlertState.RESOLVED, resolved_at=border),
                started_at=old,
            ),
        ]
    )
    sent = entry_of("sent", fingerprints=("in a message",), state=EntryState.DELIVERED, created_at=old)
    store.outbox.add([replace(sent, finished_at=border)])
    assert store.meta.first_episode == 1
    for _ in range(2):
        store.prune(before_hour=HOUR, before=border)
        assert {alert.fingerprint for alert in store.alerts.all_alerts()} == {
            "in a message",
            "newly ended",
            "long, newly ended",
            "open",
        }
        assert store.meta.first_episode == 8
    store.prune(before_hour=HOUR, before=NOW)
    assert [alert.fingerprint for alert in store.alerts.all_alerts()] == ["open"]
    assert store.meta.first_episode == 10
    assert store.check() == []


def test_prune_when_alerts_are_old_then_they_stay_while_some_history_does(store: Store) -> None:
    """An episode's number that came twice would make an old delivery key new again, and lose the message."""
    old, new = NOW - timedelta(days=400), NOW
    store.alerts.save([alert_of("done", state=AlertState.RESOLVED, resolved_at=old), alert_of("open")])
    kinds = [
        AlertEvent(fingerprint=f, episode=1, happened_at=at, change=Unsuppressed())
        for f in ("done", "open")
        for at in (old, new)
    ]
    store.alerts.add_events(kinds)
    assert store.prune(before_hour=HOUR, before=NOW - timedelta(days=1)).events == 1
    assert [alert.fingerprint for alert in store.alerts.all_alerts()] == ["done", "open"]
    assert len(store.alerts.events("done")) == 1
    assert len(store.alerts.events("open")) == 2


@EXAMPLES
@given(records=st.lists(cycle_records, min_size=1, max_size=4))
def test_cycles_when_added_then_read_equal_and_newest_first(place: Place, records: list[CycleRecord]) -> None:
    """`alertd status` shows them as they were."""
    with place.fresh() as url, closing(Store.open(url, now=NOW)) as store:
        for record in records:
            store.cycles.add(record)
        assert store.cycles.last(9) == tuple(reversed(records))
        good = [record for record in records if record.is_ok]
        assert store.cycles.last_good() == (good[-1] if good else None)


def test_cycles_when_more_than_the_bound_then_the_oldest_go() -> None:
    """A daemon that runs for years must not fill the disk with its own diary."""
    with closing(Store.open("sqlite://", now=NOW)) as store:
        for number in range(KEPT_CYCLES + 5):
            store.cycles.add(CycleRecord(started_at=NOW, finished_at=NOW, is_ok=True, summary=(("number", number),)))
        kept = store.cycles.last(KEPT_CYCLES * 2)
        assert len(kept) == KEPT_CYCLES
        assert kept[-1].summary == (("number", 5),)


def test_installation_when_opened_again_then_id_and_date_stay(url: str) -> None:
    """Delivery keys begin with the id: another one would send everything again."""
    ids = iter(["first", "second"])
    with closing(Store.open(url, now=NOW, new_id=lambda: next(ids))) as store:
        assert store.meta.install_id == "first"
    with closing(Store.open(url, now=NOW + timedelta(days=1), new_id=lambda: next(ids))) as store:
        assert (store.meta.install_id, store.meta.created_at) == ("first", NOW)


def test_installation_when_no_id_is_given_then_each_gets_128_bits_of_its_own(place: Place) -> None:
    """Two installations that share a receiver must not take each other's messages for their own."""
    found = set()
    for _ in range(2):
        with place.fresh() as url, closing(Store.open(url, now=NOW)) as store:
            found.add(store.meta.install_id)
    assert len(found) == 2
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in found)


def test_meta_when_put_twice_then_the_later_stands(store: Store) -> None:
    """Facts are replaced, not collected."""
    assert store.meta.get("heartbeat") is None
    store.meta.put("heartbeat", "1")
    store.meta.put("heartbeat", "2")
    assert store.meta.get("heartbeat") == "2"
