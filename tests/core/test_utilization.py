"""When something counts as idle: every sample of a stretch, and never across what was not sampled."""

from datetime import datetime, timedelta

import pytest

from alertd.core.utilization import (
    KEPT,
    SLOT,
    WHOLE,
    idle_stretch,
    is_cut,
    newest_of,
    slot_of,
    start_of_slot,
    with_samples,
)
from tests.core.builders import NOW

BELOW = WHOLE // 20


def slots(text: str, *, ended: int = 0) -> dict[int, int]:
    """Percent of each five minutes up to now, `_` where nothing was sampled."""
    values = text.split()
    last = slot_of(int(NOW.timestamp())) - ended
    return {
        last - len(values) + 1 + place: int(value) * WHOLE // 100 for place, value in enumerate(values) if value != "_"
    }


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        pytest.param("0 0 0", 10, id="idle in each; the last five minutes are not over"),
        pytest.param("80 0 0", 5, id="from when it was last busy"),
        pytest.param("5 5", 5, id="at the limit is idle"),
        pytest.param("0 6", None, id="busy now"),
        pytest.param("0 0 _ _ _ _ _ 0 0", 40, id="half an hour without samples is bridged"),
        pytest.param("0 0 _ _ _ _ _ _ 0 0", 5, id="more is not"),
    ],
)
def test_stretch_when_sampled_then_since_the_first_idle_one(text: str, minutes: int | None) -> None:
    """Missing metrics decide nothing."""
    idle = idle_stretch(slots(text), BELOW, NOW)
    assert (None if idle is None else (idle.until - idle.since) // timedelta(minutes=1)) == minutes


def test_stretch_when_nothing_new_was_sampled_then_none() -> None:
    """What was idle an hour ago may work now."""
    known = slots("0 0 0", ended=12)
    assert idle_stretch(known, BELOW, NOW) is None
    assert newest_of(known, NOW) is None


def test_stretch_when_it_started_since_then_of_this_life_alone() -> None:
    """An instance that was stopped and started is not idle since before."""
    idle = idle_stretch(slots("0 0 0 0 0 0"), BELOW, NOW, started_at=NOW - 2 * SLOT)
    assert idle is not None
    assert idle.since == NOW - 2 * SLOT


@pytest.mark.parametrize(
    ("text", "cut"), [("0 0 0", True), ("80 0 0", False), ("0 _ _ _ _ _ _ 0 0", True), ("80 _ 0 0", False)]
)
def test_stretch_when_nothing_bounds_it_then_it_may_be_longer(text: str, *, cut: bool) -> None:
    """Only a busy sample says that it began there."""
    known = slots(text)
    idle = idle_stretch(known, BELOW, NOW)
    assert idle is not None
    assert is_cut(known, idle) is cut


def test_samples_when_many_fall_into_a_slot_then_the_highest_counts() -> None:
    """A burst of a minute is no rest."""
    at = int(NOW.timestamp())
    known = with_samples({}, [(at, 10), (at + 60, 900_000), (at + 120, 20)], NOW)
    assert known == {slot_of(at): 900_000}
    assert with_samples(known, [(at, 5)], NOW) == known


def test_samples_when_old_then_dropped() -> None:
    """Two weeks are kept."""
    old: datetime = NOW - KEPT - timedelta(hours=1)
    assert with_samples({slot_of(int(old.timestamp())): 1}, [(int(old.timestamp()), 2)], NOW) == {}
    assert start_of_slot(slot_of(int(NOW.timestamp()))) == NOW
