"""Who is notified: from an alert's labels and severity to the names of receivers."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from alertd.core.alerts.inhibition import Matchers
from alertd.core.alerts.silence import ALERT_LABELS
from alertd.core.dataclass import dataclass
from alertd.core.key import Key
from alertd.core.labels import matches_all

OWNER = "owner"
"""In `notify`, the person or channel of the alert's owner; no receiver may have this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One entry of `routes:`; every label that it names must match."""

    match: Annotated[
        Matchers,
        Key(
            "Label to a value, glob or list; all must match, and an empty mapping matches everything.",
            example={"severity": "critical"},
            words=ALERT_LABELS,
        ),
    ] = ()
    notify: Annotated[tuple[str, ...], Key("Receivers; an empty list notifies nobody.", example=["finops"])]
    continue_: Annotated[bool, Key("Go on to later routes too.", example=True, name="continue")] = False


def matching_routes(labels: Mapping[str, str], routes: Iterable[Route]) -> list[tuple[int, Route]]:
    """Return an alert's routes with their positions from 1: the first match, and later ones with `continue`."""
    found = []
    for number, entry in enumerate(routes, 1):
        if matches_all(dict(entry.match), labels):
            found.append((number, entry))
            if not entry.continue_:
                break
    return found


def route(labels: Mapping[str, str], routes: Iterable[Route], *, default: tuple[str, ...]) -> tuple[str, ...]:
    """
    Return the receivers of the first matching route, and of later ones after `continue`; else the default.

    Each receiver occurs once, in the order of the routes.
    """
    found = matching_routes(labels, routes)
    if not found:
        return default
    return tuple(dict.fromkeys(name for _, entry in found for name in entry.notify))
