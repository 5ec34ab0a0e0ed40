"""A summary in words of what an edit of the rules files changed."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from alertd.core.words import format_count, format_list
from alertd.rules_file.model import LoadedRules

_NAMED = 5
"""Maximum number of names shown per kind and change; the rest is counted."""


def changes(before: LoadedRules, after: LoadedRules) -> str:
    """Return the differences, `1 rule added (gpu-24h), 1 receiver changed (finops)`; empty if there are none."""
    kinds: tuple[tuple[str, Mapping[str, object], Mapping[str, object]], ...] = (
        ("account", _named(before.accounts), _named(after.accounts)),
        ("action", _named(before.actions), _named(after.actions)),
        ("receiver", _receivers(before), _receivers(after)),
        ("rule", _named(before.rules), _named(after.rules)),
        ("report", _named(before.reports), _named(after.reports)),
    )
    found = [text for what, old, new in kinds for text in _changed(what, old, new)]
    sections = (
        ("owners", before.owners, after.owners),
        ("routes", before.routes, after.routes),
        ("inhibitions", before.inhibitions, after.inhibitions),
        ("planned", before.planned, after.planned),
        ("default receivers", before.default_notify, after.default_notify),
    )
    found += [f"{name} changed" for name, old, new in sections if old != new]
    return ", ".join(found)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def _named(entries: Iterable[_Named]) -> dict[str, object]:
    return {one.name: one for one in entries}


def _receivers(rules: LoadedRules) -> dict[str, object]:
    # Without their places, which change with every edit above them.
    return {one.name: (one.type, one.config, one.fallback, one.quiet_hours) for one in rules.receivers}


def _changed(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    named = (
        ("added", [name for name in new if name not in old]),
        ("changed", [name for name in new if name in old and new[name] != old[name]]),
        ("removed", [name for name in old if name not in new]),
    )
    return [_counted(what, how, names) for how, names in named if names]


def _counted(what: str, how: str, names: list[str]) -> str:
    return f"{format_count(len(names), what)} {how} ({format_list(names, most=_NAMED)})"
