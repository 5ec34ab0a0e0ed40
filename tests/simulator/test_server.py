"""The billing API on a real socket, read as a stranger would read it."""

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from alertd.simulator.faults import Fault, FaultKind, FaultPlan, FaultRule
from alertd.simulator.scenarios import busy_month, large
from alertd.simulator.server import BALANCE, BILL_LIST, KEY_BILL_LIST, MONTHLY_BILL, SUBSCRIPTIONS, BillingSimulator
from alertd.simulator.world import CATEGORIES
from tests.simulator.sums import visible_spend

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=14, hours=11, minutes=20)
START_S = int(START.timestamp())
DAY_S = 86_400
AGENT = "alertd/test"
WORLD = busy_month(3, START)


def connect(sim: BillingSimulator, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    known = {"Authorization": "Bearer sim-key", "User-Agent": AGENT}
    # There is no TLS here, and to load the certificates takes longer than most of these tests.
    return httpx.AsyncClient(base_url=sim.base_url, headers=known if headers is None else headers, verify=False)


@pytest.fixture
async def sim() -> AsyncIterator[BillingSimulator]:
    async with BillingSimulator(WORLD, now=lambda: NOW) as running:
        yield running


@pytest.fixture
async def client(sim: BillingSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(sim) as connected:
        yield connected


def query(product_category: str | None = "llm", /, **changed: object) -> dict[str, str]:
    plain = {
        "cycleType": "Hour",
        "productCategory": product_category,
        "startTime": START_S + 5 * DAY_S,
        "endTime": START_S + 6 * DAY_S - 1,
    }
    return {name: str(value) for name, value in {**plain, **changed}.items() if value is not None}


async def bills(client: httpx.AsyncClient, product_category: str = "llm", /, **changed: object) -> list[dict[str, Any]]:
    response = await client.get(BILL_LIST, params=query(product_category, **changed))
    assert response.status_code == 200, response.text
    return response.json().get("bills") or []


def amount(bill: dict[str, Any], decimal: str = "amountDecimal", integer: str = "amount") -> Decimal:
    return Decimal(bill[decimal]) if decimal in bill else Decimal(bill[integer]) / 10_000


def seconds(value: str | int) -> int:
    if isinstance(value, str) and "T" in value:
        return int(datetime.fromisoformat(value).timestamp())
    return int(value)


def starts_within(bill: dict[str, Any]) -> bool:
    return seconds(bill["startTime"]) >= START_S + 5 * DAY_S


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        pytest.param({"User-Agent": AGENT}, 401, "FAILED_TO_AUTH", id="no key"),
        pytest.param({"User-Agent": AGENT, "Authorization": "Basic c2lt"}, 401, "FAILED_TO_AUTH", id="no bearer"),
        pytest.param({"User-Agent": AGENT, "Authorization": "Bearer"}, 401, "FAILED_TO_AUTH", id="empty key"),
        pytest.param({"User-Agent": AGENT, "Authorization": "Bearer no"}, 403, "INVALID_API_KEY", id="wrong key"),
        pytest.param({"Authorization": "Bearer sim-key"}, 403, "ACCESS_DENY", id="httpx by default"),
        pytest.param(
            {"Authorization": "Bearer sim-key", "User-Agent": "Python-urllib/3.11"}, 403, "ACCESS_DENY", id="urllib"
        ),
        pytest.param({"Authorization": "Bearer sim-key", "User-Agent": ""}, 403, "ACCESS_DENY", id="no agent"),
        pytest.param({"Authorization": "bearer sim-key", "User-Agent": "curl/8"}, 200, None, id="let in"),
    ],
)
async def test_caller_when_unknown_then_is_refused_with_the_reason(
    sim: BillingSimulator, headers: dict[str, str], status: int, reason: str | None
) -> None:
    """The three refusals look alike to a hasty client."""
    async with connect(sim, headers) as stranger:
        response = await stranger.get(BILL_LIST, params=query())
    assert (response.status_code, response.json().get("reason")) == (status, reason)


