"""Chooses the tests that matter for a module, the nearest first."""

import re
from functools import cache
from pathlib import Path

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
