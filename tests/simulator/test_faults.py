"""Fault plans as data, and each fault on a real socket."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from alertd.simulator.faults import (
    NO_FAULTS,
    Call,
    Fault,
    FaultKind,
    FaultPlan,
    FaultRule,
    demo_faults,
    mild_faults,
)
from alertd.simulator.scenarios import quiet_month
from alertd.simulator.server import BILL_LIST, BillingSimulator

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=3)
WORLD = quiet_month(1, START)
HEADERS = {"Authorization": "Bearer sim-key", "User-Agent": "alertd/test"}
QUERY = {
    "cycleType": "Hour",
    "productCategory": "llm",
    "startTime": str(int(START.timestamp())),
    "endTime": str(int(START.timestamp()) + 86_399),
}
ALWAYS = FaultRule(faults=(Fault(kind=FaultKind.SERVER_ERROR),))


def call(number: int = 0, **fields: str) -> Call:
    return Call(number=number, at=NOW, path=fields.get("path", BILL_LIST), category=fields.get("category", "gpu"))


def simulator(faults: FaultPlan) -> BillingSimulator:
    return BillingSimulator(WORLD, now=lambda: NOW, faults=faults)


async def get(sim: BillingSimulator, timeout_s: float = 5.0) -> httpx.Response:
    # There is no TLS here, and to load the certificates takes longer than most of these tests.
    async with httpx.AsyncClient(base_url=sim.base_url, headers=HEADERS, timeout=timeout_s, verify=False) as client:
        return await client.get(BILL_LIST, params=QUERY)


async def answer(kind: FaultKind, seconds: float = 1.0, timeout_s: float = 5.0) -> httpx.Response:
    rule = FaultRule(faults=(Fault(kind=kind, seconds=seconds),))
    async with simulator(FaultPlan(rules=(rule,))) as sim:
        return await get(sim, timeout_s)


@pytest.mark.parametrize(
    ("rule", "meets", "passes"),
    [
        pytest.param({"numbers": range(2)}, call(1), call(2), id="the first two requests"),
        pytest.param({"category": "llm"}, call(category="llm"), call(category="gpu"), id="one category"),
        pytest.param({"path_part": "monthly"}, call(path="/monthly/bill"), call(), id="one endpoint"),
        pytest.param({"starts_at": NOW}, call(), None, id="from the very instant on"),
        pytest.param({"ends_at": NOW}, None, call(), id="not at the end of an outage"),
        pytest.param({"per_10k": 0}, None, call(), id="never by chance"),
    ],
)
def test_rule_when_its_conditions_fit_then_the_request_fails(
    rule: dict[str, object], meets: Call | None, passes: Call | None
) -> None:
    """Tests compose their outages from these conditions."""
    plan = FaultPlan(rules=(FaultRule(faults=ALWAYS.faults, **rule),))  # type: ignore[arg-type]
    assert meets is None or plan.fault_for(meets) == ALWAYS.faults[0]
    assert passes is None or plan.fault_for(passes) is None


def test_plan_when_two_rules_fit_then_the_added_one_decides() -> None:
    """A test lays its outage over a background of mild faults."""
    hang = Fault(kind=FaultKind.HANG)
    plan = FaultPlan(rules=(FaultRule(faults=(hang,), numbers=range(1)), ALWAYS))
    assert [plan.fault_for(call(0)), plan.fault_for(call(1))] == [hang, ALWAYS.faults[0]]


def test_mild_faults_when_drawn_often_then_a_few_percent_of_all_quick_kinds() -> None:
    """The share is what `alertd simulate` promises; the same seed gives the same faults."""
    plan = mild_faults(4)
    faults = [plan.fault_for(call(number)) for number in range(10_000)]
    kinds = Counter(fault.kind for fault in faults if fault)
    assert 250 <= sum(kinds.values()) <= 390
    assert set(kinds) == set(FaultKind) - {FaultKind.HANG, FaultKind.KEY_REFUSED}
    assert faults == [mild_faults(4).fault_for(call(number)) for number in range(10_000)]
    assert faults != [mild_faults(5).fault_for(call(number)) for number in range(10_000)]
    assert NO_FAULTS.fault_for(call()) is None


def test_demo_faults_when_the_25th_day_comes_then_the_service_is_out_for_four_hours() -> None:
    """The demo shows that blindness is notified, and not before its first message about money."""
    plan = demo_faults(4, START)
    failed = [
        hour
        for hour in range(24)
        if all(
            plan.fault_for(Call(number=n, at=START + timedelta(days=24, hours=hour), path=BILL_LIST)) for n in range(20)
        )
    ]
    assert failed == [2, 3, 4, 5]
    kinds = {fault.kind for n in range(5000) if (fault := plan.fault_for(call(n)))}
    assert not kinds & {FaultKind.HANG, FaultKind.DRIP, FaultKind.KEY_REFUSED}


@pytest.mark.parametrize(
    ("kind", "retry_after"),
    [
        (FaultKind.TOO_FAST, None),
        (FaultKind.TOO_FAST_SECONDS, "90"),
        (FaultKind.TOO_FAST_DATE, "Sun, 04 Jan 2026 00:01:30 GMT"),
    ],
)
async def test_too_fast_when_answered_then_retry_after_is_spelled_its_way(
    kind: FaultKind, retry_after: str | None
) -> None:
    """Seconds, a date in simulated time, or nothing at all."""
    response = await answer(kind, seconds=89.5)
    assert response.status_code == 429
    assert response.json()["reason"] == "LIST_BILL_TOO_FAST"
    assert response.headers.get("Retry-After") == retry_after
    assert parsedate_to_datetime(response.headers["Date"]) == NOW


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [(FaultKind.SERVER_ERROR, 500, "LIST_BILL_ERROR"), (FaultKind.KEY_REFUSED, 403, "INVALID_API_KEY")],
)
async def test_error_when_answered_then_has_the_vendors_body(kind: FaultKind, status: int, reason: str) -> None:
    """Status, code and reason as the vendor gives them."""
    response = await answer(kind)
    assert response.status_code == status
    assert response.json()["code"] == status
    assert response.json()["reason"] == reason


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.BAD_GATEWAY, 502), (FaultKind.HTML, 200)])
async def test_html_when_answered_then_is_no_json(kind: FaultKind, status: int) -> None:
    """A proxy speaks HTML, with any status."""
    response = await answer(kind)
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<html>")


async def test_wrong_shape_when_answered_then_is_json_without_a_list_of_rows() -> None:
    """Valid JSON is not yet a bill."""
    response = await answer(FaultKind.WRONG_SHAPE)
    assert response.status_code == 200
    shape = response.json()
    assert not (isinstance(shape, dict) and isinstance(shape.get("bills"), list) and shape["bills"][0]["startTime"])


async def test_cut_body_when_read_then_the_connection_breaks() -> None:
    """Fewer bytes than Content-Length promised."""
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await answer(FaultKind.CUT_BODY)


async def test_truncated_body_when_read_then_only_the_json_reports() -> None:
    """HTTP is satisfied; only whoever parses can notice."""
    response = await answer(FaultKind.TRUNCATED)
    assert response.status_code == 200
    assert response.headers["Transfer-Encoding"] == "chunked"
    with pytest.raises(json.JSONDecodeError):
        response.json()


async def test_drip_when_read_patiently_then_is_the_whole_answer() -> None:
    """Slow is not wrong."""
    async with simulator(NO_FAULTS) as sim:
        quick = await get(sim)
    assert (await answer(FaultKind.DRIP, seconds=0.05)).content == quick.content


async def test_drip_when_read_impatiently_then_times_out() -> None:
    """Pauses of three seconds outlast the client."""
    with pytest.raises(httpx.ReadTimeout):
        await answer(FaultKind.DRIP, seconds=30.0, timeout_s=0.1)


async def test_hang_when_the_client_leaves_then_its_request_is_given_up() -> None:
    """A hang must not outlive its client, nor hold up the end of the simulator."""
    rule = FaultRule(faults=(Fault(kind=FaultKind.HANG, seconds=3600.0),))
    async with asyncio.timeout(5), simulator(FaultPlan(rules=(rule,))) as sim:
        with pytest.raises(httpx.ReadTimeout):
            await get(sim, timeout_s=0.05)
        while not sim.requests:  # noqa: ASYNC110 - nothing announces the end of a request that nobody awaits
            await asyncio.sleep(0)
    assert [(record.status, record.fault) for record in sim.requests] == [(0, FaultKind.HANG)]


async def test_hang_when_nobody_leaves_then_the_simulator_still_closes() -> None:
    """`alertd simulate` stops when asked to."""
    rule = FaultRule(faults=(Fault(kind=FaultKind.HANG, seconds=3600.0),))
    asked = asyncio.Event()

    def now() -> datetime:
        asked.set()
        return NOW

    async with asyncio.timeout(5):
        async with BillingSimulator(WORLD, now=now, faults=FaultPlan(rules=(rule,))) as sim:
            request = asyncio.create_task(get(sim))
            await asked.wait()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await request
