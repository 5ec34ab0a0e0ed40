"""
What was renamed in the language is read by its old name, with a warning that says the new one.

A key names its former names itself (`Key.former`), rule types stand in `rule_types.FORMER_NAMES`.
"""

from dataclasses import replace

from alertd.rules_file.entry import KEY, Entry, Findings
from alertd.rules_file.keys import Table
from alertd.rules_file.remedy import show
from alertd.rules_file.rule_types import FORMER_NAMES
from alertd.rules_file.source import Node


def with_new_type(entry: Entry, findings: Findings) -> Entry:
    """Return a rule under the present name of its type; an old name gets a warning."""
    written = entry.node.children.get("type")
    new = FORMER_NAMES.get(written.value) if written is not None and isinstance(written.value, str) else None
    if written is None or new is None:
        return entry
    text = f"rule type {show(written.value)} is now called {show(new)}; write type: {new}"
    findings.warn(entry.problem(("type",), text, has_keys=False))
    children = {**entry.node.children, "type": replace(written, value=new)}
    return replace(entry, node=replace(entry.node, value=children))


def with_new_keys(entry: Entry, table: Table, findings: Findings) -> Entry:
    """
    Return an entry under the present names of its keys; each old name gets a warning.

    An old name beside the new one is a problem: which of them counts is the author's to say.
    """
    former = {old: name for name, row in table.items() for old in row.note.former}
    written = [name for name in entry.node.children if name in former]
    for old in written:
        new = former[old]
        if new in entry.node.children:
            text = f"{old} is the former name of {new}, and both are written; keep {new}"
            findings.add(entry.problem((old, KEY), text, has_keys=False))
        else:
            findings.warn(entry.problem((old, KEY), f"{old} is now called {new}; write {new}:", has_keys=False))
    return replace(entry, node=_renamed(entry.node, former)) if written else entry


def _renamed(node: Node, former: dict[str, str]) -> Node:
    children: dict[str, Node] = {}
    keys: dict[str, tuple[int, int]] = {}
    for name, child in node.children.items():
        new = former.get(name, name)
        if new == name or new not in node.children:
            children[new], keys[new] = child, node.keys[name]
    return replace(node, value=children, keys=keys)
