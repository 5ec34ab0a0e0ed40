"""Monthly bills: every field in both units, what may be missing, and what may not be guessed."""

import json
from typing import Any

import pytest

from alertd.core.spend.bill import MonthlyBill
from alertd.novita.monthly import decode_monthly_bills
from alertd.novita.shape import UnexpectedShape

USD = 10**10
LONG_LINK = "https://example.com/" + "i" * (2000 - 20)
BILL: dict[str, Any] = {
    "billId": "b-12",
    "userId": "u",
    "billingMonth": "2025-12",
    "totalAmount": "1000000",
    "originTotalAmount": "1200000",
    "voucherPayAmount": "200000",
    "cashPayAmount": "700000",
    "debtAmount": "100000",
    "repaidAmount": "50000",
    "status": "overdue",
    "invoiceUrl": "https://example.com/i.pdf",
    "startTime": "1764547200",
    "endTime": "1700000000",
}


def decode(*bills: dict[str, Any]) -> list[MonthlyBill]:
    return decode_monthly_bills(json.dumps({"data": bills}).encode(), account="prod")


def test_monthly_bill_when_as_documented_then_every_field_is_read() -> None:
    """The running month's end may lie before its start, so only the month is believed."""
    (bill,) = decode(BILL)
    assert bill == MonthlyBill(
        account="prod",
        bill_id="b-12",
        month="2025-12",
        status="overdue",
        total=100 * USD,  # type: ignore[arg-type]
        origin_total=120 * USD,  # type: ignore[arg-type]
        voucher_paid=20 * USD,  # type: ignore[arg-type]
        cash_paid=70 * USD,  # type: ignore[arg-type]
        debt=10 * USD,  # type: ignore[arg-type]
        repaid=5 * USD,  # type: ignore[arg-type]
        invoice_url="https://example.com/i.pdf",
    )
    assert bill.owed == 5 * USD