@pytest.mark.parametrize("path", ["/gpu-instance/openapi/v1/gpu/instances", "/gpu-instance/openapi/v1/endpoints"])
async def test_caller_when_it_asks_for_instances_then_a_librarys_own_agent_is_answered(
    sim: BillingSimulator, path: str
) -> None:
    """The clients that others wrote for these paths send nothing else."""
    async with connect(sim, {"Authorization": "Bearer sim-key"}) as stranger:
        assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"cycleType": "hour"}, "INVALID_BILL_CYCLE", id="cycle in lower case"),
        pytest.param({"cycleType": None}, "INVALID_BILL_CYCLE", id="no cycle"),
        pytest.param({"productCategory": "gpuu"}, "INVALID_PRODUCT_CATEGORY", id="unknown category"),
        pytest.param({"productCategory": None}, "INVALID_PRODUCT_CATEGORY", id="no category"),
        pytest.param({"startTime": None}, "INVALID_PARAMETER", id="no start"),
        pytest.param({"endTime": "2026-01-01"}, "INVALID_PARAMETER", id="not Unix seconds"),
        pytest.param({"endTime": "9" * 5000}, "INVALID_PARAMETER", id="absurd number"),
        pytest.param({"endTime": "١٢"}, "INVALID_PARAMETER", id="other digits"),
        pytest.param({"endTime": START_S}, "INVALID_TIME_RANGE", id="ends before it starts"),
        pytest.param({"endTime": START_S + 36 * DAY_S}, "INVALID_TIME_RANGE", id="31 days and a second"),
    ],
)
async def test_query_when_wrong_then_400_names_the_mistake(
    client: httpx.AsyncClient, changed: dict[str, object], reason: str
) -> None:
    """A client tells its own bugs from the account's limits by the reason."""
    response = await client.get(BILL_LIST, params=query(**changed))
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["reason"]) == (400, reason)


async def test_range_when_longer_than_the_limit_then_400_names_it_and_the_limit_itself_passes() -> None:
    """A client halves its range until it fits."""
    async with BillingSimulator(WORLD, now=lambda: NOW, range_limit_days=7) as sim, connect(sim) as client:
        fits = {"startTime": START_S, "endTime": START_S + 7 * DAY_S - 1}
        assert (await client.get(BILL_LIST, params=query(**fits))).status_code == 200
        fits["endTime"] += 1
        response = await client.get(BILL_LIST, params=query(**fits))
    assert response.status_code == 400
    assert "7 days" in response.json()["message"]


async def test_category_when_the_account_lacks_it_then_400() -> None:
    """Not every brand sells everything."""
    missing = frozenset({"bare_metal"})
    async with BillingSimulator(WORLD, now=lambda: NOW, missing_categories=missing) as sim, connect(sim) as client:
        lacking = await client.get(BILL_LIST, params=query("bare_metal"))
        assert (await client.get(BILL_LIST, params=query("gpu"))).status_code == 200
    assert (lacking.status_code, lacking.json()["reason"]) == (400, "INVALID_PRODUCT_CATEGORY")


@pytest.mark.parametrize("category", CATEGORIES)
async def test_bills_when_read_then_add_up_to_the_truth(
    sim: BillingSimulator, client: httpx.AsyncClient, category: str
) -> None:
    """Decimals where there are, else integers: together exactly what is visible, in every spelling."""
    end = START + timedelta(days=6)
    visible = visible_spend(sim.world, START + timedelta(days=5), end, now=NOW, category=category)
    rows = [bill for bill in await bills(client, category) if starts_within(bill)]
    assert sum(map(amount, rows), Decimal(0)) == visible
    for bill in rows:
        total, voucher = amount(bill), amount(bill, "voucherAmountDecimal", "voucherAmount")
        assert total == voucher + amount(bill, "payableDecimal", "payAmount")
        assert 0 <= Decimal(abs(total) - abs(Decimal(bill["amount"])) / 10_000) < Decimal("0.0001")
        assert seconds(bill["endTime"]) - seconds(bill["startTime"]) in {3599, DAY_S - 1}


async def test_bills_of_a_month_when_read_then_show_every_spelling(client: httpx.AsyncClient) -> None:
    """A parser that meets only the documented spelling has not been tested."""
    month = {"startTime": START_S, "endTime": START_S + 31 * DAY_S - 1}
    rows = [bill for category in CATEGORIES for bill in await bills(client, category, **month)]
    assert {type(bill["amount"]) for bill in rows} == {str, int}
    assert {type(bill["startTime"]) for bill in rows} == {str, int}
    assert {type(bill["billingMethod"]) for bill in rows} == {str, int}
    assert any("T" in str(bill["startTime"]) for bill in rows)
    assert any("labels" in bill for bill in rows)
    assert any("amountDecimal" not in bill for bill in rows)
    assert any(bill["amount"] == "0" and amount(bill) > 0 for bill in rows)
    assert any(amount(bill) < 0 for bill in rows)
    assert any("<!channel>" in bill["productName"] and "\n" in bill["productName"] for bill in rows)
    assert any("<b>" in bill["ownerID"] for bill in rows)
    assert any(bill["ownerID"] == "" for bill in rows)


