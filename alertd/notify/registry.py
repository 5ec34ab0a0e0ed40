"""Finds receiver types by name: built-in ones and plugins use the same entry point group."""

from functools import cache
from typing import TYPE_CHECKING, cast

from alertd.errors import UserError
from alertd.settings.installed import entry_points

if TYPE_CHECKING:
    from alertd.notify.base import Notifier

GROUP = "alertd.notifiers"


@cache
def notifier_names() -> tuple[str, ...]:
    """Return the names of all installed receiver types, sorted, without importing any."""
    return tuple(sorted({point.name for point in entry_points(GROUP)}))


@cache
def notifier_class(name: str) -> "type[Notifier]":
    """
    Import the receiver type of this name.

    Raises:
        UserError: A plugin cannot be imported; the text names the package.
        KeyError: There is no such type.
    """
    entry = next((point for point in entry_points(GROUP) if point.name == name), None)
    if entry is None:
        raise KeyError(name)
    try:
        return cast("type[Notifier]", entry.load())
    except (Exception, SystemExit) as error:
        raise UserError(f'receiver type "{name}" of package {entry.package} cannot be imported: {error}') from error