@pytest.mark.parametrize(
    ("field", "attribute"),
    [
        ("totalAmount", "total"),
        ("originTotalAmount", "origin_total"),
        ("voucherPayAmount", "voucher_paid"),
        ("cashPayAmount", "cash_paid"),
        ("debtAmount", "debt"),
        ("repaidAmount", "repaid"),
    ],
)
def test_monthly_amount_when_decimal_twin_then_it_wins(field: str, attribute: str) -> None:
    """The integers drop fractions; a JSON number keeps its digits."""
    (bill,) = decode_monthly_bills(
        json.dumps({"data": [BILL]}).replace("}]", f', "{field}Decimal": 900000000.1234567891}}]').encode(),
        account="prod",
    )
    assert getattr(bill, attribute) == 9000000001234567891


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"status": "OVERDUE"}, {"status": "overdue"}, id="known status in capitals"),
        pytest.param({"status": "Frozen"}, {"status": "Frozen"}, id="unknown status is kept"),
        pytest.param({"status": None}, {"status": ""}, id="no status"),
        pytest.param({"billId": ""}, {"bill_id": "month-2025-12"}, id="no id"),
        pytest.param({"billId": 0}, {"bill_id": "month-2025-12"}, id="zero for no id"),
        pytest.param({"billId": 77}, {"bill_id": "77"}, id="id as number"),
        pytest.param({"billingMonth": None}, {"month": "2025-12"}, id="month from the start"),
        pytest.param({"billingMonth": "2025-11-01"}, {"month": "2025-11"}, id="month with a day"),
        pytest.param({"invoiceUrl": LONG_LINK}, {"invoice_url": LONG_LINK}, id="link as long as is shown"),
        pytest.param({"invoiceUrl": f"{LONG_LINK}x"}, {"invoice_url": ""}, id="link a letter longer"),
        pytest.param({"invoiceUrl": "javascript:alert(1)"}, {"invoice_url": ""}, id="link that runs"),
        pytest.param({"invoiceUrl": "https://a/\nb"}, {"invoice_url": ""}, id="link with a line break"),
        pytest.param({"invoiceUrl": "https://novita.ai@evil.example/i"}, {"invoice_url": ""}, id="link with a login"),
        pytest.param({"invoiceUrl": "https://novita.ai:x@evil.example"}, {"invoice_url": ""}, id="and a password"),
        pytest.param({"invoiceUrl": "https://evil.example\\@novita.ai"}, {"invoice_url": ""}, id="a backslash"),
        pytest.param({"invoiceUrl": "https://novita.ai\uff20evil.example/"}, {"invoice_url": ""}, id="a wide @"),
        pytest.param({"invoiceUrl": "https://novita.ai\u2215evil.example/"}, {"invoice_url": ""}, id="and for a slash"),
        pytest.param({"invoiceUrl": "https://a/\u202efdp.x"}, {"invoice_url": ""}, id="link that is turned around"),
        pytest.param({"invoiceUrl": "https://a/x?to=b@c"}, {"invoice_url": "https://a/x?to=b@c"}, id="an @ behind it"),
        pytest.param({"invoiceUrl": "HTTP://a/b"}, {"invoice_url": "HTTP://a/b"}, id="link in capitals"),
        pytest.param({"debtAmount": None, "repaidAmount": ""}, {"debt": 0, "repaid": 0}, id="nothing owed"),
        pytest.param({"totalAmount": None}, {"total": 0, "debt": 10 * USD}, id="debt without a total"),
        pytest.param({"originTotalAmount": ""}, {"origin_total": 100 * USD}, id="no discount told"),
        pytest.param({"extra": [{"x": 1}]}, {"total": 100 * USD}, id="unknown field"),
    ],
)
def test_monthly_bill_when_odd_then_is_read_as_far_as_it_is_certain(
    fields: dict[str, Any], expected: dict[str, object]
) -> None:
    """A bill that is overdue must be seen, however poorly it is described."""
    (bill,) = decode(BILL | fields)
    assert {name: getattr(bill, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("bills", "text"),
    [
        pytest.param(
            [BILL | {"billingMonth": "December"}], r'data\[0\].billingMonth: "December"', id="month is a word"
        ),
        pytest.param([BILL | {"billingMonth": "2025-13"}], "billingMonth", id="month 13"),
        pytest.param(
            [BILL | {"billingMonth": "", "startTime": ""}], "neither billingMonth nor startTime", id="no month"
        ),
        pytest.param([BILL | {"debtAmount": "much"}], r'data\[0\].debtAmount: "much" is not an amount', id="garbage"),
        pytest.param(
            [BILL, BILL | {"debtAmountDecimal": "NaN", "billId": "x"}], r"data\[1\].debtAmountDecimal", id="NaN"
        ),
        pytest.param(
            [BILL | {"totalAmount": None, "debtAmount": ""}], "neither totalAmount nor debtAmount", id="no amount"
        ),
        pytest.param(
            [BILL, BILL | {"billingMonth": "2025-11"}], r"data\[1\]: a second, different bill", id="one id, two bills"
        ),
        pytest.param([1], "not a list of bills", id="a number for a bill"),
    ],
)
def test_monthly_bills_when_one_cannot_be_read_then_the_page_is_refused(bills: list[Any], text: str) -> None:
    """A bill left out silently is a debt that nobody is notified of."""
    with pytest.raises(UnexpectedShape, match=text):
        decode(*bills)


@pytest.mark.parametrize(
    "body", ['{"data":[]}', '{"data":null}', "{}", '{"code":0,"message":"ok"}', '{"data":[],"items":[1]}']
)
def test_page_when_nothing_is_there_then_is_empty(body: str) -> None:
    """The end of the pages is spelled in many ways."""
    assert decode_monthly_bills(body.encode(), account="prod") == []


@pytest.mark.parametrize(
    "body",
    [
        '{"data":{"list":[]}}',
        '{"bills":[{"a":1}]}',
        '{"code":500,"data":[]}',
        '{"reason":"X"}',
        '{"data":[]',
        "[]",
        "",
        "<html>",
    ],
)
def test_page_when_not_the_expected_shape_then_is_refused(body: str) -> None:
    """An error taken for an empty page would end the reading with nothing owed."""
    with pytest.raises(UnexpectedShape):
        decode_monthly_bills(body.encode(), account="prod")
