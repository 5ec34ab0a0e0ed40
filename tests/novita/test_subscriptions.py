"""Subscriptions over real sockets: what is asked, what a term is, what an account without them costs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alertd.clock import elapsed_s
from alertd.core.hours import HourRange, hour_of
from alertd.core.spend.bill import SUBSCRIPTION, SUBSCRIPTION_CATEGORIES, Term
from alertd.core.spend.subscription import latest_terms, rows_of
from alertd.errors import ApiError, ApiRequestRefused, ApiUnavailable
from alertd.novita.client import NovitaClient
from alertd.novita.shape import UnexpectedShape
from alertd.novita.subscriptions import decode_terms
from alertd.novita.transport import Transport
from tests.core.builders import usd
from tests.e2e.world import API_KEY, HTML, BillingWorld, refusal

BOUGHT = datetime(2026, 3, 5, 8, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 12, 12, 5, tzinfo=UTC)
MARCH = HourRange(hour_of(datetime(2026, 3, 1, tzinfo=UTC)), hour_of(datetime(2026, 4, 1, tzinfo=UTC)))


def written(**parts: object) -> dict[str, Any]:
    """A bill as the vendor's reference writes it: a month of a GPU for $500."""
    plain = {
        "memberId": "m-1",
        "productName": "H100 SXM 80GB",
        "productCategory": "gpu",
        "ownerID": "inst-9",
        "tradeMode": "monthly",
        "tradeType": "monthly_new_buy",
        "amount": "5000000",
        "voucherAmount": "1000000",
        "payAmount": "4000000",
        "createTime": str(int(BOUGHT.timestamp())),
        "cycle": "2026-03",
        "startTime": str(int(BOUGHT.timestamp())),
        "endTime": str(int((BOUGHT + timedelta(days=30)).timestamp()) - 1),
        "productId": "h100",
        "billingMethod": "2",
    }
    return plain | parts


TERM = Term(
    account="prod",
    owner="inst-9",
    product="H100 SXM 80GB",
    product_id="h100",
    category="gpu",
    kind="monthly_new_buy",
    bought_at=BOUGHT,
    starts_at=BOUGHT,
    ends_at=BOUGHT + timedelta(days=30),
    amount=usd("500"),
    voucher=usd("100"),
    pay=usd("400"),
)


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


async def test_terms_when_read_then_every_category_but_the_control_total(world: BillingWorld) -> None:
    """`summary` would count all of it twice."""
    world.terms = [written(), written(ownerID="vol-1", productCategory="local_storage", amount="20000")]
    async with connect(world) as client:
        terms = (await client.read_bills(SUBSCRIPTION, MARCH)).terms
    assert {asked.query["category"] for asked in world.asked} == set(SUBSCRIPTION_CATEGORIES)
    assert {(term.owner, term.category) for term in terms} == {("inst-9", "gpu"), ("vol-1", "local_storage")}
    assert terms[0] == TERM


@pytest.mark.slow
async def test_terms_when_the_range_is_long_then_in_pieces_that_are_accepted(world: BillingWorld) -> None:
    """A year is asked for once, to know which terms run."""
    world.terms, world.longest_days = [written()], 7
    async with connect(world) as client:
        assert len((await client.read_bills(SUBSCRIPTION, HourRange(MARCH.end - 366 * 24, MARCH.end))).terms) == 1


async def test_terms_when_one_category_is_unknown_then_the_others_are_whole(world: BillingWorld) -> None:
    """Another brand may sell no bare metal by the month."""
    world.terms = [written()]
    world.broken["terms:bare_metal"] = refusal(400, "INVALID_PRODUCT_CATEGORY")
    async with connect(world) as client:
        assert (await client.read_bills(SUBSCRIPTION, MARCH)).terms == (TERM,)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(refusal(404, "NOT_FOUND"), ApiRequestRefused, id="no such endpoint"),
        pytest.param(HTML, ApiUnavailable, id="a page for an answer"),
        pytest.param(refusal(500, "LIST_BILL_ERROR"), ApiUnavailable, id="a failure"),
    ],
)
async def test_terms_when_one_category_fails_then_none_are_returned(
    world: BillingWorld, fault: Any, kind: type[ApiError]
) -> None:
    """All or nothing: a part would look like the whole."""
    world.terms = [written()]
    world.broken["terms:image"] = fault
    async with connect(world) as client:
        with pytest.raises(kind):
            await client.read_bills(SUBSCRIPTION, MARCH)


