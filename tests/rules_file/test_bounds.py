"""What each key of the language takes at its bounds and no further, and calendar values at the ends of the calendar."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from alertd.core.alerts.routing import Route
from alertd.core.calendar import PeriodStart, YearDay
from alertd.core.money import Usd
from alertd.core.owners import Owner
from alertd.core.rules.base import Key, Share, key_of
from alertd.rules_file import moments, values
from alertd.rules_file.faults import Faults
from alertd.rules_file.keys import TableRow, key_table
from alertd.rules_file.model import (
    Account,
    ActionEntry,
    DefaultsEntry,
    PlannedEntry,
    QuietHoursEntry,
    ReceiverEntry,
    Report,
)
from alertd.rules_file.rule_types import rule_types
from alertd.rules_file.source import Number, parse

ENTRIES = (
    Account,
    ActionEntry,
    DefaultsEntry,
    Owner,
    PlannedEntry,
    QuietHoursEntry,
    ReceiverEntry,
    Report,
    Route,
)
MINUTE = timedelta(minutes=1)


def leaf_of(hint: Any) -> tuple[object, bool]:
    """The type of a key's single values, and whether they stand in a mapping by severity."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    arguments = [one for one in get_args(hint) if one is not type(None) and one is not Ellipsis]
    origin = get_origin(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return leaf_of(arguments[1])[0], True
    if arguments and hint not in {Usd, Share}:
        return leaf_of(arguments[0])
    return hint, False


def steps(hint: object, bound: Any) -> tuple[str, str, str] | None:
    """How a bound, and what is one step below and above it, are written; None for types that have no such text."""
    if hint is timedelta:
        minutes = bound // MINUTE
        return f"{minutes - 1}m", f"{minutes}m", f"{minutes + 1}m"
    if hint is int:
        return str(bound - 1), str(bound), str(bound + 1)
    if hint is Fraction:
        hundredth = Fraction(1, 100)
        return f"{float(bound - hundredth):.2f}", f"{float(bound):.2f}", f"{float(bound + hundredth):.2f}"
    if hint is Usd:
        return money(bound - 1), money(bound), money(bound + 1)
    return None


def money(units: int) -> str:
    """An amount in 1e-10 USD as the file writes it."""
    return f"{units // 10**10}.{units % 10**10:010}"


def bounded() -> Iterator[Any]:
    """Every key with a bound, of every type of rule and of every other entry."""
    seen = set()
    for kind in (*rule_types().values(), *ENTRIES):
        hints = get_type_hints(kind, include_extras=True)
        for name, row in key_table(kind).items():
            note = key_of(hints[row.field])
            assert note is not None
            leaf, is_mapping = leaf_of(hints[row.field])
            for which, bound in (("least", note.at_least), ("most", note.at_most)):
                text = steps(leaf, bound) if bound is not None else None
                place = (name, which, bound, row.field, kind.__name__ if name in {"window", "thresholds"} else "")
                if text is not None and place not in seen:
                    seen.add(place)
                    yield pytest.param(row, text, which, is_mapping, id=f"{kind.__name__}.{name} at {which} {text[1]}")


BOUNDED = [*bounded()]


def read(row: TableRow, text: str, *, is_mapping: bool) -> object:
    source = parse(f"{{warning: {text}}}".encode() if is_mapping else text.encode(), "f")
    assert source.root is not None
    assert not source.problems
    return row.type.read(source.root)


@pytest.mark.parametrize(("row", "texts", "which", "is_mapping"), BOUNDED)
def test_key_when_at_its_bound_then_taken_and_one_step_beyond_refused(
    row: TableRow, texts: tuple[str, str, str], which: str, is_mapping: bool
) -> None:
    """The help page says "at least" and "at most": the bound itself is allowed."""
    below, at, above = texts
    read(row, at, is_mapping=is_mapping)
    if which == "least" and not row.note.at_least:
        # Below nothing there is no way to write it.
        return
    beyond, words = (below, r"too little|is zero") if which == "least" else (above, "too much")
    with pytest.raises((ValueError, Faults)) as caught:
        read(row, beyond, is_mapping=is_mapping)
    said = caught.value.found[0].text if isinstance(caught.value, Faults) else str(caught.value)
    assert any(word in said for word in words.split("|")), said


def test_keys_when_counted_then_those_with_bounds_are_many() -> None:
    """The table above is made from the language; one that came out empty would prove nothing."""
    assert len(BOUNDED) > 40


@pytest.mark.parametrize(
    ("written", "start"),
    [
        pytest.param(Number("1"), 1, id="the first day"),
        pytest.param(Number("28"), 28, id="the last day that every month has"),
        pytest.param("04-06", YearDay(4, 6), id="month before day"),
        pytest.param("12-31", YearDay(12, 31), id="the last day of a year"),
        pytest.param("02-28", YearDay(2, 28), id="the last day of February that every year has"),
    ],
)
def test_beginning_of_a_period_when_every_month_or_year_has_it_then_taken(written: object, start: PeriodStart) -> None:
    """A budget year from April 6 is not one from June 4."""
    assert moments.parse_period_start(written) == start


@pytest.mark.parametrize(
    ("written", "words"),
    [
        pytest.param(Number("0"), "a day that every month has", id="no day 0"),
        pytest.param(Number("29"), "a day that every month has", id="not in February"),
        pytest.param(Number("1.5"), "where a period begins", id="half a day"),
        pytest.param("02-29", "a day that every year has", id="only in leap years"),
        pytest.param("13-01", "a day of the calendar", id="no such month"),
        pytest.param("00-10", "a day of the calendar", id="no month 0"),
        pytest.param("04-31", "a day of the calendar", id="no such day"),
        pytest.param("4-6", "where a period begins", id="without noughts"),
    ],
)
def test_beginning_of_a_period_when_some_month_or_year_lacks_it_then_refused(written: object, words: str) -> None:
    """A period without a beginning would be skipped, or last twice as long."""
    with pytest.raises(ValueError, match=words):
        moments.parse_period_start(written)


@pytest.mark.parametrize(
    ("written", "hours"),
    [("22:00-07:00", ("22:00", "07:00")), ("00:00-24:00", ("00:00", "00:00")), ("13:30-13:31", ("13:30", "13:31"))],
)
def test_part_of_a_day_when_written_then_its_ends(written: str, hours: tuple[str, str]) -> None:
    start, end = moments.parse_day_hours(written)
    assert (f"{start:%H:%M}", f"{end:%H:%M}") == hours


def test_schedule_when_longer_than_any_that_is_meant_then_refused() -> None:
    """The library below counts every minute that a field names."""
    longest = f"0 9 * * {','.join(['mon'] * 23)}"
    assert len(longest) == 99
    assert moments.parse_schedule(longest) == longest
    with pytest.raises(ValueError, match="is not a schedule"):
        moments.parse_schedule(f"{longest},m")
    with pytest.raises(ValueError, match="is not a schedule"):
        moments.parse_schedule(f"{longest},mon")


@pytest.mark.parametrize("written", ["0", "0.0", "-0", "+0.00"])
def test_duration_when_it_is_a_bare_nought_then_no_time(written: str) -> None:
    """Nothing is nothing in any unit; any other number needs one."""
    assert values.parse_duration(Number(written)) == timedelta()
    with pytest.raises(ValueError, match="needs a unit"):
        values.parse_duration(Number("0.1"))


def test_duration_when_it_may_be_never_then_that_is_none_and_no_time_at_all() -> None:
    """A repeat after no time would be one at each poll."""
    assert values.parse_duration_or_never("never") is None
    assert values.parse_duration_or_never("0m") == timedelta()
    assert values.parse_duration_or_never("4h") == timedelta(hours=4)
    with pytest.raises(ValueError, match=r"needs a unit.*, or never"):
        values.parse_duration_or_never(Number("4"))


def test_key_notes_when_they_have_both_bounds_then_the_least_is_below_the_most() -> None:
    """A key that takes nothing could not be written."""
    notes: list[Key] = [row.note for kind in (*rule_types().values(), *ENTRIES) for row in key_table(kind).values()]
    both = [(note.at_least, note.at_most) for note in notes if note.at_least is not None and note.at_most is not None]
    assert both
    assert all(least < most for least, most in both)  # type: ignore[operator] # both have the key's type
