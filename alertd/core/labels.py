"""Label sets, the patterns that match them, and the fingerprint that identifies an alert."""

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import lru_cache

from alertd.core.dataclass import dataclass

Labels = tuple[tuple[str, str], ...]
"""Label names with values in a fixed order; hashable."""

FORMER_VALUES: Mapping[str, Mapping[str, str]] = {"type": {"new_owner": "first_spend"}}
"""By label, its values' former names and the current ones."""
_GLOB_CHARACTERS = frozenset("*?[")


@lru_cache(maxsize=1 << 16)
def fingerprint(rule: str, group: Labels) -> str:
    """
    Return the id of an alert: 16 hex digits derived from its rule's name and its group's labels.

    The account is included if the rule groups by account. The same rule and group always have the same fingerprint.
    """
    import hashlib  # noqa: PLC0415 -- it loads OpenSSL, which takes as long as starting Python

    # JSON, in which no value can be mistaken for a separator.
    return hashlib.sha256(json.dumps([rule, sorted(group)]).encode()).hexdigest()[:16]


def is_glob(pattern: str) -> bool:
    """Return whether the pattern has wildcards."""
    return not _GLOB_CHARACTERS.isdisjoint(pattern)


class _Matcher:
    """Patterns divided into plain values, for fast lookup in a set, and globs."""

    __slots__ = ("_globs", "_plain")

    def __init__(self, texts: Iterable[str]) -> None:
        patterns = list(texts)
        self._plain = frozenset(text for text in patterns if not is_glob(text))
        self._globs = [re.compile(translate(text), re.DOTALL) for text in patterns if is_glob(text)]

    def __call__(self, value: str) -> bool:
        return value in self._plain or any(glob.match(value) for glob in self._globs)


@lru_cache(maxsize=4096)
def _matchers(texts: tuple[str, ...]) -> tuple[_Matcher | None, _Matcher]:
    """Return a matcher of the values to include, None for all, and one of those to exclude."""
    wanted = [text for text in texts if not text.startswith("!")]
    barred = [text[1:] for text in texts if text.startswith("!")]
    return _Matcher(wanted) if wanted else None, _Matcher(barred)


@dataclass(frozen=True, slots=True)
class Patterns:
    """
    A filter on one attribute: values or globs of which one must match, and `!` patterns of which none may.

    Case-sensitive. Without a positive pattern, everything that is not excluded matches.
    """

    texts: tuple[str, ...] = ()

    def matches(self, value: str) -> bool:
        """Return whether the filter accepts the value."""
        wanted, barred = _matchers(self.texts)
        return (wanted is None or wanted(value)) and not barred(value)


@lru_cache(maxsize=1024)
def _with_present_names(patterns: Patterns, renamed: tuple[tuple[str, str], ...]) -> Patterns:
    """Return patterns that match the current names of the values whose former names they match."""
    found = []
    for text in patterns.texts:
        sign, bare = ("!", text[1:]) if text.startswith("!") else ("", text)
        news = [f"{sign}{new}" for old, new in renamed if Patterns((bare,)).matches(old)]
        found += news if bare in dict(renamed) else [text, *news]
    return Patterns(tuple(dict.fromkeys(found)))


def matches_all(matchers: Mapping[str, Patterns], labels: Mapping[str, str]) -> bool:
    """
    Return whether every matcher accepts its label; a missing label counts as empty.

    Former and current names of a value are equivalent, both in matchers (stored silences, routes, inhibitions) and in
    the labels of older alerts.
    """
    for name, patterns in matchers.items():
        value = labels.get(name, "")
        if (renamed := FORMER_VALUES.get(name)) is not None:
            value = renamed.get(value, value)
            patterns = _with_present_names(patterns, tuple(renamed.items()))  # noqa: PLW2901 -- the same by current names
        if not patterns.matches(value):
            return False
    return True
