"""
Bills of subscriptions: JSON -> Term.

Decides where the term and the instant of the charge are looked for. Which ranges and categories, is the client's.
Source: https://novita.ai/docs/api-reference/basic-query-fixed-term-billing
"""

from datetime import UTC, datetime, timedelta

from alertd.core.money import Usd
from alertd.core.spend.bill import Term
from alertd.novita.monthly import Fields, fields_of
from alertd.novita.shape import UnexpectedShape, check_envelope, decode_object
from alertd.novita.wire import read_seconds


def decode_terms(body: bytes, *, account: str, category: str) -> tuple[list[Term], bool]:
    """
    Decode the terms of one answer, in the order they came, and say whether it had a list at all.

    Args:
        category: The category that was asked for; a row's own `productCategory` wins.

    Raises:
        UnexpectedShape: The body is cut, reports an error, or a row has no instant or no amount.
    """
    envelope = decode_object(body)
    bills = envelope.pop("bills", None)
    has_list = bills is not None and bytes(bills) != b"null"
    rows = fields_of(bills, "bills") if bills is not None and has_list else []
    terms = [_term(row, account, category) for row in rows]
    check_envelope(envelope, rows_key="bills", has_list=has_list, has_rows=bool(terms))
    return terms, bills is not None


def _term(fields: Fields, account: str, category: str) -> Term:
    amount, voucher, pay = (fields.usd(name) for name in ("amount", "voucherAmount", "payAmount"))
    if pay is None and amount is not None:
        pay = Usd(amount - (voucher or 0))
    if amount is None and pay is not None:
        amount = Usd(pay + (voucher or 0))
    if amount is None or pay is None:
        raise UnexpectedShape(f"{fields.where}: neither amount nor payAmount")
    bought_at, starts_at = _instant(fields, "createTime"), _instant(fields, "startTime")
    when = bought_at or starts_at
    if when is None:
        raise UnexpectedShape(f"{fields.where}: neither createTime nor startTime says when it was bought")
    ends_at = _instant(fields, "endTime")
    return Term(
        account=account,
        owner=fields.text("ownerID"),
        product=fields.text("productName"),
        product_id=fields.text("productId"),
        category=fields.text("productCategory") or category,
        kind=fields.text("tradeType"),
        bought_at=when,
        starts_at=starts_at or when,
        # `…:59:59` is the last second included, as in all lists of bills.
        ends_at=ends_at + timedelta(seconds=1) if ends_at is not None and ends_at.second == 59 else ends_at,
        amount=amount,
        voucher=Usd(amount - pay) if voucher is None else voucher,
        pay=pay,
    )


def _instant(fields: Fields, name: str) -> datetime | None:
    """Return an instant, None where nothing was said; 0 and -1 are how the API says nothing."""
    seconds = read_seconds(fields.scalar(name), f"{fields.where}.{name}")
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and seconds > 0 else None
