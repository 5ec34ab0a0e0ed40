"""
Plants bugs and runs the tests that matter for each, the nearest first, until one fails.

The tests are collected once. Each bug is planted in a fork of that process, in the functions that it changes; one that
changes what runs at import (a table, SQL in a constant, a default) is imported in a process of its own.
"""

import gc
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from types import CodeType, FunctionType

import pytest

from tests.mutants.mutant import Mutant
from tests.mutants.planting import VARIABLE, path_of
from tests.mutants.stages import ROOT, by_closeness, stages_of
from tests.workers import ForkReporter, become_fork

_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", re.MULTILINE)
_STALL_S = 300
"""A test that takes longer hangs: that is found too."""
_GREEN = "green"
_HEAVY = ("postgres", "pooler", "browser", "nginx", "test_real_")
"""Parts of the names of tests that start processes of others."""
_OPTIONS = ("-q", "-n", "0", "-p", "no:cacheprovider", "--tb=no", "--timeout=200")


_Place = tuple[str, str, int]
"""Where a function's text is: its file, its qualified name and its first line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a planted bug."""

    mutant: Mutant
    found_by: str
    """The test that failed first, and passes without the bug; empty where the bug survived."""
    red: tuple[str, ...]
    """Tests that fail without any bug planted: they find nothing."""
    seconds: float


