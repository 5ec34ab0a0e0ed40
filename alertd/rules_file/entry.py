"""
One entry of a section with its position, and the collector of problems and warnings.

Defines the form of problems (subject first, one line, limited length), not what counts as a problem.
"""

from collections.abc import Iterable
from dataclasses import field

from alertd.core.dataclass import dataclass
from alertd.core.printable import one_line
from alertd.errors import Problem, RulesError
from alertd.rules_file.model import Place
from alertd.rules_file.remedy import show
from alertd.rules_file.source import Node

MAX_PROBLEMS = 1000
"""Maximum number of problems: more are usually one mistake repeated, and searching for remedies would take minutes."""
_LONGEST = 400

Location = tuple[int | str, ...]
KEY = "[key]"
"""The last part of a location that means the key itself and not its value, as in pydantic."""


@dataclass(slots=True)
class Findings:
    """The problems and warnings found during one load."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        """
        Add a problem.

        Raises:
            RulesError: There are too many problems to continue.
        """
        self.problems.append(_one_line(problem))
        if len(self.problems) >= MAX_PROBLEMS:
            last = max(self.problems)
            text = f"there are more than {MAX_PROBLEMS} problems; the rest is not checked until these are fixed"
            raise RulesError([*self.problems, Problem(last.path, last.line, last.column, text)])

    def warn(self, problem: Problem) -> None:
        """Add a warning."""
        self.warnings.append(_one_line(problem))


def _one_line(problem: Problem) -> Problem:
    text = one_line(problem.text[:_LONGEST])
    cut = "…" if len(problem.text) > _LONGEST else ""
    return Problem(problem.path, problem.line, problem.column, text + cut)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An item of a section such as `rules:`."""

    path: str
    kind: str
    """The kind of entry, in the singular: `rule`, `receiver`."""
    number: int
    """Its position in the section of its file, from 1; 0 for `defaults`, which is a single mapping."""
    node: Node

    @property
    def name(self) -> str:
        """The entry's name as written; empty if it has none."""
        named = self.node.value.get("name") if isinstance(self.node.value, dict) else None
        return str(named.value) if named is not None and isinstance(named.value, str) else ""

    @property
    def subject(self) -> str:
        """The entry as problems name it: `rule "gpu-24h"`, or `rule 3` if it has no name."""
        if self.number == 0:
            return self.kind
        return f"{self.kind} {show(self.name)}" if self.name else f"{self.kind} {self.number}"

    @property
    def place(self) -> Place:
        """Where the entry begins."""
        return Place(self.path, self.node.line, self.node.column)

    def find(self, location: Location) -> tuple[Node, Place, str]:
        """Return the deepest existing node on a location's path, the place to report, and its keys joined by dots."""
        node, place, keys = self.node, self.place, []
        for part in location:
            value = node.value
            if part == KEY:
                break
            if isinstance(value, dict) and isinstance(part, str) and part in value:
                place = Place(self.path, *node.keys[part])
                node = value[part]
                keys.append(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                node = value[part]
            # Anything else is pydantic's name of a union branch, or a key that is not in the file.
        if not location or location[-1] != KEY:
            place = Place(self.path, node.line, node.column)
        return node, place, ".".join(keys)

    def problem(self, location: Location, text: str, *, has_keys: bool = True) -> Problem:
        """
        Return a problem of this entry.

        Args:
            location: The path from the entry to the invalid value; the deepest part in the file gives the place.
            text: What is wrong and the remedy.
            has_keys: Whether the keys are named before the text; False if the text already names them.
        """
        _, place, keys = self.find(location)
        if location and location[-1] == KEY:
            keys = keys.rpartition(".")[0]
        shown = f"{keys}: " if keys and has_keys else ""
        return place.problem(f"{self.subject}: {shown}{text}")

    def texts(self, *location: str) -> Iterable[tuple[Location, str]]:
        """Yield location and value of each text under a key that holds one text or a list of them."""
        if location[0] not in self.node.children:
            return
        node, _, keys = self.find(location)
        if keys != ".".join(location):
            return
        if isinstance(node.value, list):
            for index, one in enumerate(node.value):
                if isinstance(one.value, str):
                    yield (*location, index), str(one.value)
        elif isinstance(node.value, str):
            yield location, str(node.value)


def entries_of(path: str, kind: str, items: Iterable[Node]) -> list[Entry]:
    """Return the items of a list as entries, numbered from 1."""
    return [Entry(path=path, kind=kind, number=number, node=one) for number, one in enumerate(items, start=1)]
