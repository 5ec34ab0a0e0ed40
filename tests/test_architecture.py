"""Imports point one way, and only the clock knows the time: checked on the source itself."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import alertd

ROOT = Path(alertd.__file__).parent
FOUNDATION = {"errors", "log", "clock"}
"""Every part but the core may use these; they use nothing but each other."""
SIBLINGS = {"novita", "store", "notify", "rules_file"}
MAY_IMPORT = {
    "core": set[str](),
    "errors": set[str](),
    "clock": set[str](),
    "log": set[str](),
    "settings": set[str](),
    "templates": {"core"},
    "status": {"core", "store"},
    "rounds": {"app", "memory"},
    "service": {
        "core",
        "app",
        "pulse",
        "rounds",
        "service_manager",
        "control",
        "requests",
        "slack_commands",
        "store.url",
        "rules_file.watch",
        "notify.mirroring",
        "page",
        "web.listen",
    },
    "pulse": {"core"},
    "service_manager": set[str](),
    "control": {"core"},
    "requests": {"core", "control", "store.requests"},
    "standby": {"service_manager", "settings", "store", "web"},
    "story": {"core", "store"},
    "alert_json": {"core"},
    "web": {"core", "memory", "status", "story", "alert_json"},
    "slack_app": {"core", "notify.slack_actions", "notify.slack_text"},
    "slack_commands": {"core", "settings"},
    "snapshot": {"core", "store"},
    "reporter": {"core", "memory", "rules_file.model"},
    "contacts": {"core", "notify.base", "rules_file"},
    "receivers": {"core", "notify", "rules_file", "settings"},
    "accounts": {"memory", "novita", "rules_file", "settings"},
    "plan": {
        "contacts",
        "core",
        "memory",
        "notify",
        "novita.endpoint",
        "reporter",
        "rules_file",
        "settings",
        "templates",
    },
    "simulator": set[str](),
    "novita": {"core"},
    "store": {"core"},
    "notify": {"core"},
    "rules_file": {"core", "templates", "notify.registry", "notify.base", "notify.address"},
    "memory": {"core"},
    "intake": {"core", "memory"},
    "cycle": {"core", "memory", "intake"},
    "keeper": {"core", "store", "memory", "status", "story"},
    "insight": {"core", "cycle", "keeper", "memory", "status", "story", "web.figures", "web.knowledge"},
    "page": {"core", "app", "insight", "status", "store.url", "web"},
    "rules_test": {
        "core",
        "cycle",
        "keeper",
        "memory",
        "notify",
        "plan",
        "receivers",
        "rules_file",
        "settings",
        "store",
    },
    "backfill": {"core", "memory"},
    "backtest": {
        "accounts",
        "backfill",
        "core",
        "keeper",
        "memory",
        "plan",
        "receivers",
        "rules_file",
        "settings",
        "store",
    },
}
"""What each part may import beside itself and the foundation."""
EVERYTHING = {"app", "cli", "demo", "demo_page", "__main__"}
TIME_CALLS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}


def name_of(path: Path) -> str:
    """The dotted name of a module file."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules that a statement names; `from package import module` names the module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, "imports are absolute"
    for alias in node.names:
        full = f"{node.module}.{alias.name}"
        yield full if full in MODULES else str(node.module)


def imports_of(module: str, *, top_only: bool = False) -> set[str]:
    """Every module that a module imports; with *top_only* without those inside functions and for types only."""
    nodes = tree_of(module).body if top_only else ast.walk(tree_of(module))
    return {name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for name in imported(node)}


def part_of(module: str) -> str:
    """The part of alertd that a module belongs to: `core`, `store`, `app`; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


OURS = {name: {i for i in imports_of(name) if i.partition(".")[0] == "alertd"} for name in MODULES}


@pytest.mark.parametrize("module", [m for m in MODULES if part_of(m) == "core"])
def test_core_when_it_imports_then_only_the_standard_library_numpy_and_itself(module: str) -> None:
    """The core is pure: no I/O, no clock, no log."""
    roots = {name.partition(".")[0] for name in imports_of(module)} - {"alertd"}
    impure = {
        "asyncio",
        "io",
        "logging",
        "os",
        "pathlib",
        "random",
        "secrets",
        "socket",
        "sqlite3",
        "subprocess",
        "time",
    }
    assert roots <= {*sys.stdlib_module_names, "numpy"} - impure
    assert {part_of(name) for name in OURS[module]} <= {"core"}


@pytest.mark.parametrize("module", MODULES)
def test_module_when_it_imports_then_in_one_direction(module: str) -> None:
    """cli -> app -> {cycle, keeper} -> {novita, store, notify, rules_file} -> core; siblings do not meet."""
    part = part_of(module)
    if not part or part in EVERYTHING:
        return
    assert part in MAY_IMPORT, f"say in MAY_IMPORT what alertd.{part} may import"
    allowed = MAY_IMPORT[part] | {part} | (FOUNDATION if part != "core" else set())
    wrong = {
        name
        for name in OURS[module] - {"alertd"}
        if part_of(name) not in allowed and name.removeprefix("alertd.") not in allowed
    }
    assert not wrong


def test_siblings_when_listed_then_do_not_import_each_other() -> None:
    """They meet only through a Protocol that app fills; rules_file needs the receivers' keys to validate them."""
    for part in SIBLINGS:
        assert {name.partition(".")[0] for name in MAY_IMPORT[part]} & SIBLINGS <= {"notify"}
        assert "notify" not in MAY_IMPORT[part]


def test_modules_when_imported_then_without_cycles() -> None:
    """A cycle makes two modules one, whatever their names say."""
    top = {m: {i for i in imports_of(m, top_only=True) if i in MODULES and i != m} for m in MODULES}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for name in sorted(top[module]):
                walk(name, (*path, module))
            done.add(module)

    for module in MODULES:
        walk(module, ())


def asked(module: str) -> set[tuple[str, str]]:
    """The calls of a module that ask the system for the time, under whatever name it was imported."""
    names: dict[str, str] = {}
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            found.add((names.get(owner, owner), node.attr))
        elif isinstance(node, ast.Name) and names.get(node.id) == "time" and node.id != "time":
            found.add(("time", "time"))
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found |= {("time", alias.name) for alias in node.names}
    return found & TIME_CALLS


@pytest.mark.parametrize("module", [m for m in MODULES if m != "alertd.clock"])
def test_module_when_it_needs_the_time_then_from_the_clock(module: str) -> None:
    """`now` is taken once, at the edge, and handed down."""
    assert asked(module) == set()


def test_clock_when_searched_then_the_search_finds_it() -> None:
    """A search that finds nothing anywhere would pass for ever."""
    assert asked("alertd.clock") == {("datetime", "now")}
