"""Run one test file: load, observe, compare. Mistakes in the file are its outcome and do not stop other files."""

from collections.abc import Callable
from pathlib import Path

from alertd.errors import RulesError
from alertd.rules_test.compare import differences
from alertd.rules_test.load import load_tests
from alertd.rules_test.receivers import real_receivers
from alertd.rules_test.report import FileOutcome, Outcome
from alertd.rules_test.run import observe


async def run_file(path: Path, *, timer: Callable[[], float], warn: Callable[[str], None]) -> FileOutcome:
    """
    Run every test of a file.

    Args:
        timer: Seconds on a clock that never steps, for durations in reports.
        warn: Called with each warning and its place.
    """
    try:
        loaded = load_tests(path)
        receivers = real_receivers(loaded.rules)
    except RulesError as error:
        return FileOutcome(path=str(path), problems=error.problems)
    for warning in loaded.warnings:
        warn(warning)
    outcomes = []
    for one in loaded.tests:
        begun_s = timer()
        observations = await observe(one.test, loaded.rules, receivers)
        found = differences(one.test, observations)
        outcomes.append(Outcome(loaded=one, differences=tuple(found), took_s=timer() - begun_s))
    return FileOutcome(path=str(path), tests=tuple(outcomes))
