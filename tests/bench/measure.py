"""How a row of the benchmark is measured: alertd and its floor in turn, by processor time, the median of five."""

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 5

Task = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    what: str
    """The work, and the floor."""
    floor_ms: float
    """Processor time of the floor; 0 where there is none."""
    alertd_ms: float
    target: str
    size: str = ""
    """Bytes or MiB, where the row is about them."""

    @property
    def ratio(self) -> str:
        """How many times the floor alertd takes."""
        return f"{self.alertd_ms / self.floor_ms:.2f}" if self.floor_ms else ""


def cpu_ms(task: Task) -> float:
    """Return the processor time of this process for one run."""
    started = time.process_time()
    task()
    return (time.process_time() - started) * 1000


def in_turn(floor: Task, task: Task, rounds: int = ROUNDS) -> tuple[float, float]:
    """Run a floor and a task in turn; return the median of each in ms."""
    pairs = [(cpu_ms(floor), cpu_ms(task)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def child_ms(command: Sequence[str], folder: str) -> float:
    """Return the processor time of one run of a command, with its bytecode kept as where alertd is installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # `alertd status` of a store without bills ends with 1.
    subprocess.run(
        command, cwd=folder, env=environment, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def peak_mib() -> float:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
