"""What is wrong inside of an entry, each fault at its place: collected while nodes are read, worded for authors."""

from dataclasses import replace

from alertd.core.dataclass import dataclass
from alertd.errors import Problem
from alertd.rules_file.entry import Entry
from alertd.rules_file.remedy import flow, show
from alertd.rules_file.source import Node


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, under which keys of its entry, and what to do."""

    line: int
    column: int
    keys: tuple[str, ...]
    text: str

    def problem(self, entry: Entry) -> Problem:
        """Return the problem that it is of its entry."""
        shown = f"{'.'.join(self.keys)}: " if self.keys else ""
        return Problem(entry.path, self.line, self.column, f"{entry.subject}: {shown}{self.text}")


class Faults(Exception):
    """Every fault inside of a list or mapping."""

    def __init__(self, found: list[Fault]) -> None:
        self.found = found
        super().__init__(f"{len(found)} faults")


def faults_at(
    error: "ValueError | Faults", node: Node, keys: tuple[str, ...] = (), *, example: object = None
) -> list[Fault]:
    """
    Return what is wrong with a part of a list or mapping, as faults of all of it.

    Args:
        error: What reading the part raised.
        node: The part.
        keys: The key that it stands under, none in a list.
        example: What could be written where nothing is.
    """
    if node.value is None:
        like = "" if example is None else f" like {flow(example)}"
        text = f"nothing is written here; write a value{like} or remove the {'key' if keys else 'dash'}"
        return [Fault(node.line, node.column, keys, text)]
    if isinstance(error, Faults):
        return [replace(fault, keys=(*keys, *fault.keys)) for fault in error.found]
    return [Fault(node.line, node.column, keys, str(error))]


def not_a_mapping(node: Node, example: object = None) -> Faults:
    """Return what is wrong with a node that should be a mapping."""
    form = f"one like {flow(example)}" if isinstance(example, dict) else "key: value pairs"
    return Faults([Fault(node.line, node.column, (), f"{show(node.value)} is not a mapping; write {form}")])
