"""A rule type that was renamed is read by its old name, with a warning that says the new one."""

from dataclasses import replace

from alertd.rules_file.entry import Entry, Findings
from alertd.rules_file.remedy import show
from alertd.rules_file.rule_types import FORMER_NAMES


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
