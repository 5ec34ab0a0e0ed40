"""
Monthly bills: JSON -> MonthlyBill.

Decides what identifies a bill and what may be missing. Decodes single pages; the client decides which.
Source: https://novita.ai/docs/api-reference/basic-query-monthly-bill
"""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from alertd.core.http_url import has_login, is_link, split_http_url
from alertd.core.money import Usd
from alertd.core.printable import shorten
from alertd.core.spend.bill import BillStatus, MonthlyBill
from alertd.novita.amounts import INTEGERS_PER_USD, read_usd
from alertd.novita.shape import (
    Scalar,
    UnexpectedShape,
    check_envelope,
    decode_object,
    is_absent,
    scalar_of,
    shown,
    text_of,
)
from alertd.novita.wire import read_seconds

MAX_INVOICE_URL_CHARACTERS: Final = 2000
"""Maximum length of a link: longer ones break in mail and chat, and browsers and proxies stop near this."""

_MONTH = re.compile(r"(2[0-9]{3})-(0[1-9]|1[0-2])(?:-.*)?", re.ASCII)
# A login before the host (https://novita.ai@elsewhere.example) shows one host and leads to another, and browsers take
# a backslash for a slash, and other signs for ASCII's after they have normalised the host.


def decode_monthly_bills(body: bytes, *, account: str, is_first: bool = False) -> list[MonthlyBill]:
    """
    Decode one page of monthly bills, in the order received.

    A `data` that is null or missing is an empty page, if nothing else could hold bills.

    Args:
        is_first: The service fills in months up to the current one, so a first page always has a list.

    Raises:
        UnexpectedShape: The body is cut, reports an error, or a bill has no month or no amount.
    """
    envelope = decode_object(body)
    data = envelope.pop("data", None)
    has_list = data is not None and bytes(data) != b"null"
    bills: list[MonthlyBill] = []
    if data is not None and has_list:
        bills = [_bill(fields, account) for fields in fields_of(data, "data")]
    check_envelope(envelope, rows_key="data", has_list=has_list, has_rows=bool(bills))
    if is_first and data is None:
        raise UnexpectedShape("no list of bills")
    _refuse_twins(bills)
    return bills


class Fields:
    """The fields of one bill or balance, each validated when read; fields that are not read may be anything."""

    def __init__(self, fields: dict[str, msgspec.Raw], where: str) -> None:
        self._fields = fields
        self.where = where

    def scalar(self, name: str) -> Scalar:
        """Return a field as received."""
        raw = self._fields.get(name)
        return None if raw is None else scalar_of(raw, self.where, name)

    def text(self, name: str) -> str:
        """Return a field as text; empty if absent."""
        return text_of(self.scalar(name)).strip()

    def usd(self, name: str) -> Usd | None:
        """Read `nameDecimal` in USD, else `name` in 1/10000 USD."""
        exact, _ = read_usd(self.scalar(f"{name}Decimal"), f"{self.where}.{name}Decimal")
        if exact is not None:
            return exact
        return read_usd(self.scalar(name), f"{self.where}.{name}", per_usd=INTEGERS_PER_USD)[0]


def fields_of(bills: msgspec.Raw, key: str) -> list[Fields]:
    """
    Return the fields of each bill in a list.

    Raises:
        UnexpectedShape: It is no list of objects.
    """
    try:
        found = msgspec.json.decode(bills, type=list[dict[str, msgspec.Raw]])
    except (msgspec.DecodeError, RecursionError):
        problem = f"{key}: {shorten(bytes(bills).decode(), 40)} is not a list of bills"
    else:
        return [Fields(fields, f"{key}[{index}]") for index, fields in enumerate(found)]
    # Outside of the handler: what was caught quotes the answer.
    raise UnexpectedShape(problem)


def _bill(fields: Fields, account: str) -> MonthlyBill:
    total, debt = fields.usd("totalAmount"), fields.usd("debtAmount")
    if total is None and debt is None:
        raise UnexpectedShape(f"{fields.where}: neither totalAmount nor debtAmount")
    total = total or Usd(0)
    origin_total = fields.usd("originTotalAmount")
    month = _month(fields)
    bill_id = fields.text("billId")
    return MonthlyBill(
        account=account,
        # The service's language writes "0" for a missing number.
        bill_id=f"month-{month}" if bill_id in {"", "0"} else bill_id,
        month=month,
        status=_status(fields.text("status")),
        total=total,
        origin_total=total if origin_total is None else origin_total,
        voucher_paid=fields.usd("voucherPayAmount") or Usd(0),
        cash_paid=fields.usd("cashPayAmount") or Usd(0),
        debt=debt or Usd(0),
        repaid=fields.usd("repaidAmount") or Usd(0),
        invoice_url=_link(fields.text("invoiceUrl")),
    )


def _month(fields: Fields) -> str:
    written = fields.scalar("billingMonth")
    if not is_absent(written):
        if match := _MONTH.fullmatch(text_of(written).strip()):
            return f"{match[1]}-{match[2]}"
        raise UnexpectedShape(f"{fields.where}.billingMonth: {shown(written)} is not a month like 2025-12")
    start = read_seconds(fields.scalar("startTime"), f"{fields.where}.startTime")
    if start is None or start <= 0:
        raise UnexpectedShape(f"{fields.where}: neither billingMonth nor startTime gives the month")
    return f"{datetime.fromtimestamp(start, UTC):%Y-%m}"


def _status(text: str) -> str:
    """Return a known status in its usual spelling, any other unchanged."""
    return text.lower() if text.lower() in set(BillStatus) else text


def _link(text: str) -> str:
    """Return a link if it may be shown as one; a login in it would make another host look like the API's."""
    parts = split_http_url(text) if len(text) <= MAX_INVOICE_URL_CHARACTERS and is_link(text) else None
    return text if parts is not None and not has_login(parts) else ""


def _refuse_twins(bills: list[MonthlyBill]) -> None:
    """Refuse different bills with the same id on one page: keeping either would hide the other's debt."""
    seen: dict[str, MonthlyBill] = {}
    for index, bill in enumerate(bills):
        if seen.setdefault(bill.bill_id, bill) != bill:
            raise UnexpectedShape(f"data[{index}]: a second, different bill with the id {shorten(bill.bill_id)!r}")
