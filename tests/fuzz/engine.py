"""Runs entrances on inputs, and says what crashed, hung or left a trace in the log."""

import asyncio
import hashlib
import json
import logging
import random
import re
import signal
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

import structlog
from structlog import DropEvent
from structlog.processors import format_exc_info
from structlog.typing import EventDict

from tests.fuzz.mutate import mutated

PATIENCE_S = 10
"""What computes for longer at an input of at most 100 kB hangs."""
_LONGEST_WAIT_S = 60
"""Longer than any time limit of a request, on a machine that does much else."""
_MOST_KEPT = 400
_LAST = 8
"""Inputs that are kept with a finding: what is logged may be of one of the last."""
_LONGEST_LEARNT = 800
_MOST_LEARNT = 40
"""Inputs of each entrance, and their bytes, that a run leaves to later ones: the tests try them all."""
CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """
    One way in.

    Args:
        seeds: What is right, to be changed.
        take: Takes an input as alertd does and says what came of it, in a few words; it raises only where alertd has a
            mistake, for what users and others may get wrong is an answer.
        few: How many changed inputs the suite tries: what goes through sockets and stores takes long.
    """

    name: str
    seeds: Sequence[bytes]
    take: Callable[[bytes], Awaitable[str]]
    few: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An input that alertd cannot take."""

    kind: str
    """crash, hang or traceback."""
    data: bytes
    trace: str
    before: tuple[tuple[str, bytes], ...] = ()
    """The inputs before it with their entrances, oldest first: what was logged may be of one of them."""


@dataclass(slots=True)
class Tally:
    """What was tried at one entrance, and what came of it."""

    inputs: int = 0
    seen: set[str] = field(default_factory=set)
    """Kinds of outcomes: an input with a new one is worth changing further."""
    kept: list[bytes] = field(default_factory=list)
    led_on: list[bytes] = field(default_factory=list)
    """Those of *kept* that are of this run."""
    findings: dict[str, Finding] = field(default_factory=dict)
    """By the last line of the trace: one mistake is found by many inputs."""


def plain(take: Callable[[bytes], str]) -> Callable[[bytes], Awaitable[str]]:
    """Return what takes an input without waiting, as what may wait."""

    async def taken(data: bytes) -> str:
        return take(data)

    return taken


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


class Watch:
    """
    Everything that is logged with a trace or as an error, by alertd and by what it stands on.

    It listens all the time: a server may be busy with an input after whoever sent it got an answer, and what it logs
    then is found with the next input. So the last ones are kept with a finding.
    """

    def __init__(self) -> None:
        self._traces: list[str] = []
        self.last: deque[tuple[str, bytes]] = deque(maxlen=_LAST)

    def note(self, trace: str) -> None:
        """Keep a trace until it is asked for."""
        self._traces.append(trace)

    def note_line(self, _logger: object, _method: str, line: EventDict) -> NoReturn:
        """Take a line of structlog's; it goes no further."""
        if "exception" in line or line.get("log_level", _method) in {"error", "exception", "critical"}:
            self.note("\n".join(f"{key}: {value}" for key, value in line.items()))
        raise DropEvent

    def taken(self) -> str:
        """Return what was logged since it was last asked for, and forget it."""
        text = "\n".join(self._traces)
        self._traces.clear()
        return text


class _Handler(logging.Handler):
    """Hands on what libraries log as an error: aiohttp's server and asyncio have their traces there alone."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.ERROR)
        self._watch = watch
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Note one record with its trace."""
        self._watch.note(self.format(record))


@contextmanager
def watching() -> Iterator[Watch]:
    """Hear of every trace that is logged until the block is left."""
    watch, root = Watch(), logging.getLogger()
    handler, processors = _Handler(watch), structlog.get_config()["processors"]
    # In place: loggers that exist already have this very list.
    before = list(processors)
    processors[:] = [format_exc_info, watch.note_line]
    root.addHandler(handler)
    try:
        yield watch
    finally:
        root.removeHandler(handler)
        processors[:] = before


