"""A plan lived through: the daemon is started, killed and started again; after every poll the oracle checks."""

import gc
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.simulation.daemon import Life, System, simulated_system
from tests.simulation.oracle import Oracle
from tests.simulation.person import ask, request_of, silenced_until
from tests.simulation.plan import DAY_S, POLL_S, Ask, Edit, Freeze, Kill, Plan, Wall
from tests.simulation.receivers import Cut, Network
from tests.simulation.rules import STOPPABLE, RulesFile
from tests.simulation.violation import Violation
from tests.simulation.world import World
from tests.simulation.worlds import make_plan

MEMORY = Path("/dev/shm")
"""A commit there waits for no disk; power cuts are no matter of this simulation."""
START_AGAIN_S = 600


@dataclass(slots=True, kw_only=True)
class Trace:
    """What was seen of a run."""

    lines: list[str] = field(default_factory=list)
    lives: int = 0
    polls: int = 0
    taken: int = 0

    def note(self, at_s: float, text: str) -> None:
        self.lines.append(f"{at_s:.3f} {text}")

    def digest(self) -> str:
        """Return what two runs of one seed have in common."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a plan."""

    violations: list[Violation]
    trace: Trace


class Simulation:
    """One plan; used once."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.trace = Trace()
        self.world = World(plan)
        self.network = Network(self.world)
        self.system = System(plan.start)
        self.world.clock = lambda: self.system.true_s
        self.rules = RulesFile.of(folder, plan)
        self.oracle = Oracle(self.world, self.network, self.rules)
        self._folder = folder
        self._life: Life | None = None
        self._asked = 0
        self._silences: list[tuple[dict[str, str], int]] = []
        """The alert that somebody silenced, and the silence's number."""
        for name in ("stop", "second"):
            (folder / f"{name}.key").write_text(f"key-of-{name}", encoding="utf-8")
            (folder / f"{name}.key").chmod(0o600)
        self.rules.write()

    def run(self, *, until: Callable[[Violation], bool] | None = None) -> Outcome:
        """Live through all of it, or up to the first violation of which *until* is true."""
        kinds = (Kill, Wall, Freeze, Edit, Ask)
        todo: list[tuple[float, int, Any]] = [
            (event.at_s, number, event) for number, event in enumerate(self.plan.events) if isinstance(event, kinds)
        ]
        checks = range(POLL_S // 2, self.plan.days * DAY_S, POLL_S)
        todo += [(at_s, 10**6, None) for at_s in checks]
        todo = [each for each in todo if each[0] < self.plan.days * DAY_S]
        try:
            self._start()
            for at_s, _, event in sorted(todo, key=lambda each: each[:2]):
                self._advance(at_s)
                self._happen(event)
                if until is not None and any(map(until, self.oracle.violations)):
                    break
            else:
                self._advance(self.plan.days * DAY_S)
                self._check()
        finally:
            self._bury()
        self.trace.taken = len(self.network.taken)
        for one in self.network.taken:
            # A broken rules file is named with its folder, which each run has of its own.
            body = one.body.replace(str(self._folder).encode(), b"")
            self.trace.note(one.at_s, f"{one.receiver} {one.key} {hashlib.sha256(body).hexdigest()[:12]}")
        self.trace.note(self.world.now_s, f"{len(self.world.answers)} answers, {self.trace.lives} lives")
        return Outcome(violations=self.oracle.violations, trace=self.trace)

    @property
    def _true_s(self) -> float:
        return self.system.true_s

    def _loop_s(self, true_s: float) -> float:
        return true_s - self.system.suspended_s

    def _start(self) -> None:
        now_s = self._true_s
        self._life = Life(self.system, self.network, self._folder, self._loop_s(now_s))
        self.trace.lives += 1
        self.oracle.note_start(now_s)

    def _bury(self) -> None:
        self.network.cut = None
        if self._life is not None:
            self._life.bury()
            last_s = self._life.loop.time()
            self.system.loop_s = lambda: last_s
            self._life = None

    def _advance(self, to_s: float) -> None:
        """Let true time go by up to a moment, through however many processes."""
        while self._true_s < to_s:
            life = self._life
            if life is None:
                self._rest(to_s)
                continue
            is_alive = self._run(life, to_s)
            if is_alive and not life.is_over:
                return
            what = "killed" if not is_alive else f"ended: {life.error}"
            self.trace.note(self._true_s, what.replace(str(self._folder), ""))
            self.oracle.note_end(self._true_s, is_killed=not is_alive, error=life.error if is_alive else None)
            self._bury()
            self._again_s = self._true_s + (self._back_after_s if not is_alive else START_AGAIN_S)

    _again_s = 0.0
    _back_after_s = 5.0

    def _run(self, life: Life, to_s: float) -> bool:
        loop = life.loop
        # The world's clock is the loop's.
        is_alive = True
        while is_alive and not life.is_over and self._true_s < to_s:
            is_alive = life.run_until(min(self._loop_s(to_s), loop.time() + STRIDE_S))
        return is_alive

    def _rest(self, to_s: float) -> None:
        """Have no process until the next one starts."""
        at_s = min(to_s, max(self._again_s, self._true_s))
        loop_s = self._loop_s(at_s)
        self.system.loop_s = lambda: loop_s
        if at_s >= self._again_s:
            self._start()

    def _happen(self, event: Any) -> None:
        life, now_s = self._life, self._true_s
        match event:
            case None:
                self._check()
            case Kill():
                self._back_after_s = event.back_after_s
                if life is None:
                    return
                if event.sends:
                    self.network.cut = Cut(life.loop, event.sends, is_before=event.is_before)
                elif event.commits:
                    life.process.kill_at_commit = life.process.commits + event.commits
                    life.process.is_before = event.is_before
                else:
                    life.loop.kill_at = life.loop.steps + max(1, event.steps)
            case Wall():
                self.system.set_wall(event.off_s, event.drift_ppm)
                self.oracle.note_wall(now_s, event.off_s, event.drift_ppm)
            case Freeze():
                self._freeze(event)
            case Edit():
                self.rules.edit(event)
                self.oracle.note_edit(now_s, event.kind)
            case Ask():
                self._ask(event)
        if event is not None:
            self.trace.note(now_s, str(event))

    def _freeze(self, event: Freeze) -> None:
        self.oracle.note_freeze(self._true_s, event.for_s)
        if event.is_suspended:
            self.system.suspended_s += event.for_s
        elif self._life is not None:
            self._life.loop.freeze(event.for_s)
        else:
            loop_s = self.system.loop_s() + event.for_s
            self.system.loop_s = lambda: loop_s

    def _ask(self, event: Ask) -> None:
        of_what = [alert for alert, _ in self._silences] if event.kind == "unsilence" else self.oracle.seen_firing()
        if event.kind == "stop":
            of_what = [alert for alert in of_what if alert["rule"] == STOPPABLE]
        if self._life is None or not of_what:
            return
        number = event.number % len(of_what)
        alert = of_what[number]
        self._asked += 1
        silence = self._silences[number][1] if event.kind == "unsilence" else self._asked
        until = silenced_until(event, self.world.now)
        kind, request = request_of(event, alert, self._asked, silence, until)
        wire = ask(self._life.loop, kind, request)
        if wire is None:
            return
        if event.kind == "silence":
            self._silences.append((alert, self._asked))
        elif event.kind == "unsilence":
            self._silences.pop(number)
        self.oracle.note_ask(self._true_s, event.kind, alert, until, lambda: wire.answer)

    def _check(self) -> None:
        self.trace.polls += 1
        self.oracle.check(self._life)


STRIDE_S = 10**9


def run_plan(plan: Plan, *, until: Callable[[Violation], bool] | None = None) -> Outcome:
    """Live through a plan in a folder of its own, which is gone afterwards; see `Simulation.run`."""
    folder = Path(tempfile.mkdtemp(prefix="alertd-sim-", dir=MEMORY if MEMORY.is_dir() else None))
    # Collected at the end alone: it saves a tenth of the time, and nothing of alertd waits for a collection.
    collects = gc.isenabled()
    gc.disable()
    try:
        simulation = Simulation(plan, folder)
        with simulated_system(simulation.system, plan.seed, on_log=simulation.oracle.note_log):
            return simulation.run(until=until)
    finally:
        if collects:
            gc.enable()
        shutil.rmtree(folder, ignore_errors=True)


def check_plan(plan: Plan) -> list[Violation]:
    """Return what goes wrong in a plan."""
    return run_plan(plan).violations


def check_seed(seed: int, days: int) -> list[Violation]:
    """Return what goes wrong in a seed's plan; nothing where all promises are kept."""
    return check_plan(make_plan(seed, days))
