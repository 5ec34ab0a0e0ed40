"""
What the daemon must believe of the bills, hour by hour, from the answers that reached it: slow, and its own code.

Where a process died between an answer and its commit, or the clock was wrong, nobody outside can say whether it was
filed; then both are possible, and only what all possibilities agree on is held against the daemon.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from tests.simulation.bill_rows import voucher_of
from tests.simulation.rules import BY_TEAM, PAID, team_of
from tests.simulation.world import Answer, World

Rows = tuple[tuple[int, str, int], ...]
"""(span, owner, amount) of one hour's rows, sorted."""
Place = tuple[str, int]
"""A category and an hour."""
Doubt = tuple[Rows, float] | None
"""What an answer said in which money vanished, and when."""
DAY = 24
PARTS = 24
"""Windows are counted in this many parts of 1e-10 USD, so that an hour of a day's row is whole."""
NEVER = -(10**9)
CONFIRM_S = 0.9 * 4 * 3600
UNSURE_S = 300
MOST_STATES = 8
READ_AGAIN_H = 60
"""So far back hours are read again at each poll."""
UNREAD_S = 13 * 3600
"""Three polls: what vanishes is believed at the second."""


@dataclass(slots=True)
class Hour:
    """What may be held of one hour."""

    states: set[tuple[Rows, Doubt]] = field(default_factory=lambda: {((), None)})

    @property
    def rows(self) -> Rows | None:
        """What is held; None where that is not known."""
        held = {rows for rows, _ in self.states}
        return next(iter(held)) if len(held) == 1 else None