@pytest.mark.parametrize("cycle", ["Day", "Week", "Month"])
@pytest.mark.parametrize("category", ["llm", "cloud_storage"])
async def test_longer_cycles_when_read_then_hold_the_same_money_in_longer_rows(
    client: httpx.AsyncClient, cycle: str, category: str
) -> None:
    """The cycle changes the rows, not the sum."""
    monday = datetime(2025, 12, 1, tzinfo=UTC)
    month = {"startTime": int(monday.timestamp()), "endTime": int(monday.timestamp()) + 28 * DAY_S - 1}
    hourly = await bills(client, category, **month)
    if cycle == "Month":
        month["endTime"] += 3 * DAY_S
        hourly = await bills(client, category, **month)
    longer = await bills(client, category, **month, cycleType=cycle)
    days = {"Day": 1, "Week": 7, "Month": 31}[cycle]
    assert {int(bill["endTime"]) - int(bill["startTime"]) + 1 for bill in longer} == {days * DAY_S}
    assert sum(map(amount, longer)) == sum(map(amount, hourly))
    assert len(longer) < len(hourly) or category == "cloud_storage"


@pytest.mark.parametrize("cycle", ["Hour", "Day"])
async def test_summary_when_read_then_is_the_control_total(client: httpx.AsyncClient, cycle: str) -> None:
    """Adding it to the categories would count everything twice."""
    categories = [bill for category in CATEGORIES for bill in await bills(client, category)]
    summary = await bills(client, "summary", cycleType=cycle)
    assert sum(map(amount, summary)) == sum(map(amount, categories))
    assert {bill["category"] for bill in summary} == set(CATEGORIES) - {"bare_metal"}


async def test_filters_when_given_then_only_what_fits_comes_back(client: httpx.AsyncClient) -> None:
    """OwnerId and category are exact, productName is fuzzy."""
    everything = await bills(client)
    for name, value, fits in (
        ("ownerId", "key-chat", lambda bill: bill["ownerID"] == "key-chat"),
        ("productName", "DEEPSEEK", lambda bill: "deepseek" in bill["productName"]),
        ("category", "nothing", lambda _: False),
    ):
        expected = [bill for bill in everything if fits(bill)]
        assert await bills(client, **{name: value}) == expected
        assert len(expected) < len(everything)


@pytest.mark.parametrize(("reach_in", "expected"), [(True, 1), (False, 0)])
async def test_row_when_it_only_reaches_into_the_range_then_comes_back_if_so_configured(
    reach_in: bool, expected: int
) -> None:
    """A client that replaces only the hours it asked for would count such a row wrongly."""
    noon = START_S + 5 * DAY_S + DAY_S // 2
    async with (
        BillingSimulator(WORLD, now=lambda: NOW, rows_reach_in=reach_in) as sim,
        connect(sim) as client,
    ):
        rows = await bills(client, "cloud_storage", startTime=noon, endTime=noon, ownerId="vol-datasets")
    assert len(rows) == expected


async def test_end_time_when_it_is_the_first_second_of_an_hour_then_includes_that_hour(
    client: httpx.AsyncClient,
) -> None:
    """EndTime is the last second included."""
    start_s = START_S + 5 * DAY_S
    chosen = {"ownerId": "gpu-reserved-2", "startTime": start_s}
    assert len(await bills(client, "gpu", **chosen, endTime=start_s + 3599)) == 1
    assert len(await bills(client, "gpu", **chosen, endTime=start_s + 3600)) == 2


async def test_empty_answer_when_there_is_nothing_then_is_spelled_in_several_ways(
    client: httpx.AsyncClient,
) -> None:
    """An empty list, null, or no list at all."""
    texts = {
        (await client.get(BILL_LIST, params=query("bare_metal", startTime=START_S + hour))).text for hour in range(20)
    }
    assert texts == {'{"bills":[]}', '{"bills":null}', "{}"}


