"""
The two ends of a rolling sum by the letter of the rules language, row by row and hour by hour: slow, and its own code.

It knows what each read asked for and what the bills showed then. It imports nothing of what it checks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil, floor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TWO_WEEKS = timedelta(days=14)
NEVER = -(10**9)


@dataclass(frozen=True, slots=True)
class BilledRow:
    """One row: whose, which hours, how much, from when on it is shown."""

    owner: str
    category: str
    hour: int
    span: int
    amount: int
    shown_from: datetime

    @property
    def stream(self) -> tuple[str, int]:
        """The category and its step."""
        return self.category, 1 if self.span == 1 else 24

    @property
    def end(self) -> datetime:
        """When its last hour is over."""
        return EPOCH + (self.hour + self.span) * HOUR


@dataclass(frozen=True, slots=True)
class Read:
    """One successful read of a category: the hours that it asked for, and when."""

    category: str
    start: int
    end: int
    at: datetime


@dataclass(slots=True)
class Oracle:
    """What is known after each of some reads, asked for in the order of time."""

    rows: Sequence[BilledRow]
    window: int
    settle: timedelta
    reads: list[Read] = field(default_factory=list)
    seen: dict[int, datetime] = field(default_factory=dict)
    """Number of a row to the first read that had it."""
    lacked: dict[int, datetime | None] = field(default_factory=dict)
    """Number of a row to the last read before that."""
    highest: dict[tuple[str, tuple[str, int]], int] = field(default_factory=dict)

    def note(self, read: Read) -> None:
        """Take notice of a read."""
        for number, row in enumerate(self.rows):
            is_asked = row.category == read.category and read.start <= row.hour < read.end
            if is_asked and number not in self.seen and row.shown_from <= read.at:
                self.seen[number] = read.at
                self.lacked[number] = self._lacked(row)
        self.reads.append(read)

    def _lacked(self, row: BilledRow) -> datetime | None:
        mine = [read for read in self.reads if read.category == row.category]
        if not mine:
            return None
        asked = [read.at for read in mine if read.start <= row.hour < read.end]
        is_later = row.hour >= max(read.end for read in mine)
        return max(asked) if asked else max(read.at for read in mine) if is_later else None

    def delay(self, number: int) -> timedelta | None:
        """How late a row came; None where nobody knows."""
        row, seen, lacked = self.rows[number], self.seen[number], self.lacked[number]
        if lacked is None:
            return None
        if seen <= row.end:
            return timedelta()
        came = min(seen, lacked + HOUR)
        return came - row.end if came >= row.end else None

    def delays(self, stream: tuple[str, int], now: datetime, owners: Iterable[str] | None = None) -> list[timedelta]:
        """The delays of the rows of the last two weeks."""
        kept = [
            n
            for n in self.seen
            if self.rows[n].stream == stream
            and (owners is None or self.rows[n].owner in owners)
            and floor_hour(self.rows[n].end) > floor_hour(now) - 14 * 24
        ]
        return sorted(delay for n in kept if (delay := self.delay(n)) is not None)

    def lateness(self, stream: tuple[str, int], now: datetime, owners: Iterable[str]) -> timedelta:
        """The delay within which nine in ten came."""
        own = self.delays(stream, now, owners)
        every = self.delays(stream, now)
        chosen = own if len(own) >= 12 else every
        if not chosen:
            return self.settle
        found = chosen[ceil(len(chosen) * 9 / 10) - 1]
        return min(max(found, self.settle), max(timedelta(hours=48), self.settle))

    def edges(self, now: datetime, owners: Sequence[str]) -> dict[tuple[str, int], int]:
        """Through which hour each stream of a group is billed, where it has rows."""
        found = {}
        for stream in sorted({self.rows[n].stream for n in self.seen if self.rows[n].owner in owners}):
            limit = floor_hour(now) + (stream[1] == 1)
            ends = [
                floor_hour(self.rows[n].end)
                for n in self.seen
                if self.rows[n].stream == stream and self.rows[n].owner in owners
            ]
            newest = max((end for end in ends if end <= limit), default=NEVER)
            read = max(read.at for read in self.reads if read.category == stream[0])
            settled = floor_hour(read - self.lateness(stream, now, owners))
            settled -= settled % stream[1]
            if stream[1] == 24 and not self.delays(stream, now) and newest == settled - 24:
                # Nobody saw a row of a day come yet: the one that is due is waited for until its day is a day over.
                settled = min(settled, floor_hour(read - timedelta(days=1)) // 24 * 24)
            if newest > NEVER:
                key = (",".join(owners), stream)
                self.highest[key] = found[stream] = max(newest, settled, self.highest.get(key, NEVER))
        return found

    def hourly(self, now: datetime, owners: Sequence[str]) -> dict[tuple[str, int], dict[int, int]]:
        """What each stream of a group shows in each hour."""
        found: dict[tuple[str, int], dict[int, int]] = {}
        for n in self.seen:
            row = self.rows[n]
            if row.owner not in owners:
                continue
            span = min(row.span, floor_hour(now) + 1 - row.hour) if row.hour <= floor_hour(now) else row.span
            for offset in range(span):
                hours = found.setdefault(row.stream, {})
                share = row.amount // span + (row.amount % span > offset)
                hours[row.hour + offset] = hours.get(row.hour + offset, 0) + share
        return found

    def ends(self, now: datetime, owners: Sequence[str], latest: int) -> tuple[int, int]:
        """What the group was billed at least and about; *latest* is the rule's edge."""
        edges, hours = self.edges(now, owners), self.hourly(now, owners)

        def billed(stream: tuple[str, int], end: int) -> int:
            return sum(hours.get(stream, {}).get(hour, 0) for hour in range(end - self.window, end))

        about = 0
        for stream, edge in edges.items():
            late = self.filled(stream, hours.get(stream, {}), now)
            both = []
            for end in (edge, latest):
                more = sum(amount for hour, amount in late.items() if end - self.window <= hour < end)
                both.append(billed(stream, end) + more)
            about += max(both)
        recent = ceil((now - self.settle - EPOCH) / HOUR)
        each = {end: sum(billed(stream, end) for stream in edges) for end in range(latest - 200, latest + 1)}
        about = max([about, *(each[end] for end in each if end >= recent)])
        first = min([*edges.values(), recent, latest])
        return min(max(each[end] for end in each if end >= first), about), about

    def filled(self, stream: tuple[str, int], hours: dict[int, int], now: datetime) -> dict[int, int]:
        """What one or two empty hours between hours with money are taken to hold."""
        longest = max(self.delays(stream, now), default=timedelta())
        found: dict[int, int] = {}
        if stream[1] != 1 or longest <= self.settle:
            return found
        for before, after in ((hour, hour + gap + 1) for hour in sorted(hours) for gap in (1, 2)):
            empty = range(before + 1, after)
            if hours[before] > 0 and hours.get(after, 0) > 0 and not any(hour in hours for hour in empty):
                for hour in empty:
                    if now - (EPOCH + (hour + 1) * HOUR) < longest:
                        found[hour] = (hours[before] + hours[after]) // 2
        return found


def floor_hour(at: datetime) -> int:
    """The hour in which an instant lies."""
    return floor((at - EPOCH) / HOUR)
