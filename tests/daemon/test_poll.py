"""A poll, and `run --once`: what each of its parts adds to whether all went well, and what is kept of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alertd.core.alerts.judge import judge
from alertd.core.hours import HourRange
from alertd.core.reports.overview import Overview
from alertd.core.spend.bill import BillRows
from alertd.daemon import cycle as cycle_module
from alertd.daemon import intake as intake_module
from alertd.daemon.poll import poll, renew_overview, run_cycle, run_once
from alertd.errors import ApiUnavailable, StoreError
from alertd.notify.base import NotSent
from alertd.queries.cycle_report import CycleReport
from tests.daemon.clock_life import RULES, Billing, Life, hourly, living
from tests.daemon.test_clock_life import NOON, billing
from tests.virtual_clock import VirtualClock


def nothing(_life: Life, _patched: pytest.MonkeyPatch) -> None:
    """Let all go well."""


def no_bills(life: Life, _patched: pytest.MonkeyPatch) -> None:
    life.billing.is_down = True


def no_report(life: Life, patched: pytest.MonkeyPatch) -> None:
    async def run(_now: object) -> bool:
        return False

    patched.setattr(life.app.reporter, "run", run)


def no_receiver(life: Life, _patched: pytest.MonkeyPatch) -> None:
    life.pager.answer = NotSent("busy", timedelta(hours=1))


@pytest.mark.parametrize(
    ("spoil", "is_well"),
    [
        pytest.param(nothing, True, id="all is well"),
        pytest.param(no_bills, False, id="bills cannot be read"),
        pytest.param(no_report, False, id="a report fails"),
        pytest.param(no_receiver, False, id="a receiver takes nothing"),
    ],
)
async def test_once_when_a_part_fails_then_not_well_and_the_others_are_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Life, pytest.MonkeyPatch], None],
    is_well: bool,
) -> None:
    """Cron mails what exits 1."""
    clock = VirtualClock()
    done = list[str]()

    async def mirror() -> None:
        done.append("mirrored")

    async with living(tmp_path, clock, billing=billing(clock)) as life:
        # The first answer says what time it is; without one nothing is judged.
        await poll(life.app)
        clock.pass_time(timedelta(hours=1))
        run, recover = life.app.cycle.run, life.app.delivery.recover

        async def recovering() -> None:
            done.append("recovered")
            await recover()

        async def running(now: datetime, *, everything: bool) -> CycleReport:
            done.append("read everything" if everything else "read")
            return await run(now, everything=everything)

        monkeypatch.setattr(life.app.mirroring, "mirror", mirror)
        monkeypatch.setattr(life.app.delivery, "recover", recovering)
        monkeypatch.setattr(life.app.cycle, "run", running)
        spoil(life, monkeypatch)
        assert await run_once(life.app) is is_well
        # Whatever an earlier run left half sent comes first; and nothing is left for a next poll.
        assert done == ["recovered", "read everything", "mirrored"]
        assert bool(life.sent) is (spoil is not no_receiver)


async def test_cycle_when_it_has_decided_then_the_delivery_is_woken_for_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delivery sleeps until something is due, which may be a minute or an hour away."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        woken = list[str]()
        monkeypatch.setattr(life.app.delivery, "wake", lambda: woken.append("woken"))
        await life.poll()
        clock.pass_time(timedelta(hours=1))
        woken.clear()
        await run_cycle(life.app, life.app.time.now(), clock=life.app.time.now)
        assert woken == ["woken"]


async def test_poll_when_another_is_planned_then_that_is_kept_with_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`alertd status` shows both; a poll that nobody planned takes the plan of before away."""
    clock, took = VirtualClock(), timedelta(seconds=7)
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        run = life.app.cycle.run

        async def slow(now: datetime, *, everything: bool) -> CycleReport:
            report = await run(now, everything=everything)
            clock.pass_time(took)
            return report

        at = clock.true + timedelta(minutes=10)
        await poll(life.app, next_at=at)
        kept = await life.app.gateway.call(lambda store: (store.meta.next_poll_at, store.meta.clock.checked_at))
        assert kept == (at, clock.true)
        monkeypatch.setattr(life.app.cycle, "run", slow)
        await poll(life.app)
        assert await life.app.gateway.call(lambda store: store.meta.next_poll_at) is None
        (last,) = await life.app.gateway.call(lambda store: store.cycles.last(1))
        assert (last.is_ok, last.started_at, last.finished_at) == (True, clock.true - took, clock.true)
        assert life.app.figures.cycles["ok"] == 2


