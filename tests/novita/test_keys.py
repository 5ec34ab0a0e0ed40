"""Spend by API key and balances over real sockets: what is asked, what names keys, how a refusal is worded."""

import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest

from alertd.clock import elapsed_s
from alertd.core.hours import HourRange, hour_of
from alertd.core.money import Usd
from alertd.core.spend.bill import ApiKey, Balance
from alertd.errors import ApiError, ApiKeyRefused, ApiRequestRefused, ApiThrottled, ApiUnavailable
from alertd.novita.client import NovitaClient
from alertd.novita.keys import KeyColumns
from alertd.novita.transport import Transport
from alertd.novita.wire import KeyRow
from alertd.simulator.scenarios import SCENARIOS
from alertd.simulator.server import BillingSimulator
from tests.e2e.world import API_KEY, BALANCE, BUSY, HOUR, HTML, BillingWorld, Fault, Row, refusal

MIDNIGHT = hour_of(datetime(2026, 3, 1, tzinfo=UTC))
DAY = HourRange(MIDNIGHT, MIDNIGHT + 24)
NOW = datetime(2026, 3, 12, 12, 5, tzinfo=UTC)
START = datetime(2026, 3, 1, tzinfo=UTC)
LLM = "keys:llm"


@pytest.fixture
def world() -> Iterator[BillingWorld]:
    with BillingWorld(clock=NOW.timestamp) as billing:
        yield billing


async def no_wait(_: float) -> None:
    """Retries need no time here."""


def connect(world: BillingWorld) -> NovitaClient:
    return NovitaClient(
        Transport(
            account="prod", api_key=API_KEY, base_url=world.url, sleep=no_wait, now=lambda: NOW, elapsed=elapsed_s
        )
    )


def llm(hour: int, owner: str = "key-1", **parts: Any) -> Row:
    return Row(category="llm", start=hour * HOUR, owner=owner, pay=Decimal("1.5"), **parts)


async def test_key_bills_when_asked_then_the_documented_query_and_rows_with_names(world: BillingWorld) -> None:
    """The owner is the key; rows are decoded like all others."""
    world.add(llm(MIDNIGHT, key_name="ci"), llm(MIDNIGHT + 1, style="numbers"), llm(MIDNIGHT, "key-22", key_name=""))
    async with connect(world) as client:
        found = await client.read_key_bills("llm", DAY)
    (asked,) = world.asked
    assert asked.query == {
        "cycleType": "Hour",
        "category": "llm",
        "startTime": str(MIDNIGHT * HOUR),
        "endTime": str((MIDNIGHT + 24) * HOUR - 1),
    }
    assert sorted(found.rows.hour.tolist()) == [MIDNIGHT, MIDNIGHT, MIDNIGHT + 1]
    assert set(found.rows.amount.tolist()) == {15 * 10**9}
    assert {name[:4] for name in found.rows.names} == {
        ("prod", "llm", "Compute", "key-1"),
        ("prod", "llm", "Compute", "key-22"),
    }
    keys = {key.key_id: key for key in found.keys}
    assert keys["key-22"] == ApiKey(account="prod", key_id="key-22", name="", mask="sk_22**")
    assert keys["key-22"].label == "sk_22**"
    assert keys["key-1"].mask == "sk_-1**"


