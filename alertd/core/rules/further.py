"""Count further spend: the money that comes on top of what an earlier evaluation saw, in whichever hours it lies."""

from collections.abc import Callable
from dataclasses import replace

from alertd.core.alert import Billed
from alertd.core.hours import HOURS_PER_DAY, HourRange
from alertd.core.money import Usd

COUNTED_HOURS = 25 * HOURS_PER_DAY
"""How old an hour may be for rows that come late in it to count. Every spend view reaches back 8 days further, so that
no hour leaves it uncounted while alertd runs, or is down for a week."""


def count_spend(
    known: Billed | None, sum_of: Callable[[HourRange], Usd], *, span: HourRange, running: int, digest: str
) -> Billed:
    """
    Return what a group was billed so far, with what the bills hold now.

    Args:
        known: As it was counted last; None begins at nothing.
        sum_of: What the group was billed in some hours, in 1e-10 USD.
        span: The hours that can be summed.
        running: The running hour.
        digest: Of the rule that counts: after an edit the total stays, and what comes from now on is added.
    """
    # The running hour counts when it is over: in a replay the view knows what it is going to hold.
    kept = HourRange(min(max(running - COUNTED_HOURS, span.start), running), running)
    more = Usd(0)
    if known is not None and known.counted_by == digest:
        if known.since >= span.start:
            more = Usd(sum_of(HourRange(known.since, max(running, known.since))) - known.held)
        else:
            # The hours that were summed are not held any more: what was billed after them is new for sure.
            more = sum_of(HourRange(min(max(known.through, span.start), running), running))
    begun = known or Billed(total=Usd(0), held=Usd(0))
    return replace(
        begun,
        total=Usd(begun.total + more),
        held=sum_of(kept),
        since=kept.start,
        through=running,
        counted_by=digest,
    )


def count_fall(known: Billed | None, balance: Usd) -> Billed:
    """Return how far a balance fell in all, with what it is now; what is paid in takes off."""
    if known is None:
        return Billed(total=Usd(0), held=balance)
    return replace(known, total=Usd(known.total + known.held - balance), held=balance)
