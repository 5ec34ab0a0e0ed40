"""Find receiver types by name: built-in ones and plugins come through the same entry point group."""

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from alertd.errors import UserError

if TYPE_CHECKING:
    from alertd.notify.base import Notifier

GROUP = "alertd.notifiers"


@cache
def notifier_names() -> tuple[str, ...]:
    """Return the names of all installed receiver types, sorted, without importing any."""
    return tuple(sorted(entry_points(group=GROUP).names))


@cache
def notifier_class(name: str) -> "type[Notifier]":
    """
    Import the receiver type of this name.

    Raises:
        UserError: A plugin cannot be imported; the text names the package.
        KeyError: There is no such type.
    """
    found = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not found:
        raise KeyError(name)
    entry = next(iter(found.values()))
    try:
        loaded: type[Notifier] = entry.load()
    except (Exception, SystemExit) as error:
        package = entry.dist.name if entry.dist else entry.value
        raise UserError(f'receiver type "{name}" of package {package} cannot be imported: {error}') from error
    return loaded