async def test_poll_when_the_store_fails_then_counted_as_failed_and_the_next_is_a_good_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second poll begins from what is stored."""
    clock = VirtualClock()

    async def fail(*_given: object) -> None:
        raise StoreError("disk full")

    async with living(tmp_path, clock, billing=billing(clock)) as life:
        for _ in range(2):
            with monkeypatch.context() as broken:
                broken.setattr(life.app.gateway, "decide", fail)
                with pytest.raises(StoreError):
                    await poll(life.app)
            assert life.app.figures.is_failing
            await life.poll()
            assert not life.app.figures.is_failing
        assert life.sent[0][0] == "firing"
        assert len(life.sent) == len(set(life.sent))


async def test_overview_when_renewed_then_the_next_begins_from_it(tmp_path: Path) -> None:
    """What page and metrics show is of the last poll."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        shown = list[Overview]()
        for _ in range(2):
            await life.poll()
            await renew_overview(life.app, life.app.time.now())
            assert life.app.figures.overview is not None
            shown.append(life.app.figures.overview)
        assert shown[0] is not shown[1]


@pytest.mark.parametrize(
    ("off", "is_down", "kept"),
    [
        pytest.param(
            timedelta(minutes=30),
            False,
            [(False, timedelta(minutes=30), "the clock was put right"), (True, timedelta(), "")],
            id="put right by the first answer",
        ),
        pytest.param(timedelta(hours=3), False, [(False, timedelta(), "this system's clock")], id="wrong"),
        pytest.param(timedelta(), True, [(False, timedelta(), "has said what time it is")], id="unchecked"),
    ],
)
async def test_poll_when_the_clock_is_wrong_then_each_cycle_is_kept_with_its_reason_by_the_best_known_time(
    tmp_path: Path, off: timedelta, is_down: bool, kept: list[tuple[bool, timedelta, str]]
) -> None:
    """`alertd status` says when the last cycle was and what it lacked; the heartbeat goes by whether it was whole."""
    clock = VirtualClock(wall_off=off)
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        life.billing.is_down = is_down
        report = await poll(life.app)
        found = await life.app.gateway.call(lambda store: store.cycles.last(5)[::-1])
    assert [(one.is_ok, one.started_at - clock.true) for one in found] == [one[:2] for one in kept]
    for record, (*_, words) in zip(found, kept, strict=True):
        errors = str(dict(record.summary)["errors"])
        assert words in errors
        assert bool(words) is bool(errors)
    assert (report.is_ok, report.is_moved) == (kept[-1][0], False)


async def test_poll_when_its_parts_take_long_then_each_is_timed_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`alertd_cycle_duration_seconds` says whether the API, the rules or the store are slow."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        await life.poll()
        gateway = life.app.gateway
        decide, read = gateway.decide, life.billing.read_monthly_bills

        async def slow_read(start_month: str) -> object:
            clock.pass_time(timedelta(seconds=7))
            return await read(start_month)

        def slow_judge(*given: Any) -> object:
            clock.pass_time(timedelta(seconds=5))
            return judge(*given)

        async def slow_decide(*given: Any) -> object:
            clock.pass_time(timedelta(seconds=3))
            return await decide(*given)

        # Slots keep the method of one from being replaced.
        monkeypatch.setattr(Billing, "read_monthly_bills", lambda _self, start_month: slow_read(start_month))
        monkeypatch.setattr(cycle_module, "judge", slow_judge)
        monkeypatch.setattr(gateway, "decide", slow_decide)
        await poll(life.app)
        found = dict(life.app.figures.durations_s)
    assert found == {"read": 7.0, "evaluate": 5.0, "decide": 3.0}


@dataclass(slots=True, kw_only=True)
class FailsLate(Billing):
    """Fails for one category once the others were judged without it."""

    judged: asyncio.Event = field(default_factory=asyncio.Event)
    is_failing: bool = False

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        if category == "llm" and self.is_failing:
            await self.judged.wait()
            raise ApiUnavailable("no answer", account="default", what="bills")
        return await Billing.read_bills(self, category, span)


async def test_read_when_its_last_part_fails_then_what_was_judged_before_it_has_ended_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a read goes on an alert may begin or rise only: the category that is awaited may hold the spend."""
    monkeypatch.setattr(intake_module, "_LOOK_S", 0.0)
    clock = VirtualClock()
    late = FailsLate(clock=clock, rows=hourly("runs", "80", NOON - 3, NOON))
    rules = RULES.replace("category: gpu, group_by: [owner], window: 24h", "window: 1h")
    async with living(tmp_path, clock, billing=late, rules=rules) as life:
        await life.poll(3)
        assert "gpu" in life.firing()
        monkeypatch.setattr(life.app.delivery, "wake", late.judged.set)
        late.is_failing = True
        clock.pass_time(timedelta(hours=3))
        await life.poll(2)
        assert late.judged.is_set()
        assert "gpu" in life.firing()
        late.is_failing = False
        await life.poll(2)
        assert "gpu" not in life.firing()
