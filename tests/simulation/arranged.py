"""
Kinds of worlds in which one thing is made to meet another: what chance seldom brings together happens several times.

Each has few owners and few rules, so that many of them are lived through in little time.
"""

import random
from collections.abc import Iterator

from tests.simulation.plan import (
    DAY_S,
    HOUR_S,
    POLL_S,
    USD,
    ApiTrouble,
    Ask,
    Changed,
    Edit,
    Event,
    Kill,
    Late,
    ReceiverTrouble,
    Run,
    Wall,
)

Chance = random.Random
CENT = USD // 100


def reminders(rng: Chance, days: int) -> Iterator[Event]:
    """Alerts fire for long past the time at which they are repeated and escalated; people acknowledge and silence."""
    for number in range(2):
        hour = rng.randrange(0, 6)
        while hour < days * 24:
            lasts = rng.choice((10, 26, 34))
            yield Run(owner=f"gpu-{number:02}", category="gpu", first=hour, last=hour + lasts, rate=9 * USD)
            if lasts > 30 and rng.random() < 0.3:
                yield Run(owner=f"gpu-{number:02}", category="gpu", first=hour + 20, last=hour + lasts, rate=20 * USD)
            hour += lasts + rng.choice((6, 9))
    at_s = 7 * HOUR_S
    while at_s < days * DAY_S:
        kind = rng.choice(("acknowledge", "acknowledge", "acknowledge", "silence", "unsilence"))
        yield Ask(at_s=at_s, kind=kind, number=rng.randrange(50))
        at_s += rng.choice((5, 9, 14)) * HOUR_S + rng.randrange(HOUR_S)
    if rng.random() < 0.5:
        yield Kill(at_s=rng.randrange(DAY_S, days * DAY_S), steps=1)


def muted_ends(rng: Chance, days: int) -> Iterator[Event]:
    """What was notified is silenced soon, and ends or rises while it is; some silences end before."""
    yield Run(owner="gpu-02", category="gpu", first=1, last=days * 24 - 8, rate=9 * USD)
    for day in range(days):
        for number in range(2):
            first = day * 24 + rng.choice((1, 5))
            lasts = rng.choice((7, 9, 15, 19))
            owner = f"gpu-{number:02}"
            yield Run(owner=owner, category="gpu", first=first, last=first + lasts, rate=9 * USD)
            if rng.random() < 0.4:
                yield Run(owner=owner, category="gpu", first=first + 5, last=first + lasts, rate=20 * USD)
        # Some end within the hour after a poll.
        for hour in (rng.choice((8, 9, 10, 10)), rng.choice((10, 11, 13, 14))):
            yield Ask(at_s=day * DAY_S + hour * HOUR_S + 1800, kind="silence", number=rng.randrange(50))
        if rng.random() < 0.3:
            yield Ask(at_s=day * DAY_S + 15 * HOUR_S, kind="unsilence", number=rng.randrange(50))
        if rng.random() < 0.5:
            yield Kill(at_s=day * DAY_S + rng.randrange(8, 23) * HOUR_S, steps=1)


