"""The table names every fault, a promise for each, and tests that exist."""

import re
from pathlib import Path

from tests.reliability.table import faults

_TESTS = Path(__file__).parents[1]
_PROMISES = {"truth", *(f"D{number}" for number in range(1, 10))}


def test_faults_then_numbered_without_a_gap_with_promises_and_tests_or_a_reason() -> None:
    """One that is left out would be missed by nobody."""
    assert [fault.number for fault in faults()] == list(range(1, 109))
    for fault in faults():
        assert fault.promises, fault
        assert set(fault.promises) <= _PROMISES, fault
        assert fault.tests or fault.why, fault


def test_tests_of_faults_then_exist() -> None:
    """One that is renamed or deleted leaves a promise that nothing shows."""
    existing = {
        name
        for path in _TESTS.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def test_(\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    assert [(fault.number, name) for fault in faults() for name in fault.tests if name not in existing] == []
