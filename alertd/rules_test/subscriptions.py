"""The subscriptions of a test: an entry and its renewals -> the terms that the API lists."""

from collections.abc import Iterator
from typing import NamedTuple

from alertd.core.hours import start_of
from alertd.core.money import Usd
from alertd.core.spend.bill import NEW_PURCHASE, Term
from alertd.rules_test.model import SubscriptionEntry

_RENEWAL = "monthly_renew"


class Stretch(NamedTuple):
    """One term, in hours from the test's start."""

    bought: int
    start: int
    end: int
    amount: Usd


def stretches(entry: SubscriptionEntry) -> Iterator[Stretch]:
    """Yield the first term and each renewal, from the end of the previous term, or when it is bought if later."""
    first, end = entry.start.hours, entry.until.hours
    length = end - first
    yield Stretch(first, first, end, entry.amount)
    for renewal in entry.renewed:
        start = max(end, renewal.at.hours)
        end = start + length if renewal.until is None else renewal.until.hours
        yield Stretch(renewal.at.hours, start, end, entry.amount if renewal.amount is None else renewal.amount)


def terms_of(entry: SubscriptionEntry, account: str, start_hour: int) -> Iterator[Term]:
    """
    Yield every term of a subscription, whenever it is bought.

    Args:
        start_hour: The hour in which the test starts.
    """
    for number, one in enumerate(stretches(entry)):
        voucher = Usd(int(one.amount * entry.voucher))
        yield Term(
            account=account,
            owner=entry.owner,
            product=entry.product,
            product_id=entry.product_id,
            category=entry.category,
            kind=_RENEWAL if number else NEW_PURCHASE,
            bought_at=start_of(start_hour + one.bought),
            starts_at=start_of(start_hour + one.start),
            ends_at=start_of(start_hour + one.end),
            amount=one.amount,
            voucher=voucher,
            pay=Usd(one.amount - voucher),
        )