async def tried(entrance: Entrance, data: bytes, watch: Watch) -> tuple[str, Finding | None]:
    """Take one input; return what came of it."""
    before = tuple(watch.last)
    watch.last.append((entrance.name, data))
    outcome = ""
    try:
        with patience():
            async with asyncio.timeout(_LONGEST_WAIT_S):
                outcome = await entrance.take(data)
                # What it left to do at once is done before somebody else's input comes.
                await asyncio.sleep(0)
        kind, trace = "", ""
    except (Hung, TimeoutError):
        kind, trace = "hang", traceback.format_exc()
    except Exception:  # noqa: BLE001 -- what it raises is what is looked for
        kind, trace = "crash", traceback.format_exc()
    if logged := watch.taken():
        kind, trace = kind or "traceback", f"{trace}\n{logged}".strip()
    if not kind:
        return outcome, None
    return kind, Finding(kind=kind, data=data, trace=trace, before=before)


def corpus(entrance: Entrance) -> list[bytes]:
    """Return the inputs that once found a mistake, kept under `corpus/NAME/`."""
    folder = CORPUS / entrance.name
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


def learnt(name: str) -> list[bytes]:
    """Return inputs that each had another outcome than those before: `corpus/learnt/NAME.json`, bytes as Latin-1."""
    path = CORPUS / "learnt" / f"{name}.json"
    texts: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [text.encode("latin-1") for text in texts]


def learn(name: str, tally: Tally) -> None:
    """Keep short inputs that led further, for later runs to start from."""
    short = [data for data in tally.led_on if len(data) <= _LONGEST_LEARNT]
    texts = sorted({data.decode("latin-1") for data in (*learnt(name), *short)}, key=lambda text: (len(text), text))
    if texts:
        path = CORPUS / "learnt" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(texts[:_MOST_LEARNT], indent=0) + "\n", encoding="utf-8")


async def fuzz(
    entrances: Sequence[Entrance], *, seconds: float, seed: int, found: Callable[[str, Finding], None]
) -> dict[str, Tally]:
    """
    Try changed inputs at every entrance in turn until the time is over.

    Args:
        found: Called at once with the entrance and what was found there, once for each place in the code: the run may
            be ended before its time.
    """
    rng, tallies = random.Random(seed), {entrance.name: Tally() for entrance in entrances}
    for entrance in entrances:
        tallies[entrance.name].kept += [*entrance.seeds, *corpus(entrance), *learnt(entrance.name)]
    ends_at = time.monotonic() + seconds
    with watching() as watch:
        while time.monotonic() < ends_at:
            for entrance in entrances:
                # Each has the same time: a socket takes a thousand times as long as a number.
                turn_ends_at = min(ends_at, time.monotonic() + 1)
                while time.monotonic() < turn_ends_at:
                    await _try_one(entrance, tallies[entrance.name], rng, watch, found)
    return tallies


async def _try_one(
    entrance: Entrance, tally: Tally, rng: random.Random, watch: Watch, found: Callable[[str, Finding], None]
) -> None:
    data = mutated(rng.choice(tally.kept), rng, tally.kept)
    tally.inputs += 1
    outcome, finding = await tried(entrance, data, watch)
    kind = re.sub(r"\"[^\"]*\"|'[^']*'|\d+", "", outcome)[:80]
    if finding is not None:
        if (place := _place(finding)) not in tally.findings:
            tally.findings[place] = finding
            found(entrance.name, finding)
    elif kind not in tally.seen and len(tally.kept) < _MOST_KEPT:
        tally.seen.add(kind)
        tally.kept.append(data)
        tally.led_on.append(data)


def _place(finding: Finding) -> str:
    """Return where a mistake is, by the last line of alertd's own in its trace."""
    own = [
        line.strip() for line in finding.trace.splitlines() if "/alertd/" in line and line.strip().startswith("File")
    ]
    return f"{finding.kind} {own[-1] if own else finding.trace[-200:]}"


def saved(name: str, finding: Finding, folder: Path) -> Path:
    """Keep an input, its trace and the inputs before it to be looked at, and later as a test under `corpus/`."""
    path = folder / name / hashlib.sha256(finding.data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(finding.data)
    path.with_suffix(".trace").write_text(f"{finding.kind}\n{finding.trace}\n", encoding="utf-8", errors="replace")
    before = [[entrance, data.decode("latin-1")] for entrance, data in finding.before]
    path.with_suffix(".before.json").write_text(json.dumps(before, indent=1) + "\n", encoding="utf-8")
    return path
