"""Short phrases used in all messages: durations, instants, groups."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from alertd.core.labels import Labels
from alertd.core.money import format_usd, plain
from alertd.core.owners import OwnerDirectory

_LONGEST_QUOTED = 60
_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))


def quote(text: str) -> str:
    """Return a user's text for an error message: in quotes, shortened if long, with invisible characters escaped."""
    cut = text[:_LONGEST_QUOTED] + ("…" if len(text) > _LONGEST_QUOTED else "")
    seen = json.dumps(cut, ensure_ascii=False)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in seen)


@lru_cache(maxsize=256)
def format_duration(duration: timedelta) -> str:
    """Return a duration as in rules, in the largest unit that is exact; up to three days, hours at most."""
    units = _UNITS[1:] if duration <= timedelta(days=3) else _UNITS
    for unit, length in units:
        if duration >= length and not duration % length:
            return f"{duration // length}{unit}"
    return f"{int(duration.total_seconds())}s"


def format_age(duration: timedelta) -> str:
    """Return an approximate duration for people: `3 d 4 h`, `5 h`, `12 min`."""
    minutes = int(duration.total_seconds()) // 60
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes and hours < 12 else f"{hours} h"
    return f"{minutes} min"


def format_count(number: int | Decimal, noun: str) -> str:
    """Return a count with its noun, whose plural ends in `s`: `1 rule`, `3 rules`, `0.5 days`."""
    shown = f"{number:f}" if isinstance(number, Decimal) else str(number)
    return f"{shown} {noun}" if number == 1 else f"{shown} {noun}s"


def format_list(names: Sequence[str], word: str = "and", *, most: int | None = None) -> str:
    """
    Return names as a list in a sentence: `gpu`, `gpu and llm`, `gpu, llm and web_search`; *word* replaces "and".

    Args:
        most: How many to name; the others are counted: `gpu, llm and 3 more`.
    """
    if most is not None and len(names) > most:
        return " ".join(with_more([", ".join(names[:most])], len(names) - most))
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def and_more(number: int, noun: str = "") -> str:
    """Return how many are left out of a list: `and 3 more`, with a noun `and 1 more gap`; empty if none is."""
    if number <= 0:
        return ""
    return f"and {number} more{f' {noun}' if noun else ''}{'s' if noun and number > 1 else ''}"


def with_more(texts: Iterable[str], number: int, noun: str = "", *, lead: str = "") -> tuple[str, ...]:
    """Return the texts that are listed and last, after *lead*, how many are left out; see `and_more`."""
    more = and_more(number, noun)
    return (*texts, f"{lead}{more}") if more else tuple(texts)


def format_instant(at: datetime) -> str:
    """Return a UTC instant to the minute: `2026-01-10 12:00 UTC`."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def format_about(amount: int) -> str:
    """Return an estimated amount, given in 1e-10 USD; even dollars without cents: `$48`, `$48.50`."""
    return format_usd(amount).removesuffix(".00")


def format_share(share: Decimal) -> str:
    """Return a share or ratio for people, always in percent: `83 %`, `250 %`, `4,120 %`."""
    return f"{plain(round(share * 100, 1)):,f} %"


def group_name(group: Labels, owners: OwnerDirectory) -> str:
    """Return a group for people: `trainer-a (gpu-1) · gpu`; empty if it has no labels."""
    return " · ".join(_label_text(name, value, owners) for name, value in group)


def _label_text(name: str, value: str, owners: OwnerDirectory) -> str:
    if name == "owner":
        return owners.display(value)
    return value or f"(no {name})"
