"""
What an account pays by the month: fixed terms that are bought and renewed, until a renewal is missed.

PURE, like the world. Decides which terms there are at an instant; how they are written is `wire`'s.
Source: "Query Fixed-Term Billing", https://novita.ai/docs/api-reference/basic-query-fixed-term-billing
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from alertd.simulator.meters import UNITS_PER_USD

SUBSCRIPTION_CATEGORIES = ("gpu", "serverless", "cloud_storage", "local_storage", "image", "bare_metal")
"""Every category of the list except `summary`, which is their control total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """
    A product paid for by the month, on the day and at the hour of its first purchase.

    Attributes:
        bought_at: On a day from 1 to 28.
        renewals: Number of renewals.
    """

    owner_id: str
    product_name: str
    category: str
    usd_per_month: Decimal
    bought_at: datetime
    renewals: int = 1000
    voucher_percent: int = 0

    @property
    def amount(self) -> int:
        """The price of a month, in 1e-10 USD."""
        return int(self.usd_per_month * UNITS_PER_USD)

    @property
    def voucher(self) -> int:
        """The part of the price that vouchers pay, in 1e-10 USD."""
        return self.amount * self.voucher_percent // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidTerm:
    """One month of a subscription, paid when it begins."""

    of: Subscription
    starts_at: datetime
    ends_at: datetime
    is_renewal: bool


def terms_between(subscriptions: tuple[Subscription, ...], start: datetime, end: datetime) -> Iterator[PaidTerm]:
    """Yield the terms that are paid in [start, end)."""
    for subscription in subscriptions:
        begin = subscription.bought_at
        for number in range(subscription.renewals + 1):
            if begin >= end:
                break
            following = _month_after(begin)
            if begin >= start:
                yield PaidTerm(of=subscription, starts_at=begin, ends_at=following, is_renewal=number > 0)
            begin = following


def _month_after(at: datetime) -> datetime:
    return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
