"""
Subscriptions: fixed terms that are paid in advance, which the list of usage bills leaves out.

Decides what a term is as money (a charge, whole, in the hour in which it was bought) and which term of a product is the
one that runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from alertd.core.hours import hour_of
from alertd.core.money import Usd
from alertd.core.spend.bill import BillRows, Series

SUBSCRIPTION = "subscription"
"""The category under which subscriptions are filed; the API has no productCategory of that name."""
NEW_PURCHASE = "monthly_new_buy"
"""The kind of a first purchase; the kinds of renewals and of changes are the API's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One fixed term of a product, as the list of subscription bills has it; amounts in 1e-10 USD."""

    account: str
    owner: str
    """Instance or endpoint; may be empty."""
    product: str
    product_id: str
    category: str
    """The productCategory of what was bought, such as `gpu`."""
    kind: str
    """`tradeType` as the API writes it."""
    bought_at: datetime
    """When the charge fell due."""
    starts_at: datetime
    ends_at: datetime | None
    """The first instant after the term; None where the API did not say."""
    amount: Usd
    voucher: Usd
    pay: Usd

    @property
    def is_new(self) -> bool:
        """Whether it is a first purchase, as far as the API's word tells."""
        return self.kind == NEW_PURCHASE

    @property
    def what(self) -> tuple[str, str, str]:
        """Account, owner and product: terms of the same follow one another."""
        return (self.account, self.owner, self.product_id or self.product)

    @property
    def series(self) -> Series:
        """What the charge is for."""
        return Series(
            account=self.account,
            category=SUBSCRIPTION,
            subcategory=self.category,
            owner=self.owner,
            product=self.product,
            product_id=self.product_id,
            billing_method="subscription",
        )


def rows_of(terms: Iterable[Term]) -> BillRows:
    """Return the terms' charges, each whole in the hour in which it fell due."""
    kept = list(terms)
    numbers = {series: number for number, series in enumerate(dict.fromkeys(term.series for term in kept))}
    return BillRows(
        names=tuple(numbers),
        hour=np.array([hour_of(term.bought_at) for term in kept], np.int32),
        span=np.ones(len(kept), np.int32),
        series=np.array([numbers[term.series] for term in kept], np.int32),
        amount=np.array([term.amount for term in kept], np.int64),
        voucher=np.array([term.voucher for term in kept], np.int64),
        pay=np.array([term.pay for term in kept], np.int64),
    )


def latest_terms(terms: Iterable[Term]) -> dict[tuple[str, str, str], Term]:
    """Return for each product of an owner the term that ends last; terms whose end is not known are left out."""
    latest: dict[tuple[str, str, str], tuple[datetime, Term]] = {}
    for term in terms:
        if term.ends_at is not None and (term.what not in latest or term.ends_at > latest[term.what][0]):
            latest[term.what] = (term.ends_at, term)
    return {what: term for what, (_, term) in latest.items()}