TERM_FIELDS = ("amount", "voucher", "pay", "kind", "category", "ends_at", "bought_at")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param({}, {}, id="as documented"),
        pytest.param({"amountDecimal": "500.0000000001"}, {"amount": usd("500.0000000001")}, id="exact"),
        pytest.param({"amount": None}, {}, id="the sum of voucher and cash"),
        pytest.param({"payAmount": ""}, {}, id="cash is what the voucher left"),
        pytest.param({"voucherAmount": None}, {}, id="the voucher is what cash left"),
        pytest.param({"createTime": "0"}, {}, id="no instant of the charge: the term's beginning"),
        pytest.param({"createTime": BOUGHT.isoformat()}, {}, id="ISO 8601"),
        pytest.param({"createTime": int(BOUGHT.timestamp()) * 1000}, {}, id="milliseconds"),
        pytest.param({"endTime": "-1"}, {"ends_at": None}, id="no end"),
        pytest.param({"productCategory": ""}, {"category": "image"}, id="no category: the one asked for"),
        pytest.param({"tradeType": "monthly_renew"}, {"kind": "monthly_renew"}, id="another kind"),
    ],
)  # fmt: skip
def test_term_when_written_otherwise_then_what_it_says(parts: dict[str, object], expected: dict[str, object]) -> None:
    """Every reading that the reference leaves open is accepted."""
    ((term,), _) = decode_terms(json.dumps({"bills": [written(**parts)]}).encode(), account="prod", category="image")
    fields = {name: getattr(TERM, name) for name in TERM_FIELDS} | expected
    assert {name: getattr(term, name) for name in fields} == fields


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"bills": [written(amount=None, payAmount=None)]}, id="no amount"),
        pytest.param({"bills": [written(createTime="", startTime="")]}, id="no instant"),
        pytest.param({"bills": [written(createTime="soon")]}, id="no time"),
        pytest.param({"bills": {}}, id="no list"),
        pytest.param({"code": 500, "message": "no"}, id="an error dressed as an answer"),
        pytest.param([], id="no object"),
    ],
)
def test_answer_when_of_another_shape_then_refused(body: object) -> None:
    """Money is never guessed."""
    with pytest.raises(UnexpectedShape):
        decode_terms(json.dumps(body).encode(), account="prod", category="gpu")


def test_rows_when_made_of_terms_then_whole_in_the_hour_of_the_charge() -> None:
    """A month's price is spent when it is paid, not day by day."""
    rows = rows_of([TERM, TERM])
    assert (rows.hour.tolist(), rows.span.tolist()) == ([hour_of(BOUGHT)] * 2, [1, 1])
    assert (rows.amount.tolist(), rows.pay.tolist()) == ([usd("500")] * 2, [usd("400")] * 2)
    (series,) = rows.names
    assert (series.category, series.subcategory, series.billing_method) == ("subscription", "gpu", "subscription")


def test_latest_terms_when_a_product_was_renewed_then_the_one_that_ends_last() -> None:
    """The old term's end ends nothing."""
    renewed, _ = decode_terms(
        json.dumps({"bills": [written(endTime=int((BOUGHT + timedelta(days=60)).timestamp())), written()]}).encode(),
        account="prod",
        category="gpu",
    )
    assert [term.ends_at for term in latest_terms(renewed).values()] == [BOUGHT + timedelta(days=60)]
