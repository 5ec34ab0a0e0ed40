"""Names and states beside the bills: they group and name, cost no bill and no time, and bring no secret along."""

import io
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from alertd.clock import elapsed_s
from alertd.core.alert import AlertState
from alertd.core.labels import Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.idle_gpu import IdleGpu
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.severity import Severity
from alertd.core.spend.reading import Cadence
from alertd.daemon import resource_intake
from alertd.daemon.cycle import Cycle
from alertd.daemon.plan import build_plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.novita.client import NovitaClient
from alertd.novita.transport import Transport
from alertd.queries.status import read_status
from alertd.rules_file.model import Account
from alertd.settings.model import load_settings
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import HOUR, NOW, SETTLE, usd
from tests.daemon.test_intake_monthly import POLL, RULES
from tests.e2e.world import API_KEY, BillingWorld, Fault, Row
from tests.examples import rest_slow

SECRET = "canary-93c1"
BROKEN = [
    pytest.param(Fault(status=403, body=SECRET.encode()), id="forbidden"),
    pytest.param(Fault(status=429, body=SECRET.encode()), id="too fast"),
    pytest.param(Fault(status=500, body=SECRET.encode()), id="an error"),
    pytest.param(Fault(body=b"<html>" + SECRET.encode()), id="HTML"),
    pytest.param(Fault(status=301, headers=(("Location", f"https://x.invalid/{SECRET}"),), body=b""), id="redirected"),
    pytest.param(Fault(body=b'{"code": 500, "message": "' + SECRET.encode() + b'"}'), id="an error dressed as answer"),
    pytest.param(Fault(body=b'{"instances": [[["' + SECRET.encode()), id="cut"),
]


@pytest.fixture
def world() -> Iterator[BillingWorld]:
    with BillingWorld(clock=NOW.timestamp) as billing:
        start = int(NOW.timestamp()) // 3600 * 3600
        billing.add(
            *(Row(category="gpu", start=start - back * 3600, owner="i-1", pay=Decimal(5)) for back in range(2, 30))
        )
        billing.beside["instances"] = lambda _: {"instances": [instance()]}
        yield billing