async def test_key_bills_when_read_then_are_the_same_rows_with_the_names_of_keys(client: httpx.AsyncClient) -> None:
    """A second view of the same money."""
    chosen = query(None, category="llm")
    rows = (await client.get(KEY_BILL_LIST, params=chosen)).json()["bills"]
    expected = [bill for bill in await bills(client) if bill["ownerID"]]
    assert [{**bill, "apikeyName": None, "apikeyMask": None} for bill in expected] == [
        {**bill, "apikeyName": None, "apikeyMask": None} for bill in rows
    ]
    assert {bill["apikeyName"] for bill in rows if bill["ownerID"] == "key-ci"} == {"ci"}
    week = await client.get(KEY_BILL_LIST, params={**chosen, "startTime": str(START_S - 3 * DAY_S)})
    assert (week.status_code, "7 days" in week.json()["message"]) == (400, True)
    gpu = await client.get(KEY_BILL_LIST, params={**chosen, "category": "gpu"})
    assert gpu.json()["reason"] == "INVALID_PRODUCT_CATEGORY"


async def test_key_bills_when_older_than_2026_then_are_left_out(client: httpx.AsyncClient) -> None:
    """The endpoint has no data before 2026-01-01, whatever the range."""
    across = query(None, category="llm", startTime=START_S - 2 * DAY_S, endTime=START_S + DAY_S - 1)
    rows = (await client.get(KEY_BILL_LIST, params=across)).json()["bills"]
    assert min(seconds(bill["startTime"]) for bill in rows) == START_S
    old = query(None, category="llm", startTime=START_S - 3 * DAY_S, endTime=START_S - DAY_S)
    assert (await client.get(KEY_BILL_LIST, params=old)).json()["bills"] == []


async def test_monthly_bills_when_read_then_have_documented_fields_and_seen_oddities(
    client: httpx.AsyncClient,
) -> None:
    """Strings in 1/10000 USD, an end before the start while the month runs, twins in some months."""
    response = await client.get(MONTHLY_BILL, params={"startMonth": "2025-10", "page": "1", "pageSize": "20"})
    old, last, running = response.json()["data"]
    assert [bill["billingMonth"] for bill in (old, last, running)] == ["2025-11", "2025-12", "2026-01"]
    assert [bill["status"] for bill in (old, last, running)] == ["voided", "overdue", "pending"]
    assert int(running["endTime"]) < int(running["startTime"])
    assert (running["invoiceUrl"], last["invoiceUrl"] != "") == ("", True)
    assert Decimal(old["totalAmountDecimal"]).scaleb(4) // 1 == int(old["totalAmount"])
    assert "totalAmountDecimal" not in last
    assert int(last["debtAmount"]) - int(last["repaidAmount"]) > 0
    assert abs(int(last["totalAmount"]) - int(last["cashPayAmount"]) - int(last["voucherPayAmount"])) <= 1


async def test_monthly_query_when_unusual_then_is_answered_or_refused(client: httpx.AsyncClient) -> None:
    """The end of the pages is an empty one; nonsense is a 400."""
    defaults = await client.get(MONTHLY_BILL)
    assert len(defaults.json()["data"]) == 3
    late = await client.get(MONTHLY_BILL, params={"startMonth": "2026-01"})
    assert len(late.json()["data"]) == 1
    assert (await client.get(MONTHLY_BILL, params={"page": "9999"})).json() == {"data": []}
    for wrong in ({"startMonth": "2026-13"}, {"page": "0"}, {"pageSize": "-1"}, {"pageSize": "1001"}):
        assert (await client.get(MONTHLY_BILL, params=wrong)).status_code == 400, wrong


async def test_fault_of_a_category_when_asked_by_key_then_met_there_too() -> None:
    """An outage of one category is one of both its lists."""
    busy = FaultPlan(rules=(FaultRule(faults=(Fault(kind=FaultKind.SERVER_ERROR),), category="llm"),))
    async with BillingSimulator(WORLD, now=lambda: NOW, faults=busy) as sim, connect(sim) as client:
        found = [
            (await client.get(KEY_BILL_LIST, params=query(None, category=name))).status_code
            for name in ("llm", "gen_api")
        ]
    assert found == [500, 200]


