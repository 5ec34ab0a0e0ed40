"""
Rows, monthly bills and the balance as JSON: the documented fields, those that are only seen, and every odd spelling.

Decides how things are written, never what they are.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice

import msgspec

from alertd.simulator.monthly import MonthlyBill, next_month
from alertd.simulator.noise import draw
from alertd.simulator.queries import BillQuery
from alertd.simulator.rows import Row, Version, whole
from alertd.simulator.subscriptions import PaidTerm
from alertd.simulator.world import SeenRow, World

ROWS_PER_CHUNK = 2000
"""About 1.5 MB of JSON: a long answer is written piece by piece."""

EMPTY_ANSWERS = (b'{"bills":[]}', b'{"bills":null}', b"{}")
"""How "nothing" has been or might be spelled."""

# Shares of rows, of 10,000, up to which each spelling reaches; the rest is as documented.
_NUMBERS, _TIMES_AS_NUMBERS, _TIMES_AS_ISO, _UNKNOWN_FIELDS = 700, 1100, 1300, 1600


def encode_bills(rows: Iterable[SeenRow], query: BillQuery, world: World) -> Iterator[bytes]:
    """Yield the body of `bill/list` in pieces."""
    encoded = (encode_row(row, version, world.user_id) for row, version in rows)
    prefix = b'{"bills":['
    while piece := list(islice(encoded, ROWS_PER_CHUNK)):
        yield prefix + b",".join(piece)
        prefix = b","
    if prefix == b",":
        yield b"]}"
    else:
        yield EMPTY_ANSWERS[draw("empty", query.category, query.start_s)[0] % len(EMPTY_ANSWERS)]


def encode_key_bills(rows: Iterable[SeenRow], world: World) -> bytes:
    """Return the body of `apikey/bill/list`: the same rows with the name and the mask of their key."""
    bills = []
    for row, version in rows:
        key_id = row.meter.owner_id
        names = {"apikeyName": row.meter.owner_name, "apikeyMask": f"sk_{key_id[-4:]}****"}
        bills.append(row_fields(row, version, world.user_id) | names)
    return msgspec.json.encode({"bills": bills})


@lru_cache(maxsize=60_000)
def encode_row(row: Row, version: Version, user_id: str) -> bytes:
    """Return one row as JSON; remembered, because most rows are asked for many times."""
    return msgspec.json.encode(row_fields(row, version, user_id))


def row_fields(row: Row, version: Version, user_id: str) -> dict[str, object]:
    """Return the fields of a row in its own spelling."""
    meter, cash = row.meter, version.amount - version.voucher
    fields: dict[str, object] = {
        "userId": user_id,
        "startTime": str(row.start_s),
        "endTime": str(row.end_s - 1),
        "billingMethod": row.billing_method,
        "productName": meter.product_name,
        "category": meter.subcategory,
        "ownerID": meter.owner_id,
        # What these count differs by product and is not documented: nobody should add them up.
        "billNum0": str(row.spelling),
        "billNum1": "0",
        "basePrice0": "0" if meter.category == "llm" else str(row.spelling * 7),
        "basePrice1": "-1",
        "discountPrice0": "",
        "discountPrice1": "0",
        "amount": str(whole(version.amount)),
        "voucherAmount": str(whole(version.voucher)),
        "payAmount": str(whole(cash)),
        "payAmountDisplay": 1,
        "pricePrecision": 1,
        "productId": f"product-{meter.subcategory.lower()}",
    }
    if meter.has_decimals:
        fields["amountDecimal"] = _decimal(version.amount)
        fields["voucherAmountDecimal"] = _decimal(version.voucher)
        fields["payableDecimal"] = _decimal(cash)
        fields["originAmountDecimal"] = _decimal(version.amount * 5 // 4)
        fields["requestCount"] = str(row.spelling // 3)
    if row.spelling < _UNKNOWN_FIELDS:
        _respell(fields, row, version)
    return fields


def _respell(fields: dict[str, object], row: Row, version: Version) -> None:
    if row.spelling < _NUMBERS:
        fields["amount"] = whole(version.amount)
        fields["voucherAmount"] = whole(version.voucher)
        fields["payAmount"] = whole(version.amount - version.voucher)
        fields["billingMethod"] = str(row.billing_method)
    elif row.spelling < _TIMES_AS_NUMBERS:
        fields["startTime"], fields["endTime"] = row.start_s, row.end_s - 1
    elif row.spelling < _TIMES_AS_ISO:
        fields["startTime"], fields["endTime"] = _iso(row.start_s), _iso(row.end_s - 1)
    else:
        fields["regionId"] = "us-dallas-nas-2"
        fields["labels"] = {"team": None, "ids": [1, 2.5, "3"]}


def _decimal(units: int) -> str:
    sign, units = ("-", -units) if units < 0 else ("", units)
    return f"{sign}{units // 10**10}.{units % 10**10:010d}"


def _iso(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode_monthly(bills: Iterable[MonthlyBill], world: World) -> bytes:
    """Return the body of `monthly/bill`."""
    return msgspec.json.encode({"data": [_monthly_fields(bill, world) for bill in bills]})


def _monthly_fields(bill: MonthlyBill, world: World) -> dict[str, object]:
    month = f"{bill.month:%Y-%m}"
    start_s = int(bill.month.timestamp())
    amounts = {
        "totalAmount": bill.total.amount,
        "originTotalAmount": bill.total.amount * 5 // 4,
        "voucherPayAmount": bill.total.voucher,
        "cashPayAmount": bill.cash,
        "debtAmount": bill.debt,
        "repaidAmount": bill.repaid,
    }
    fields: dict[str, object] = {
        "billId": f"bill-{world.user_id}-{month}",
        "userId": world.user_id,
        "billingMonth": month,
        **{name: str(whole(units)) for name, units in amounts.items()},
        "status": bill.status.value,
        "invoiceUrl": "" if bill.is_running else f"https://invoices.invalid/{world.user_id}/{month}.pdf",
        "startTime": str(start_s),
        # The running month has been seen to end before it starts.
        "endTime": str(start_s - 1 if bill.is_running else int(next_month(bill.month).timestamp()) - 1),
    }
    if bill.month.month % 2:
        fields |= {f"{name}Decimal": _decimal(units) for name, units in amounts.items()}
    return fields


def encode_terms(terms: Iterable[PaidTerm], world: World) -> bytes:
    """Return the body of `bill/monthly/list`."""
    return msgspec.json.encode({"bills": [_term_fields(term, world) for term in terms]})


def _term_fields(term: PaidTerm, world: World) -> dict[str, object]:
    of = term.of
    starts_s, ends_s = int(term.starts_at.timestamp()), int(term.ends_at.timestamp())
    return {
        "memberId": world.user_id,
        "productName": of.product_name,
        "productCategory": of.category,
        "ownerID": of.owner_id,
        "tradeMode": "monthly",
        "tradeType": "monthly_renew" if term.is_renewal else "monthly_new_buy",
        "basePrice": str(whole(of.amount)),
        "billNum": "1",
        "amount": str(whole(of.amount)),
        "voucherAmount": str(whole(of.voucher)),
        "payAmount": str(whole(of.amount - of.voucher)),
        "createTime": str(starts_s),
        "cycle": f"{term.starts_at:%Y-%m}",
        "startTime": str(starts_s),
        "endTime": str(ends_s - 1),
        "productId": f"product-{of.category}-monthly",
        "billingMethod": 2,
    }


def encode_balance(*, cash: int, credit: int, outstanding: int) -> bytes:
    """Return the body of `balance/detail`; amounts in 1e-10 USD."""
    amounts = {
        "availableBalance": cash + credit,
        "cashBalance": cash,
        "creditLimit": credit,
        "outstandingInvoices": outstanding,
    }
    return msgspec.json.encode({name: str(whole(units)) for name, units in amounts.items()})
