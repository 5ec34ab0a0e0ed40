"""
A seed's plan: a plain list of everything that happens in the world, so that shrinking it is leaving things out.

Instants are seconds, and hours whole hours, since the plan's start, which is a UTC midnight. Money is in 1e-10 USD.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

HOUR_S, DAY_S = 3600, 86400
USD = 10**10
POLL_S = 4 * HOUR_S
OWNERS = 20

STARTS = (datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 2, 20, tzinfo=UTC), datetime(2026, 3, 22, tzinfo=UTC))
"""A Monday; the end of a short month; daylight saving begins in Europe a week later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An owner is billed so much an hour, or in rows of a day, from one hour up to another."""

    owner: str
    category: str
    first: int
    last: int
    rate: int
    step: int = 1

    def __str__(self) -> str:
        rows = "by the hour" if self.step == 1 else "by the day"
        return (
            f"{self.owner} ({self.category}) costs ${self.rate / USD:g} an hour, billed {rows}, "
            f"from {hour_text(self.first)} to {hour_text(self.last)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """The rows of some hours come later than usual."""

    owner: str
    first: int
    last: int
    by_s: int

    def __str__(self) -> str:
        return f"{self.owner}'s rows of {span_text(self.first, self.last)} come {self.by_s / HOUR_S:g} h late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The rows of some hours are revised to a share of what they were, or vanish; and may be put back."""

    owner: str
    first: int
    last: int
    at_s: int
    percent: int
    """0: they are gone from the bills."""
    back_at_s: int | None = None

    def __str__(self) -> str:
        what = f"are revised to {self.percent} %" if self.percent else "vanish"
        back = f", and are as before at {when_text(self.back_at_s)}" if self.back_at_s is not None else ""
        return f"at {when_text(self.at_s)} {self.owner}'s rows of {span_text(self.first, self.last)} {what}{back}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiTrouble:
    """The billing API answers badly for a time."""

    at_s: int
    until_s: int
    kind: str
    category: str = ""

    def __str__(self) -> str:
        what = f" for {self.category}" if self.category else ""
        return f"from {when_text(self.at_s)} to {when_text(self.until_s)} the API {API_WORDS[self.kind]}{what}"


