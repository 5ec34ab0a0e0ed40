"""Faults that only a whole life shows: a restored backup, revised bills, local time, thousands of alerts at once."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alertd.core.hours import hour_of
from alertd.notify.base import Envelope, Outcome
from tests.core.builders import row
from tests.daemon.clock_life import RULES, Billing, Pager, hourly, living
from tests.examples import rest_slow
from tests.virtual_clock import START, VirtualClock

HOUR = timedelta(hours=1)
NOON = hour_of(START)


async def test_backup_of_yesterday_when_restored_then_each_alert_is_notified_once_more_at_most(tmp_path: Path) -> None:
    """What was sent since is not known any more; what fires is, and what ended meanwhile gets its end."""
    clock = VirtualClock()
    rows = [
        *hourly("old", "20", NOON - 3, NOON + 4),
        *hourly("ended", "60", NOON + 2, NOON + 3),
        *hourly("new", "20", NOON + 24, NOON + 40),
    ]
    billing, pager = Billing(clock=clock, rows=rows), Pager(clock)
    now, kept = folder_in(tmp_path, "now"), tmp_path / "kept"
    rules = RULES.replace("notify: [pager]", "notify: [pager], repeat_interval: 7d")
    async with living(now, clock, billing=billing, pager=pager, rules=rules) as life:
        await life.poll(7)
        assert life.sent == [("firing", "gpuold")]
    shutil.copytree(now, kept)
    async with living(now, clock, billing=billing, pager=pager, rules=rules) as life:
        await life.poll(32, every=HOUR)
        assert sorted(life.sent) == [
            ("firing", "gpuended"),
            ("firing", "gpunew"),
            ("firing", "gpuold"),
            ("resolved", "gpuended"),
            ("resolved", "gpuold"),
        ]
    before = len(pager.got)
    async with living(kept, clock, billing=billing, pager=pager, rules=rules) as life:
        await life.poll(6)
        assert sorted(life.sent[before:]) == [("firing", "gpunew"), ("resolved", "gpuold")]
        assert life.firing() == {"gpunew"}


async def test_bills_when_they_are_revised_then_fires_by_what_they_say_and_ends_when_a_second_read_confirms(
    tmp_path: Path,
) -> None:
    """A correction upwards is news at once; one downwards may be a fault of the answer."""
    clock = VirtualClock()
    steady = hourly("revised", "1", NOON - 10, NOON + 10)
    billing = Billing(clock=clock, rows=steady)
    async with living(tmp_path, clock, billing=billing) as life:
        await life.poll(2)
        assert life.sent == []
        billing.rows = [*steady[:5], row(NOON - 5, "90", owner="revised"), *steady[6:]]
        await life.poll()
        assert life.sent == [("firing", "gpurevised")]
        billing.rows = steady
        await life.poll()
        assert life.firing() == {"gpurevised"}, "one answer may be wrong"
        await life.poll(2)
        assert life.sent == [("firing", "gpurevised"), ("resolved", "gpurevised")]


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the process stand in a time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


class Reader(Pager):
    """Keeps every word."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.texts: list[tuple[datetime, str, str]] = []

    async def send(self, envelope: Envelope) -> Outcome:
        message = envelope.message
        self.texts.append((self.clock.true, message.title, repr(message)))
        return await super().send(envelope)


def folder_in(path: Path, name: str) -> Path:
    """Make a folder."""
    (path / name).mkdir()
    return path / name


async def words_over(folder: Path, start: datetime) -> list[tuple[datetime, str, str]]:
    """Live from an evening on over the night in which clocks change; return what was said and when."""
    clock = VirtualClock(true=start)
    noon = hour_of(start)
    rows = [*hourly("runs", "4", noon - 60, noon + 12), *hourly("begins", "60", noon + 5, noon + 7)]
    reader = Reader(clock)
    async with living(folder, clock, billing=Billing(clock=clock, rows=rows), pager=reader, rules=DAILY) as life:
        await life.poll(12, every=HOUR)
    return reader.texts


DAILY = """
version: 1
receivers: [{name: pager, type: webhook, url: "http://127.0.0.1:9/"}]
defaults: {notify: [pager]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 6h, thresholds: {warning: 50}}
  - {name: day, type: budget, period: day, amount: 100, thresholds: {warning: 60%}}
"""


@pytest.mark.parametrize(
    ("zone", "evening"),
    rest_slow(
        [
            pytest.param("Europe/Helsinki", datetime(2026, 3, 28, 20, tzinfo=UTC), id="Helsinki in spring"),
            pytest.param("America/New_York", datetime(2026, 11, 1, 1, tzinfo=UTC), id="New York in autumn"),
            pytest.param("Europe/Helsinki", datetime(2026, 10, 24, 20, tzinfo=UTC), id="Helsinki in autumn"),
            pytest.param("America/New_York", datetime(2026, 3, 8, 2, tzinfo=UTC), id="New York in spring"),
            pytest.param("Australia/Lord_Howe", datetime(2026, 4, 4, 10, tzinfo=UTC), id="half an hour in autumn"),
        ],
    ),
    indirect=["zone"],
)
async def test_system_when_its_clock_changes_to_or_from_summer_time_then_every_word_is_as_in_utc(
    tmp_path: Path, zone: str, evening: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where alertd runs is no part of what it says: an hour that is there twice or not at all is a bill like others."""
    there = await words_over(folder_in(tmp_path, "there"), evening)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert there == await words_over(folder_in(tmp_path, "utc"), evening)
    assert any("gpu" in title or "begins" in title for _, title, _ in there), zone


@pytest.mark.slow
async def test_alerts_when_thousands_fire_at_once_then_one_message_names_all_and_nothing_waits(
    tmp_path: Path,
) -> None:
    """An account whose limits were lifted by mistake is when it counts."""
    clock = VirtualClock()
    owners = [f"gpu-{number:04}" for number in range(5_000)]
    rows = [row(NOON - 2, "60", owner=owner) for owner in owners]
    async with living(tmp_path, clock, billing=Billing(clock=clock, rows=rows)) as life:
        await life.poll(2)
        assert len(life.firing()) == 5_000
        (first, *others) = life.pager.got
        assert {at for at, *_ in others} == {first[0]}, "one message"
        assert len(life.sent) == 5_000
        assert not await life.app.gateway.open_entries()
