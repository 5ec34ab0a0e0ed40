"""What time it is for a command beside a daemon, whatever the system's clock says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alertd.cli.common import time_now
from alertd.clock import boot_id
from alertd.core.rules.records import ClockRecord
from alertd.store.store import Store
from tests.virtual_clock import START, VirtualClock

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
OFFSETS = (-2 * YEAR, -DAY, -HOUR, timedelta(minutes=-2), timedelta(minutes=2), HOUR, DAY, 2 * YEAR)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/alertd.db", now=START)
    yield opened
    opened.close()


def checked(clock: VirtualClock) -> ClockRecord:
    """What a daemon of this system writes at a poll."""
    return ClockRecord(checked_at=clock.true, elapsed_s=clock.elapsed_s(), boot=boot_id())


def test_time_when_nothing_was_ever_checked_then_the_systems_clock(store: Store) -> None:
    """Nobody knows better."""
    clock = VirtualClock(wall_off=DAY)
    assert (time_now(store, clock).now, time_now(store, clock).warning) == (START + DAY, "")


@pytest.mark.parametrize("since", [timedelta(minutes=5), 90 * DAY])
@pytest.mark.parametrize("off", OFFSETS)
def test_time_when_the_systems_clock_is_wrong_then_the_daemons_and_a_warning(
    store: Store, off: timedelta, since: timedelta
) -> None:
    """Also long after the daemon ended: the clock that counts since the start of the system went on."""
    clock = VirtualClock()
    store.meta.put_clock(checked(clock))
    clock.pass_time(since / 2)
    clock.suspend(since / 2)
    assert time_now(store, clock).warning == ""
    clock.wall_off = off
    found = time_now(store, clock)
    assert found.now == clock.true
    assert "set the clock" in found.warning


@pytest.mark.parametrize("off", OFFSETS)
def test_time_when_the_system_started_anew_then_it_is_no_earlier_than_the_last_check(
    store: Store, off: timedelta
) -> None:
    """A clock that is ahead cannot be notified from a long pause; one that is behind can."""
    clock = VirtualClock(wall_off=off)
    store.meta.put_clock(replace(checked(clock), boot="another start"))
    found = time_now(store, clock)
    assert found.now == max(START, clock.wall())
    assert bool(found.warning) is (off < timedelta())


@pytest.mark.parametrize("off", OFFSETS)
def test_time_when_hosts_share_a_database_then_its_clock_settles_who_is_wrong(
    store: Store, off: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon of a PostgreSQL store may run on another host."""
    clock = VirtualClock(wall_off=off)
    store.meta.put_clock(replace(checked(clock), boot="another host"))
    clock.pass_time(DAY)
    monkeypatch.setattr(store, "database_now", lambda: clock.true)
    found = time_now(store, clock)
    assert found.now == (clock.true if abs(off) > HOUR else clock.wall())
    assert bool(found.warning) is (abs(off) > HOUR)
