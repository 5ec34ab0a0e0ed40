"""Label sets, the patterns that match them, and the fingerprint that names an alert."""

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import lru_cache

from alertd.core.dataclass import dataclass

Labels = tuple[tuple[str, str], ...]
"""Label names with values in a fixed order; hashable."""

FORMER_VALUES: Mapping[str, Mapping[str, str]] = {"type": {"new_owner": "first_spend"}}
"""By label, what its values were called before, and their names now."""
_GLOB_CHARACTERS = frozenset("*?[")


@lru_cache(maxsize=1 << 16)
def fingerprint(rule: str, group: Labels) -> str:
    """
    Return the name of an alert: 16 hex digits from its rule's name and its group's labels.

    The account is part of it where the rule groups by account. The same rule and group keep it for ever.
    """
    import hashlib  # noqa: PLC0415 -- it loads OpenSSL, which takes as long as Python itself

    # JSON, because no value can look like a separator in it.
    return hashlib.sha256(json.dumps([rule, sorted(group)]).encode()).hexdigest()[:16]


def is_glob(pattern: str) -> bool:
    """Return whether the pattern stands for more than itself."""
    return not _GLOB_CHARACTERS.isdisjoint(pattern)


class _Matcher:
    """Some patterns, sorted into plain values, which a set answers at once, and globs."""

    __slots__ = ("_globs", "_plain")

    def __init__(self, texts: Iterable[str]) -> None:
        patterns = list(texts)
        self._plain = frozenset(text for text in patterns if not is_glob(text))
        self._globs = [re.compile(translate(text), re.DOTALL) for text in patterns if is_glob(text)]

    def __call__(self, value: str) -> bool:
        return value in self._plain or any(glob.match(value) for glob in self._globs)


@lru_cache(maxsize=4096)
def _matchers(texts: tuple[str, ...]) -> tuple[_Matcher | None, _Matcher]:
    """Return what must match, None where everything does, and what must not."""
    wanted = [text for text in texts if not text.startswith("!")]
    barred = [text[1:] for text in texts if text.startswith("!")]
    return _Matcher(wanted) if wanted else None, _Matcher(barred)


@dataclass(frozen=True, slots=True)
class Patterns:
    """
    A filter on one attribute: values or globs of which one must match, and `!` patterns of which none may.

    Case counts. Without a positive pattern everything matches that is not excluded.
    """

    texts: tuple[str, ...] = ()

    def matches(self, value: str) -> bool:
        """Return whether the filter lets the value through."""
        wanted, barred = _matchers(self.texts)
        return (wanted is None or wanted(value)) and not barred(value)


@lru_cache(maxsize=1024)
def _with_present_names(patterns: Patterns, renamed: tuple[tuple[str, str], ...]) -> Patterns:
    """Return patterns that match under its present name what they match under a former one."""
    found = []
    for text in patterns.texts:
        sign, bare = ("!", text[1:]) if text.startswith("!") else ("", text)
        news = [f"{sign}{new}" for old, new in renamed if Patterns((bare,)).matches(old)]
        found += news if bare in dict(renamed) else [text, *news]
    return Patterns(tuple(dict.fromkeys(found)))


def matches_all(matchers: Mapping[str, Patterns], labels: Mapping[str, str]) -> bool:
    """
    Return whether every matcher lets its label through; a label that is not there reads as empty.

    What was renamed is the same under both names, in a matcher as in a label: in a silence that is stored, a route, an
    inhibition, or an alert from before.
    """
    for name, patterns in matchers.items():
        value = labels.get(name, "")
        if (renamed := FORMER_VALUES.get(name)) is not None:
            value = renamed.get(value, value)
            patterns = _with_present_names(patterns, tuple(renamed.items()))  # noqa: PLW2901 -- the same by present names
        if not patterns.matches(value):
            return False
    return True
