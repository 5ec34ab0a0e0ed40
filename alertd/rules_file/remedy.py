"""How problems quote values and suggest corrections; independent of rules."""

import json
import re
from functools import lru_cache

from alertd.core.nearest import nearest
from alertd.core.words import quote
from alertd.rules_file.source import Number

_LONGEST_SHOWN, _MOST_KNOWN = 60, 20


def show(value: object) -> str:
    """Return a value as problems quote it: text in quotes, numbers as written, cut when long."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case Number() | int() | float():
            return str(value)[:_LONGEST_SHOWN]
        case str():
            return quote(value)
        case dict():
            return "a mapping"
        case _:
            return "a list"


@lru_cache(maxsize=4096)
def closest(word: str, known: tuple[str, ...]) -> str:
    """Return `; did you mean "…"?` for the nearest known word; empty if none is near."""
    near = nearest(word, known)
    return f"; did you mean {show(near)}?" if near is not None else ""


def known_words(known: tuple[str, ...]) -> str:
    """Return the known words separated by commas; only the first ones if there are many."""
    return ", ".join(known[:_MOST_KNOWN]) + (", …" if len(known) > _MOST_KNOWN else "")


def unknown_key(key: str, known: tuple[str, ...]) -> str:
    """Return the text for an unknown key, with the nearest known key or a list; for a secret, the key to use."""
    if f"{key}_env" in known:
        remedy = f"write {key}_env: NAME_OF_VARIABLE"
        also = f" or {key}_file: /path" if f"{key}_file" in known else ""
        return f"{key}: secrets do not belong in this file; {remedy}{also}"
    near = closest(key, known)
    return f"unknown key {show(key)}{near or f'; it has {known_words(known)}'}"


def flow(example: object) -> str:
    """Return an example as YAML on one line."""
    match example:
        case dict():
            return "{" + ", ".join(f"{key}: {flow(value)}" for key, value in example.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, example)) + "]"
        case bool():
            return "true" if example else "false"
        case str() if not re.fullmatch(r"[\w$./@-][\w $./@:+-]*", example):
            return json.dumps(example, ensure_ascii=False)
        case _:
            return str(example)
