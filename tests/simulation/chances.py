"""What chance does in a plan, so many times a day: bills, the API, receivers, kills, clocks, edits and people."""

import random
from collections.abc import Iterator

from tests.simulation.plan import (
    API_WORDS,
    DAY_S,
    EDITS,
    HOUR_S,
    POLL_S,
    RECEIVER_WORDS,
    USD,
    ApiTrouble,
    Ask,
    Changed,
    Edit,
    Event,
    Freeze,
    Kill,
    Late,
    ReceiverTrouble,
    Run,
    Wall,
)

OWNERS = 20
Chance = random.Random


def come_and_go(rng: Chance, days: int, many: int) -> Iterator[Run]:
    """Let owners of gpu run for some hours, rest, and run again, so that their alerts begin, rise and end."""
    for number in range(many):
        hour = rng.randrange(1, 12)
        while hour < days * 24:
            lasts = rng.choice((4, 6, 10, 16))
            owner = f"gpu-{number:02}"
            yield Run(owner=owner, category="gpu", first=hour, last=hour + lasts, rate=rng.choice((7, 9, 12)) * USD)
            if lasts > 6 and rng.random() < 0.5:
                yield Run(owner=owner, category="gpu", first=hour + 5, last=hour + lasts, rate=20 * USD)
            hour += lasts + rng.choice((6, 8, 11))


def some_runs(rng: Chance, days: int, many: int) -> Iterator[Run]:
    """Let some owners of all categories be billed, by the hour or by the day."""
    hours = days * 24
    first = rng.randrange(OWNERS)
    for number in sorted((first + each) % OWNERS for each in range(many)):
        category = "llm" if number % 5 == 4 else "cloud_storage" if number % 10 == 3 else "gpu"
        step = 24 if category == "cloud_storage" else 1
        hour = rng.randrange(-48, hours // 2, step) if step > 1 else rng.randrange(-48, hours // 2)
        if step > 1:
            hour -= hour % 24
        for _ in range(rng.randrange(1, 4)):
            last = min(hour + step * max(1, rng.choice((3, 9, 30, 80, 300)) // step), hours)
            if last > hour:
                rate = rng.choice((USD // 3, USD, 2 * USD + 1, 5 * USD // 7, 9 * USD))
                yield Run(
                    owner=f"{category[:3]}-{number:02}", category=category, first=hour, last=last, rate=rate, step=step
                )
            hour = last + rng.choice((1, 4, 20, 50)) * step
            if hour >= hours:
                break


def _at(rng: Chance, days: int) -> int:
    return rng.randrange(HOUR_S, days * DAY_S)


def _lasting(rng: Chance) -> int:
    return rng.choice((300, 1800, 3 * HOUR_S, 9 * HOUR_S, 14 * HOUR_S, 40 * HOUR_S))


def bills(rng: Chance, days: int, owners: list[str], weight: int) -> Iterator[Event]:
    """Let rows come late, be revised and vanish."""
    for _ in range(weight * days // 3):
        owner, first = rng.choice(owners), rng.randrange(-24, days * 24)
        yield Late(
            owner=owner, first=first, last=first + rng.choice((1, 3, 12)), by_s=rng.choice((1, 5, 11, 30)) * HOUR_S
        )
    for _ in range(weight * days // 4):
        owner, at_s = rng.choice(owners), _at(rng, days)
        first = at_s // HOUR_S - rng.choice((3, 12, 40))
        back_at_s = at_s + _lasting(rng) if rng.random() < 0.5 else None
        percent = rng.choice((0, 0, 10, 60, 130, 300))
        yield Changed(
            owner=owner,
            first=first,
            last=first + rng.choice((1, 4, 24)),
            at_s=at_s,
            percent=percent,
            back_at_s=back_at_s,
        )


def api(rng: Chance, days: int, weight: int) -> Iterator[Event]:
    """Let the API answer badly now and then."""
    for _ in range(weight * days // 3):
        at_s = _at(rng, days)
        category = rng.choice(("", "gpu", "llm"))
        yield ApiTrouble(at_s=at_s, until_s=at_s + _lasting(rng), kind=rng.choice(tuple(API_WORDS)), category=category)


def receivers(
    rng: Chance, days: int, weight: int, *, kinds: tuple[str, ...] = tuple(RECEIVER_WORDS)
) -> Iterator[Event]:
    """Let receivers fail now and then."""
    for _ in range(weight * days // 3):
        at_s = _at(rng, days)
        kind = rng.choice(kinds)
        lasts_s = min(_lasting(rng), rng.choice((DAY_S // 4, 2 * DAY_S)))
        yield ReceiverTrouble(
            receiver=rng.choice(("pager", "bridge", "night")), at_s=at_s, until_s=at_s + lasts_s, kind=kind
        )


def kills(rng: Chance, days: int, weight: int) -> Iterator[Event]:
    """Kill the process now and then, in the seconds around a poll."""
    for _ in range(weight * days // 2):
        yield from kill(rng, rng.randrange(1, days * 6) * POLL_S, back=(1, 5, 600, 7 * HOUR_S))


def kill(rng: Chance, poll_s: int, back: tuple[int, ...]) -> Iterator[Kill]:
    """Kill the process around a poll, at a step or at a commit."""
    # Most of what happens happens in the seconds after a poll.
    at_s, back_after_s = poll_s + rng.choice((-5, -1, 0, 0, 0, 2, 60)), rng.choice(back)
    if rng.random() < 0.5:
        yield Kill(at_s=at_s, steps=rng.randrange(1, 1500), back_after_s=back_after_s)
    else:
        is_before = rng.random() < 0.5
        yield Kill(at_s=at_s, commits=rng.randrange(1, 12), is_before=is_before, back_after_s=back_after_s)


def clocks(rng: Chance, days: int, weight: int) -> Iterator[Event]:
    """Set the wall clock, let it drift, and freeze the process."""
    for _ in range(weight * days // 6):
        at_s = _at(rng, days)
        yield Wall(
            at_s=at_s,
            off_s=rng.choice((-40, 40, 900, -900, -3 * HOUR_S, 5 * HOUR_S, -40 * DAY_S, 400 * DAY_S)),
            drift_ppm=rng.choice((0, 0, 100, -300)),
        )
        if rng.random() < 0.8:
            yield Wall(at_s=at_s + _lasting(rng), off_s=0)
    yield from freezes(rng, days, weight * days // 6)


def freezes(rng: Chance, days: int, many: int) -> Iterator[Event]:
    """Let the process stand still, or the system sleep."""
    for _ in range(many):
        yield Freeze(
            at_s=_at(rng, days), for_s=rng.choice((20, 400, 2 * HOUR_S, 30 * HOUR_S)), is_suspended=rng.random() < 0.5
        )


def edits(rng: Chance, days: int, weight: int, *, kinds: tuple[str, ...] = EDITS) -> Iterator[Event]:
    """Edit the rules file now and then."""
    for _ in range(weight * days // 5):
        yield Edit(at_s=_at(rng, days), kind=rng.choice(kinds), number=rng.randrange(1000))


def people(rng: Chance, days: int, weight: int) -> Iterator[Event]:
    """Let people ask for something now and then."""
    for _ in range(weight * days // 2):
        yield Ask(
            at_s=_at(rng, days),
            kind=rng.choice(("acknowledge", "silence", "unsilence", "stop")),
            number=rng.randrange(50),
        )
