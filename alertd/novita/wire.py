"""
Rows of `bill/list`: JSON -> typed rows, hours and names (`amounts` reads the money).

The only place for inclusive ends and odd spellings of times. Does not know where the bytes came from.
Source: https://novita.ai/docs/api-reference/basic-query-usage-based-billing
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import cast

import msgspec

from alertd.core.hours import EPOCH, HOURS_PER_DAY, SECONDS_PER_HOUR
from alertd.novita.shape import Scalar, UnexpectedShape, is_absent, scalar_of, shown, text_of, valid_text

MAX_SPAN_HOURS = 366 * HOURS_PER_DAY
"""Maximum length of a row: no billing cycle is longer than a year, so a longer row has a wrong time."""

MILLISECONDS_FROM = 10**11
"""In seconds this is the year 5138, so larger numbers are milliseconds."""

BILLING_METHODS = {"1": "on-demand", "2": "subscription", "4": "spot"}

_FIELDS = {
    "start_time": "startTime",
    "end_time": "endTime",
    "billing_method": "billingMethod",
    "product_name": "productName",
    "category": "category",
    "owner_id": "ownerID",
    "product_id": "productId",
    "amount": "amount",
    "voucher": "voucherAmount",
    "pay": "payAmount",
    "amount_usd": "amountDecimal",
    "voucher_usd": "voucherAmountDecimal",
    "pay_usd": "payableDecimal",
}
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_NULL = msgspec.Raw(b"null")


class Row(msgspec.Struct, gc=False, rename=_FIELDS):
    """The fields of a row that alertd needs, as received; other fields are ignored."""

    start_time: str | int | None = None
    end_time: str | int | None = None
    billing_method: str | int | None = None
    product_name: str | int | None = None
    category: str | int | None = None
    owner_id: str | int | None = None
    product_id: str | int | None = None
    amount: str | int | None = None
    voucher: str | int | None = None
    pay: str | int | None = None
    amount_usd: str | int | None = None
    voucher_usd: str | int | None = None
    pay_usd: str | int | None = None


class _RawRow(msgspec.Struct, gc=False, rename=_FIELDS):
    """The same fields undecoded, for rows that write numbers with a point, which must not become floats."""

    start_time: msgspec.Raw = _NULL
    end_time: msgspec.Raw = _NULL
    billing_method: msgspec.Raw = _NULL
    product_name: msgspec.Raw = _NULL
    category: msgspec.Raw = _NULL
    owner_id: msgspec.Raw = _NULL
    product_id: msgspec.Raw = _NULL
    amount: msgspec.Raw = _NULL
    voucher: msgspec.Raw = _NULL
    pay: msgspec.Raw = _NULL
    amount_usd: msgspec.Raw = _NULL
    voucher_usd: msgspec.Raw = _NULL
    pay_usd: msgspec.Raw = _NULL


_KEY_FIELDS = {**_FIELDS, "key_name": "apikeyName", "key_mask": "apikeyMask"}


class KeyRow(Row, gc=False, rename=_KEY_FIELDS):
    """A row of the bills by API key; the key's name is left undecoded, so that an odd name does not spoil the row."""

    key_name: msgspec.Raw = _NULL
    key_mask: msgspec.Raw = _NULL


class _RawKeyRow(_RawRow, gc=False, rename=_KEY_FIELDS):
    key_name: msgspec.Raw = _NULL
    key_mask: msgspec.Raw = _NULL


_DECODERS: dict[type[Row], tuple[msgspec.json.Decoder[list[Row]], msgspec.json.Decoder[list[_RawRow]]]] = {
    Row: (msgspec.json.Decoder(list[Row]), msgspec.json.Decoder(list[_RawRow])),
    KeyRow: (msgspec.json.Decoder(list[KeyRow]), msgspec.json.Decoder(list[_RawKeyRow])),
}


def decode_rows(elements: memoryview, *, first: int, kind: type[Row] = Row) -> list[Row]:
    """
    Decode the comma-separated elements of a JSON list, numbers exact.

    Args:
        elements: The text between the brackets, or a part of it that ends with a whole element.
        first: The index of the first element in the whole list, for errors.
        kind: The type of each element.

    Raises:
        msgspec.DecodeError: This is not a sequence of whole objects; RecursionError if it is nested too deeply.
        UnexpectedShape: A field is neither text nor a number.
    """
    listed = b"".join((b"[", elements, b"]"))
    rows, raw_rows = _DECODERS[kind]
    try:
        return rows.decode(listed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Rare and up to four times slower: numbers with a point or an exponent, lone surrogates, bad UTF-8.
        listed_rows = raw_rows.decode(valid_text(listed))
    return [_exact(raw, f"bills[{first + i}]", kind) for i, raw in enumerate(listed_rows)]


def _exact(raw: _RawRow, where: str, kind: type[Row]) -> Row:
    fields: tuple[msgspec.Raw, ...] = msgspec.structs.astuple(raw)
    own, names = fields[: len(_FIELDS)], fields[len(_FIELDS) :]
    values = zip(own, _FIELDS.values(), strict=True)
    return kind(*[scalar_of(value, where, field) for value, field in values], *names)


def hours_of(start_time: Scalar, end_time: Scalar, where: str) -> tuple[int, int]:
    """
    Return the hour in which a row starts and how many hours it touches, at least 1.

    The end is inclusive, but an end on an hour boundary is read as exclusive: otherwise every such row would hold
    one second of the next hour. A missing end, or one before the start, gives the row one hour.

    Raises:
        UnexpectedShape: No readable start, an unreadable end, or more than a year.
    """
    start = read_seconds(start_time, f"{where}.startTime")
    if start is None or start <= 0:
        raise UnexpectedShape(f"{where}.startTime: {shown(start_time)} is not a time to file the row under")
    end = read_seconds(end_time, f"{where}.endTime")
    hour = start // SECONDS_PER_HOUR
    if end is None or end < start:
        return hour, 1
    if end > start and end % SECONDS_PER_HOUR == 0:
        end -= 1
    span = end // SECONDS_PER_HOUR + 1 - hour
    if span > MAX_SPAN_HOURS:
        raise UnexpectedShape(f"{where}.endTime: {shown(end_time)} is more than a year after the start")
    return hour, span


def read_seconds(value: Scalar, where: str) -> int | None:
    """
    Read Unix seconds (or milliseconds) or ISO 8601 (UTC where no zone is given), down to the second.

    Returns:
        Unix seconds; None if absent.

    Raises:
        UnexpectedShape: It is neither.
    """
    if is_absent(value):
        return None
    try:
        seconds = value if isinstance(value, int) else _parse_seconds(cast("str", value).strip())
    except (ValueError, OverflowError):
        raise UnexpectedShape(f"{where}: {shown(value)} is not a time") from None
    if abs(seconds) > MILLISECONDS_FROM:
        seconds //= 1000
    if abs(seconds) > MILLISECONDS_FROM:
        raise UnexpectedShape(f"{where}: {shown(value)} is not a time")
    return seconds


def _parse_seconds(text: str) -> int:
    if _NUMBER.fullmatch(text):
        return int(Decimal(text).to_integral_value(rounding=ROUND_FLOOR))
    at = datetime.fromisoformat(text)
    since_epoch = (at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH
    return since_epoch // timedelta(seconds=1)


def billing_method_of(value: Scalar) -> str:
    """Return the billing method's name, or the API's own value if the number is unknown."""
    text = text_of(value).strip()
    return BILLING_METHODS.get(text.removesuffix(".0"), text)
