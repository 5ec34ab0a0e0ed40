"""
Test files -> `LoadedTests`, or every mistake in them at once, each with its place.

Reads the test file and the rules that it names; `references.py` checks what a test says about the rules.
"""

from pathlib import Path

from alertd.errors import Problem, RulesError
from alertd.rules_file.entry import Entry, Findings
from alertd.rules_file.faults import Faults
from alertd.rules_file.files import collector_paused
from alertd.rules_file.keys import read
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import LoadedRules
from alertd.rules_file.references import check_unique
from alertd.rules_file.remedy import show, unknown_key
from alertd.rules_file.source import MAX_BYTES, Node, Number, parse
from alertd.rules_test import references
from alertd.rules_test.model import LoadedTest, LoadedTests, RuleTest
from alertd.rules_test.schema import RULES, TESTS
from alertd.settings.text_file import open_ordinary

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
        path=path,
        rules=rules,
        tests=tuple(test for test in tests if test is not None),
        warnings=tuple(
            f"{one.path}:{one.line}:{one.column}: warning: {one.text}" for one in sorted(set(findings.warnings))
        ),
    )


def _root(path: Path, findings: Findings) -> Node | None:
    """Return the mapping in the file; None if there is none."""
    data = _bytes(path, findings)
    if data is None:
        return None
    source = parse(data, str(path))
    for problem in source.problems:
        findings.add(problem)
    if source.root is None:
        if not source.problems:
            findings.add(Problem(str(path), 1, 1, "the file is empty; write rules: and tests:"))
        return None
    if not isinstance(source.root.value, dict):
        text = f"a test file is a mapping with rules: and tests:, not {show(source.root.plain())}"
        findings.add(Problem(str(path), source.root.line, source.root.column, text))
        return None
    for key, (line, column) in source.root.keys.items():
        if key not in _KEYS:
            findings.add(Problem(str(path), line, column, unknown_key(key, _KEYS)))
    return source.root


def _bytes(path: Path, findings: Findings) -> bytes | None:
    try:
        with open_ordinary(path) as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        text = "there is no such file; name the test files, such as tests/*_test.yaml"
    except IsADirectoryError:
        text = f"this is a folder; name the files in it, such as {path}/*.yaml"
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is not one that a file can have"
        text = f"cannot be read: {why}; check its permissions"
    findings.add(Problem(str(path), 1, 1, text))
    return None


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
    return [
        Entry(path=str(path), kind="test", number=number, node=one) for number, one in enumerate(node.value, start=1)
    ]


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
