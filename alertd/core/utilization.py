"""
How busy instances are: of each five minutes the highest utilisation that was sampled, the mean over the GPUs.

Shares are whole millionths. The highest of a slot decides, so that thinning never makes anything idle that worked.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass
from alertd.core.hours import EPOCH

SLOT = timedelta(minutes=5)
WHOLE = 1_000_000
"""A share of one."""
LONGEST_GAP = timedelta(minutes=30)
"""Samples further apart say nothing of what lies between them."""
KEPT = timedelta(days=14)
"""Older samples are dropped: idling is counted for so long at most."""

Sample = tuple[int, int]
"""(Unix seconds, share in millionths)."""
Slots = Mapping[int, int]
"""Number of the slot since 1970 to the highest share in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """The stretch up to the newest sample in which nothing was above a share."""

    since: datetime
    until: datetime
    highest: int
    """The highest share in it."""


def slot_of(seconds: int) -> int:
    """Return the slot in which an instant lies, Unix seconds."""
    return seconds // int(SLOT.total_seconds())


def start_of_slot(slot: int) -> datetime:
    """Return when a slot begins."""
    return EPOCH + slot * SLOT


def with_samples(known: Slots, samples: Iterable[Sample], now: datetime) -> dict[int, int]:
    """Return what is known with further samples, without what is older than is kept."""
    first = slot_of(int((now - KEPT - EPOCH).total_seconds()))
    found = {slot: share for slot, share in known.items() if slot >= first}
    for seconds, share in samples:
        slot = slot_of(seconds)
        if slot >= first:
            found[slot] = max(share, found.get(slot, 0))
    return found


def newest_of(slots: Slots, now: datetime) -> int | None:
    """Return the newest share that was sampled, None where that is too long ago to say anything of now."""
    newest = max(slots, default=None)
    return None if newest is None or now - start_of_slot(newest) > LONGEST_GAP + SLOT else slots[newest]


def idle_stretch(slots: Slots, below: int, now: datetime, *, started_at: datetime | None = None) -> Idle | None:
    """
    Return for how long no sample was above a share; None where the newest one is, or none is new enough.

    Args:
        below: In millionths; a share at it is idle.
        started_at: What was sampled before the instance last started is of another life.
    """
    if newest_of(slots, now) is None:
        return None
    newest = since = max(slots)
    highest = 0
    if slots[newest] > below:
        return None
    for slot in sorted(slots, reverse=True):
        is_of_this_life = started_at is None or start_of_slot(slot + 1) > started_at
        if slots[slot] > below or (since - slot) * SLOT > LONGEST_GAP or not is_of_this_life:
            break
        since, highest = slot, max(highest, slots[slot])
    return Idle(since=start_of_slot(since), until=min(start_of_slot(newest + 1), now), highest=highest)


def is_cut(slots: Slots, idle: Idle, *, started_at: datetime | None = None) -> bool:
    """Return whether a stretch begins at a gap in the samples, or at the first of them, and may be longer."""
    if started_at is not None and idle.since - started_at <= LONGEST_GAP:
        # It did nothing since it started.
        return False
    before = max((slot for slot in slots if start_of_slot(slot) < idle.since), default=None)
    return before is None or idle.since - start_of_slot(before) > LONGEST_GAP