async def test_balance_when_read_then_is_cash_and_credit_and_what_is_owed(client: httpx.AsyncClient) -> None:
    """All four are strings in 1/10000 USD."""
    balance = (await client.get(BALANCE)).json()
    months = (await client.get(MONTHLY_BILL)).json()["data"]
    assert set(balance) == {"availableBalance", "cashBalance", "creditLimit", "outstandingInvoices"}
    assert int(balance["availableBalance"]) == int(balance["cashBalance"]) + 500 * 10_000
    owed = int(months[1]["debtAmount"]) - int(months[1]["repaidAmount"])
    assert owed - 1 <= int(balance["outstandingInvoices"]) <= owed + 1


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", BILL_LIST + "/", 404), ("POST", BILL_LIST, 405)]
)
async def test_request_when_nothing_is_there_then_is_refused_in_json(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """The API is read-only and has no other rooms."""
    response = await client.request(method, path, params=query())
    assert (response.status_code, response.json()["code"]) == (status, status)


async def test_requests_when_logged_then_report_what_was_asked_but_no_key(
    sim: BillingSimulator, client: httpx.AsyncClient
) -> None:
    """Tests count requests; secrets stay out of their output."""
    await client.get(BILL_LIST, params=query("gpu"))
    await client.get("/nowhere")
    asked, lost = sim.requests
    assert (asked.at, asked.path, asked.status, asked.fault) == (NOW, BILL_LIST, 200, None)
    assert asked.query == query("gpu")
    assert (lost.path, lost.status) == ("/nowhere", 404)
    assert "sim-key" not in repr(sim.requests)


async def test_clock_when_it_moves_then_later_rows_appear() -> None:
    """The present is the caller's: nothing is cached beyond it."""
    clock = [START + timedelta(hours=1)]
    first_day = {"startTime": START_S, "endTime": START_S + DAY_S - 1}
    async with (
        BillingSimulator(WORLD, now=lambda: clock[0]) as sim,
        connect(sim) as client,
    ):
        counts = []
        for hours in (1, 2, 12, 72):
            clock[0] = START + timedelta(hours=hours)
            counts.append(len(await bills(client, "llm", **first_day)))
    assert counts[0] <= 2
    assert sorted(set(counts)) == counts


@pytest.mark.slow
async def test_large_answer_when_the_client_leaves_within_it_then_the_server_lives_on() -> None:
    """A month of a large account is streamed; whoever has enough may go."""
    month = query("gpu", startTime=START_S, endTime=START_S + 31 * DAY_S - 1)
    async with (
        BillingSimulator(large(1, START), now=lambda: START + timedelta(days=40)) as sim,
        connect(sim) as client,
    ):
        async with client.stream("GET", BILL_LIST, params=month) as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            beginning = await anext(response.aiter_bytes(1000))
        assert beginning.startswith(b'{"bills":[{"userId"')
        assert len(await bills(client, "gpu", ownerId="gpu-0007", startTime=START_S, endTime=START_S + DAY_S - 1)) == 24


async def test_port_when_taken_then_says_so_and_leaves_nothing_behind() -> None:
    """`alertd simulate --port` must report it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="address already in use"):
            async with BillingSimulator(WORLD, now=lambda: NOW, port=port):
                pass


async def test_subscriptions_when_asked_by_month_then_each_term_as_it_was_paid(client: httpx.AsyncClient) -> None:
    """The list of usage bills leaves them out, and the monthly bill has them."""

    async def terms(category: str, first: datetime) -> list[dict[str, Any]]:
        start_s = int(first.timestamp())
        asked = {"category": category, "startTime": str(start_s), "endTime": str(start_s + 31 * DAY_S - 1)}
        response = await client.get(SUBSCRIPTIONS, params=asked)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["bills"]
        return found

    (first,) = await terms("gpu", START - timedelta(days=61))
    (renewed,) = await terms("summary", START)
    assert (first["tradeType"], renewed["tradeType"]) == ("monthly_new_buy", "monthly_renew")
    assert (renewed["amount"], renewed["voucherAmount"], renewed["payAmount"]) == ("2490000", "249000", "2241000")
    bought_at = int(datetime(2026, 1, 5, 9, 12, tzinfo=UTC).timestamp())
    assert (int(renewed["createTime"]), int(renewed["endTime"])) == (bought_at, bought_at + 31 * DAY_S - 1)
    assert await terms("bare_metal", START) == []
    # What will be renewed is no bill yet.
    assert await terms("gpu", START + timedelta(days=15)) == []
    wrong = {"category": "gpus", "startTime": str(START_S), "endTime": str(START_S + DAY_S)}
    assert (await client.get(SUBSCRIPTIONS, params=wrong)).status_code == 400
    assert WORLD.subscribed(START, NOW).amount == 249 * 10**10
    month = WORLD.final_total(START_S // DAY_S, START_S // DAY_S + 14).amount
    usage = WORLD.final_spend(START, START + timedelta(days=14))
    assert month == int(usage * 10**10) + 249 * 10**10
