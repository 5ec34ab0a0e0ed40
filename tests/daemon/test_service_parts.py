"""What the service connects and no message shows: the clocks, the dead man's switch, and what is counted."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from alertd.core.rules.records import ReloadOutcome
from alertd.daemon import service as service_module
from alertd.daemon.reports import Reporter
from alertd.daemon.schedule import Schedule
from alertd.daemon.systemd import ServiceManager
from alertd.daemon.timekeeper import Timekeeper
from alertd.daemon.watchdog import CYCLE_DEADLINE, CYCLE_SLACK
from alertd.notify.delivery.deliver import Delivery
from tests.core.builders import HOUR, NOW
from tests.daemon.serving import serving, until
from tests.doubles import Fault
from tests.virtual_clock import VirtualClock
from tests.web.house import Account


@pytest.mark.parametrize(
    ("account", "stuck", "pings"),
    [
        pytest.param(Account(), (), 1, id="all is read"),
        pytest.param(Account(broken={"llm"}), (), 0, id="a category fails"),
        pytest.param(Account(), ("sending: what is due is not tried",), 0, id="something is stuck"),
    ],
)
async def test_heartbeat_when_a_poll_ends_then_pinged_only_if_all_was_read_and_all_moves(
    account: Account, stuck: tuple[str, ...], pings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead man's switch that is pinged by the blind, or the mute, is none."""
    heard: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(request.path)
        return web.Response(text="OK")

    switch = web.Application()
    switch.router.add_get("/ping/me", hear)
    async with TestServer(switch) as server:
        url = SecretStr(str(server.make_url("/ping/me")))
        async with serving(tmp_path, heartbeat_url=url, account=account) as served:
            monkeypatch.setattr(served.service._watchdog, "stuck", lambda: stuck)
            await served.polled()
    assert heard == ["/ping/me"] * pings


