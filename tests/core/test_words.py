"""Counts in words, which every message and command shares."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alertd.core.words import and_more, format_age, format_count, format_duration, format_list, quote, with_more


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 days"),
        (1, "1 day"),
        (2, "2 days"),
        (1000, "1000 days"),
        (Decimal("0.5"), "0.5 days"),
        (Decimal(1), "1 day"),
        (Decimal("1E+1"), "10 days"),
    ],
)
def test_count_then_the_noun_agrees(number: int | Decimal, text: str) -> None:
    """Never "1 days", and never an exponent."""
    assert format_count(number, "day") == text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["gpu"], "gpu", id="one"),
        pytest.param(["gpu", "llm"], "gpu and llm", id="two"),
        pytest.param(["gpu", "llm", "web_search"], "gpu, llm and web_search", id="three"),
    ],
)
def test_names_when_listed_then_as_in_a_sentence(names: list[str], text: str) -> None:
    """A message with "gpu and llm and web_search" reads like a mistake."""
    assert format_list(names) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "n0"), (2, "n0 and n1"), (3, "n0, n1 and 1 more"), (9, "n0, n1 and 7 more")],
)
def test_names_when_there_are_many_then_some_are_listed_and_the_others_counted(count: int, text: str) -> None:
    """Whoever reads a list that was cut must know that it was."""
    assert format_list([f"n{number}" for number in range(count)], most=2) == text


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (-1, "gap", ""),
        (0, "gap", ""),
        (1, "gap", "and 1 more gap"),
        (2, "gap", "and 2 more gaps"),
        (1, "", "and 1 more"),
        (2, "", "and 2 more"),
    ],
)
def test_list_when_some_are_left_out_then_counted_and_the_noun_agrees(number: int, noun: str, text: str) -> None:
    """A backtest with one hour too many said "and 1 more gaps"."""
    assert and_more(number, noun) == text
    assert with_more(["a"], number, noun, lead="… ") == (("a", f"… {text}") if text else ("a",))


@pytest.mark.parametrize(
    ("duration", "written", "age"),
    [
        pytest.param({"seconds": 0}, "0s", "0 min", id="nothing"),
        pytest.param({"seconds": 90}, "90s", "1 min", id="no whole minutes"),
        pytest.param({"minutes": 90}, "90m", "1 h 30 min", id="no whole hours"),
        pytest.param({"hours": 11, "minutes": 59}, "719m", "11 h 59 min", id="under half a day: to the minute"),
        pytest.param({"hours": 12, "minutes": 59}, "779m", "12 h", id="from half a day on: to the hour"),
        pytest.param({"hours": 24}, "24h", "1 d", id="a day"),
        pytest.param({"days": 3}, "72h", "3 d", id="three days, in hours"),
        pytest.param({"days": 3, "hours": 1}, "73h", "3 d 1 h", id="no whole days"),
        pytest.param({"days": 4}, "4d", "4 d", id="longer, in days"),
    ],
)
def test_duration_when_written_then_as_in_rules_and_as_people_say_it(
    duration: dict[str, int], written: str, age: str
) -> None:
    """What is read back as a rule's is exact; an age is not."""
    length = timedelta(**duration)
    assert (format_duration(length), format_age(length)) == (written, age)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        pytest.param("gpuu", '"gpuu"', id="a word"),
        pytest.param("", '""', id="nothing"),
        pytest.param("x" * 60, f'"{"x" * 60}"', id="as long as is shown"),
        pytest.param("x" * 61, f'"{"x" * 60}…"', id="longer by one letter"),
        pytest.param('a "b" \\', '"a \\"b\\" \\\\"', id="quotes and a backslash"),
        pytest.param("训练机", '"训练机"', id="any script"),
        pytest.param("a\nb\u202ec", '"a\\nb\\u202ec"', id="what is not seen, or turns the line round"),
    ],
)
def test_text_when_quoted_then_whole_up_to_60_letters_and_all_of_it_visible(text: str, quoted: str) -> None:
    """An ellipsis says that there is more, and nothing else does."""
    assert quote(text) == quoted
