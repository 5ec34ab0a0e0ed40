"""Run one test file: load, observe, compare. Mistakes in the file are its outcome and do not stop other files."""

from collections.abc import Callable
from pathlib import Path

from alertd.errors import Problem, RulesError
from alertd.rules_file.entry import Entry, Findings, entries_of
from alertd.rules_file.faults import Faults
from alertd.rules_file.files import collector_paused, read_mapping
from alertd.rules_file.keys import read
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import LoadedRules
from alertd.rules_file.references import check_unique
from alertd.rules_file.remedy import show, unknown_key
from alertd.rules_file.source import Node, Number
from alertd.rules_test import references
from alertd.rules_test.compare import differences
from alertd.rules_test.model import LoadedTest, LoadedTests, RuleTest
from alertd.rules_test.receivers import real_receivers
from alertd.rules_test.report import FileOutcome, Outcome
from alertd.rules_test.run import observe
from alertd.rules_test.schema import RULES, TESTS


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


_KEYS = (RULES, TESTS)


def load_tests(path: Path) -> LoadedTests:
    """
    Read and check a test file and its rules.

    Raises:
        RulesError: The file has mistakes; it holds every problem found, including those of the rules.
    """
    findings = Findings()
    with collector_paused():
        root = _root(path, findings)
        rules = _rules(path, root, findings) if root is not None else None
        entries = _entries(path, root, findings) if root is not None else []
        check_unique(entries, {}, findings)
        tests = [_test(entry, rules, findings) for entry in entries]
    if findings.problems or rules is None:
        raise RulesError(findings.problems)
    return LoadedTests(
        rules=rules,
        tests=tuple(test for test in tests if test is not None),
        warnings=tuple(
            f"{one.path}:{one.line}:{one.column}: warning: {one.text}" for one in sorted(set(findings.warnings))
        ),
    )


def _root(path: Path, findings: Findings) -> Node | None:
    """Return the mapping that the file holds, None where it holds none."""
    missing = "there is no such file; name the test files, such as tests/*_test.yaml"
    empty = "the file is empty; write rules: and tests:"
    other = "a test file is a mapping with rules: and tests:, not {}"
    root = read_mapping(path, findings, missing=missing, empty=empty, other=other)
    for key, (line, column) in root.keys.items() if root is not None else ():
        if key not in _KEYS:
            findings.add(Problem(str(path), line, column, unknown_key(key, _KEYS)))
    return root


def _rules(path: Path, root: Node, findings: Findings) -> LoadedRules | None:
    node = root.children.get(RULES)
    if node is None:
        text = "rules is missing; write the rules file's path from this file's folder, e.g. rules: rules.yaml"
        findings.add(Problem(str(path), root.line, root.column, text))
        return None
    if not isinstance(node.value, str) or isinstance(node.value, Number) or not node.value:
        text = f"rules: {show(node.plain())} is not a path; write it like rules.yaml"
        findings.add(Problem(str(path), node.line, node.column, text))
        return None
    target = path.parent / node.value
    try:
        if not target.exists():
            text = f"rules: there is no {target}; write the path from this file's folder"
            findings.add(Problem(str(path), node.line, node.column, text))
            return None
    except (OSError, ValueError):
        # Its mistakes are reported where it is read.
        pass
    try:
        return load_rules(target)
    except RulesError as error:
        for problem in error.problems:
            findings.add(problem)
    return None


def _entries(path: Path, root: Node, findings: Findings) -> list[Entry]:
    node = root.children.get(TESTS)
    if node is None or node.value == [] or (node.value is None):
        line, column = root.keys.get(TESTS, (root.line, root.column))
        text = "there are no tests; write tests: and below it a dash (-), name: and expect: for each"
        findings.add(Problem(str(path), line, column, text))
        return []
    if not isinstance(node.value, list):
        text = f"tests: {show(node.plain())} is not a list; begin each test with a dash (-)"
        findings.add(Problem(str(path), node.line, node.column, text))
        return []
    return entries_of(str(path), "test", node.value)


def _test(entry: Entry, rules: LoadedRules | None, findings: Findings) -> LoadedTest | None:
    try:
        test = read(RuleTest, entry.node)
    except Faults as faults:
        for fault in faults.found:
            findings.add(fault.problem(entry))
        return None
    references.check_times(entry, test, findings)
    if rules is not None:
        references.check_names(entry, test, rules, findings)
    places = tuple(part.place for part in references.parts(entry, "expect", "expectation"))
    return LoadedTest(test=test, place=entry.place, expectation_places=places)
