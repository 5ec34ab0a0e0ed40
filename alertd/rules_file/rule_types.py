"""
Find rule types by the name in `type:`; built-in types and plugins use the same entry point group.

Built-in types are imported when a rule names them, so that checking a small file stays fast; plugins are imported at
once, so that a broken one is reported before any rule needs it.
"""

from dataclasses import replace
from functools import cache
from inspect import isabstract

from alertd.core.labels import FORMER_VALUES
from alertd.core.rules.base import Rule
from alertd.errors import UserError
from alertd.rules_file.entry import Entry, Findings
from alertd.rules_file.keys import key_table
from alertd.rules_file.remedy import show
from alertd.settings.installed import EntryPoint, entry_points

GROUP = "alertd.rule_types"
_OURS = "alertd"
FORMER_NAMES = FORMER_VALUES["type"]
"""Former names of rule types to their current names: files with former names are still accepted."""


@cache
def _points() -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of each type by precedence: alertd's own, then those of packages by name."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in sorted(entry_points(GROUP), key=lambda one: (one.package != _OURS, one.package, one.value)):
        # A package that is on the path twice counts once.
        found.setdefault(point.name, {}).setdefault(point.value, point)
    if not any(point.package == _OURS for points in found.values() for point in points.values()):
        raise UserError(
            "alertd's own rule types are not registered: this installation is older than its code; "
            "install alertd again (in a source tree: pip install -e .)"
        )
    return {name: tuple(points.values()) for name, points in sorted(found.items())}


def rule_type_names() -> tuple[str, ...]:
    """
    Return the names of all installed rule types, sorted, without importing them.

    Raises:
        UserError: alertd's own types are missing, because it is not installed properly.
    """
    return tuple(_points())


def with_new_type(entry: Entry, findings: Findings) -> Entry:
    """Return a rule's entry with the current name of its type; a former name adds a warning."""
    written = entry.node.children.get("type")
    new = FORMER_NAMES.get(written.value) if written is not None and isinstance(written.value, str) else None
    if written is None or new is None:
        return entry
    text = f"rule type {show(written.value)} is now called {show(new)}; write type: {new}"
    findings.warn(entry.problem(("type",), text, has_keys=False))
    children = {**entry.node.children, "type": replace(written, value=new)}
    return replace(entry, node=replace(entry.node, value=children))


@cache
def rule_type(name: str) -> type[Rule]:
    """
    Import and return the rule type of this name.

    Raises:
        UserError: A plugin cannot be imported or is not a valid rule type; the text is one line that names the package.
        KeyError: There is no such type.
    """
    return _loaded(_points()[name][0])


def _loaded(point: EntryPoint) -> type[Rule]:
    subject = f"rule type {show(point.name)} of package {point.package}"
    try:
        kind: object = point.load()
    except (Exception, SystemExit) as error:
        # A plugin that fails at import must not affect the other types.
        raise UserError(f"{subject} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(kind, type) or not issubclass(kind, Rule):
        raise UserError(f"{subject} cannot be used: {point.value} does not derive from alertd.core.rules.base.Rule")
    wrong = _wrong(kind, point.name)
    if wrong:
        raise UserError(f"{subject} cannot be used: {wrong}")
    return kind


def _wrong(kind: type[Rule], name: str) -> str:
    """Return why a rule type is invalid; empty if it is valid."""
    word = getattr(kind, "TYPE", None)
    if word != name:
        return f"its TYPE is {show(word)}; it must be the entry point's name"
    if not isinstance(getattr(kind, "HELP", None), str):
        return "it has no HELP; say in one sentence what it compares"
    if isabstract(kind):
        return f"it lacks {', '.join(sorted(kind.__abstractmethods__))}"
    parameters = vars(kind).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        return "it is not a frozen dataclass; write @dataclass(frozen=True, kw_only=True) above the class"
    try:
        key_table(kind)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- annotations of somebody else's class can raise anything
        return f"its keys cannot be read: {error}"
    return ""


def rule_types() -> dict[str, type[Rule]]:
    """Return every usable rule type by name, sorted; imports all of them."""
    broken = {name for name, _ in broken_rule_types()}
    return {name: rule_type(name) for name in rule_type_names() if name not in broken}


@cache
def broken_rule_types() -> tuple[tuple[str, str], ...]:
    """Return name and reason, one line, of each unusable rule type of a plugin; the name is empty if it is taken."""
    found = []
    for name, (first, *others) in _points().items():
        if first.package != _OURS:
            try:
                rule_type(name)
            except UserError as error:
                found.append((name, str(error)))
        for other in others:
            subject = f"rule type {show(name)} of package {other.package}"
            found.append(("", f"{subject} is not used: package {first.package} has one of that name; rename it"))
    return tuple(found)
