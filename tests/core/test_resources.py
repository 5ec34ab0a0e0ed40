"""What a list of instances changes of what is known: names stay, starts and stops are seen, and gaps change nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.labels import Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.resources import Listed, Listing, Resource, ResourceKind, changes, names_of
from tests.core.builders import NOW
from tests.core.test_actions import STATUSES

LATER = NOW + timedelta(minutes=10)
RUNNING = Listed(id="i-1", name="trainer", status="running", product="H100", gpus=2)


def read(
    known: dict[tuple[str, str], Resource], *entries: Listed, at: object = LATER, whole: bool = True
) -> list[Resource]:
    return changes(
        known,
        Listing(entries=entries, is_whole=whole),
        account="prod",
        kind=ResourceKind.INSTANCE,
        read_at=LATER if at is LATER else NOW,
    )


@pytest.fixture
def known() -> dict[tuple[str, str], Resource]:
    return {one.key: one for one in read({}, RUNNING, at=NOW)}


def test_resource_when_first_listed_then_known_without_a_start(known: dict[tuple[str, str], Resource]) -> None:
    """It may have run for days before alertd first looked."""
    (one,) = known.values()
    assert (one.name, one.hardware, one.started_at, one.is_running) == ("trainer", "2 × H100", None, True)


def test_resource_when_read_again_alike_then_no_change(known: dict[tuple[str, str], Resource]) -> None:
    """Nothing is written at each poll."""
    assert read(known, RUNNING) == []


def test_resource_when_a_list_says_less_then_what_is_known_stays(known: dict[tuple[str, str], Resource]) -> None:
    """The last known name stays."""
    assert read(known, Listed(id="i-1", name="", status="")) == []


def test_resource_when_first_listed_then_each_field_has_its_own_value() -> None:
    """What decides whether it may be stopped, and what is said of that."""
    at = NOW - timedelta(days=3)
    entry = replace(RUNNING, started_at=at, stopped_at=at - timedelta(days=1), keep_days=7)
    assert read({}, entry) == [
        Resource(
            account="prod",
            id="i-1",
            kind=ResourceKind.INSTANCE,
            name="trainer",
            status="running",
            product="H100",
            gpus=2,
            started_at=at,
            stopped_at=at - timedelta(days=1),
            keep_days=7,
        )
    ]
    assert read({}, replace(entry, started_at=LATER + timedelta(seconds=1)))[0].started_at is None
    assert read({}, replace(entry, started_at=LATER))[0].started_at == LATER


def test_resource_when_a_list_says_nothing_of_its_data_then_what_is_known_stays() -> None:
    """For how long the data of a stopped instance is kept is asked before it is stopped."""
    known = {one.key: one for one in read({}, replace(RUNNING, keep_days=7), at=NOW)}
    assert read(known, RUNNING) == []
    (changed,) = read(known, replace(RUNNING, keep_days=30))
    assert changed.keep_days == 30
    (changed,) = read(known, replace(RUNNING, keep_days=0))
    assert changed.keep_days == 0, "it is not kept, which is no silence"


@pytest.mark.parametrize(
    ("product", "gpus", "hardware"),
    [("H100", 1, "1 × H100"), ("H100", 8, "8 × H100"), ("H100", 0, "H100"), ("", 4, ""), ("", 0, "")],
)
def test_hardware_when_named_then_with_its_number_where_that_is_known(product: str, gpus: int, hardware: str) -> None:
    """One is a number, too."""
    (one,) = read({}, replace(RUNNING, product=product, gpus=gpus))
    assert one.hardware == hardware


@pytest.mark.parametrize("status", [*STATUSES.split(), ""])
def test_resource_when_in_any_state_then_it_runs_has_ended_or_is_ending(status: str) -> None:
    """What is ending is neither offered to be stopped nor counted as stopped; what nobody said is neither."""
    (one,) = read({}, replace(RUNNING, status=status))
    ended, ending = {"exited", "removed"}, {"toStop", "stopping", "toRemove", "removing"}
    assert (one.is_running, one.has_ended) == (bool(status) and status not in ended | ending, status in ended)


def test_resource_when_it_stops_a_second_time_then_the_later_one_counts(
    known: dict[tuple[str, str], Resource],
) -> None:
    """Whether it was asked for is judged by when it happened."""
    ran_again = replace(known["prod", "i-1"], stopped_at=NOW - timedelta(days=2))
    (stopped,) = read({ran_again.key: ran_again}, replace(RUNNING, status="exited"))
    assert stopped.stopped_at == LATER
    was_stopped = replace(ran_again, status="exited", started_at=NOW - timedelta(days=3))
    (started,) = read({was_stopped.key: was_stopped}, RUNNING)
    assert started.started_at == LATER
    # A list that goes on giving the times of before gives none for this.
    (stopped,) = read({ran_again.key: ran_again}, replace(RUNNING, status="exited", stopped_at=ran_again.stopped_at))
    assert stopped.stopped_at == LATER
    (started,) = read({was_stopped.key: was_stopped}, replace(RUNNING, started_at=was_stopped.started_at))
    assert started.started_at == LATER


def test_resource_when_it_once_stopped_and_runs_on_then_its_start_stays(
    known: dict[tuple[str, str], Resource],
) -> None:
    """A start that moved with each read would let no idle time grow."""
    runs_on = replace(known["prod", "i-1"], started_at=NOW - timedelta(days=1), stopped_at=NOW - timedelta(days=2))
    assert read({runs_on.key: runs_on}, RUNNING) == []


def test_resource_when_it_stops_and_starts_then_seen_as_it_happened(known: dict[tuple[str, str], Resource]) -> None:
    """The list says no times of its own."""
    (stopped,) = read(known, replace(RUNNING, status="exited"))
    assert (stopped.stopped_at, stopped.has_ended) == (LATER, True)
    (started,) = read({stopped.key: replace(stopped, stopped_at=NOW)}, RUNNING)
    assert (started.started_at, started.stopped_at, started.is_running) == (LATER, NOW, True)


def test_resource_when_the_list_says_times_then_these(known: dict[tuple[str, str], Resource]) -> None:
    """What the API says is nearer to the truth than when alertd looked; what has not come is nothing that happened."""
    at = NOW + timedelta(minutes=3)
    (stopped,) = read(known, replace(RUNNING, status="exited", stopped_at=at, started_at=LATER + timedelta(days=1)))
    assert (stopped.stopped_at, stopped.started_at) == (at, None)


def test_resource_when_not_listed_any_more_then_gone_with_its_name(known: dict[tuple[str, str], Resource]) -> None:
    """Yesterday's instance still has its name."""
    (gone,) = read(known)
    assert (gone.name, gone.gone_at, gone.is_running, gone.has_ended) == ("trainer", LATER, False, True)
    assert read({gone.key: gone}) == []
    (back,) = read({gone.key: gone}, RUNNING)
    assert (back.gone_at, back.is_running) == (None, True)


