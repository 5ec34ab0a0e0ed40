"""
Which request goes wrong, and how.

A plan is data: rules in order of precedence. Its outcome depends on its seed, the request's number and the simulated
time only, so that a run can be repeated. It sends nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alertd.simulator.noise import OUT_OF, draw


class FaultKind(StrEnum):
    """The ways in which an answer can fail."""

    TOO_FAST = "429 without Retry-After"
    TOO_FAST_SECONDS = "429 with Retry-After in seconds"
    TOO_FAST_DATE = "429 with Retry-After as an HTTP date"
    SERVER_ERROR = "500 LIST_BILL_ERROR"
    BAD_GATEWAY = "502 with HTML"
    KEY_REFUSED = "403 INVALID_API_KEY"
    CUT_BODY = "connection aborted within the body"
    TRUNCATED = "half of the body, properly closed"
    HTML = "200 with HTML"
    WRONG_SHAPE = "200 with JSON of another shape"
    DRIP = "the body in small pieces, with pauses"
    HANG = "no answer"

    @property
    def is_refusal(self) -> bool:
        """Whether the request was not taken."""
        return self in {
            FaultKind.TOO_FAST,
            FaultKind.TOO_FAST_SECONDS,
            FaultKind.TOO_FAST_DATE,
            FaultKind.KEY_REFUSED,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault; *seconds* is the value of Retry-After, the duration of a slow answer, or the most a hang lasts."""

    kind: FaultKind
    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as fault rules see it: *number* counts the server's requests from 0, *at* is the simulated time."""

    number: int
    at: datetime
    path: str
    category: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """
    One of *faults*, for requests that match every condition.

    Attributes:
        per_10k: How many of ten thousand matching requests fail.
        numbers: The requests' numbers, None for any.
        starts_at: From this simulated time on, None for always; likewise *ends_at*, exclusive.
        path_part: Occurs in the path.
        category: The product category asked for; empty for any.
    """

    faults: tuple[Fault, ...]
    per_10k: int = OUT_OF
    numbers: range | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    path_part: str = ""
    category: str = ""

    def fits(self, call: Call) -> bool:
        """Return whether *call* matches every condition, chance aside."""
        return (
            (self.numbers is None or call.number in self.numbers)
            and (self.starts_at is None or self.starts_at <= call.at)
            and (self.ends_at is None or call.at < self.ends_at)
            and self.path_part in call.path
            and self.category in {"", call.category}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Rules in order of precedence; the first that fits and draws decides."""

    rules: tuple[FaultRule, ...] = ()
    seed: int = 0

    def fault_for(self, call: Call) -> Fault | None:
        """Return the fault for *call*; None for a normal answer."""
        for index, rule in enumerate(self.rules):
            if rule.fits(call):
                chance, which, *_ = draw(self.seed, "fault", index, call.number)
                if chance < rule.per_10k:
                    return rule.faults[which % len(rule.faults)]
        return None


NO_FAULTS = FaultPlan()

_QUICK_FAULTS = tuple(
    Fault(kind=kind) for kind in FaultKind if kind not in {FaultKind.KEY_REFUSED, FaultKind.DRIP, FaultKind.HANG}
)


def mild_faults(seed: int) -> FaultPlan:
    """Return the faults of a real service on an ordinary day: 3 % of requests fail at once, 0.2 % are slow."""
    return FaultPlan(
        seed=seed,
        rules=(
            FaultRule(faults=_QUICK_FAULTS, per_10k=300),
            FaultRule(faults=(Fault(kind=FaultKind.DRIP, seconds=3.0),), per_10k=20),
        ),
    )


def demo_faults(seed: int, start: datetime) -> FaultPlan:
    """
    Return faults for a simulated month from *start*; none of them takes real time.

    2 % of requests fail at once; on the 25th day, when everything else is over, the service is out from 02:00 to 06:00.
    """
    outage = start + timedelta(days=24, hours=2)
    return FaultPlan(
        seed=seed,
        rules=(
            FaultRule(
                faults=(Fault(kind=FaultKind.BAD_GATEWAY), Fault(kind=FaultKind.SERVER_ERROR)),
                starts_at=outage,
                ends_at=outage + timedelta(hours=4),
            ),
            FaultRule(faults=_QUICK_FAULTS, per_10k=200),
        ),
    )
