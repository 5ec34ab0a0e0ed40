"""Inputs that are nearly right: what parsers get wrong lies beside what people and programs write."""

import random
import re
from collections.abc import Callable, Sequence

LARGEST = 100_000
"""Bytes; longer inputs find nothing that these do not."""
_ODD = (
    *(
        b"",
        b"0",
        b"-0",
        b"-1",
        b"1e999",
        b"-1e400",
        b"1e-400",
        b"NaN",
        b"Infinity",
        b"9" * 400,
        b"0x10",
        b"1_000",
        b".5",
        b"5.",
    ),
    *(
        b"9223372036854775807",
        b"9223372036854775808",
        b"18446744073709551616",
        b"1.00000000005",
        b"\xc2\xb9",
        b"\xd9\xa1",
    ),
    *(
        b"true",
        b"null",
        b"~",
        b"yes",
        b"[]",
        b"{}",
        b'""',
        b"''",
        b"[" * 2000,
        b'{"a":' * 1000,
        b"[[[]]]",
        b"!!python/object:os",
    ),
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\\u0000",
        b"\\ud800",
        b"\xed\xa0\x80",
        b"\xe2\x80\xae",
        b"\x1b[2J",
        b"\x7f",
        b"\xc2\x85",
    ),
    *(
        b"\xf0\x9f\x92\xa9",
        b"e\xcc\x81" * 50,
        b"\xe8\xae\xad",
        b"\r\n",
        b"\n\n",
        b"\t",
        b" ",
        b"\xc2\xa0",
        b"\xe2\x80\xa8",
    ),
    *(
        b"2026-02-30",
        b"0000-00-00",
        b"9999-12-31T23:59:59Z",
        b"2026-01-01T00:00:00+99:99",
        b"1d",
        b"0s",
        b"9" * 30 + b"d",
        b"-1h",
    ),
    *(
        b"{{ x }}",
        b"{% for i in 1 %}",
        b"{{ 9**9**9 }}",
        b"{{ ''.__class__ }}",
        b"<@U>",
        b"<!here>",
        b"%s%n",
        b"../../etc/passwd",
    ),
    *(
        b"*",
        b"&a [*a]",
        b"<<: *a",
        b"|",
        b">",
        b"- ",
        b": ",
        b"#",
        b"?",
        b"(?:a+)+$",
        b"=~",
        b"!*",
        b"a" * 5000,
        b"\\",
        b'"',
    ),
    *(
        b"http://[",
        b"http://a@b:99999/",
        b"https://\xe2\x80\xae.com",
        b"//",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: -1\r\n",
    ),
)
_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[A-Za-z_$*][\w.$*-]*')

Change = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Change an input in one to six ways."""
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        data = rng.choice(_CHANGES)(data, rng, others)[:LARGEST]
    return data


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 1, 2, 8, 64, 512)))


def _flip(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x00"
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _drop(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 50, 1000)) + data[end:]


def _insert(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(_ODD) + data[at:]


def _value(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Put another value in the place of a word, a number or a quoted text."""
    found = list(_VALUE.finditer(data[:5000]))
    if not found:
        return _insert(data, rng, others)
    place, new = rng.choice(found), rng.choice(_ODD)
    if place[0][:1] == b'"' and rng.random() < 0.7:
        new = b'"' + new.replace(b'"', b'\\"') + b'"'
    return data[: place.start()] + new + data[place.end() :]


def _swap(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Move values about: each is right somewhere else."""
    found = list(_VALUE.finditer(data[:5000]))
    if len(found) < 2:
        return data
    one, two = sorted(rng.sample(found, 2), key=lambda match: match.start())
    return data[: one.start()] + two[0] + data[one.end() : two.start()] + one[0] + data[two.end() :]


def _lines(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    """Drop, double, move or indent a line."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            lines.pop(at)
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines.insert(rng.randrange(len(lines)), lines.pop(at))
        case _:
            lines[at] = b"  " + lines[at] if rng.random() < 0.5 else lines[at][2:]
    return b"\n".join(lines)


def _splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _truncate(data: bytes, rng: random.Random, _others: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


_CHANGES: tuple[Change, ...] = (
    _flip,
    _drop,
    _repeat,
    _insert,
    _value,
    _value,
    _value,
    _swap,
    _lines,
    _splice,
    _truncate,
)