@dataclass(slots=True)
class Belief:
    """What must be held of all categories."""

    has_teams: bool = False
    """Whether what a team spends together is asked for."""
    has_paid: bool = False
    """Whether what is left to pay is asked for."""
    hours: dict[Place, Hour] = field(default_factory=dict)
    newest: dict[tuple[str, str], int] = field(default_factory=dict)
    """(category, owner) to the latest hour at which any row ended that was ever shown."""
    _changed: set[Place] = field(default_factory=set)
    """Hours that were filed anew since the groups were last asked for."""
    _counted_in: "dict[Place, list[Group]]" = field(default_factory=dict)
    _groups: "dict[tuple[str, str | None], Group]" = field(default_factory=dict)

    def take(self, answer: Answer, at_s: float, *, is_sure: bool) -> None:
        """
        File an answer.

        Args:
            at_s: The instant of its cycle.
            is_sure: It was filed; else it may have been.
        """
        by_hour: dict[int, list[tuple[int, str, int]]] = {}
        for hour, span, owner, amount in answer.rows:
            by_hour.setdefault(hour, []).append((span, owner, amount))
            key = (answer.category, owner)
            self.newest[key] = max(self.newest.get(key, NEVER), hour + span)
        held = {
            hour for category, hour in self.hours if category == answer.category and answer.first <= hour < answer.end
        }
        for hour in held | by_hour.keys():
            rows: Rows = tuple(sorted(by_hour.get(hour, ())))
            place = self.hours.setdefault((answer.category, hour), Hour())
            if place.states == {(rows, None)}:
                continue
            after = {state for before in place.states for state in _filed(before, rows, at_s)}
            place.states = after if is_sure else after | place.states
            self._changed.add((answer.category, hour))
            if len(place.states) > MOST_STATES:
                # Everything that may be shown is possible by now.
                place.states = {(rows, None), (next(iter(place.states))[0], None)}

    def may_be_bare(self, category: str, first: int, end: int) -> bool:
        """Return whether hours may be held without a row: then an answer without a list says that there is none."""
        held = (each for (name, hour), each in self.hours.items() if name == category and first <= hour < end)
        return all(any(not rows for rows, _ in hour.states) for hour in held)

    def unread(self, world: World, now_s: float) -> Iterable[str]:
        """Yield which hours of late are held as they no longer are, although they were shown otherwise for long."""
        now_h, since_s = int(now_s // 3600), now_s - UNREAD_S
        for category in world.categories:
            if world.had_trouble(category, since_s, now_s):
                continue
            for hour in range(now_h - READ_AGAIN_H, now_h - 12):
                held, shown = self.hours.get((category, hour), Hour()).rows, world.steady(category, hour, since_s)
                if held is not None and shown is not None and held != shown:
                    yield f"{category} of hour {hour} is {shown} since {UNREAD_S // 3600} h, and was read as {held}"

    def groups(self) -> "dict[tuple[str, str | None], Group]":
        """Return what is held of each owner, by an owner of None of a category, and by no category of everything."""
        for place in self._changed:
            for group in self._counted_in.pop(place, ()):
                group.drop(place)
            self._counted_in[place] = [*self._count(place)]
        self._changed.clear()
        for (category, owner), end in self.newest.items():
            for group in (*self._groups_of(category, owner), *self._paid_of(category, owner)):
                group.highest_end = max(group.highest_end, end)
        return self._groups

    def _count(self, place: Place) -> "Iterator[Group]":
        """Count an hour of a category in each group that it is a part of, and yield these."""
        category, hour = place
        held = self.hours[place]
        rows = held.rows
        if rows is None:
            for owner in {None, *(who for each, _ in held.states for _, who, _ in each)}:
                for group in (*self._groups_of(category, owner), *self._paid_of(category, owner)):
                    group.doubt(place)
                    yield group
            return
        for span, owner, amount in rows:
            for group in self._groups_of(category, owner):
                group.add(place, (hour, span, amount))
                yield group
            for paid in self._paid_of(category, owner):
                paid.add(place, (hour, span, amount - voucher_of(owner, amount)))
                yield paid

    def _paid_of(self, category: str, owner: str | None) -> "Iterator[Group]":
        if self.has_paid and owner is not None:
            yield self._groups.setdefault((f"{category}{PAID}", owner), Group())

    def _groups_of(self, category: str, owner: str | None) -> "Iterator[Group]":
        places: list[tuple[str, str | None]] = [("", None), (category, None)]
        if owner is not None:
            places.append((category, owner))
            if self.has_teams:
                places.append((f"{category}{BY_TEAM}", team_of(owner)))
        for each in places:
            yield self._groups.setdefault(each, Group())


def _filed(before: tuple[Rows, Doubt], rows: Rows, at_s: float) -> Iterable[tuple[Rows, Doubt]]:
    held, doubt = before
    if rows == held:
        return [(held, None)]
    was, now = (sum(amount for _, _, amount in each) for each in (held, rows))
    if not ((was > 0 and now * 2 < was) or (was != 0 and not rows)):
        return [(rows, None)]
    if doubt is None or doubt[0] != rows:
        return [(held, (rows, at_s))]
    waited_s = at_s - doubt[1]
    if waited_s > CONFIRM_S + UNSURE_S:
        return [(rows, None)]
    if waited_s < CONFIRM_S - UNSURE_S:
        return [(held, doubt)]
    return [(rows, None), (held, doubt)]


@dataclass(slots=True)
class Group:
    """What is held of one group, by category and hour: (hour, span, amount) of each row."""

    highest_end: int = NEVER
    """The latest hour at which any row ended that was ever shown."""
    _held: dict[Place, list[tuple[int, int, int]]] = field(default_factory=dict)
    _unsure: set[Place] = field(default_factory=set)
    """Hours of which nobody can say what is held."""
    _added: "_Added | None" = None
    """What is added up of the rows; None once they changed."""

    def add(self, place: Place, row: tuple[int, int, int]) -> None:
        """Count one more row."""
        self._held.setdefault(place, []).append(row)
        self._added = None

    def doubt(self, place: Place) -> None:
        """Note that nobody can say what is held of an hour."""
        self._unsure.add(place)

    def drop(self, place: Place) -> None:
        """Forget an hour, which was filed anew."""
        self._unsure.discard(place)
        if self._held.pop(place, None) is not None:
            self._added = None

    @property
    def rows(self) -> list[tuple[int, int, int]]:
        """Each row."""
        return self._sums.rows

    @property
    def is_known(self) -> bool:
        """Whether what is held is known of every hour."""
        return not self._unsure

    @property
    def end(self) -> int | None:
        """The hour after its newest row."""
        return self._sums.end

    @property
    def is_hourly(self) -> bool:
        """Whether no row is longer than an hour, so that every window is exact."""
        return self._sums.is_hourly

    def is_whole(self, first: int) -> bool:
        """Return whether money was billed for each hour from one on, once there was any, up to the newest."""
        hours = {hour for hour, _, _ in self.rows if hour >= first}
        return not hours or len(hours) == max(hours) - min(hours) + 1

    def is_sure(self, first: int) -> bool:
        """Return whether everything from an hour on is known, rows included that reach into it."""
        return all(hour < first - DAY for _, hour in self._unsure)

    def window(self, end: int, length: int) -> int:
        """Return the money of the hours before an end, in parts; a longer row is spread evenly."""
        sums = self._sums
        return sums.up_to(end) - sums.up_to(end - length)

    @property
    def _sums(self) -> "_Added":
        if self._added is None:
            self._added = _add_up([row for rows in self._held.values() for row in rows])
        return self._added


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added:
    """Rows, and what they come to up to each hour."""

    rows: list[tuple[int, int, int]]
    first: int
    end: int | None
    is_hourly: bool
    sums: list[int]

    def up_to(self, hour: int) -> int:
        return self.sums[min(max(hour - self.first, 0), len(self.sums) - 1)]


def _add_up(rows: list[tuple[int, int, int]]) -> _Added:
    first = min((hour for hour, _, _ in rows), default=0)
    end = max((hour + span for hour, span, _ in rows), default=None)
    each = [0] * ((end or 0) - first + 1)
    for hour, span, amount in rows:
        for offset in range(span):
            each[hour - first + offset] += amount * PARTS // span
    is_hourly = all(span == 1 for _, span, _ in rows)
    return _Added(rows=rows, first=first, end=end, is_hourly=is_hourly, sums=[0, *accumulate(each)])
