"""
What a seed's plan is made of: one of several kinds of world, in each of which one kind of trouble is common.

Chance alone seldom brings together what goes wrong only together: a storm of alerts, a receiver that is down, and an
alert that ends meanwhile. So each kind arranges its own meetings, a few a day, and leaves to chance when and which.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tests.simulation import arranged
from tests.simulation.chances import (
    OWNERS,
    Chance,
    api,
    bills,
    clocks,
    come_and_go,
    edits,
    freezes,
    kill,
    kills,
    people,
    receivers,
    some_runs,
)
from tests.simulation.plan import (
    CLOCK_CHANGES,
    DAY_S,
    HOUR_S,
    MONTH_ENDS,
    POLL_S,
    STARTS,
    USD,
    ApiTrouble,
    Ask,
    Edit,
    Event,
    Funds,
    Invoice,
    Kill,
    Plan,
    ReceiverTrouble,
    Run,
    Wall,
)

OTHERS = ("month", "daily", "calendar", "spike", "newcomer", "runs-long", "stale", "weekly", "berlin-day")
"""The rules that are not of rolling spend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of world: what happens in it, and the rules that watch it."""

    name: str
    events: Callable[[Chance, int], Iterator[Event]]
    rolling: tuple[str, ...]
    others: tuple[str, ...] = ()
    starts: tuple[datetime, ...] = STARTS
    has_second: bool = False
    has_resources: bool = False
    """Whether the lists of instances are read in all worlds of the kind, rather than in one of four."""
    zones: tuple[str, ...] = ("UTC",)


def make_plan(seed: int, days: int) -> Plan:
    """Return the plan of a seed: the kinds take turns, and all else is left to chance."""
    rng = Chance(seed)
    kind = _kind_of(seed)
    events = tuple(kind.events(rng, days))
    others = kind.others if kind.others or kind.name != "mixed" else tuple(rng.sample(OTHERS, rng.choice((1, 2, 3, 4))))
    return Plan(
        seed=seed,
        days=days,
        start=rng.choice(kind.starts),
        events=events,
        rolling=kind.rolling,
        others=others,
        has_second=kind.has_second,
        has_resources=kind.has_resources or seed // len(KINDS) % 4 == 0,
        zone=rng.choice(kind.zones),
    )


def _mixed(rng: Chance, days: int) -> Iterator[Event]:
    """Everything, as much of each as chance will have it; one world in four is whole."""
    many = OWNERS if rng.random() < 0.25 else rng.choice((2, 5, 10))
    runs = list(some_runs(rng, days, many))
    yield from runs
    owners = sorted({run.owner for run in runs})
    for makes in (api, receivers, kills, clocks, edits, people):
        yield from makes(rng, days, rng.choice((0, 0, 1, 1, 3)))
    yield from bills(rng, days, owners, rng.choice((0, 0, 1, 1, 3)))


def _storms(rng: Chance, days: int) -> Iterator[Event]:
    """Many alerts of one rule begin together while a receiver is down; some rise and some end before it is back."""
    owners = [f"gpu-{number:02}" for number in range(9)]
    for day in range(days):
        begin = day * 24 + rng.choice((1, 5, 9))
        of_storm, rate = rng.sample(owners, rng.choice((7, 8))), rng.choice((8, 9, 10)) * USD
        for owner in of_storm:
            ends = begin + rng.choice((5, 8, 9, 13, 18))
            yield Run(owner=owner, category="gpu", first=begin, last=ends, rate=rate)
        riser = rng.choice(of_storm)
        yield Run(owner=riser, category="gpu", first=begin + 5, last=begin + 9, rate=30 * USD)
        kind = rng.choice(("down", "down", "limited", "failing", "gone"))
        until_s = (begin + rng.choice((10, 15, 20))) * HOUR_S + rng.randrange(HOUR_S)
        yield ReceiverTrouble(
            receiver=rng.choice(("pager", "bridge")), at_s=(begin + 1) * HOUR_S, until_s=until_s, kind=kind
        )
    yield from kills(rng, days, rng.choice((0, 1)))


def _holding(rng: Chance, days: int) -> Iterator[Event]:
    """What has to hold for ten hours does so, more or less, while the process is killed again and again."""
    for number in range(4):
        hour = rng.randrange(0, 20)
        while hour < days * 24:
            lasts = rng.choice((6, 14, 30, 40))
            yield Run(
                owner=f"gpu-{number:02}", category="gpu", first=hour, last=hour + lasts, rate=rng.choice((2, 3)) * USD
            )
            hour += lasts + rng.choice((9, 14, 20))
    for poll in range(1, days * 6):
        if rng.random() < 0.6:
            yield Kill(at_s=poll * POLL_S + rng.randrange(HOUR_S, 3 * HOUR_S), steps=1, back_after_s=5)
        elif rng.random() < 0.2:
            yield from kill(rng, poll * POLL_S, back=(5, 5, 600, 5 * HOUR_S))
    yield from edits(rng, days, rng.choice((0, 0, 1)), kinds=("comment", "broken", "as at first"))


def _nights(rng: Chance, days: int) -> Iterator[Event]:
    """Alerts begin, rise and end in the quiet hours of a receiver, and somebody moves these."""
    for day in range(-1, days):
        for number in range(3):
            begin = day * 24 + rng.choice((17, 20, 21, 23, 25))
            category = rng.choice(("llm", "gpu"))
            owner, ends = f"{category}-{number:02}", begin + rng.choice((4, 9, 12, 14))
            yield Run(owner=owner, category=category, first=begin, last=ends, rate=rng.choice((1, 2)) * USD)
            if rng.random() < 0.5:
                yield Run(owner=owner, category=category, first=begin + 4, last=ends, rate=rng.choice((4, 12)) * USD)
        if rng.random() < 0.6:
            # Most between two polls of the night.
            after_s = rng.choice((22 * HOUR_S, 24 * HOUR_S, 24 * HOUR_S))
            off_s = day * DAY_S + after_s + rng.randrange(300, HOUR_S)
            kind = rng.choice(("quiet hours off", "quiet hours off", "quiet hours longer"))
            yield Edit(at_s=off_s, kind=kind)
            yield Edit(at_s=off_s + rng.choice((9, 14)) * HOUR_S, kind="as at first")
    yield from kills(rng, days, rng.choice((0, 1)))
    yield from people(rng, days, rng.choice((0, 0, 1)))


def _clock(rng: Chance, days: int) -> Iterator[Event]:
    """The wall clock is set wrong while messages wait for a receiver, and stays so when that is back."""
    yield from come_and_go(rng, days, many=3)
    for day in range(days):
        begin_s = day * DAY_S + rng.randrange(2, 12) * HOUR_S
        lasts_s = rng.choice((5, 8)) * HOUR_S
        yield ReceiverTrouble(
            receiver=rng.choice(("pager", "bridge")),
            at_s=begin_s,
            until_s=begin_s + lasts_s,
            kind=rng.choice(("down", "limited")),
        )
        off_s = rng.choice((-40, 900, -3 * HOUR_S, -3 * HOUR_S, 5 * HOUR_S, -40 * DAY_S, 400 * DAY_S))
        wrong_s = begin_s + rng.randrange(4 * HOUR_S, lasts_s)
        if rng.random() < 0.5:
            # In the middle of what a poll reads.
            wrong_s = wrong_s // POLL_S * POLL_S + rng.choice((1, 1, 2))
        yield Wall(at_s=wrong_s, off_s=off_s, drift_ppm=rng.choice((0, 0, 0, 100, -300)))
        yield Wall(at_s=wrong_s + rng.choice((5, 9, 11)) * HOUR_S, off_s=0)
    yield from kills(rng, days, rng.choice((0, 1)))
    if rng.random() < 0.5:
        yield from freezes(rng, days, 2)


def _cuts(rng: Chance, days: int) -> Iterator[Event]:
    """The process dies in the middle of attempts, and is back at once or when all is over; answers are lost too."""
    yield from come_and_go(rng, days, many=4)
    for half_day in range(days * 2):
        at_s = half_day * DAY_S // 2 + rng.randrange(6 * HOUR_S)
        back = rng.choice((1, 5, 5, 600, 7 * HOUR_S, 9 * HOUR_S))
        yield Kill(at_s=at_s, sends=rng.choice((1, 1, 2, 3, 5)), is_before=rng.random() < 0.5, back_after_s=back)
    yield from receivers(rng, days, 3, kinds=("swallowing", "failing", "nonsense", "captive", "limited"))
    for day in range(days):
        at_s = day * DAY_S + rng.randrange(2, 16) * HOUR_S
        receiver, kind = rng.choice(("pager", "bridge")), rng.choice(("gone", "captive", "failing"))
        yield ReceiverTrouble(receiver=receiver, at_s=at_s, until_s=at_s + rng.choice((5, 9)) * HOUR_S, kind=kind)


def _threads(rng: Chance, days: int) -> Iterator[Event]:
    """Alerts come, rise, go and come again in Slack, which loses answers; the process dies in the middle of posts."""
    yield from come_and_go(rng, days, many=rng.choice((2, 7)))
    # One fires for longer than messages are kept, and rises then.
    yield Run(owner="gpu-08", category="gpu", first=1, last=days * 24 - 12, rate=9 * USD)
    yield Run(owner="gpu-08", category="gpu", first=52, last=days * 24 - 12, rate=20 * USD)
    for half_day in range(days * 2):
        at_s = half_day * DAY_S // 2 + rng.randrange(6 * HOUR_S)
        if rng.random() < 0.5:
            back = rng.choice((1, 5, 600, 7 * HOUR_S))
            yield Kill(at_s=at_s, sends=rng.choice((1, 2, 3)), is_before=rng.random() < 0.3, back_after_s=back)
        else:
            kind = rng.choice(("swallowing", "swallowing", "nonsense", "captive", "failing", "limited", "down", "gone"))
            until_s = at_s + rng.choice((600, 5 * HOUR_S, 9 * HOUR_S))
            yield ReceiverTrouble(receiver="slack", at_s=at_s, until_s=until_s, kind=kind)


def _credits(rng: Chance, days: int) -> Iterator[Event]:
    """Bills come late, are revised, vanish and are credited, and categories cannot be read for hours."""
    runs = list(some_runs(rng, days, 5))
    yield from runs
    owners = sorted({run.owner for run in runs})
    for run in rng.sample(runs, min(len(runs), 2)):
        if run.step == 1 and run.last - run.first > 8:
            first = rng.randrange(run.first, run.last - 4)
            yield Run(owner=run.owner, category=run.category, first=first, last=first + 3, rate=-run.rate * 2 // 3)
    yield from bills(rng, days, owners, 4)
    yield from api(rng, days, 3)
    yield from kills(rng, days, rng.choice((0, 1)))


def _crowd(rng: Chance, days: int) -> Iterator[Event]:
    """People acknowledge, silence, take back and stop, while the process is killed in the middle of what they ask."""
    yield from come_and_go(rng, days, many=2)
    yield Run(owner="gpu-20", category="gpu", first=2, last=days * 24, rate=3 * USD)
    # A disk that is kept is no run.
    yield Run(owner="gpu-21", category="gpu", first=2, last=days * 24, rate=3 * USD // 10)
    for day in range(days):
        for _ in range(9):
            at_s = day * DAY_S + rng.randrange(DAY_S)
            kind = rng.choice(("acknowledge", "acknowledge", "acknowledge", "silence", "silence", "unsilence", "stop"))
            yield Ask(at_s=at_s, kind=kind, number=rng.randrange(50))
            if kind == "stop" or rng.random() < 0.3:
                yield Kill(
                    at_s=at_s,
                    sends=1,
                    is_before=rng.random() < 0.3,
                    back_after_s=rng.choice((1, 5, 600)),
                )
    yield from receivers(rng, days, rng.choice((0, 0, 1)))


def _blind(rng: Chance, days: int) -> Iterator[Event]:
    """A category cannot be read, for hours of each day, while what it bills begins and ends."""
    yield from come_and_go(rng, days, many=3)
    yield Run(owner="llm-04", category="llm", first=-24, last=days * 24, rate=USD)
    for day in range(days):
        at_s = day * DAY_S + rng.randrange(4 * HOUR_S, 18 * HOUR_S)
        until_s, category = at_s + rng.choice((6, 14, 14)) * HOUR_S, rng.choice(("gpu", "llm", "llm", ""))
        kind = "unknown" if day % 3 == 1 else rng.choice(_BLINDING)
        yield ApiTrouble(at_s=at_s, until_s=until_s, kind=kind, category=category)
    yield from kills(rng, days, rng.choice((0, 1)))


_BLINDING = ("failing", "cut", "nonsense", "absurd", "unlisted", "empty", "hanging", "down")


def _periods(rng: Chance, days: int) -> Iterator[Event]:
    """Budgets of days and of a month fill up, late and revised bills included."""
    runs = []
    for number in range(5):
        hour = rng.randrange(0, 20)
        while hour < days * 24:
            lasts = rng.choice((7, 16, 24, 30))
            owner, rate = f"gpu-{number:02}", rng.choice((2, 3, 5)) * USD
            runs.append(Run(owner=owner, category="gpu", first=hour, last=hour + lasts, rate=rate))
            hour += lasts + rng.choice((1, 5, 12))
    yield from runs
    yield from bills(rng, days, sorted({run.owner for run in runs}), rng.choice((0, 1, 2)))
    yield from kills(rng, days, rng.choice((0, 1)))
    yield from edits(rng, days, rng.choice((0, 0, 1)))


def _payments(rng: Chance, days: int) -> Iterator[Event]:
    """
    Monthly bills fall due, are paid, fall due once more and vanish, the balance falls, and neither can be read.

    Meanwhile owners begin to spend that did not in the week before.
    """
    yield from come_and_go(rng, days, many=2)
    for number in range(30, 30 + days // 2):
        first, rate = rng.randrange(-12, days * 12), rng.choice((USD // 10, USD, 3 * USD))
        yield Run(owner=f"gpu-{number}", category="gpu", first=first, last=first + rng.choice((4, 12, 60)), rate=rate)
        again = first + rng.choice((2, 6, 9, 10)) * 24
        yield Run(owner=f"gpu-{number}", category="gpu", first=again, last=again + 26, rate=rate)
    for number in range(5):
        bill_id, month, total = (
            f"bill-{number}",
            f"{2025 + number // 3}-{(number % 3 + 10) % 12 or 12:02}",
            100 + number,
        )
        make = partial(Invoice, bill_id=bill_id, month=month, total=total)
        yield make(at_s=-DAY_S * 40, status=rng.choice(("paid", "paid", "outed", "overdue")), debt=number * 30)
        at_s = rng.randrange(2 * DAY_S)
        while at_s < days * DAY_S:
            # `paid` with a debt owes nothing; one that is issued may owe.
            status = rng.choice(("pending", "outed", "paid", "paid", "overdue", "overdue", "voided", ""))
            debt = rng.choice((0, 40, 60, total)) if status != "overdue" else rng.choice((40, 60, total))
            yield make(at_s=at_s, status=status, debt=debt, repaid=rng.choice((0, 0, 20)))
            at_s += rng.choice((2, 7, 20, 50, 90, 90, 150)) * HOUR_S + rng.randrange(HOUR_S)
    at_s = rng.randrange(DAY_S)
    while at_s < days * DAY_S:
        # Limits are reached from above, and left at ten ninths.
        yield Funds(
            at_s=at_s, cents=rng.choice((90000, 55556, 55555, 50001, 50000, 30000, 11111, 10001, 10000, 0, -500))
        )
        at_s += rng.choice((3, 9, 20, 40)) * HOUR_S
    for _ in range(days):
        at_s, category = rng.randrange(HOUR_S, days * DAY_S), rng.choice(("monthly", "monthly", "balance", ""))
        kind = rng.choice(("failing", "cut", "nonsense", "unlisted", "down", "limited"))
        yield ApiTrouble(at_s=at_s, until_s=at_s + rng.choice((1, 6, 14)) * HOUR_S, kind=kind, category=category)
    yield from kills(rng, days, rng.choice((0, 1, 2)))
    yield from people(rng, days, rng.choice((0, 1)))


_WIDE = ("gpu-day", "llm-hours", "gpu-holds", "storage", "everything", "gpu-all")
KINDS = (
    Kind(
        name="mixed",
        events=_mixed,
        rolling=("gpu-day", "llm-hours", "gpu-holds", "storage", "everything", "gpu-all"),
        has_resources=True,
    ),
    Kind(name="storms", events=_storms, rolling=("gpu-burst",)),
    Kind(name="holding", events=_holding, rolling=("gpu-holds", "gpu-waits", "gpu-tiers")),
    Kind(name="nights", events=_nights, rolling=("llm-hours", "gpu-tiers")),
    Kind(name="clock", events=_clock, rolling=("gpu-burst", "gpu-tiers")),
    Kind(name="cuts", events=_cuts, rolling=("gpu-burst", "llm-hours")),
    Kind(name="threads", events=_threads, rolling=("gpu-slack",)),
    Kind(name="credits", events=_credits, rolling=("gpu-day", "storage", "everything"), others=("stale", "month")),
    Kind(name="crowd", events=_crowd, rolling=("gpu-day", "gpu-tiers"), others=("runs-long",), has_resources=True),
    Kind(name="blind", events=_blind, rolling=("gpu-burst", "llm-hours", "all-burst")),
    Kind(name="periods", events=_periods, rolling=("gpu-all",), others=("daily", "calendar", "weekly")),
    Kind(name="reminders", events=arranged.reminders, rolling=("gpu-repeats", "gpu-escalates", "gpu-slack")),
    Kind(name="muted ends", events=arranged.muted_ends, rolling=("gpu-burst",)),
    Kind(name="exact", events=arranged.exact, rolling=("gpu-burst",)),
    Kind(name="corrections", events=arranged.corrections, rolling=("gpu-burst",), others=("daily",)),
    Kind(
        name="month ends",
        events=arranged.month_ends,
        rolling=("gpu-all",),
        others=("daily", "calendar"),
        starts=MONTH_ENDS,
    ),
    Kind(name="refusals", events=arranged.refusals, rolling=("gpu-burst",)),
    Kind(name="instants", events=arranged.instants, rolling=("gpu-burst",)),
    Kind(
        name="slow answers", events=arranged.slow_answers, rolling=("gpu-burst", "llm-burst", "all-burst", "all-high")
    ),
    Kind(name="accounts", events=arranged.accounts, rolling=("first", "second", "everything"), has_second=True),
    Kind(name="keeping", events=arranged.keeping, rolling=("gpu-keeps",)),
    Kind(name="teams", events=arranged.teams, rolling=("gpu-team", "gpu-red")),
    Kind(name="removals", events=arranged.removals, rolling=("gpu-burst", "gpu-tiers"), others=("daily",)),
    Kind(
        name="clock changes",
        events=arranged.clock_changes,
        rolling=("llm-hours", "gpu-tiers"),
        others=("berlin-day",),
        starts=CLOCK_CHANGES,
        zones=("Europe/Berlin", "Europe/Helsinki"),
    ),
    Kind(name="backing off", events=arranged.backing_off, rolling=("gpu-backs-off",)),
    Kind(name="inhibitions", events=arranged.inhibitions, rolling=("gpu-loud", "gpu-muted")),
    Kind(name="vouchers", events=arranged.vouchers, rolling=("gpu-paid",)),
)
PAYMENTS = Kind(
    name="payments", events=_payments, rolling=("gpu-burst",), others=("overdue", "unpaid", "low-balance", "newcomer")
)


def _kind_of(seed: int) -> Kind:
    """Return a seed's kind: that of its remainder, where mixed worlds and payments take turns."""
    turn, place = divmod(seed, len(KINDS))
    return PAYMENTS if turn % 2 and not place else KINDS[place]
