"""The table of `table.md`, read."""

import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("table.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row."""

    number: int
    what: str
    promises: tuple[str, ...]
    tests: tuple[str, ...]
    """Names of test functions, without `test_`."""
    why: str
    """Why none fits it whole; empty where one does."""


def faults() -> list[Fault]:
    """Return the rows in the order of the table."""
    found = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not re.match(r"\| \d", line):
            continue
        number, what, promises, _, tests, why = (cell.strip() for cell in line.strip().strip("|").split("|"))
        found.append(
            Fault(
                number=int(number),
                what=what,
                promises=tuple(promises.split()),
                tests=tuple(re.findall(r"`(\w+)`", tests)),
                why=why,
            )
        )
    return found