def instance(**more: Any) -> dict[str, Any]:
    """One with a secret in every field that is not asked for."""
    names = ("imageUrl", "imageAuthId", "command", "sshCommand", "sshPassword", "clusterName", "billingMode", "memory")
    secrets = dict.fromkeys(names, SECRET) | {
        "envs": [{"key": SECRET, "value": SECRET}],
        "statusError": {"state": SECRET, "message": SECRET},
        "connectComponentJupyter": {"address": SECRET},
        "aFieldOfTomorrow": {SECRET: [SECRET]},
    }
    return (
        secrets | {"id": "i-1", "name": "trainer-a", "status": "running", "productName": "H100", "gpuNum": "1"} | more
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alertd.db"


RULE = RollingSpend(name="day", group_by=("team",), window=24 * HOUR, thresholds={Severity.WARNING: usd("50")})
OWNERS = OwnerDirectory((Owner(match_name=Patterns(("trainer-*",)), team="research"),))


@pytest.fixture
async def cycle(world: BillingWorld, path: Path) -> AsyncIterator[Cycle]:
    """A daemon's cycles with the API's own client, over a file."""
    thread = await StoreThread.start(lambda: Store.open(f"sqlite:///{path}", now=NOW))
    client = NovitaClient(
        Transport(account="default", api_key=API_KEY, base_url=world.url, now=lambda: NOW, elapsed=elapsed_s)
    )
    try:
        yield Cycle(
            store=StoreGateway(thread),
            plan=build_plan(
                replace(RULES, owners=OWNERS, rules=(RULE,)), load_settings(), sources={"default": client}, notifiers={}
            ),
            cadence=Cadence(),
            install_id="install",
            timer=lambda: 0.0,
        )
    finally:
        await client.close()
        await thread.close()


def groups(cycle: Cycle) -> list[tuple[str, AlertState]]:
    of_rule = [alert for alert in cycle.state.alerts.values() if alert.rule == "day"]
    return sorted((dict(alert.group)["team"], alert.state) for alert in of_rule)


async def test_name_when_the_list_gives_it_then_it_groups_and_is_stored(cycle: Cycle, path: Path) -> None:
    """`match_name` sees what the API calls an instance; tomorrow it is still known."""
    report = await cycle.run(NOW)
    assert report.is_ok
    assert groups(cycle) == [("research", AlertState.FIRING)]
    assert cycle.plan.audience.owners.display("i-1") == "trainer-a (i-1)"
    cycle.forget()
    assert (await cycle.held()).owners.display("i-1") == "trainer-a (i-1)"


async def test_name_when_it_is_another_in_the_next_list_then_regrouped_at_once(
    cycle: Cycle, world: BillingWorld
) -> None:
    """Whoever renames an instance says whose it is now."""
    await cycle.run(NOW)
    for turn, (name, teams) in enumerate((("chat-b", {""}), ("trainer-c", {"research"}), ("chat-d", {""})), 1):
        listed = {"instances": [instance(name=name)]}
        world.beside["instances"] = lambda _: listed  # noqa: B023 -- asked within the turn
        await cycle.run(NOW + turn * POLL)
        assert {team for team, state in groups(cycle) if state is AlertState.FIRING} == teams
        assert cycle.plan.audience.owners.display("i-1") == f"{name} (i-1)"


async def test_name_when_the_rules_are_edited_then_it_is_known_before_the_next_read(cycle: Cycle) -> None:
    """A message or a page in between names what it is about; so does the first one after a start."""
    await cycle.run(NOW)
    audience = replace(cycle.plan.audience, owners=OWNERS)
    for is_new_start in (False, True):
        if is_new_start:
            cycle.forget()
        cycle.use(replace(cycle.plan, audience=audience))
        await cycle.held()
        assert cycle.plan.audience.owners.display("i-1") == "trainer-a (i-1)"


@pytest.mark.parametrize("fault", rest_slow(BROKEN, fast=3))
async def test_name_when_the_list_fails_later_then_nothing_is_regrouped_fired_or_resolved(
    cycle: Cycle, world: BillingWorld, path: Path, fault: Fault
) -> None:
    """The last known name stays, the bills are whole, and the status has a line."""
    await cycle.run(NOW)
    before = groups(cycle)
    world.broken["instances"] = fault
    report = await cycle.run(NOW + POLL)
    assert report.is_ok
    assert groups(cycle) == before
    store = Store.open_read_only(f"sqlite:///{path}")
    try:
        status = read_status(store, now=NOW, poll_interval=POLL, settle_delay=SETTLE)
    finally:
        store.close()
    (line,) = status.resources
    assert line.text.startswith("default: 1 instance, 0 endpoints, read ")
    assert "instances: " in line.error
    assert not [problem for problem in status.problems if "instances" in problem]
    assert SECRET not in line.text


async def test_list_when_it_hangs_then_bills_are_judged_after_the_deadline(
    cycle: Cycle, world: BillingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for a name."""
    monkeypatch.setattr(resource_intake, "DEADLINE_S", 0.1)
    world.broken["instances"] = Fault(hold=threading.Event(), body=b"{}")
    begun = time.monotonic()
    report = await cycle.run(NOW)
    assert time.monotonic() - begun < 10
    assert report.is_ok
    assert groups(cycle) == [("", AlertState.FIRING)]
    assert (
        "no answer within"
        in cycle.state.held(
            OWNERS, last_read=cycle._intake.last_read, rules_file=cycle.rules_file
        ).last_read.resource_gaps["default"]
    )


async def test_list_when_the_account_wants_none_then_never_asked(world: BillingWorld, path: Path) -> None:
    """`resources: false` is for keys that must not even try."""
    rules = replace(RULES, accounts=(replace(RULES.accounts[0], resources=False),))
    assert isinstance(rules.accounts[0], Account)
    plan = build_plan(rules, load_settings(), sources={}, notifiers={})
    assert plan.resource_accounts == frozenset()


async def test_secrets_when_planted_in_every_other_field_then_nowhere(
    cycle: Cycle, world: BillingWorld, path: Path
) -> None:
    """Neither the store nor the log, nor what is held in memory."""
    log = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(log), cache_logger_on_first_use=False)
    try:
        await cycle.run(NOW)
        for (fault,) in (param.values for param in BROKEN):
            assert isinstance(fault, Fault)
            world.broken["instances"] = world.broken["endpoints"] = fault
            await cycle.run(NOW + POLL)
    finally:
        structlog.reset_defaults()
    assert SECRET not in repr(cycle.state)
    assert SECRET not in log.getvalue()
    for file in path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file


def with_rule(cycle: Cycle, **parts: Any) -> None:
    """Watch idle GPUs too."""
    rule = IdleGpu(name="idle", window=HOUR, **parts)
    cycle.use(replace(cycle.plan, rules=(*cycle.plan.rules, rule)))


def idle_metrics(query: dict[str, str]) -> dict[str, Any]:
    points = [
        {"timestamp": at, "value": 0, "note": SECRET}
        for at in range(int(query["startTime"]), int(query["endTime"]), 60)
    ]
    return {"gpuUtilization": {"avg": points}, "cpuUtilization": [{"timestamp": 1, "value": 40}], SECRET: SECRET}


async def test_utilisation_when_no_rule_asks_then_never_read(cycle: Cycle, world: BillingWorld) -> None:
    """Nobody wants it, and each instance costs a request."""
    with_rule(cycle, owner=Patterns(("another",)))
    await cycle.run(NOW)
    assert "metrics" not in [name for name, _ in world.asked_beside]


async def test_utilisation_when_a_rule_asks_then_read_once_and_on_from_there(
    cycle: Cycle, world: BillingWorld, path: Path
) -> None:
    """A day at first, then what came since; stored without a word of what stands beside."""
    world.beside["metrics"] = idle_metrics
    with_rule(cycle)
    await cycle.run(NOW)
    await cycle.run(NOW + POLL)
    first, second = (query for name, query in world.asked_beside if name == "metrics")
    assert int(first["startTime"]) == int((NOW - timedelta(days=1)).timestamp())
    assert int(second["startTime"]) == int((NOW - timedelta(minutes=5)).timestamp())
    assert [alert.state for alert in cycle.state.alerts.values() if alert.rule == "idle"] == [AlertState.FIRING]
    cycle.forget()
    assert (await cycle.held()).utilization["default", "i-1"]
    for file in path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("fault", rest_slow(BROKEN, fast=3))
async def test_utilisation_when_it_fails_then_nothing_ends_and_the_status_says_so(
    cycle: Cycle, world: BillingWorld, fault: Fault
) -> None:
    """Missing metrics decide nothing."""
    world.beside["metrics"] = idle_metrics
    with_rule(cycle)
    await cycle.run(NOW)
    world.broken["metrics"] = fault
    report = await cycle.run(NOW + 2 * HOUR)
    assert report.is_ok
    assert [alert.state for alert in cycle.state.alerts.values() if alert.rule == "idle"] == [AlertState.FIRING]
    gap = (await cycle.held()).last_read.resource_gaps["default"]
    assert "utilisation: " in gap
    assert SECRET not in gap