async def test_wall_clock_when_it_is_set_then_intervals_begin_anew_and_what_waits_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was to be sent at eight is due now, and the next poll not in three hours."""
    clock, noted = VirtualClock(), list[str]()
    rearm, wake = Schedule.rearm, Delivery.wake

    def rearmed(self: Schedule) -> None:
        noted.append("rearmed")
        rearm(self)

    def woken(self: Delivery) -> None:
        noted.append("woken")
        wake(self)

    monkeypatch.setattr(service_module, "_CLOCK_EVERY_S", 0.005)
    async with serving(tmp_path, clock=clock) as served:
        await served.settled(1)
        monkeypatch.setattr(Schedule, "rearm", rearmed)
        monkeypatch.setattr(Delivery, "wake", woken)
        # No poll can begin meanwhile, which would wake the delivery by itself.
        async with served.service._turn:
            clock.wall_off = timedelta(hours=-3)
            await until(lambda: len(noted) == 2)
        await served.polled(2)
    assert noted[:2] == ["rearmed", "woken"]


async def test_faults_when_parts_fail_then_each_is_counted_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`alertd_task_failures_total` is how somebody hears of a part that fails and is started again."""

    async def failing(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    async with serving(tmp_path) as served:
        app = served.app
        monkeypatch.setattr(app.gateway, "replace_entry", failing)
        monkeypatch.setattr(app.mirroring, "mirror", failing)
        await until(lambda: {"delivery attempt", "mirroring"} <= set(app.figures.task_failures))
        monkeypatch.undo()
        assert served.slack.shown() == []


async def test_poll_when_a_day_has_not_passed_then_spend_and_messages_are_kept_for_as_long_as_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages for 90 days and spend for 400: the other way round a year's history would be gone in a quarter."""
    asked: list[dict[str, object]] = []
    async with serving(tmp_path) as served:
        await served.settled(1)
        await served.app.gateway.call(
            lambda store: monkeypatch.setattr(type(store), "prune", lambda _self, **given: asked.append(given))
        )
        served.clock[0] += 24 * HOUR
        served.service._poll_asked.set()
        await served.settled(2)
        now = served.clock[0]
    (given,) = asked
    assert given == {
        "before_hour": int((now - timedelta(days=400)).timestamp()) // 3600,
        "before": now - timedelta(days=90),
    }


async def test_service_when_it_runs_then_announces_its_next_poll_and_keeps_what_slack_shows(tmp_path: Path) -> None:
    """Without the page, `/alertd budgets` in Slack is why the overview is made; `alertd status` has the rest."""
    async with serving(tmp_path) as served:
        await served.polled()
        next_at = await served.app.gateway.call(lambda store: store.meta.next_poll_at)
        assert served.app.figures.overview is not None
    assert next_at is not None
    assert NOW < next_at <= NOW + timedelta(minutes=10)


async def test_overview_when_neither_page_nor_slack_show_it_then_not_made(tmp_path: Path) -> None:
    """It takes a second where there is a year of history."""
    async with serving(tmp_path, slack_app_token=None) as served:
        await served.polled()
        assert served.app.figures.overview is None


async def test_stop_when_a_message_is_under_way_then_its_answer_is_waited_for(tmp_path: Path) -> None:
    """What is cut is unknown, and may be sent twice after the next start."""
    async with serving(tmp_path) as served:
        served.slack.faults.append(Fault(status=200, body=b'{"ok": true, "channel": "C1", "ts": "1.1"}', hangs=True))
        await until(lambda: not served.slack.faults)
        served.signals.stop.set()
        await until(lambda: "STOPPING=1" in served.manager.heard)
        served.slack._hanging.set()
        await until(lambda: served.app.figures.notifications["finops", "delivered"] == 1)
    assert served.app.figures.notifications["finops", "unknown"] == 0


PARTS = {
    "actions",
    "clock",
    "delivery",
    "maintenance",
    "mirroring",
    "poll",
    "reports",
    "rules file",
    "slack",
    "watchdog",
    "watchdog questions",
}


async def test_service_when_it_serves_then_each_of_its_parts_runs_and_the_rest_of_an_earlier_process_came_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is not started is missed by nobody until it is needed; and the status knows the rules at once."""
    noted, recover, run = list[str](), Delivery.recover, Delivery.run

    async def recovering(self: Delivery) -> None:
        noted.append("recover")
        await recover(self)

    async def running(self: Delivery, stop: asyncio.Event) -> None:
        noted.append("run")
        await run(self, stop)

    monkeypatch.setattr(Delivery, "recover", recovering)
    monkeypatch.setattr(Delivery, "run", running)
    async with serving(tmp_path) as served:
        await until(lambda: {task.get_name() for task in asyncio.all_tasks()} >= PARTS)
        stored = await served.app.gateway.call(lambda store: store.meta.rules_file)
    assert noted == ["recover", "run"]
    assert stored == ReloadOutcome(loaded_at=NOW, rules=1)


async def test_watchdog_when_no_poll_begins_or_one_is_over_then_told_apart(tmp_path: Path) -> None:
    """Whoever reads `stuck: polling` looks for a request without an answer, or for what holds up the next turn."""
    clock = VirtualClock(true=NOW)
    async with serving(tmp_path, clock=clock) as served:
        await served.polled()
        assert served.service._watchdog.stuck() == ()
        clock.pass_time(CYCLE_DEADLINE + CYCLE_SLACK + timedelta(seconds=1))
        assert served.service._watchdog.stuck() == ("polling: no cycle begins",)


async def test_manager_when_it_wants_a_sign_of_life_more_often_then_gets_it_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`WatchdogSec=` of the unit says how often; whoever is late is killed."""
    judged = list[tuple[str, ...]]()
    monkeypatch.setattr(ServiceManager, "alive_every_s", 0.002)
    monkeypatch.setattr(ServiceManager, "judged", lambda _self, stuck: judged.append(stuck))
    async with serving(tmp_path):
        await until(lambda: len(judged) > 5)
    assert set(judged) == {()}


async def test_time_when_nobody_has_checked_it_then_nothing_is_reported_or_deleted_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock in 2030 would send a report years early, and delete all spend."""
    filed = list[datetime]()

    async def run(_self: Reporter, now: datetime) -> bool:
        filed.append(now)
        return True

    monkeypatch.setattr(Reporter, "run", run)
    monkeypatch.setattr(Timekeeper, "is_checked", False)
    async with serving(tmp_path) as served:
        for turn, is_checked in enumerate((False, True), 1):
            monkeypatch.setattr(Timekeeper, "is_checked", is_checked)
            served.service._poll_asked.set()
            await served.settled(turn)
            pruned = await served.app.gateway.call(lambda store: store.meta.pruned_at)
            assert (set(filed), pruned) == (({NOW}, NOW) if is_checked else (set(), None))
