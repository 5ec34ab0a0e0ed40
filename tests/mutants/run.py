"""Runs the tests that matter for a planted bug, the nearest first, until one fails."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.planting import VARIABLE

ROOT = Path(__file__).parents[2]
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", re.MULTILINE)
_STALL_S = 300
"""A stage that takes longer hangs: that is found too."""
_LEFT_OUT = {"e2e", "demo", "mutants", "fuzz", "simulation", "simulator"}
"""Rooms whose tests start processes, which a planted bug does not reach, or take long."""


_RED: set[str] = set()
"""Tests that fail without any bug planted: they find nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a planted bug."""

    mutant: Mutant
    found_by: str
    """The test that failed first, and passes without the bug; empty where the bug survived."""
    seconds: float


def verdict(mutant: Mutant, *, stages: int = 3) -> Verdict:
    """
    Plant a bug and run tests until one fails that passes without it.

    Raises:
        ValueError: The text that the bug changes is not there.
        RuntimeError: Pytest could not run.
    """
    begun = time.monotonic()
    found = ""
    with tempfile.TemporaryDirectory(prefix="alertd-mutant-") as folder:
        given = Path(folder) / "planted.json"
        given.write_text(json.dumps({"module": mutant.module, "source": mutant.planted()}), encoding="utf-8")
        nearest = [list(mutant.tests)] if mutant.tests else []
        for files in [*nearest, *list(stages_of(mutant.module))[:stages]]:
            found = _finder(files, given)
            if found:
                break
    return Verdict(mutant=mutant, found_by=found, seconds=time.monotonic() - begun)


def red_tests() -> tuple[str, ...]:
    """Return the tests that were met so far and fail without any bug planted."""
    return tuple(sorted(_RED))


def _finder(files: list[str], given: Path) -> str:
    """Return the first test that fails because of the bug, empty where there is none."""
    while True:
        found = _first_failure(files, given)
        if not found or _is_green(found, files):
            return found
        _RED.add(found)


@cache
def _is_green_alone(tests: tuple[str, ...]) -> bool:
    return not _first_failure(list(tests), None)


def _is_green(found: str, files: list[str]) -> bool:
    """Return whether what failed with the bug passes without it; of a run that ended as a whole, all of its files."""
    return _is_green_alone((found,) if "::" in found else tuple(files))


def stages_of(module: str) -> Iterator[list[str]]:
    """Yield test files: those that name the module, the rest of its room, those that name what imports it."""
    direct = {path for path, text in _tests().items() if _names(text, module)}
    direct |= {path for path in _tests() if path.stem == f"test_{module.rpartition('.')[2]}"}
    room = ROOT.joinpath("tests", *module.split(".")[1:-1])
    near = {path for path in _tests() if path.parent == room} - direct
    users = [user for user, text in _product().items() if _names(text, module)]
    far = {path for path, text in _tests().items() if any(_names(text, user) for user in users)} - direct - near
    for stage in (direct, near, far):
        if stage:
            yield sorted(str(path.relative_to(ROOT)) for path in stage)


def _first_failure(files: list[str], given: Path | None) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0"]
    command += ["-p", "no:cacheprovider", "--tb=no", "--timeout=60", *files]
    environment = {**os.environ}
    if given is not None:
        command += ["-p", "tests.mutants.planting", *(f"--deselect={test}" for test in sorted(_RED))]
        environment[VARIABLE] = str(given)
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_STALL_S, check=False
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


def _names(text: str, module: str) -> bool:
    package, _, name = module.rpartition(".")
    return re.search(rf"{re.escape(module)}\b|from {re.escape(package)} import [^\n]*\b{name}\b", text) is not None


@cache
def _tests() -> dict[Path, str]:
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    return {
        path: path.read_text(encoding="utf-8") for path in found if _LEFT_OUT.isdisjoint(path.relative_to(ROOT).parts)
    }


@cache
def _product() -> dict[str, str]:
    found = sorted((ROOT / "alertd").rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text(encoding="utf-8") for path in found}
