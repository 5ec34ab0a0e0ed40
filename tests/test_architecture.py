"""Imports point one way, and only the clock knows the time: checked on the source itself."""

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import alertd

ROOT = Path(alertd.__file__).parent
AT_THE_ROOT = {"__init__", "__main__", "errors", "clock"}
FLOORS = (
    ("errors clock",),
    ("core", "core.spend", "core.rules", "core.alerts", "core.messages", "core.reports core.replay"),
    ("log",),
    ("settings",),
    ("store novita simulator",),
    ("queries notify",),
    ("rules_file web",),
    ("daemon",),
    ("demo history rules_test",),
    ("cli",),
    ("__main__",),
)
"""
The rooms of the house by floor: a room may import what lies below it, and nothing on its own floor but itself.

The core's own rooms follow one another: each may import those before it in its row.
"""
MOST_ARROWS = 70
"""Pairs of rooms of which one imports the other, the core counted as one: each is something to know of a room."""
KEPT_APART = {
    "simulator": "it stands for somebody else's API and shares nothing with what reads it",
}
"""Rooms that import nothing of alertd, and why."""
MOST_LINES = 400
TIME_CALLS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}


def name_of(path: Path) -> str:
    """The dotted name of a module file."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports_in(module: str) -> Sequence[ast.Import | ast.ImportFrom]:
    """Every import statement of a module, also those inside functions."""
    return [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.Import | ast.ImportFrom)]


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
    nodes = [node for node in imports_in(module) if not node.col_offset] if top_only else imports_in(module)
    return {name for node in nodes for name in imported(node)}


def room_of(module: str) -> str:
    """The room that a module belongs to: `store`, `daemon`, `core.rules`; empty for the package itself."""
    names = module.split(".")[1:]
    if names[:1] == ["core"] and (ROOT / "core" / ".".join(names[1:2])).is_dir() and names[1:]:
        return ".".join(names[:2])
    return names[0] if names else ""


FLOOR = {
    room: (floor, step)
    for floor, steps in enumerate(FLOORS)
    for step, rooms in enumerate(steps)
    for room in rooms.split()
}


@cache
def ours(module: str) -> frozenset[str]:
    """What a module imports of alertd."""
    return frozenset(name for name in imports_of(module) if name.partition(".")[0] == "alertd")


IMPURE = {
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


def test_core_when_it_imports_then_only_the_standard_library_numpy_and_itself() -> None:
    """The core is pure: no I/O, no clock, no log."""
    pure = {*sys.stdlib_module_names, "numpy", "alertd"} - IMPURE
    core = [module for module in MODULES if room_of(module).startswith("core")]
    assert len(core) > 50
    reached = {
        module: {name for name in imports_of(module) if name.partition(".")[0] not in pure}
        | {name for name in ours(module) if not room_of(name).startswith("core")}
        for module in core
    }
    assert {module: names for module, names in reached.items() if names} == {}


def test_modules_when_they_import_then_only_from_the_floors_below() -> None:
    """Arrows point one way, from the command line down to the core; siblings do not meet."""
    rooms = {room_of(module) for module in MODULES} - {""}
    assert rooms - FLOOR.keys() == set(), "say in FLOORS on which floor each lies"
    wrong: dict[str, set[str]] = {}
    for module in MODULES:
        if room := room_of(module):
            others = {name for name in ours(module) - {"alertd"} if room_of(name) != room}
            wrong[module] = {name for name in others if FLOOR[room_of(name)] >= FLOOR[room] or room in KEPT_APART}
    assert {module: names for module, names in wrong.items() if names} == {}


def test_rooms_when_their_arrows_are_counted_then_no_more_than_there_were() -> None:
    """A new arrow is cheap to draw, and then everybody who changes one room has to think of the other."""
    pairs = {(room_of(module), room_of(name)) for module in MODULES for name in ours(module)}
    arrows = {(one.partition(".")[0], other.partition(".")[0]) for one, other in pairs if one and other}
    assert len({(one, other) for one, other in arrows if one != other}) <= MOST_ARROWS


def test_root_when_listed_then_holds_only_the_modules_that_belong_there() -> None:
    """Whatever else there is belongs to a room."""
    assert {path.stem for path in ROOT.glob("*.py")} == AT_THE_ROOT


def test_modules_when_counted_then_none_is_longer_than_can_be_surveyed() -> None:
    """A longer file holds more than one noun."""
    lengths = {module: path.read_text(encoding="utf-8").count("\n") for module, path in MODULES.items()}
    assert {module: length for module, length in lengths.items() if length > MOST_LINES} == {}


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
    for statement in imports_in(module):
        names |= {alias.asname or alias.name: alias.name for alias in statement.names}
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


def test_modules_when_they_need_the_time_then_from_the_clock() -> None:
    """`now` is taken once, at the edge, and handed down."""
    found = {module: asked(module) for module in MODULES if module != "alertd.clock"}
    assert {module: calls for module, calls in found.items() if calls} == {}


def test_clock_when_searched_then_the_search_finds_it() -> None:
    """A search that finds nothing anywhere would pass for ever."""
    assert asked("alertd.clock") == {("datetime", "now")}


OF_THE_WHOLE = {"e2e", "fuzz", "help", "mutants", "reliability", "simulation", "soak"}
"""Folders of tests that stand for no room of the house."""


def test_tests_when_listed_then_lie_as_their_modules_do_and_repeat_no_folder_in_their_names() -> None:
    """Whoever changes a module finds its tests without a search."""
    here = Path(__file__).parent
    files = [path.relative_to(here) for path in here.rglob("test_*.py") if path.parent != here]
    assert len(files) > 300
    strayed = [path for path in files if path.parts[0] not in OF_THE_WHOLE and not (ROOT / path.parent).is_dir()]
    repeating = [path for path in files if path.stem.startswith(f"test_{path.parent.name}_")]
    assert (strayed, repeating) == ([], [])