def test_resource_when_a_list_is_not_whole_then_nothing_is_gone(known: dict[tuple[str, str], Resource]) -> None:
    """It may be the entry that could not be read."""
    assert read(known, whole=False) == []


def test_resource_of_another_kind_or_account_then_not_gone(known: dict[tuple[str, str], Resource]) -> None:
    """Each list speaks of its own."""
    other = replace(known["prod", "i-1"], account="dev")
    endpoint = replace(known["prod", "i-1"], id="e-1", kind=ResourceKind.ENDPOINT)
    assert read({one.key: one for one in (other, endpoint)}) == []


DIRECTORY = OwnerDirectory(
    (
        Owner(match=Patterns(("i-9",)), name="by hand"),
        Owner(match_name=Patterns(("trainer*",)), team="research"),
        Owner(match=Patterns(("i-*",)), match_name=Patterns(("web",)), team="product"),
        Owner(match_name=Patterns(("!secret",)), team="rest"),
    ),
    names_of([]),
)


@pytest.mark.parametrize(
    ("names", "owner", "team", "shown"),
    [
        ({"i-1": "trainer-a"}, "i-1", "research", "trainer-a (i-1)"),
        ({"i-1": "web"}, "i-1", "product", "web (i-1)"),
        ({"k-1": "web"}, "k-1", "rest", "web (k-1)"),
        ({"k-1": "secret"}, "k-1", "", "secret (k-1)"),
        ({"i-9": "trainer-a"}, "i-9", "", "by hand (i-9)"),
        ({}, "i-1", "", "i-1"),
    ],
)
def test_owner_when_matched_by_name_then_team_and_name(
    names: dict[str, str], owner: str, team: str, shown: str
) -> None:
    """An owner without a name matches no pattern of names; a name in the rules file wins."""
    directory = DIRECTORY.named(names)
    assert directory.attribute(owner, "team") == team
    assert directory.display(owner) == shown
