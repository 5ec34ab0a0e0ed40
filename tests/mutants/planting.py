"""
Imports one module of the product with other source text; loaded by pytest as a plugin.

No product code knows of it, and no file is changed: the finder compiles the changed text in place of the file's.
Processes that a test starts are not reached.
"""

import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

VARIABLE = "PLANTED_MODULE"
"""Names a file of JSON, {"module": dotted name, "source": the whole text to import}; conftest keeps it."""


class PlantedLoader(importlib.machinery.SourceFileLoader):
    """Compiles a given text under the name of the module's file, and neither reads nor writes bytecode."""

    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        """Return the changed module's code."""
        return compile(self._source, self.get_filename(fullname), "exec", dont_inherit=True)


class PlantedFinder(importlib.abc.MetaPathFinder):
    """Finds one module before anybody else does."""

    def __init__(self, module: str, path: Path, source: str) -> None:
        self._module, self._path, self._source = module, path, source

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of the planted module, None for every other."""
        if fullname != self._module:
            return None
        loader = PlantedLoader(fullname, str(self._path), self._source)
        return spec_from_file_location(fullname, self._path, loader=loader)


def path_of(module: str) -> Path:
    """Return the file of a module of the product."""
    return Path(__file__).parents[2].joinpath(*module.split(".")).with_suffix(".py")


def plant(module: str, source: str) -> PlantedFinder:
    """
    Have a module imported from other text from now on.

    Raises:
        RuntimeError: It was imported before, so that nothing would change.
    """
    if module in sys.modules:
        raise RuntimeError(f"{module} was imported before the bug could be planted")
    finder = PlantedFinder(module, path_of(module), source)
    sys.meta_path.insert(0, finder)
    return finder


if VARIABLE in os.environ:
    _given = json.loads(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"))
    plant(_given["module"], _given["source"])
