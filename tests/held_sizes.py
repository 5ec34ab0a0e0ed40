"""Count the entries of the collections that alertd's objects hold."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np


def _attributes(holder: object) -> Iterator[tuple[str, object]]:
    names = {name for kind in type(holder).__mro__ for name in getattr(kind, "__slots__", ())}
    for name in names | set(getattr(holder, "__dict__", {})):
        if hasattr(holder, name):
            yield f"{type(holder).__name__}.{name}", getattr(holder, name)


def sizes(root: object) -> Counter[str]:
    """
    Return the number of entries in the collections that alertd's objects hold, by class and attribute.

    Objects of the core are not searched: they are read from the store again each day, and its retention limits them.
    """
    found: Counter[str] = Counter()
    seen: set[int] = set()
    todo: list[tuple[str, object]] = [("", root)]
    while todo:
        place, one = todo.pop()
        if isinstance(one, str | bytes | int | float | type) or one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            found[place] += one.size
        elif isinstance(one, Mapping):
            found[place] += len(one)
            todo += [(place, value) for value in one.values()]
        elif isinstance(one, list | tuple | set | frozenset | deque):
            found[place] += len(one)
            todo += [(place, value) for value in one]
        elif isinstance(one, partial):
            todo += [(place, one.args), (place, one.keywords)]
        elif type(one).__module__.startswith("alertd.") and not type(one).__module__.startswith("alertd.core."):
            todo += _attributes(one)
    return found