async def test_key_bills_when_the_range_is_long_then_a_week_at_a_time_and_names_of_all(world: BillingWorld) -> None:
    """Hourly spend by key is documented for 7 days a call: no refusal is needed to learn it."""
    world.add(llm(MIDNIGHT, key_name="ci"), llm(MIDNIGHT + 20 * 24, "key-2", key_name="web"))
    async with connect(world) as client:
        found = await client.read_key_bills("llm", HourRange(MIDNIGHT, MIDNIGHT + 24 * 24))
        await client.read_bills("gpu", HourRange(MIDNIGHT, MIDNIGHT + 24 * 24))
    spans = [(int(a.query["endTime"]) + 1 - int(a.query["startTime"])) // (24 * HOUR) for a in world.asked]
    assert spans == [7, 7, 7, 3, 24]
    assert sorted(found.rows.hour.tolist()) == [MIDNIGHT, MIDNIGHT + 20 * 24]
    assert {key.key_id: key.name for key in found.keys} == {"key-1": "ci", "key-2": "web"}


async def test_key_bills_when_a_shorter_limit_is_notified_then_halved_and_learnt(world: BillingWorld) -> None:
    """The same halving as for usage bills, with a memory of its own."""
    too_long = refusal(400, "INVALID_PARAM", "the range is too long")
    world.faults[LLM] = deque([too_long])
    async with connect(world) as client:
        await client.read_key_bills("llm", HourRange(MIDNIGHT, MIDNIGHT + 7 * 24))
        await client.read_key_bills("llm", HourRange(MIDNIGHT, MIDNIGHT + 4 * 24))
    spans = [(int(a.query["endTime"]) + 1 - int(a.query["startTime"])) // (24 * HOUR) for a in world.asked]
    assert spans == [7, 3, 3, 1, 3, 1]


NAMES = [
    pytest.param('"apikeyName": "ci", "apikeyMask": "sk"', "ci", id="a name"),
    pytest.param('"apikeyName": "", "apikeyMask": "sk_12"', "sk_12", id="no name: the mask"),
    pytest.param('"apikeyName": null, "apikeyMask": "sk_12"', "sk_12", id="null"),
    pytest.param('"apikeyName": {"x": 1}, "apikeyMask": "sk_12"', "sk_12", id="an object is no name"),
    pytest.param('"apikeyName": 42', "42", id="a number"),
    pytest.param('"apikeyName": "a\\n\\u202eb"', "a b", id="control characters"),
    pytest.param('"apikeyName": "caf\\u00e9 \\ud800"', "café \ufffd", id="what is no Unicode"),
    pytest.param('"apikeyName": true', "", id="a flag"),
    pytest.param('"productName": "x"', "", id="neither"),
]


@pytest.mark.parametrize(
    "start", [str(MIDNIGHT * HOUR), f"{MIDNIGHT * HOUR}.0"], ids=["usual", "a number with a point"]
)
@pytest.mark.parametrize(("names", "label"), NAMES)
async def test_key_name_when_odd_then_the_row_counts_all_the_same(
    names: str, label: str, start: str, world: BillingWorld
) -> None:
    """A name is for people; the money beside it is not lost with it."""
    body = '{"bills": [{"startTime": %s, "ownerID": "key-1", "amountDecimal": "1.5", %s}]}' % (start, names)  # noqa: UP031
    world.broken[LLM] = Fault(body=body.encode())
    async with connect(world) as client:
        found = await client.read_key_bills("llm", DAY)
    assert found.rows.amount.tolist() == [15 * 10**9]
    assert [key.label for key in found.keys] == ([label] if label else [])


@pytest.mark.parametrize(
    ("fault", "kind", "words", "attempts"),
    [
        pytest.param(
            refusal(404, "NOT_FOUND"), ApiRequestRefused, "llm spend by API key for this account", 1, id="404"
        ),
        pytest.param(Fault(status=404, body=b"<h1>gone</h1>"), ApiRequestRefused, "by API key", 1, id="404 in HTML"),
        pytest.param(refusal(400, "INVALID_PRODUCT_CATEGORY"), ApiRequestRefused, "by API key", 1, id="no category"),
        pytest.param(refusal(403, "ACCESS_DENY"), ApiKeyRefused, "ALERTD_NOVITA_API_KEY", 1, id="not allowed"),
        pytest.param(BUSY, ApiUnavailable, "LIST_BILL_ERROR", 3, id="500"),
        pytest.param(HTML, ApiUnavailable, "not the expected shape", 3, id="HTML"),
        pytest.param(refusal(429, "LIST_BILL_TOO_FAST"), ApiThrottled, "too many requests", 5, id="429"),
        pytest.param(Fault(cut_at=5), ApiUnavailable, "bills by API key", 3, id="cut"),
    ],
)
async def test_key_bills_when_refused_then_the_same_words_and_retries_as_for_usage(
    fault: Fault, kind: type[ApiError], words: str, attempts: int, world: BillingWorld
) -> None:
    """What the account does not have is said as such, and never as an empty list."""
    world.broken[LLM] = fault
    async with connect(world) as client:
        with pytest.raises(kind, match=words) as caught:
            await client.read_key_bills("llm", DAY)
    assert world.polls(LLM) == attempts
    assert API_KEY not in str(caught.value)


FULL = {"availableBalance": "841000", "cashBalance": "341000", "creditLimit": "500000", "outstandingInvoices": "0"}


def balance(
    available: str, cash: str | None = None, credit: str | None = None, outstanding: str | None = None
) -> Balance:
    def usd(text: str | None) -> Usd | None:
        return None if text is None else Usd(int(Decimal(text) * 10**10))

    return Balance(
        account="prod",
        available=Usd(int(Decimal(available) * 10**10)),
        cash=usd(cash),
        credit_limit=usd(credit),
        outstanding=usd(outstanding),
        read_at=NOW,
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(FULL, balance("84.1", "34.1", "50", "0"), id="at the top level"),
        pytest.param({"code": 0, "message": "ok", "data": FULL}, balance("84.1", "34.1", "50", "0"), id="under data"),
        pytest.param({**FULL, "data": None}, balance("84.1", "34.1", "50", "0"), id="data is null"),
        pytest.param({**FULL, "data": []}, balance("84.1", "34.1", "50", "0"), id="data is a list of something else"),
        pytest.param({"availableBalance": 841000}, balance("84.1"), id="a number, and nothing else"),
        pytest.param({"availableBalance": "-32000"}, balance("-3.2"), id="below zero"),
        pytest.param(
            {"availableBalance": "840000", "availableBalanceDecimal": "84.1000000001", "cashBalance": None},
            balance("84.1000000001"),
            id="the decimal wins",
        ),
        pytest.param({"availableBalance": "0", "other": {"availableBalance": "7"}}, balance("0"), id="nothing is left"),
    ],
)
async def test_balance_when_shown_then_exact(answer: dict[str, object], expected: Balance, world: BillingWorld) -> None:
    """Strings in 1/10000 USD, decimals where there are any."""
    world.balance = answer
    async with connect(world) as client:
        assert await client.read_balance(NOW) == expected
    assert world.asked[0].query == {}


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        pytest.param(Fault(body=b"{}"), ApiUnavailable, "no availableBalance", id="an empty object"),
        pytest.param(Fault(body=b'{"cashBalance": "5"}'), ApiUnavailable, "no availableBalance", id="cash alone"),
        pytest.param(
            Fault(body=b'{"availableBalance": ""}'), ApiUnavailable, "no availableBalance", id="an empty text"
        ),
        pytest.param(Fault(body=b'{"availableBalance": "much"}'), ApiUnavailable, "is not an amount", id="no amount"),
        pytest.param(
            Fault(body=b'{"availableBalance": true}'), ApiUnavailable, "neither text nor a number", id="a flag"
        ),
        pytest.param(
            Fault(body=json.dumps({**FULL, "reason": "LIST_BILL_ERROR"}).encode()),
            ApiUnavailable,
            "reports an error",
            id="an error dressed as an answer",
        ),
        pytest.param(Fault(body=b'{"availableBalance": "84'), ApiUnavailable, "one complete JSON", id="half a body"),
        pytest.param(refusal(404, "NOT_FOUND"), ApiRequestRefused, "does not offer the balance", id="no endpoint"),
        pytest.param(BUSY, ApiUnavailable, "LIST_BILL_ERROR", id="500"),
    ],
)
async def test_balance_when_not_notified_then_an_error_and_never_zero(
    fault: Fault, kind: type[ApiError], words: str, world: BillingWorld
) -> None:
    """A balance of nothing would wake somebody."""
    world.balance = {}
    world.broken[BALANCE] = fault
    async with connect(world) as client:
        with pytest.raises(kind, match=words):
            await client.read_balance(NOW)


