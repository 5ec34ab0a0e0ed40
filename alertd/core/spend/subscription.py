"""
Subscriptions: fixed terms that are paid in advance, which the list of usage bills leaves out.

Decides how a term counts as spend (one charge in the hour in which it was bought) and which term of a product is the
current one.
"""

from collections.abc import Iterable
from datetime import datetime

from alertd.core.arrays import np
from alertd.core.hours import hour_of
from alertd.core.spend.bill import BillRows, Term


def rows_of(terms: Iterable[Term], *, is_listed: bool = True) -> BillRows:
    """Return the terms' charges, each in full in the hour in which it fell due; *is_listed* as in `BillRows`."""
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
        terms=tuple(kept),
        is_listed=is_listed,
    )


def latest_terms(terms: Iterable[Term]) -> dict[tuple[str, str, str], Term]:
    """Return for each product of an owner the term that ends last; terms whose end is not known are left out."""
    latest: dict[tuple[str, str, str], tuple[datetime, Term]] = {}
    for term in terms:
        if term.ends_at is not None and (term.what not in latest or term.ends_at > latest[term.what][0]):
            latest[term.what] = (term.ends_at, term)
    return {what: term for what, (_, term) in latest.items()}


def renewals(terms: Iterable[Term], start: datetime, end: datetime) -> list[Term]:
    """Return the current terms that end in [start, end) and were not renewed: each falls due again at its end."""
    latest = latest_terms(terms).values()
    return [term for term in latest if term.ends_at is not None and start <= term.ends_at < end]
