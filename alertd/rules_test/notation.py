"""
The short notations of test files: hours of spend, offsets from the start, months, expected values.

Each class parses one notation and gives its schema for editors; `model.py` says what the values mean in a test.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, Self

from alertd.core import times
from alertd.core.alert import Unit
from alertd.core.dataclass import dataclass
from alertd.core.money import Usd, parse_exact, parse_written, to_decimal
from alertd.core.words import format_duration
from alertd.rules_file import values
from alertd.rules_file.remedy import show
from alertd.rules_file.source import Number

LONGEST = timedelta(days=800)
"""Longest offset of a test in either direction; a budget looks at two years."""
_LONGEST_ROW_HOURS = 31 * 24
_MOST_HOURS = LONGEST // timedelta(hours=1)
_HOURS_IN = {"h": 1, "d": 24, "w": 168, "": 1}

_AMOUNT = r"\$?[0-9]{1,8}(\.[0-9]{1,10})?"
_PART = rf"(_|-?{_AMOUNT}([+-]{_AMOUNT})?)(x[1-9][0-9]{{0,3}}[hdw]?)?"
HOURS = rf"^\s*{_PART}(\s+{_PART})*\s*$"
_PART_GROUPS = re.compile(
    rf"(?:(?P<none>_)|(?P<first>-?{_AMOUNT})(?P<step>[+-]{_AMOUNT})?)(?:x(?P<count>[1-9][0-9]{{0,3}})(?P<unit>[hdw])?)?"
)
_HOURS_REMEDY = "write 4.2 for one hour, 4.2x6 for six, _ or _x3 for hours without a row, 1+0.5x6 for rising ones"
OFFSET = times.DURATION.replace("^", "^-?")
MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"


@dataclass(frozen=True, slots=True)
class Hours(values.Written):
    """The cost of consecutive hours; None is an hour without a row."""

    SCHEMA: ClassVar = {"anyOf": [{"type": "string", "pattern": HOURS}, {"type": "number"}]}

    amounts: tuple[Usd | None, ...]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `4.2x6 _x2 1+0.5x6 -3`: USD of each hour, repeated, none, rising, a credit."""
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{show(value)} is not spend by the hour; {_HOURS_REMEDY}")
        amounts: list[Usd | None] = []
        for part in value.split():
            amounts += _amounts(part)
            if len(amounts) > _MOST_HOURS:
                raise ValueError(f"{show(value)} is more than {format_duration(LONGEST)}; write less of it")
        return cls(tuple(amounts))


def _amounts(part: str) -> Iterator[Usd | None]:
    match = _PART_GROUPS.fullmatch(part)
    if match is None:
        raise ValueError(f"{show(part)} is not spend of an hour; {_HOURS_REMEDY}")
    count = int(match["count"] or 1) * _HOURS_IN[match["unit"] or ""]
    if match["none"]:
        yield from [None] * min(count, _MOST_HOURS + 1)
        return
    first, _ = parse_exact(match["first"].replace("$", ""))
    step, _ = parse_exact((match["step"] or "0").replace("$", ""))
    if first >= 0 > first + step * (count - 1):
        raise ValueError(f"{show(part)} falls below zero; write fewer hours, or the credit by itself, like -3")
    yield from (Usd(first + step * number) for number in range(min(count, _MOST_HOURS + 1)))


@dataclass(frozen=True, slots=True)
class Offset(values.Written):
    """Whole hours from the start of the test; negative before it."""

    SCHEMA: ClassVar = {"anyOf": [{"type": "string", "pattern": OFFSET}, {"const": 0}]}

    hours: int

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `5h`, `2d` or `-7d`."""
        is_before = isinstance(value, str) and value.startswith("-") and not isinstance(value, Number)
        try:
            duration = values.parse_duration(str(value)[1:] if is_before else value)
        except ValueError as error:
            if isinstance(value, Number):
                raise
            raise ValueError(f"{show(value)} is not an offset; write 5h, 2d, or -7d for before the start") from error
        if duration % timedelta(hours=1):
            raise ValueError(f"{show(value)} is not a whole number of hours; bills come by the hour")
        if duration > LONGEST:
            raise ValueError(f"{show(value)} is too far from the start; the most is {format_duration(LONGEST)}")
        hours = duration // timedelta(hours=1)
        return cls(-hours if is_before else hours)

    def __str__(self) -> str:
        return f"{self.hours}h"


@dataclass(frozen=True, slots=True)
class Span(values.Written):
    """The number of hours that a row covers."""

    SCHEMA: ClassVar = {"type": "string", "pattern": times.DURATION}

    hours: int

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `1h` or `24h`."""
        hours = Offset.parse(value).hours
        if not 1 <= hours <= _LONGEST_ROW_HOURS:
            raise ValueError(f"{show(value)} is not the length of a row; write 1h to 31d, such as 24h for a row a day")
        return cls(hours)

    def __str__(self) -> str:
        return f"{self.hours}h"