def exact(rng: Chance, days: int) -> Iterator[Event]:
    """Money lands to the last digit on a line, or one digit below it, and falls to where an alert is left."""
    # Of a window of three hours that warns from $20 on: reached, nearly, held, nearly ended, ended, credited.
    parts = (20 * USD, 20 * USD - 1, 19 * USD, 18 * USD, 18 * USD - 1, 60 * USD, 60 * USD - 1, 55 * USD, 54 * USD)
    for number in range(3):
        hour = 0
        while hour < days * 24:
            lasts, usd = rng.choice((4, 8, 12)), rng.choice(parts)
            # Each three hours in a row come to the sum, whichever they are.
            thirds = (usd // 3, usd // 3, usd - 2 * (usd // 3))
            for each in range(hour, hour + lasts):
                yield Run(owner=f"gpu-{number:02}", category="gpu", first=each, last=each + 1, rate=thirds[each % 3])
            hour += lasts
            if rng.random() < 0.2:
                hour += rng.choice((5, 9))
    first = rng.randrange(days * 24)
    yield Run(owner="gpu-00", category="gpu", first=first, last=first + 1, rate=-rng.choice((1, CENT, 2 * USD)))


def corrections(rng: Chance, days: int) -> Iterator[Event]:
    """Rows vanish for good or for a while, are revised up, down and to less than half, and are credited."""
    for number in range(2):
        owner = f"gpu-{number:02}"
        rate = rng.choice((7, 9, 12)) * USD + rng.randrange(USD)
        yield Run(owner=owner, category="gpu", first=-6, last=days * 24, rate=rate)
        poll = rng.choice((2, 3))
        while poll < days * 6:
            at_s, span = poll * POLL_S - rng.randrange(60, 1800), rng.choice((1, 2, 5))
            first = at_s // HOUR_S - rng.choice((span, span + 1, 8, 33))
            back = rng.choice((None, None, None, POLL_S, 2 * POLL_S))
            yield Changed(
                owner=owner,
                first=first,
                last=first + span,
                at_s=at_s,
                percent=rng.choice((0, 0, 30, 50, 49, 80, 200)),
                back_at_s=at_s + back if back is not None else None,
            )
            if rng.random() < 0.3:
                yield Run(owner=owner, category="gpu", first=first, last=first + 1, rate=-rate // rng.choice((2, 3)))
            poll += rng.choice((2, 3, 4))
    if rng.random() < 0.5:
        yield Kill(at_s=rng.randrange(1, days * 6) * POLL_S + rng.choice((1, 2)), steps=rng.randrange(1, 800))


def month_ends(rng: Chance, days: int) -> Iterator[Event]:
    """Budgets are nearly used up as a day and a month end, and the last hours decide; rows come late over the turn."""
    for number in range(3):
        for day in range(days):
            owner, last = f"gpu-{number:02}", day * 24 + 24
            first = last - rng.choice((2, 9, 14))
            # Most are reached before the day's end; the day's last hour is the dearest.
            yield Run(owner=owner, category="gpu", first=first, last=last, rate=rng.choice((3, 5, 30)) * USD)
            yield Run(owner=owner, category="gpu", first=last - 1, last=last, rate=rng.choice((7, 31, 50)) * USD)
            if rng.random() < 0.3:
                yield Late(owner=owner, first=last - 2, last=last + 1, by_s=rng.choice((1, 5)) * HOUR_S)
    if rng.random() < 0.4:
        yield Kill(at_s=rng.randrange(1, days) * DAY_S + rng.choice((0, 1, 2)), steps=rng.randrange(1, 800))


def refusals(rng: Chance, days: int) -> Iterator[Event]:
    """A receiver asks to wait, or cannot be reached, for longer than most would go on trying."""
    for number in range(2):
        hour = rng.randrange(1, 8)
        while hour < days * 24:
            lasts = rng.choice((6, 10, 30))
            yield Run(owner=f"gpu-{number:02}", category="gpu", first=hour, last=hour + lasts, rate=8 * USD)
            hour += lasts + rng.choice((7, 11))
    at_s = rng.randrange(3, 9) * HOUR_S
    while at_s < days * DAY_S:
        lasts_s = rng.choice((2 * HOUR_S, 9 * HOUR_S, 26 * HOUR_S))
        kind = rng.choice(("limited", "limited", "down"))
        yield ReceiverTrouble(receiver=rng.choice(("pager", "bridge")), at_s=at_s, until_s=at_s + lasts_s, kind=kind)
        if rng.random() < 0.6:
            yield Kill(at_s=at_s + lasts_s // 2, steps=rng.randrange(1, 50), back_after_s=5)
        at_s += lasts_s + rng.choice((3, 5)) * HOUR_S


def instants(rng: Chance, days: int) -> Iterator[Event]:
    """The wall clock is set, or stands still, while bills are read and before anything is concluded from them."""
    for number in range(2):
        hour = rng.randrange(1, 6)
        while hour < days * 24:
            lasts = rng.choice((5, 8, 10))
            yield Run(owner=f"gpu-{number:02}", category="gpu", first=hour, last=hour + lasts, rate=9 * USD)
            hour += lasts + rng.choice((6, 8))
    poll = 2
    while poll < days * 6 - 2:
        # Some answers are there, and some are not.
        yield ApiTrouble(
            at_s=poll * POLL_S - 5, until_s=poll * POLL_S + 300, kind="slow", category=rng.choice(("llm", "gpu"))
        )
        off_s = rng.choice((5 * HOUR_S, 9 * HOUR_S, 400 * DAY_S, -3 * HOUR_S, -40 * DAY_S, 2 * HOUR_S))
        wrong_s = poll * POLL_S - rng.choice((0, 0, 0, 1800))
        if rng.random() < 0.3:
            yield Wall(at_s=wrong_s, off_s=0, drift_ppm=-1_000_000)
        else:
            yield Wall(at_s=wrong_s + rng.choice((1, 3, 6)), off_s=off_s)
        yield Wall(at_s=poll * POLL_S + rng.choice((1, 4, 9, 15, 2 * HOUR_S, 5 * HOUR_S)), off_s=0)
        poll += rng.choice((2, 3))


def slow_answers(rng: Chance, days: int) -> Iterator[Event]:
    """One category answers slowly or not at all while alerts of another begin, rise and end."""
    for category, number in (("gpu", 0), ("gpu", 1), ("llm", 4)):
        hour = rng.randrange(1, 6)
        while hour < days * 24:
            lasts, owner = rng.choice((4, 6, 10)), f"{category}-{number:02}"
            yield Run(owner=owner, category=category, first=hour, last=hour + lasts, rate=9 * USD)
            if lasts > 6:
                yield Run(owner=owner, category=category, first=hour + 5, last=hour + lasts, rate=20 * USD)
            hour += lasts + rng.choice((5, 7))
    for poll in range(1, days * 6):
        if rng.random() < 0.7:
            yield ApiTrouble(
                at_s=poll * POLL_S - 60,
                until_s=poll * POLL_S + rng.choice((300, 1800)),
                kind=rng.choice(("slow", "slow", "hanging")),
                category=rng.choice(("llm", "llm", "cloud_storage", "gpu")),
            )
        if rng.random() < 0.06:
            yield Kill(at_s=poll * POLL_S + rng.choice((3, 8, 30)), steps=rng.randrange(1, 300), back_after_s=5)
    for day in range(days):
        # One category hands over to another, which answers late: together they are above the line all the time.
        hour = day * 24 + rng.choice((8, 12, 16))
        yield Run(owner="gpu-02", category="gpu", first=hour - 7, last=hour - 1, rate=60 * USD)
        yield Run(owner="llm-02", category="llm", first=hour, last=hour + 6, rate=60 * USD)
        at_s = (hour + 4) * HOUR_S
        yield ApiTrouble(at_s=at_s - 60, until_s=at_s + 300, kind="slower", category="llm")


def accounts(rng: Chance, days: int) -> Iterator[Event]:
    """Two accounts have owners of the same ids; one of the accounts cannot be read for hours."""
    for account in ("", "@second"):
        for number in range(2):
            hour = rng.randrange(-6, 8)
            while hour < days * 24:
                lasts, rate = rng.choice((6, 10, 20)), rng.choice((USD // 2, USD + 7, 2 * USD, 5 * USD))
                owner, category = f"gpu-{number:02}", f"gpu{account}"
                yield Run(owner=owner, category=category, first=hour, last=hour + lasts, rate=rate)
                hour += lasts + rng.choice((4, 7, 11))
    for day in range(days):
        if rng.random() < 0.7:
            at_s = day * DAY_S + rng.randrange(12) * HOUR_S
            kind, lasts_s = rng.choice(("failing", "denied", "empty", "down")), rng.choice((6, 14)) * HOUR_S
            category = rng.choice(("@second", "@second", "gpu@second", "gpu"))
            yield ApiTrouble(at_s=at_s, until_s=at_s + lasts_s, kind=kind, category=category)
    if rng.random() < 0.5:
        yield Kill(at_s=rng.randrange(1, days * 6) * POLL_S + 1, steps=rng.randrange(1, 1000))


def keeping(rng: Chance, days: int) -> Iterator[Event]:
    """Alerts that go on firing after their condition ended do so over restarts, and when it comes back."""
    for number in range(3):
        hour = rng.randrange(1, 8)
        while hour < days * 24:
            lasts = rng.choice((4, 6, 10))
            yield Run(owner=f"gpu-{number:02}", category="gpu", first=hour, last=hour + lasts, rate=9 * USD)
            hour += lasts + rng.choice((8, 14, 20, 26))
    for poll in range(2, days * 6):
        if rng.random() < 0.4:
            yield Kill(at_s=poll * POLL_S + rng.randrange(60, 3 * HOUR_S), steps=1, back_after_s=5)


def teams(rng: Chance, days: int) -> Iterator[Event]:
    """Owners of two teams spend at once, and hand over to one another; a rule watches one team alone."""
    for number in range(4):
        hour = rng.randrange(-4, 6)
        while hour < days * 24:
            lasts, rate = rng.choice((4, 9, 16)), rng.choice((USD, 2 * USD + 3, 4 * USD, 8 * USD))
            yield Run(owner=f"gpu-{number:02}", category="gpu", first=hour, last=hour + lasts, rate=rate)
            hour += lasts + rng.choice((3, 6, 10))
    yield from _removals(rng, days)


def clock_changes(rng: Chance, days: int) -> Iterator[Event]:
    """Alerts begin in the hours in which quiet hours do, and end, before and after the clocks are changed."""
    # In Berlin quiet hours begin with the poll at 20:00 UTC in summer alone, in Helsinki they hold at 4:00 in winter.
    for poll in range(1, days * 6):
        number, hour = poll % 3, poll * 4
        if hour % 24 in {4, 8, 20} or rng.random() < 0.2:
            lasts, rate = rng.choice((4, 5)), rng.choice((2, 3, 7)) * USD
            category = "llm" if poll % 2 else "gpu"
            yield Run(
                owner=f"{category}-{number:02}", category=category, first=hour - 3, last=hour - 3 + lasts, rate=rate
            )
    for day in range(days):
        # What is spent before the local midnight, and what after it, differ.
        for hour in range(day * 24 + 19, day * 24 + 27):
            yield Run(
                owner="gpu-10", category="gpu", first=hour, last=hour + 1, rate=rng.choice((3, 5, 9)) * USD + hour
            )
    if rng.random() < 0.4:
        yield Kill(at_s=rng.randrange(days * 6) * POLL_S + HOUR_S, steps=1)


def removals(rng: Chance, days: int) -> Iterator[Event]:
    """Rules are removed by edits while their alerts fire, and come back; the process starts again in between."""
    for number in range(2):
        hour = rng.randrange(0, 4)
        while hour < days * 24:
            lasts = rng.choice((14, 20, 30))
            yield Run(owner=f"gpu-{number:02}", category="gpu", first=hour, last=hour + lasts, rate=9 * USD)
            hour += lasts + rng.choice((5, 8))
    yield from _removals(rng, days)
    yield from _removals(rng, days)


def _removals(rng: Chance, days: int) -> Iterator[Event]:
    for day in range(days):
        at_s = day * DAY_S + rng.randrange(5, 12) * HOUR_S
        yield Edit(at_s=at_s, kind="remove a rule", number=rng.randrange(1000))
        if rng.random() < 0.3:
            yield Kill(at_s=at_s + rng.choice((1, 60, HOUR_S)), steps=rng.randrange(1, 300))
        yield Edit(at_s=at_s + rng.choice((9, 10)) * HOUR_S, kind="as at first")


def backing_off(rng: Chance, days: int) -> Iterator[Event]:
    """Alerts fire for days, are repeated ever more seldom, and rise, which is news."""
    for number in range(3):
        hour = rng.randrange(0, 8)
        while hour < days * 24:
            lasts, owner = rng.choice((20, 60, 110)), f"gpu-{number:02}"
            yield Run(owner=owner, category="gpu", first=hour, last=hour + lasts, rate=9 * USD)
            if rng.random() < 0.3:
                yield Run(owner=owner, category="gpu", first=hour + 14, last=hour + lasts, rate=20 * USD)
            hour += lasts + rng.choice((9, 13))
    if rng.random() < 0.5:
        yield Kill(at_s=rng.randrange(days * 6) * POLL_S + HOUR_S, steps=1)


def inhibitions(rng: Chance, days: int) -> Iterator[Event]:
    """An alert is muted while another of its owner is critical; that falls, ends or rises before it does."""
    for number in range(3):
        hour, owner = rng.randrange(0, 6), f"gpu-{number:02}"
        while hour < days * 24:
            parts = rng.choice(((25, 9), (9, 25), (25, 3), (9, 25, 9), (25, 9, 25), (40, 4)))
            for usd in parts:
                lasts = rng.choice((5, 8, 9))
                yield Run(owner=owner, category="gpu", first=hour, last=hour + lasts, rate=usd * USD)
                hour += lasts
            hour += rng.choice((7, 10))
    for day in range(days):
        if rng.random() < 0.4:
            yield Kill(at_s=day * DAY_S + rng.randrange(1, 6) * POLL_S + rng.choice((2, HOUR_S)), steps=1)


def vouchers(rng: Chance, days: int) -> Iterator[Event]:
    """What is left to pay lies near a line, and vouchers pay the rest for every second owner."""
    for number in range(4):
        hour, owner = rng.randrange(-4, 6), f"gpu-{number:02}"
        while hour < days * 24:
            lasts, rate = (
                rng.choice((4, 9, 16)),
                rng.choice((USD, USD * 8 // 5, 4 * USD, 6 * USD, 6 * USD + 1, 7 * USD)),
            )
            yield Run(owner=owner, category="gpu", first=hour, last=hour + lasts, rate=rate)
            hour += lasts + rng.choice((4, 6, 10))
    if rng.random() < 0.4:
        yield Kill(at_s=rng.randrange(days * 6) * POLL_S + rng.choice((1, HOUR_S)), steps=rng.randrange(1, 300))
