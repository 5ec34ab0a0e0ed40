"""
A seed's plan: a plain list of everything that happens in the world, so that shrinking it is leaving things out.

Instants are seconds, and hours whole hours, since the plan's start, which is a UTC midnight. Money is in 1e-10 USD.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

HOUR_S, DAY_S = 3600, 86400
USD = 10**10
POLL_S = 4 * HOUR_S
RECEIVERS = ("pager", "bridge", "night", "slack", "oncall")

STARTS = (datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 2, 20, tzinfo=UTC), datetime(2026, 3, 22, tzinfo=UTC))
"""A Monday; the end of a short month; daylight saving begins in Europe a week later."""
MONTH_ENDS = (
    datetime(2026, 1, 30, tzinfo=UTC),
    datetime(2026, 2, 27, tzinfo=UTC),
    datetime(2026, 4, 29, tzinfo=UTC),
    datetime(2026, 12, 30, tzinfo=UTC),
)
CLOCK_CHANGES = (
    datetime(2026, 3, 28, tzinfo=UTC),
    datetime(2026, 10, 24, tzinfo=UTC),
)
"""The day before daylight saving begins, or ends, in Europe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An owner is billed so much an hour, or in rows of a day, from one hour up to another."""

    owner: str
    category: str
    """With `@second` behind it: of the second account."""
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
    """
    Empty for all, `@second` for all of the second account; `monthly` for the monthly bills and `balance` for the
    balance alone.
    """

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
    "slow": "takes long to answer",
    "slower": "takes as long to answer as it may",
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
    "captive": "answers with a web page, having taken nothing",
    "gone": "answers 404",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """The process is killed, some steps, commits or sends after an instant; it starts again soon."""

    at_s: int
    steps: int = 0
    commits: int = 0
    """Where above 0: at the commit of this number from then on."""
    sends: int = 0
    """Where above 0: in the middle of the request of this number that does something, from then on."""
    is_before: bool = False
    """Before that commit, or before the request is taken; else after it."""
    back_after_s: int = 5

    def __str__(self) -> str:
        side = "before" if self.is_before else "after"
        where = f"{self.steps} steps later"
        if self.sends:
            where = f"{side} its request {self.sends} from then on is taken"
        if self.commits:
            where = f"{side} its commit {self.commits} from then on"
        return f"at {when_text(self.at_s)} the process is killed ({where}), and back after {self.back_after_s} s"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What the API shows of a monthly bill from an instant on."""

    bill_id: str
    month: str
    """`YYYY-MM`."""
    at_s: int
    status: str
    """The API's own word; empty where the list lacks the bill."""
    total: int
    """USD, as are the next two."""
    debt: int = 0
    repaid: int = 0

    @property
    def owed(self) -> int:
        """What is still to be paid, in USD: nothing once it is paid or voided."""
        return 0 if self.status in {"paid", "voided"} else max(0, self.debt - self.repaid)

    def __str__(self) -> str:
        what = f"is {self.status}, ${self.owed} owed of ${self.total}" if self.status else "is missing from the list"
        return f"at {when_text(self.at_s)} the bill {self.bill_id} of {self.month} {what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """What is left of the balance from an instant on."""

    at_s: int
    cents: int

    def __str__(self) -> str:
        return f"at {when_text(self.at_s)} the balance is ${self.cents / 100:.2f}"


Event = Run | Late | Changed | ApiTrouble | ReceiverTrouble | Kill | Wall | Freeze | Edit | Ask | Invoice | Funds


EDITS = ("comment", "raise a threshold", "lower a threshold", "broken", "remove a rule", "as at first")
HARMLESS = frozenset({"comment", "broken", "quiet hours off", "quiet hours longer"})
"""Edits after which everything is judged as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that happens."""

    seed: int
    days: int
    start: datetime
    events: tuple[Event, ...] = field(repr=False)
    rolling: tuple[str, ...] = ("gpu-day", "llm-hours")
    """Which rules of rolling spend stand in the file."""
    others: tuple[str, ...] = ()
    """Which others."""
    has_second: bool = False
    """Whether there is a second account, in which other owners have the same ids."""
    has_resources: bool = True
    """Whether the lists of instances are read too."""
    zone: str = "UTC"
    """By whose clock quiet hours begin and end."""

    def text(self) -> str:
        """Return it as a short account in words, in the order of time."""
        runs = [event for event in self.events if isinstance(event, Run)]
        others = sorted((event for event in self.events if not isinstance(event, Run)), key=_begins_s)
        rules = ", ".join((*self.rolling, *self.others))
        lines = [f"Seed {self.seed}, {self.days} days from {self.start:%Y-%m-%d}, with the rules {rules}:"]
        lines += ["there is a second account"] if self.has_second else []
        lines += [] if self.has_resources else ["the lists of instances are not read"]
        lines += [f"quiet hours go by the clock of {self.zone}"] if self.zone != "UTC" else []
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
