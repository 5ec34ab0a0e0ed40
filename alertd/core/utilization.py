"""
How busy instances are: the highest sampled utilisation, a mean over the GPUs, in each slot of five minutes.

Shares are integers in millionths. A slot keeps its highest sample, so that an instance that worked never appears idle.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass
from alertd.core.hours import EPOCH

SLOT = timedelta(minutes=5)
WHOLE = 1_000_000
"""100 % as a share in millionths."""
LONGEST_GAP = timedelta(minutes=30)
"""Longest gap between samples; utilisation within a longer one is unknown."""
KEPT = timedelta(days=14)
"""How long samples are kept, which is also the longest idle time that can be found."""

Sample = tuple[int, int]
"""(Unix seconds, share in millionths)."""
Slots = Mapping[int, int]
"""The highest share in each slot, by the slot's number since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """The time up to the newest sample in which no sample was above a given share."""

    since: datetime
    until: datetime
    highest: int
    """The highest share in that time."""


def slot_of(seconds: int) -> int:
    """Return the slot that contains an instant, given in Unix seconds."""
    return seconds // int(SLOT.total_seconds())


def start_of_slot(slot: int) -> datetime:
    """Return when a slot begins."""
    return EPOCH + slot * SLOT


def with_samples(known: Slots, samples: Iterable[Sample], now: datetime) -> dict[int, int]:
    """Return the known slots with further samples added, without slots older than `KEPT`."""
    first = slot_of(int((now - KEPT - EPOCH).total_seconds()))
    found = {slot: share for slot, share in known.items() if slot >= first}
    for seconds, share in samples:
        slot = slot_of(seconds)
        if slot >= first:
            found[slot] = max(share, found.get(slot, 0))
    return found


def newest_of(slots: Slots, now: datetime) -> int | None:
    """Return the share of the newest slot; None if that is too old to describe the present."""
    newest = max(slots, default=None)
    return None if newest is None or now - start_of_slot(newest) > LONGEST_GAP + SLOT else slots[newest]


def idle_stretch(slots: Slots, below: int, now: datetime, *, started_at: datetime | None = None) -> Idle | None:
    """
    Return since when no sample was above a share; None if the newest one is above it or too old.

    Args:
        below: The share in millionths; equal shares are idle too.
        started_at: When the instance last started; samples before that are ignored.
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
    """Return whether an idle time begins at the first sample or after a gap, so that it may have begun earlier."""
    if started_at is not None and idle.since - started_at <= LONGEST_GAP:
        # It has been idle since it started.
        return False
    before = max((slot for slot in slots if start_of_slot(slot) < idle.since), default=None)
    return before is None or idle.since - start_of_slot(before) > LONGEST_GAP
