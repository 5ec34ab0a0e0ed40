"""Forms for durations and fixed words, quick to import. Pure; used like those in `forms`."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from alertd.core.times import parse_duration
from alertd.core.words import format_duration, format_list

Form = Callable[[str], object]

_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def duration(least: timedelta, most: timedelta) -> Form:
    """Return the form of a duration between two bounds, inclusive."""

    def read(value: str) -> object:
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
    """Return the form of one of some words, ignoring case; *also* maps other spellings to them."""

    def read(value: str) -> object:
        word = (also or {}).get(value.lower(), value.lower())
        if word not in words:
            raise ValueError(f"is not known; write {format_list(words, 'or')}")
        return word

    return read


def yes_or_no(value: str) -> bool:
    """Parse true or false in their usual spellings."""
    if value.lower() not in _TRUTHS:
        raise ValueError("is neither yes nor no; write true or false")
    return _TRUTHS[value.lower()]


poll_interval = duration(timedelta(seconds=1), timedelta(days=1))
settle_delay = duration(timedelta(), timedelta(days=7))
log_level = one_of("debug", "info", "warning", "error", also={"warn": "warning"})
log_format = one_of("console", "json")
