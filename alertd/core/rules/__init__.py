"""Rule types: one module each, found by the word in `type:`."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from alertd.core.rules.base import Rule


@cache
def rule_types() -> dict[str, type[Rule]]:
    """Return every rule type by its word, in the words' order; a new module of this package is found by itself."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    found = {
        kind.TYPE: kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Rule) and "TYPE" in vars(kind)
    }
    return dict(sorted(found.items()))
