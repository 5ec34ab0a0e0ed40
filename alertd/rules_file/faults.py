"""Faults inside an entry, each with its place: collected while nodes are read, worded for the file's author."""

from dataclasses import replace

from alertd.core.dataclass import dataclass
from alertd.errors import Problem
from alertd.rules_file.entry import Entry
from alertd.rules_file.remedy import flow, show
from alertd.rules_file.source import Node


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its place, the keys of the entry that lead to it, and what to do."""

    line: int
    column: int
    keys: tuple[str, ...]
    text: str

    def problem(self, entry: Entry) -> Problem:
        """Return this fault as a problem of *entry*."""
        shown = f"{'.'.join(self.keys)}: " if self.keys else ""
        return Problem(entry.path, self.line, self.column, f"{entry.subject}: {shown}{self.text}")


class Faults(Exception):
    """All faults inside a list or mapping."""

    def __init__(self, found: list[Fault]) -> None:
        self.found = found
        super().__init__(f"{len(found)} faults")


def faults_at(
    error: "ValueError | Faults", node: Node, keys: tuple[str, ...] = (), *, example: object = None
) -> list[Fault]:
    """
    Return the faults of one item or value, as faults of the list or mapping that contains it.

    Args:
        error: The exception raised while reading the part.
        node: The item or value.
        keys: The key of a value; empty for an item of a list.
        example: A value to suggest if nothing is written.
    """
    if node.value is None:
        like = "" if example is None else f" like {flow(example)}"
        text = f"nothing is written here; write a value{like} or remove the {'key' if keys else 'dash'}"
        return [Fault(node.line, node.column, keys, text)]
    if isinstance(error, Faults):
        return [replace(fault, keys=(*keys, *fault.keys)) for fault in error.found]
    return [Fault(node.line, node.column, keys, str(error))]


def not_a_mapping(node: Node, example: object = None) -> Faults:
    """Return the fault of a node that should be a mapping and is not."""
    form = f"one like {flow(example)}" if isinstance(example, dict) else "key: value pairs"
    return Faults([Fault(node.line, node.column, (), f"{show(node.value)} is not a mapping; write {form}")])
