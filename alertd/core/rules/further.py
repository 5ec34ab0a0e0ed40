"""Count further spend: the money billed on top of what an earlier evaluation saw, in whichever hours."""

from collections.abc import Callable

from alertd.core.alert import Billed
from alertd.core.dataclass import replace
from alertd.core.hours import HOURS_PER_DAY, HourRange
from alertd.core.money import Usd

COUNTED_HOURS = 25 * HOURS_PER_DAY
"""Maximum age, in hours, of an hour whose late rows still count. Every spend view reaches back 8 days further, so that
no hour leaves it uncounted while alertd runs, or is down for a week."""


def count_spend(
    known: Billed | None, sum_of: Callable[[HourRange], Usd], *, span: HourRange, running: int, digest: str
) -> Billed:
    """
    Return the count of what a group was billed, updated from the bills as they are now.

    Args:
        known: The last count; None to start from zero.
        sum_of: Returns what the group was billed in a range of hours, in 1e-10 USD.
        span: The hours that can be summed.
        running: The hour that has not ended yet.
        digest: The digest of the rule that counts: after an edit the total is kept, and only later spend is added.
    """
    # The running hour counts only once it has ended: in a replay the view already holds all of its rows.
    kept = HourRange(min(max(running - COUNTED_HOURS, span.start), running), running)
    held, more = sum_of(kept), Usd(0)
    if known is not None and known.counted_by == digest:
        if known.since >= span.start:
            is_same = known.since == kept.start
            now = held if is_same else sum_of(HourRange(known.since, max(running, known.since)))
            more = Usd(now - known.held)
        else:
            # The view no longer holds all of the summed hours: only what was billed after them is certainly new.
            more = sum_of(HourRange(min(max(known.through, span.start), running), running))
    begun = known or Billed(total=Usd(0), held=Usd(0))
    return Billed(
        total=Usd(begun.total + more),
        notified=begun.notified,
        held=held,
        since=kept.start,
        through=running,
        counted_by=digest,
    )


def count_fall(known: Billed | None, balance: Usd) -> Billed:
    """Return the count of how far a balance fell in total, updated with the present balance; top-ups reduce it."""
    if known is None:
        return Billed(total=Usd(0), held=balance)
    return replace(known, total=Usd(known.total + known.held - balance), held=balance)
