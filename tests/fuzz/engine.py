"""Runs entrances on inputs, and says what crashed, hung or left a trace in the log."""

import asyncio
import hashlib
import random
import re
import signal
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from tests.fuzz.mutate import mutated

PATIENCE_S = 10
"""What computes for longer at an input of at most 100 kB hangs."""
_LONGEST_WAIT_S = 60
"""Longer than any time limit of a request, on a machine that does much else."""
_MOST_KEPT = 400
CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """
    One way in.

    Args:
        seeds: What is right, to be changed.
        take: Takes an input as alertd does and says what came of it, in a few words; it raises only where alertd has a
            mistake, for what users and others may get wrong is an answer.
    """

    name: str
    seeds: Sequence[bytes]
    take: Callable[[bytes], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An input that alertd cannot take."""

    kind: str
    """crash, hang or traceback."""
    data: bytes
    trace: str


@dataclass(slots=True)
class Tally:
    """What was tried at one entrance, and what came of it."""

    inputs: int = 0
    seen: set[str] = field(default_factory=set)
    """Kinds of outcomes: an input with a new one is worth changing further."""
    kept: list[bytes] = field(default_factory=list)
    findings: dict[str, Finding] = field(default_factory=dict)
    """By the last line of the trace: one mistake is found by many inputs."""


class Hung(BaseException):
    """An input took too long; none of alertd's own handlers may take it for its error."""


@contextmanager
def patience() -> Iterator[None]:
    """Interrupt what computes for too long, by the time of the processor; what waits has the limit of asyncio."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


async def tried(entrance: Entrance, data: bytes) -> tuple[str, Finding | None]:
    """Take one input; return what came of it."""
    with capture_logs(processors=[format_exc_info]) as logs:
        try:
            with patience():
                async with asyncio.timeout(_LONGEST_WAIT_S):
                    outcome = await entrance.take(data)
        except (Hung, TimeoutError):
            return "hang", Finding(kind="hang", data=data, trace=traceback.format_exc())
        except Exception:  # noqa: BLE001 -- what it raises is what is looked for
            return "crash", Finding(kind="crash", data=data, trace=traceback.format_exc())
    traced = next((line["exception"] for line in logs if "exception" in line), None)
    if traced is not None:
        return "traceback", Finding(kind="traceback", data=data, trace=str(traced))
    return outcome, None


def corpus(entrance: Entrance) -> list[bytes]:
    """Return the inputs that once found a mistake, kept under `corpus/NAME/`."""
    folder = CORPUS / entrance.name
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


async def fuzz(entrances: Sequence[Entrance], *, seconds: float, seed: int) -> dict[str, Tally]:
    """Try changed inputs at every entrance in turn until the time is over."""
    rng, tallies = random.Random(seed), {entrance.name: Tally() for entrance in entrances}
    for entrance in entrances:
        tallies[entrance.name].kept += [*entrance.seeds, *corpus(entrance)]
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        for entrance in entrances:
            # Each has the same time: a socket takes a thousand times as long as a number.
            turn_ends_at = min(ends_at, time.monotonic() + 1)
            while time.monotonic() < turn_ends_at:
                await _try_one(entrance, tallies[entrance.name], rng)
    return tallies


async def _try_one(entrance: Entrance, tally: Tally, rng: random.Random) -> None:
    data = mutated(rng.choice(tally.kept), rng, tally.kept)
    tally.inputs += 1
    outcome, finding = await tried(entrance, data)
    kind = re.sub(r"\"[^\"]*\"|'[^']*'|\d+", "", outcome)[:80]
    if finding is not None:
        tally.findings.setdefault(_place(finding), finding)
    elif kind not in tally.seen and len(tally.kept) < _MOST_KEPT:
        tally.seen.add(kind)
        tally.kept.append(data)


def _place(finding: Finding) -> str:
    """Return where a mistake is, by the last line of alertd's own in its trace."""
    own = [
        line.strip() for line in finding.trace.splitlines() if "/alertd/" in line and line.strip().startswith("File")
    ]
    return f"{finding.kind} {own[-1] if own else finding.trace[-200:]}"


def saved(name: str, finding: Finding, folder: Path) -> Path:
    """Keep an input to be looked at, and later as a test under `corpus/`."""
    path = folder / name / hashlib.sha256(finding.data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(finding.data)
    return path
