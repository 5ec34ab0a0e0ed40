"""Forms of settings that need no library: durations and words. Pure, and as those in `forms`."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from alertd.core.times import parse_duration
from alertd.core.words import format_duration

Form = Callable[[object], object]

_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def duration(least: timedelta, most: timedelta) -> Form:
    """Return the form of a duration between two bounds, both allowed."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            found = parse_duration(value)
        except ValueError:
            raise ValueError("is not a duration; write 30s, 10m, 2h or 1d") from None
        if not least <= found <= most:
            raise ValueError(f"is too {'short' if found < least else 'long'}; write {_span(least)} to {_span(most)}")
        return found

    return read


def _span(bound: timedelta) -> str:
    return format_duration(bound) if bound else "0s"


def one_of(*words: str, also: Mapping[str, str] | None = None) -> Form:
    """Return the form of one of some words, in capitals or not; *also* are other spellings of them."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        word = (also or {}).get(value.lower(), value.lower())
        if word not in words:
            raise ValueError(f"is not known; write {', '.join(words[:-1])} or {words[-1]}")
        return word

    return read


def yes_or_no(value: object) -> object:
    """Read true or false, by the words in use for them."""
    if not isinstance(value, str):
        return value
    if value.lower() not in _TRUTHS:
        raise ValueError("is neither yes nor no; write true or false")
    return _TRUTHS[value.lower()]
