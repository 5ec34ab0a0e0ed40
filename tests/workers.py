"""
A pytest plugin that collects once and runs the tests in forks of that process: `-n 4` in four, `-n 0` in none.

With pytest-xdist each worker imports and collects all modules again: 60 of 540 seconds of the processor. A worker runs
the tests of a file one after the other; one that has nothing left takes half of what another has. Each has session
fixtures of its own. Nothing may run a thread before the tests begin.

PYTEST_DONT_REWRITE: there are no assertions here, and the planting of bugs imports this before pytest does.
"""

import os
import random
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from multiprocessing import connection, get_context
from multiprocessing.context import ForkProcess
from types import SimpleNamespace

import pytest
from _pytest._io import TerminalWriter

_Link = connection.Connection
_FORK = get_context("fork")
_LOOK_S = 1.0
_END_S = 20.0
"""A worker that was asked to end has so long to stop what its fixtures started."""
_SECONDS = "workers/seconds"
"""Where pytest's cache holds how long each file took."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `-n`."""
    # Pytest keeps one-letter options to itself.
    parser.getgroup("workers")._addoption(
        "-n", dest="workers", type=int, default=0, metavar="N", help="run tests in N forks of the process; 0: in none"
    )


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests in workers, or leave them to pytest."""
    option = session.config.option
    if option.workers < 1 or option.collectonly or option.usepdb or session.testsfailed or len(session.items) < 2:
        return None
    if threading.active_count() > 1:
        raise pytest.UsageError(f"no fork would have the threads that run before the tests: {threading.enumerate()}")
    _Crew(session).run()
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
    return True


def become_fork(config: pytest.Config, reporter: object) -> None:
    """Give a forked process what it must not share: captured output, the terminal, folders and random numbers."""
    capturing = config.pluginmanager.getplugin("capturemanager")
    capturing.stop_global_capturing()
    capturing.start_global_capturing()
    capturing.suspend_global_capture()
    if config.pluginmanager.has_plugin("terminalreporter"):
        config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(reporter, "terminalreporter")
    folders = config._tmp_path_factory  # type: ignore[attr-defined]
    folders._basetemp = folders.getbasetemp() / f"fork-{os.getpid()}"
    folders._basetemp.mkdir(0o700)
    random.seed()


class ForkReporter:
    """In place of pytest's reporter, whose terminal is not the fork's: what plugins write is a test's output."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.reports: list[pytest.TestReport] = []

    @property
    def _tw(self) -> TerminalWriter:
        return TerminalWriter(sys.stderr)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a report."""
        self.reports.append(report)


class _LinkReporter(ForkReporter):
    """It sends what a test led to, once the test ended."""

    def __init__(self, config: pytest.Config, link: _Link) -> None:
        super().__init__(config)
        self._link = link
        self.warned: list[tuple[object, ...]] = []

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: tuple[str, int, str] | None
    ) -> None:
        """Keep a warning."""
        what = warning_message
        self.warned.append((str(what.message), what.category, what.filename, what.lineno, when, nodeid, location))

    def send(self) -> None:
        """Send what was kept, and forget it."""
        to_serializable = self.config.hook.pytest_report_to_serializable
        self._link.send(([to_serializable(config=self.config, report=report) for report in self.reports], self.warned))
        self.reports, self.warned = [], []


@dataclass(slots=True, eq=False)
class _Worker:
    """A fork and what it is to run."""

    name: str
    process: ForkProcess
    link: _Link
    waiting: deque[int] = field(default_factory=deque)
    """Tests of one file; the first was already announced to the fork as the one that follows."""
    running: int | None = None
    since: float = 0.0


class _Crew:
    """The main process's part: it gives out tests, one at a time, and passes the reports on."""

    def __init__(self, session: pytest.Session) -> None:
        self._session, self._config, self._items = session, session.config, session.items
        self._seconds: dict[str, float] = {}
        self._files = deque(self._longest_first())
        self._workers: list[_Worker] = []
        self._patience_s = 2 * _limit_s(self._config) + _LOOK_S

    def run(self) -> None:
        # Made before the first fork, which would otherwise make another.
        self._config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        try:
            for number in range(min(self._config.option.workers, len(self._items))):
                self._start(f"gw{number}", deque())
            while self._workers:
                self._listen()
        finally:
            for worker in self._workers:
                worker.process.terminate()
            for worker in self._workers:
                self._end(worker)
        if cache := getattr(self._config, "cache", None):
            cache.set(_SECONDS, cache.get(_SECONDS, {}) | self._seconds)

    def _longest_first(self) -> Iterator[deque[int]]:
        known: dict[str, float] = {}
        if cache := getattr(self._config, "cache", None):
            known = cache.get(_SECONDS, {})
        runs = [deque(run) for _, run in groupby(range(len(self._items)), self._file)]
        return iter(sorted(runs, key=lambda run: -known.get(self._file(run[0]), float("inf"))))

    def _file(self, index: int) -> str:
        return self._items[index].nodeid.partition("::")[0]

    def _start(self, name: str, waiting: deque[int]) -> None:
        ours, theirs = _FORK.Pipe()
        process = _FORK.Process(target=_work, args=(self._session, theirs, [ours, *(w.link for w in self._workers)]))
        process.start()
        theirs.close()
        worker = _Worker(name=name, process=process, link=ours, waiting=waiting)
        self._workers.append(worker)
        self._give(worker)

    def _give(self, worker: _Worker) -> None:
        """Give a worker its next test and the one that follows in the same file, or have it end."""
        if not worker.waiting and not self._session.shouldfail and not self._session.shouldstop:
            worker.waiting = self._files.popleft() if self._files else self._half()
        if self._session.shouldfail or self._session.shouldstop:
            worker.waiting.clear()
        worker.running = worker.waiting.popleft() if worker.waiting else None
        worker.since = time.monotonic()
        following = worker.waiting[0] if worker.waiting else None
        try:
            worker.link.send(None if worker.running is None else (worker.running, following))
        except OSError:
            # It ended: reading from it says so.
            return

    def _half(self) -> deque[int]:
        """Take half of what the worker with the most tests has left, never the one that it was promised."""
        richest = max(self._workers, key=lambda worker: len(worker.waiting))
        return deque(reversed([richest.waiting.pop() for _ in range(len(richest.waiting) // 2)]))

    def _listen(self) -> None:
        by_link = {worker.link: worker for worker in self._workers}
        ready = connection.wait(list(by_link), _LOOK_S)
        for link in ready:
            worker = by_link[link]  # type: ignore[index]
            if (heard := _heard(worker.link)) is None:
                self._lost(worker)
                continue
            self._pass_on(worker, *heard)
            if worker.running is not None:
                self._give(worker)
        for worker in list(self._workers):
            if worker.link not in ready:
                if not worker.process.is_alive():
                    self._lost(worker)
                elif worker.running is not None and time.monotonic() - worker.since > self._patience_s > _LOOK_S:
                    worker.process.kill()

    def _pass_on(self, worker: _Worker, reports: list[dict[str, object]], warned: list[tuple[object, ...]]) -> None:
        for message, category, path, line, when, nodeid, location in warned:
            warning = warnings.WarningMessage(message, category, path, line)  # type: ignore[arg-type]
            self._config.hook.pytest_warning_recorded.call_historic(
                kwargs={"warning_message": warning, "when": when, "nodeid": nodeid, "location": location}
            )
        for data in reports:
            report = self._config.hook.pytest_report_from_serializable(config=self._config, data=data)
            self._log(worker, report)

    def _log(self, worker: _Worker, report: pytest.TestReport) -> None:
        # As pytest expects of a run in parallel: it names the worker, and no file before each dot.
        shown = SimpleNamespace(gateway=SimpleNamespace(id=worker.name), _workerinfocache=f"[{worker.name}]")
        report.node = shown  # type: ignore[attr-defined]
        file = report.nodeid.partition("::")[0]
        self._seconds[file] = self._seconds.get(file, 0.0) + report.duration
        self._config.hook.pytest_runtest_logreport(report=report)

    def _lost(self, worker: _Worker) -> None:
        """Fail the test during which a worker ended, and have another run the rest."""
        self._workers.remove(worker)
        self._end(worker)
        if worker.running is None:
            return
        item, code = self._items[worker.running], worker.process.exitcode or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        self._log(
            worker,
            pytest.TestReport(
                nodeid=item.nodeid,
                location=item.location,
                keywords={},
                outcome="failed",
                longrepr=f"worker {worker.name} ended {how} while it ran {item.nodeid}",
                when="call",
                duration=time.monotonic() - worker.since,
            ),
        )
        if worker.waiting or self._files:
            self._start(worker.name, worker.waiting)

    def _end(self, worker: _Worker) -> None:
        worker.link.close()
        worker.process.join(_END_S)
        worker.process.kill()
        worker.process.join()


def _heard(link: _Link) -> tuple[list[dict[str, object]], list[tuple[object, ...]]] | None:
    """Return the reports and warnings that a worker sent, None if it ended."""
    try:
        heard: tuple[list[dict[str, object]], list[tuple[object, ...]]] = link.recv()
    except (EOFError, OSError):
        return None
    return heard


def _limit_s(config: pytest.Config) -> float:
    """Return the seconds that pytest-timeout gives each test, 0 for no limit."""
    return float(config.getoption("timeout", None) or os.environ.get("PYTEST_TIMEOUT") or config.getini("timeout") or 0)


def _work(
    session: pytest.Session,
    link: _Link,
    others: list[_Link],
) -> None:
    """Be a worker: run what is asked for until there is no more, then end what session fixtures started."""
    for other in others:
        other.close()
    reporter = _LinkReporter(session.config, link)
    become_fork(session.config, reporter)
    # Whoever is registered hears of the warnings before, which the main process knows.
    reporter.warned.clear()
    item: pytest.Item | None = None
    try:
        while (asked := link.recv()) is not None:
            index, following = asked
            item = session.items[index]
            # Of what follows only fixtures that both tests use stay; those of the session always do.
            nextitem = session if following is None else session.items[following]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            reporter.send()
    except (EOFError, KeyboardInterrupt):
        # The main process ended, or Ctrl-C ended both.
        pass
    finally:
        if item is not None:
            ended = pytest.CallInfo.from_call(lambda: session._setupstate.teardown_exact(None), "teardown")
            if ended.excinfo is not None:
                reporter.reports.append(item.ihook.pytest_runtest_makereport(item=item, call=ended))
        reporter.send()
