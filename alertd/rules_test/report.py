"""The outcome of tests, on a terminal and as JUnit XML for continuous integration: words and colours only."""

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from alertd.core.dataclass import dataclass
from alertd.core.printable import escape_controls
from alertd.core.words import format_count
from alertd.errors import Problem
from alertd.rules_test.compare import Difference, LineKind, at_text
from alertd.rules_test.model import LoadedTest

_WIDTH = max(map(len, LineKind)) + 2
_RESET = "\x1b[0m"
_RED = "\x1b[31m"
_GREEN = "\x1b[32m"
_DIM = "\x1b[2m"
_COLOURS = {
    LineKind.EXPECTED: _GREEN,
    LineKind.GOT: _RED,
    LineKind.MISSING: _GREEN,
    LineKind.UNEXPECTED: _RED,
    LineKind.FAULT: _RED,
    LineKind.BECAUSE: _DIM,
    LineKind.TEXT: _DIM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one test."""

    loaded: LoadedTest
    differences: tuple[Difference, ...]
    took_s: float

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences

    @property
    def title(self) -> str:
        """Place and name."""
        place = self.loaded.place
        return f"{place.path}:{place.line}:{place.column}: {escape_controls(self.loaded.test.name)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """The outcome of one test file: its tests, or why it could not be used."""

    path: str
    tests: tuple[Outcome, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the file could be used and all of its tests passed."""
        return not self.problems and all(test.passed for test in self.tests)


def failure_text(outcome: Outcome, *, has_colour: bool) -> str:
    """Return a failed test: its place and name, and the differences at each time."""
    head = f"{_styled('FAIL', _RED, has_colour=has_colour)} {outcome.title}"
    return "\n".join([head, *difference_lines(outcome, has_colour=has_colour)])


def difference_lines(outcome: Outcome, *, has_colour: bool) -> Iterator[str]:
    """Yield the differences of a test, line by line."""
    for difference in outcome.differences:
        line = outcome.loaded.expectation_places[difference.number].line
        yield f"  at {at_text(difference)}, line {line}: {difference.what}"
        for one in difference.lines:
            text = f"    {one.kind.value:<{_WIDTH}}{escape_controls(one.text)}"
            yield _styled(text, _COLOURS.get(one.kind, ""), has_colour=has_colour)


def summary(files: Sequence[FileOutcome]) -> str:
    """Return the last line: `3 tests, 2 passed, 1 failed`."""
    tests = [test for file in files for test in file.tests]
    passed = sum(test.passed for test in tests)
    broken = sum(bool(file.problems) for file in files)
    failed = f", {len(tests) - passed} failed" if passed < len(tests) else ""
    unusable = f"; {format_count(broken, 'file')} with mistakes" if broken else ""
    return f"{format_count(len(tests), 'test')}, {passed} passed{failed}{unusable}"


def _styled(text: str, style: str, *, has_colour: bool) -> str:
    return f"{style}{text}{_RESET}" if has_colour and style else text


# What XML 1.0 cannot hold, even escaped.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(files: Sequence[FileOutcome]) -> bytes:
    """
    Return the report of a run: one suite a file, one case a test; a file with mistakes is one case with an error.

    Source: the format that Jenkins, GitLab and GitHub's reporters share (`testsuites`, `testsuite`, `testcase`,
    `failure`, `error`), https://github.com/testmoapp/junitxml
    """
    root = ET.Element("testsuites", name="alertd test")
    for file in files:
        _suite(root, file)
    suites = list(root)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", _seconds(sum(test.took_s for file in files for test in file.tests)))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(root: ET.Element, file: FileOutcome) -> None:
    cases = len(file.tests) + bool(file.problems)
    failures = sum(not test.passed for test in file.tests)
    suite = ET.SubElement(
        root,
        "testsuite",
        name=_fit(file.path),
        tests=str(cases),
        failures=str(failures),
        errors=str(int(bool(file.problems))),
        time=_seconds(sum(test.took_s for test in file.tests)),
    )
    for test in file.tests:
        _case(suite, file, test)
    if file.problems:
        case = ET.SubElement(suite, "testcase", name="load", classname=_fit(file.path), time="0.000")
        first = str(file.problems[0])
        error = ET.SubElement(case, "error", type="problems", message=_fit(first))
        error.text = _fit("\n".join(map(str, file.problems)))


def _case(suite: ET.Element, file: FileOutcome, test: Outcome) -> None:
    name = test.loaded.test.name
    case = ET.SubElement(suite, "testcase", name=_fit(name), classname=_fit(file.path), time=_seconds(test.took_s))
    if not test.passed:
        lines = list(difference_lines(test, has_colour=False))
        failure = ET.SubElement(case, "failure", type="difference", message=_fit(lines[0].strip()))
        failure.text = _fit("\n".join([test.title, *lines]))


def _seconds(duration_s: float) -> str:
    return f"{duration_s:.3f}"


def _fit(text: str) -> str:
    return _UNFIT.sub("?", text)