API_WORDS = {
    "down": "cannot be reached",
    "failing": "answers 500",
    "cut": "cuts its answers off",
    "nonsense": "answers with a web page",
    "limited": "answers 429",
    "hanging": "never answers",
    "denied": "refuses the key",
    "absurd": "answers in wrong units",
    "unlisted": "answers without a list",
    "empty": "answers with an empty list",
    "unknown": "denies that there is such a category",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverTrouble:
    """A receiver fails for a time."""

    receiver: str
    at_s: int
    until_s: int
    kind: str

    def __str__(self) -> str:
        return f"from {when_text(self.at_s)} to {when_text(self.until_s)} {self.receiver} {RECEIVER_WORDS[self.kind]}"


RECEIVER_WORDS = {
    "down": "cannot be reached",
    "failing": "answers 500, having taken nothing",
    "limited": "answers 429",
    "swallowing": "takes what it gets and loses the answer",
    "nonsense": "takes what it gets and answers with a web page",
    "gone": "answers 404",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """The process is killed, some steps or commits after an instant; it starts again soon."""

    at_s: int
    steps: int = 0
    commits: int = 0
    """Where above 0: at the commit of this number from then on."""
    is_before: bool = False
    """Before that commit, else after it."""
    back_after_s: int = 5

    def __str__(self) -> str:
        where = (
            f"{self.steps} steps"
            if not self.commits
            else f"{'before' if self.is_before else 'after'} commit {self.commits}"
        )
        return f"at {when_text(self.at_s)} the process is killed ({where} later), and back after {self.back_after_s} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """The wall clock is set, and from then on drifts."""

    at_s: int
    off_s: int
    drift_ppm: int = 0

    def __str__(self) -> str:
        drift = f" and drifts by {self.drift_ppm} ppm" if self.drift_ppm else ""
        return f"at {when_text(self.at_s)} the wall clock is {self.off_s} s off{drift}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The process stands still for a time, or the whole system sleeps."""

    at_s: int
    for_s: int
    is_suspended: bool = False

    def __str__(self) -> str:
        what = "the system sleeps" if self.is_suspended else "the process stands still"
        return f"at {when_text(self.at_s)} {what} for {self.for_s} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Somebody edits the rules file."""

    at_s: int
    kind: str
    number: int = 0

    def __str__(self) -> str:
        return f"at {when_text(self.at_s)} the rules are edited: {self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A person asks for something about one of the alerts that fire."""

    at_s: int
    kind: str
    """`acknowledge`, `silence`, `unsilence` or `stop`."""
    number: int
    """Which of them, counted round."""

    def __str__(self) -> str:
        return f"at {when_text(self.at_s)} somebody asks to {self.kind} alert {self.number}"


Event = Run | Late | Changed | ApiTrouble | ReceiverTrouble | Kill | Wall | Freeze | Edit | Ask


OTHERS = ("month", "daily", "calendar", "spike", "newcomer", "runs-long", "stale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that happens."""

    seed: int
    days: int
    start: datetime
    events: tuple[Event, ...] = field(repr=False)
    others: tuple[str, ...] = OTHERS
    """Which rules stand in the file beside those of rolling spend."""

    def text(self) -> str:
        """Return it as a short account in words, in the order of time."""
        runs = [event for event in self.events if isinstance(event, Run)]
        others = sorted((event for event in self.events if not isinstance(event, Run)), key=_begins_s)
        lines = [f"Seed {self.seed}, {self.days} days from {self.start:%Y-%m-%d}:"]
        return "\n  ".join([*lines, *map(str, runs), *map(str, others)])


def _begins_s(event: Event) -> float:
    match event:
        case Run() | Late():
            return event.first * HOUR_S
        case _:
            return event.at_s


def when_text(at_s: float | None) -> str:
    """Return an instant as day and time of day."""
    return "never" if at_s is None else f"day {int(at_s // DAY_S)} {timedelta(seconds=int(at_s % DAY_S))}"


def hour_text(hour: int) -> str:
    return when_text(hour * HOUR_S)


def span_text(first: int, last: int) -> str:
    return hour_text(first) if last == first + 1 else f"{hour_text(first)} to {hour_text(last)}"


def make_plan(seed: int, days: int) -> Plan:
    """
    Return the plan of a seed: how many troubles of which kind it has is itself left to chance.

    So are its size and its rules: a small world is lived through sooner, and hides less. One in four is whole.
    """
    rng = random.Random(seed)
    is_whole = rng.random() < 0.25
    owners_many = OWNERS if is_whole else rng.choice((2, 5, 10))
    others = tuple(rng.sample(OTHERS, 4 if is_whole else rng.choice((1, 2, 3))))
    weights = {
        kind: rng.choice((0, 0, 1, 1, 3)) for kind in ("bills", "api", "receivers", "kills", "clock", "edits", "people")
    }
    events: list[Event] = list(_runs(rng, days, owners_many))
    owners = sorted({event.owner for event in events if isinstance(event, Run)})
    events += _bills(rng, days, owners, weights["bills"])
    events += _api(rng, days, weights["api"])
    events += _receivers(rng, days, weights["receivers"])
    events += _kills(rng, days, weights["kills"])
    events += _clock(rng, days, weights["clock"])
    events += _edits(rng, days, weights["edits"])
    events += _people(rng, days, weights["people"])
    return Plan(seed=seed, days=days, start=rng.choice(STARTS), events=tuple(events), others=others)


def _runs(rng: random.Random, days: int, many: int) -> Iterator[Run]:
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


def _at(rng: random.Random, days: int) -> int:
    return rng.randrange(HOUR_S, days * DAY_S)


def _lasting(rng: random.Random) -> int:
    return rng.choice((300, 1800, 3 * HOUR_S, 9 * HOUR_S, 14 * HOUR_S, 40 * HOUR_S))


def _bills(rng: random.Random, days: int, owners: list[str], weight: int) -> Iterator[Event]:
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


def _api(rng: random.Random, days: int, weight: int) -> Iterator[Event]:
    for _ in range(weight * days // 3):
        at_s = _at(rng, days)
        category = rng.choice(("", "gpu", "llm"))
        yield ApiTrouble(at_s=at_s, until_s=at_s + _lasting(rng), kind=rng.choice(tuple(API_WORDS)), category=category)


def _receivers(rng: random.Random, days: int, weight: int) -> Iterator[Event]:
    for _ in range(weight * days // 3):
        at_s = _at(rng, days)
        kind = rng.choice(tuple(RECEIVER_WORDS))
        lasts_s = min(_lasting(rng), rng.choice((DAY_S // 4, 2 * DAY_S)))
        yield ReceiverTrouble(receiver=rng.choice(RECEIVERS), at_s=at_s, until_s=at_s + lasts_s, kind=kind)


RECEIVERS = ("pager", "bridge", "night")


def _kills(rng: random.Random, days: int, weight: int) -> Iterator[Event]:
    for _ in range(weight * days // 2):
        # Most of what happens happens in the seconds after a poll.
        at_s = rng.randrange(1, days * 6) * POLL_S + rng.choice((-5, -1, 0, 0, 0, 2, 60))
        back = rng.choice((1, 5, 600, 7 * HOUR_S))
        if rng.random() < 0.5:
            yield Kill(at_s=at_s, steps=rng.randrange(1, 1500), back_after_s=back)
        else:
            yield Kill(at_s=at_s, commits=rng.randrange(1, 12), is_before=rng.random() < 0.5, back_after_s=back)


def _clock(rng: random.Random, days: int, weight: int) -> Iterator[Event]:
    for _ in range(weight * days // 6):
        at_s = _at(rng, days)
        yield Wall(
            at_s=at_s,
            off_s=rng.choice((-40, 40, 900, -900, -3 * HOUR_S, 5 * HOUR_S, -40 * DAY_S, 400 * DAY_S)),
            drift_ppm=rng.choice((0, 0, 100, -300)),
        )
        if rng.random() < 0.8:
            yield Wall(at_s=at_s + _lasting(rng), off_s=0)
    for _ in range(weight * days // 6):
        yield Freeze(
            at_s=_at(rng, days), for_s=rng.choice((20, 400, 2 * HOUR_S, 30 * HOUR_S)), is_suspended=rng.random() < 0.5
        )


def _edits(rng: random.Random, days: int, weight: int) -> Iterator[Event]:
    for _ in range(weight * days // 5):
        yield Edit(at_s=_at(rng, days), kind=rng.choice(EDITS), number=rng.randrange(1000))


EDITS = ("comment", "raise a threshold", "lower a threshold", "broken", "remove a rule", "as at first")


def _people(rng: random.Random, days: int, weight: int) -> Iterator[Event]:
    for _ in range(weight * days // 2):
        yield Ask(
            at_s=_at(rng, days),
            kind=rng.choice(("acknowledge", "silence", "unsilence", "stop")),
            number=rng.randrange(50),
        )