Read = Callable[[NovitaClient], Awaitable[object]]


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda client: client.read_key_bills("llm", DAY), id="key bills"),
        pytest.param(lambda client: client.read_balance(NOW), id="balance"),
    ],
)
async def test_answer_when_it_fails_once_then_read_at_the_second_attempt(read: Read, world: BillingWorld) -> None:
    """One bad answer is no gap."""
    world.balance = FULL
    for name in (LLM, BALANCE):
        world.faults[name] = deque([BUSY])
    async with connect(world) as client:
        await read(client)
    assert [asked.name for asked in world.asked] in ([LLM, LLM], [BALANCE, BALANCE])


@pytest.mark.parametrize("is_newest_first", [False, True])
async def test_key_when_renamed_then_as_the_newest_hour_calls_it(is_newest_first: bool, world: BillingWorld) -> None:
    """Rows come in any order; and a key that was deleted keeps the name that it had."""
    rows = [
        llm(MIDNIGHT, key_name="old"),
        llm(MIDNIGHT + 1, key_name="new"),
        llm(MIDNIGHT, "key-2", key_name="web"),
        llm(MIDNIGHT + 1, "key-2", key_name=""),
    ]
    world.add(*(reversed(rows) if is_newest_first else rows))
    async with connect(world) as client:
        found = await client.read_key_bills("llm", DAY)
    assert {key.key_id: key.label for key in found.keys} == {"key-1": "new", "key-2": "web"}


