"""
The outcome of tests as JUnit XML, for continuous integration.

Source: the format that Jenkins, GitLab and GitHub's reporters share (`testsuites`, `testsuite`, `testcase`, `failure`,
`error`), https://github.com/testmoapp/junitxml
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from alertd.rules_test.report import FileOutcome, Outcome, difference_lines

# What XML 1.0 cannot hold, even escaped.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(files: Sequence[FileOutcome]) -> bytes:
    """Return the report of a run: one suite a file, one case a test; a file with mistakes is one case with an error."""
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