@dataclass(frozen=True, slots=True)
class Month(values.Written):
    """A calendar month, `YYYY-MM`."""

    SCHEMA: ClassVar = {"type": "string", "pattern": MONTH}

    text: str

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `2026-02`."""
        if isinstance(value, str) and re.fullmatch(MONTH, value):
            return cls(str(value))
        raise ValueError(f"{show(value)} is not a month; write it like 2026-02")

    def __str__(self) -> str:
        return self.text


_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


class _Kind(StrEnum):
    MONEY = "money"
    SHARE = "share"
    DURATION = "duration"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Value(values.Written):
    """The expected value of an alert, as written."""

    SCHEMA: ClassVar = {
        "anyOf": [
            {"type": "string", "pattern": values.MONEY},
            {"type": "string", "pattern": values.SHARE},
            {"type": "string", "pattern": times.DURATION},
            {"type": "number"},
        ]
    }

    text: str
    kind: _Kind
    amount: Fraction
    """USD, a fraction of 1, seconds, or the plain number."""
    places: int = 0
    """Digits written after the point of a share or number."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `$58.80`, `83%`, `7d`, or a plain number, in quotes or not, which is in the unit of the rule's type."""
        text = value if isinstance(value, str) else ""
        if isinstance(value, Number) or _PLAIN.fullmatch(text):
            number = Number(text)
            return cls(text, _Kind.NUMBER, values.parse_number(number), _places(number))
        if re.fullmatch(values.SHARE, text):
            return cls(text, _Kind.SHARE, Fraction(values.parse_share(text)), _places(text))
        if re.fullmatch(times.DURATION, text):
            return cls(text, _Kind.DURATION, Fraction(values.parse_duration(text) // timedelta(seconds=1)))
        try:
            return cls(text, _Kind.MONEY, Fraction(to_decimal(parse_written(text))))
        except ValueError:
            raise ValueError(f"{show(value)} is not a value; write $58.80, 83%, 7d or 2.5") from None

    def __str__(self) -> str:
        return self.text

    def fits(self, value: Decimal, unit: Unit) -> bool:
        """
        Return whether an alert's value equals this one.

        Money is compared exactly, time to the second, plain numbers and shares to the digits written.
        """
        exact = Fraction(value)
        match self.kind, unit:
            case _Kind.MONEY, Unit.USD:
                return exact == self.amount
            case _Kind.DURATION, Unit.DAYS | Unit.HOURS:
                return round(exact * _SECONDS[unit]) == self.amount
            case _Kind.SHARE, Unit.RATIO:
                return round(exact * 100, self.places) == self.amount * 100
            case _Kind.NUMBER, Unit.RATIO | Unit.DAYS | Unit.HOURS:
                return round(exact, self.places) == self.amount
            case _Kind.NUMBER, _:
                return exact == self.amount
        return False


_UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)
_SECONDS = {Unit.DAYS: 86400, Unit.HOURS: 3600}


def _places(text: str) -> int:
    return len(re.sub("[^0-9]", "", text.partition(".")[2]))


def value_text(value: Decimal, unit: Unit) -> str:
    """Return an alert's value as a test file writes it: money with every digit, shares and time rounded."""
    match unit:
        case Unit.USD:
            return f"${value:,.2f}" if value == round(value, 2) else f"${value:,f}"
        case Unit.RATIO:
            return f"{round(value * 100, 2).normalize():f}%"
        case Unit.DAYS | Unit.HOURS:
            return offset_text(timedelta(seconds=round(value * _SECONDS[unit])))


def offset_text(offset: timedelta) -> str:
    """Return a duration or offset as a test file writes it: `14h`, `11h30m`, `5d6h`, `0h`, `-7d`; days above three."""
    sign = "-" if offset < timedelta() else ""
    rest, parts = abs(offset), []
    for unit, length in _UNITS if rest > timedelta(days=3) else _UNITS[1:]:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts) or "0h")