class Planter:
    """A pytest plugin: in place of running what was collected, it plants bugs in forks and runs parts of it there."""

    def __init__(
        self, mutants: Sequence[Mutant], stages: int, most_s: float, jobs: int, report: Callable[[Verdict], None]
    ) -> None:
        self._mutants, self._stages, self._most_s, self._jobs, self._report = mutants, stages, most_s, jobs, report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Plant each bug, a few at a time, and report of each in the order of the table."""
        session.config.pluginmanager.unregister(name="terminalreporter")
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        # Frozen as conftest does: what was collected is no garbage, and no fork is to copy it for having looked.
        gc.unfreeze()
        functions = _functions()
        gc.freeze()
        gc.enable()
        _HELD.append(_Held(session, functions, self._stages, self._most_s))
        with ProcessPoolExecutor(self._jobs, get_context("fork")) as pool:
            for verdict in pool.map(_verdict, self._mutants):
                self._report(verdict)
        return True


def plant_all(
    mutants: Sequence[Mutant], *, stages: int, most_s: float, jobs: int, report: Callable[[Verdict], None]
) -> None:
    """
    Plant bugs one at a time and report of each whether a test that passes without it fails.

    Args:
        stages: How far from the module tests are looked for, 1 to 3.
        most_s: Of each stage tests run for so many seconds of the processor, those first that name what was changed.
        jobs: So many bugs are planted at a time.

    Raises:
        ValueError: The text that a bug changes is not there.
        RuntimeError: Pytest could not run.
    """
    for mutant in mutants:
        mutant.planted()
    files = {test.partition("::")[0] for mutant in mutants for test in mutant.tests}
    files |= {file for mutant in mutants for stage in stages_of(mutant.module)[:stages] for file in stage}
    planter = Planter(mutants, stages, most_s, jobs, report)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="alertd-mutants-", dir=memory) as folder:
        # What fails is killed where it stands, and leaves its files to whoever began.
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
        ended = pytest.main([*_OPTIONS, *sorted(files)], plugins=[planter])
    if ended not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        raise RuntimeError(f"pytest ended with {ended}: collect the tests to see why")


@dataclass(frozen=True, slots=True)
class _Held:
    """What was collected, and stands as it is in every fork."""

    session: pytest.Session
    functions: Mapping[_Place, Sequence[FunctionType]]
    stages: int
    most_s: float


_HELD: list[_Held] = []


def _functions() -> dict[_Place, list[FunctionType]]:
    found: dict[_Place, list[FunctionType]] = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType:
            found.setdefault(_place(thing.__code__), []).append(thing)
    return found


def _place(code: CodeType) -> _Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _verdict(mutant: Mutant) -> Verdict:
    (held,) = _HELD
    session = held.session
    begun = time.monotonic()
    pairs = changed_functions(mutant)
    if any(_place(old) not in held.functions for old, _ in pairs):
        # No test that was collected imports the module as it stands in the file.
        pairs = []
    red: set[str] = set()
    found = ""
    rounds = [(names, bool(pairs)) for names in _stages(mutant, held.stages)]
    if pairs:
        # What was remembered of calls while tests were collected hides a bug from every fork.
        rounds.append((rounds[0][0], False))
    for names, is_forked in rounds:
        while True:
            if is_forked:
                found = _failure_in_fork(held, _items(session, names, red, mutant), pairs)
            else:
                found = _failure_of_import(by_closeness(names, mutant), mutant, red)
            if (
                not found
                or "::" not in found
                or not _failure_in_fork(held, _items(session, [found], set(), mutant), [])
            ):
                break
            red.add(found)
        if found:
            break
    return Verdict(mutant=mutant, found_by=found, red=tuple(sorted(red)), seconds=time.monotonic() - begun)


def _stages(mutant: Mutant, stages: int) -> Iterator[list[str]]:
    if mutant.tests:
        yield list(mutant.tests)
    yield from stages_of(mutant.module)[:stages]


def _items(session: pytest.Session, names: Sequence[str], red: set[str], mutant: Mutant) -> list[pytest.Item]:
    """Return the tests of files, or those named: the closest first, what starts processes last."""
    closest = {file: at for at, file in enumerate(by_closeness({name.partition("::")[0] for name in names}, mutant))}

    def rank(item: pytest.Item) -> tuple[bool, int]:
        return any(word in item.nodeid for word in _HEAVY), closest[item.nodeid.partition("::")[0]]

    chosen = [item for item in session.items if {item.nodeid, item.nodeid.partition("::")[0]} & set(names)]
    return sorted((item for item in chosen if item.nodeid not in red), key=rank)


def changed_functions(mutant: Mutant) -> list[tuple[CodeType, CodeType]]:
    """Return the code of each function or method before and after; nothing where what runs at import changes."""
    path = path_of(mutant.module)
    texts = (path.read_text(encoding="utf-8"), mutant.planted())
    before, after = (compile(text, str(path), "exec", dont_inherit=True) for text in texts)
    pairs = list(_pairs(before, after))
    return [] if (None, None) in pairs else [pair for pair in pairs if pair[0] is not None]


def _pairs(before: CodeType, after: CodeType) -> Iterator[tuple[CodeType, CodeType] | tuple[None, None]]:
    if _own(before) != _own(after):
        yield None, None
        return
    for old, new in zip(_inner(before), _inner(after), strict=True):
        if "__qualname__" in old.co_names and not old.co_flags & 1:  # the body of a class
            yield from _pairs(old, new)
        elif _whole(old) != _whole(new):
            yield (old, new) if old.co_freevars == new.co_freevars else (None, None)


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    constants = [c.co_name if isinstance(c, CodeType) else (type(c), repr(c)) for c in code.co_consts]
    return code.co_code, code.co_names, tuple(constants)


def _whole(code: CodeType) -> tuple[object, ...]:
    return _own(code), code.co_varnames, code.co_freevars, tuple(map(_whole, _inner(code)))


def _failure_in_fork(held: _Held, items: Sequence[pytest.Item], pairs: Sequence[tuple[CodeType, CodeType]]) -> str:
    """Run tests in a fork with functions changed; return the first that fails, empty where none does."""
    if not items:
        return ""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        try:
            os.setpgid(0, 0)
            become_fork(held.session.config, reporter := ForkReporter(held.session.config))
            for old, new in pairs:
                for function in held.functions.get(_place(old), ()):
                    function.__code__ = new
            found = _first_failure(held, items, reporter, after_each=lambda: os.write(writing, b"."))
            os.write(writing, f"{found or _GREEN}\n".encode())
        except BaseException as error:  # noqa: BLE001 # what a bug breaks, up to the end of the process, is found
            os.write(writing, f"the run ended: {error!r}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    answer = _heard(reading)
    os.close(reading)
    for end in (os.killpg, os.kill):
        try:
            end(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.waitpid(process, 0)
    return "" if answer == _GREEN else answer or "the run ended at once"


def _heard(pipe: int) -> str:
    """Return the line that a fork writes at its end, behind a dot for each test."""
    said = b""
    while not said.endswith(b"\n"):
        if not select.select([pipe], [], [], _STALL_S)[0]:
            return f"no end within {_STALL_S} s"
        if not (more := os.read(pipe, 4096)):
            break
        said += more
    return said.decode().strip(".\n")


def _first_failure(
    held: _Held, items: Sequence[pytest.Item], reporter: ForkReporter, *, after_each: Callable[[], object]
) -> str:
    begun_s = time.process_time()
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if failed := [report.nodeid for report in reporter.reports if report.failed]:
            return failed[0]
        after_each()
        if time.process_time() - begun_s > held.most_s:
            break
    return ""


def _failure_of_import(names: list[str], mutant: Mutant, red: set[str]) -> str:
    """Run tests in a process that imports the changed module; return the first that fails, empty where none does."""
    command = [sys.executable, "-m", "pytest", "-x", *_OPTIONS, "-p", "tests.mutants.planting", *names]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as given:
        given.write(json.dumps({"module": mutant.module, "source": mutant.planted()}))
        given.flush()
        try:
            done = subprocess.run(
                [*command, *(f"--deselect={test}" for test in sorted(red))],
                cwd=ROOT,
                env={**os.environ, VARIABLE: given.name},
                capture_output=True,
                text=True,
                timeout=_STALL_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no end within {_STALL_S} s"
    if done.returncode in {0, 5}:
        return ""
    failed = _FAILED.search(done.stdout)
    if failed is not None:
        return failed[1]
    # The module could not even be imported, or a test that hung ended the whole run.
    if "Timeout" in done.stdout + done.stderr or "conftest" in done.stderr:
        return "the run ended: " + (done.stderr or done.stdout).strip().splitlines()[-1][:120]
    raise RuntimeError(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-800:]}")
