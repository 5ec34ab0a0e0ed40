"""Chooses the tests that matter for a module, the nearest first."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.planting import path_of

ROOT = Path(__file__).parents[2]
_LEFT_OUT = {"e2e", "demo", "mutants", "fuzz", "simulation", "simulator", "bench", "soak"}
"""Rooms whose tests start processes, which a planted bug does not reach, or take long."""


@cache
def stages_of(module: str) -> tuple[list[str], ...]:
    """Return test files: those that name the module, the rest of its room, those that name what imports it."""
    direct = {path for path, text in _tests().items() if _names(text, module)}
    direct |= {path for path in _tests() if path.stem == f"test_{module.rpartition('.')[2]}"}
    room = ROOT.joinpath("tests", *module.split(".")[1:-1])
    near = {path for path in _tests() if path.parent == room} - direct
    users = [user for user, text in _product().items() if _names(text, module)]
    far = {path for path, text in _tests().items() if any(_names(text, user) for user in users)} - direct - near
    return tuple(sorted(str(path.relative_to(ROOT)) for path in stage) for stage in (direct, near, far) if stage)


def by_closeness(names: Iterable[str], mutant: Mutant) -> list[str]:
    """Return files, or tests in them, the closest first: those that name what is changed, then those of its users."""
    *_, room, module = mutant.module.split(".")
    changed = {*re.findall(r"(?:def|class) (\w+)", mutant.planted()[: mutant.start])[-1:]}
    users = {name.rpartition(".")[2] for name in _product() if changed & _words(path_of(name))} - {module}

    def closeness(name: str) -> tuple[int, str]:
        path = ROOT / name.partition("::")[0]
        words, stem = _words(path), path.stem
        near = 4 * bool(changed & words) + 3 * (module in stem) + (module in words) + 2 * (path.parent.name == room)
        return -near - any(user in stem for user in users), name

    return sorted(names, key=closeness)


@cache
def _words(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", path.read_text(encoding="utf-8")))


def _names(text: str, module: str) -> bool:
    package, _, name = module.rpartition(".")
    return re.search(rf"{re.escape(module)}\b|from {re.escape(package)} import [^\n]*\b{name}\b", text) is not None


@cache
def _tests() -> dict[Path, str]:
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    return {
        path: path.read_text(encoding="utf-8") for path in found if _LEFT_OUT.isdisjoint(path.relative_to(ROOT).parts)
    }


@cache
def _product() -> dict[str, str]:
    found = sorted((ROOT / "alertd").rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text(encoding="utf-8") for path in found}
