"""The real program as a subprocess in a clean environment and folder, and what to wait for; never a fixed sleep."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e.forked import Forked
from tests.e2e.world import API_KEY

T = TypeVar("T")
Child = Forked | subprocess.Popen[bytes]
STEPPED = Path(__file__).with_name("stepped.py")
ROOT = Path(__file__).parents[2]
PROGRAM = ("-m", "alertd")
PATIENCE_S = 90.0
"""Far more than anything here takes, on a machine that does much else: what is late by this much does not come."""


def wait_for(what: Callable[[], T], *, why: str, patience_s: float = PATIENCE_S) -> T:
    """Return the first true answer; fail with *why* when there is none in time."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if answer := what():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited {patience_s:.0f} s in vain: {why}")


@dataclass(slots=True)
class Alertd:
    """How to start alertd in one folder; the rules, database and logs stand in it."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    is_stepped: bool = False
    """With a clock that `step` moves."""
    program: tuple[str, ...] = PROGRAM
    """What Python runs when the clock is the system's."""
    is_fresh: bool = False
    """Started by a Python of its own, where the start or the end of a process is what is tested; else forked."""
    children: list[Child] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.folder / "alertd.db"

    @property
    def log(self) -> Path:
        return self.folder / "stderr.log"

    def rules(self, text: str) -> None:
        """Write the rules file whole, as an editor does."""
        fresh = self.folder / "rules.yaml.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.folder / "rules.yaml")

    def step(self, seconds: float) -> None:
        """Move the wall clock on."""
        fresh = self.folder / "clock.new"
        fresh.write_text(str(self.offset_s + seconds))
        fresh.replace(self.folder / "clock")

    @property
    def offset_s(self) -> float:
        path = self.folder / "clock"
        return float(path.read_text()) if path.exists() else 0.0

    def now(self) -> float:
        """Return the child's wall clock."""
        return time.time() + self.offset_s  # noqa: TID251 -- the world's clock is the test's own

    def environment(self) -> dict[str, str]:
        """Return the child's whole environment: nothing of the developer's."""
        secrets = self.folder.with_name(f"{self.folder.name}-secrets")
        secrets.mkdir(exist_ok=True)
        clean = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            # The code beside these tests, as in the tests' own process.
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            # In tests one authority instead of the system's, which take 30 ms to read at each start.
            "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE", "(unset)"),
            "ALERTD_SECRETS_DIR": str(secrets),
            "ALERTD_DATABASE_URL": f"sqlite:///{self.database}",
            "ALERTD_POLL_INTERVAL": "1s",
            "ALERTD_SETTLE_DELAY": "0s",
            "ALERTD_NOVITA_API_KEY": API_KEY,
            # Many daemons run at once: only those that are asked over HTTP listen.
            "ALERTD_HTTP_LISTEN": "off",
            # Nothing listens there: no test reaches the real service by mistake.
            "ALERTD_NOVITA_BASE_URL": "http://127.0.0.1:9",
        }
        if self.is_stepped:
            clean |= {"E2E_CLOCK": str(self.folder / "clock")}
        return {name: value for name, value in {**clean, **self.env}.items() if value != "(unset)"}

    def _launch(self, arguments: tuple[str, ...], *, env: dict[str, str], out: Path, err: Path) -> Child:
        if self.is_stepped and not (self.folder / "clock").exists():
            self.step(0)
        for path in (out, err):
            path.touch()
        # How Python starts is up to it alone.
        is_plain = self.program == PROGRAM and not any(n.startswith("PYTHON") and n != "PYTHONPATH" for n in env)
        if is_plain and not self.is_fresh:
            return Forked(arguments, folder=self.folder, env=env, out=out, err=err)
        with out.open("ab") as to_out, err.open("ab") as to_err:
            return subprocess.Popen(
                [sys.executable, *([str(STEPPED)] if self.is_stepped else self.program), *arguments],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
            )

    def run(self, *arguments: str, env: dict[str, str] | None = None, patience_s: float = PATIENCE_S) -> "Ran":
        """Run a command to its end."""
        with tempfile.TemporaryDirectory(prefix="alertd-ran-") as streams:
            out, err = Path(streams, "out"), Path(streams, "err")
            child = self._launch(arguments, env={**self.environment(), **(env or {})}, out=out, err=err)
            try:
                code = child.wait(patience_s)
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
            return Ran(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def start(self, *arguments: str) -> Child:
        """Start the service; its log is appended to `log`."""
        child = self._launch(
            arguments or ("run",), env=self.environment(), out=self.folder / "stdout.log", err=self.log
        )
        self.children.append(child)
        return child

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Child]:
        """Run the service for a block, and stop it cleanly after."""
        child = self.start(*arguments)
        try:
            yield child
            assert child.poll() is None, self.log.read_text()
        finally:
            self.stop(child)
        assert child.returncode == 0, self.log.read_text()

    def stop(self, child: Child) -> None:
        """Ask a child to stop, and wait for it."""
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        try:
            child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise

    def alerts(self) -> list[dict[str, Any]]:
        """Return `alertd alerts --all --json`."""
        ran = self.run("alerts", "--all", "--json")
        assert ran.code == 0, ran.err
        found: list[dict[str, Any]] = json.loads(ran.out)
        return found

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines of one event."""
        if not self.log.exists():
            return []
        found = []
        for line in self.log.read_text().splitlines():
            # A process that was killed in the middle of a line leaves half of one.
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict) and line.get("event") == event]

    def wait_events(self, event: str, count: int) -> None:
        """Wait until the log has so many lines of an event."""
        wait_for(lambda: len(self.events(event)) >= count, why=f"{count} times {event!r}")

    def cycles(self) -> int:
        """Return how many cycles the log tells of."""
        return len(self.events("cycle done"))

    def wait_cycles(self, more: int = 2) -> None:
        """Wait until so many further cycles are done: what is decided once is decided by then."""
        goal = self.cycles() + more
        wait_for(lambda: self.cycles() >= goal, why=f"{more} further cycles\n{self.log.read_text()[-2000:]}")


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str


class LoopThread:
    """Runs asyncio doubles in a thread for tests that are not asynchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._entered: list[AbstractAsyncContextManager[Any]] = []

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context; it is left when this thread is closed."""
        entered = asyncio.run_coroutine_threadsafe(context.__aenter__(), self._loop).result(10)
        self._entered.append(context)
        return entered

    def close(self) -> None:
        """Leave everything and end the thread."""
        for context in reversed(self._entered):
            asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def no_traceback(text: str) -> bool:
    """Return whether a text is free of Python's own words for failures."""
    return not any(word in text for word in ("Traceback", 'File "', "Error:", "Exception"))