async def test_simulator_when_read_then_both_lists_hold_the_same_money_of_the_same_keys() -> None:
    """The bundled API tells by key what its usage bills tell, to the last digit; and a balance."""
    made = SCENARIOS["busy-month"](3, START)
    span = HourRange(hour_of(START), hour_of(START) + 9 * 24)
    async with (
        BillingSimulator(made, now=lambda: NOW, api_key=API_KEY) as simulator,
        NovitaClient(
            Transport(account="prod", api_key=API_KEY, base_url=simulator.base_url, now=lambda: NOW, elapsed=elapsed_s)
        ) as client,
    ):
        usage = await client.read_bills("llm", span)
        by_key = await client.read_key_bills("llm", span)
        known = await client.read_balance(NOW)
    inside = (usage.hour >= span.start) & (usage.hour < span.end)
    of_keys = (by_key.rows.hour >= span.start) & (by_key.rows.hour < span.end)
    owned = [bool(usage.names[number].owner) for number in usage.series.tolist()]
    assert int(usage.amount[inside & owned].sum()) == int(by_key.rows.amount[of_keys].sum()) > 0
    assert {key.key_id for key in by_key.keys} == {name.owner for name in by_key.rows.names}
    assert "ci" in {key.name for key in by_key.keys}
    assert known.cash is not None
    assert known.credit_limit is not None
    assert known.available == known.cash + known.credit_limit


def test_name_when_it_changes_within_an_answer_then_that_of_the_newest_hour_counts_in_any_order() -> None:
    """An answer is decoded in parts, and its rows come in no order."""

    def named(hour: int, name: str) -> KeyRow:
        return KeyRow(
            start_time=str(hour * 3600),
            owner_id="k-1",
            amount="1",
            voucher="0",
            pay="1",
            key_name=msgspec.Raw(f'"{name}"'.encode()),
        )

    rows = [named(500_000, "oldest"), named(500_009, "newest"), named(500_004, "between")]
    for order in permutations(rows):
        columns = KeyColumns(account="prod", category="llm")
        for one in order:
            columns.add([one])
        assert [key.name for key in columns.to_bills().keys] == ["newest"]
        whole = KeyColumns(account="prod", category="llm")
        whole.add(order)
        assert [key.name for key in whole.to_bills().keys] == ["newest"]
