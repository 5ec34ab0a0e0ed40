"""What people read is in plain words: `tests/words.txt` says which ones are not used, and what to write instead."""

from collections.abc import Iterable

import pytest

from tests.words import command_help, documents, find, in_room, rooms, rules

FOUND = """
tell told quieting quieted door keeper story insight pulse rounds glance knowledge mend burn ring wholly
"""
"""Words of the dialect that has gone, one for each expression or more."""
SENTENCES = (
    "it is not told further",
    "the end of an alert that was told",
    "it is quiet",
    "its memory is stored",
    "she looks after it",
    "the alert as it stands",
    "whom only the escalation told",
    "to stand by it",
    "the edge of gpu",
    "the day was read whole",
    "this is no mail address",
    "how fast it is spent of late",
    "it must have run so long or longer",
    "smaller groups are left alone",
    "without it all accounts",
)
PLAIN = (
    "quiet hours end at 07:00",
    "quiet_hours on a receiver",
    "the scenario quiet-month",
    "burn: {warning: 14.4}",
    "whole hours",
    "data edge",
    "rounded up",
    "round to cents",
    "in memory",
    "resident memory",
    "the replay looks back 14 days",
    "a string",
    "another host stands by",
    "there is no such receiver",
    "it is no longer read",
    "late bills",
)


def offending(texts: Iterable[tuple[str, str]]) -> list[str]:
    return [str(found) for place, text in texts for found in find(place, text)]


@pytest.mark.parametrize("text", [*FOUND.split(), *SENTENCES])
def test_dialect_when_searched_then_found(text: str) -> None:
    """A list that finds nothing would pass for ever."""
    assert offending([("here", text)])


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_when_searched_then_let_pass(text: str) -> None:
    """What means something else by the same letters stays."""
    assert offending([("here", text)]) == []


def test_every_expression_when_the_examples_are_searched_then_used() -> None:
    """An expression that matches none of them is one that nobody has tried."""
    texts = [*FOUND.split(), *SENTENCES]
    assert [pattern.pattern for pattern, _ in rules() if not any(pattern.search(text) for text in texts)] == []


def test_documents_when_read_then_in_plain_words() -> None:
    """README, help pages, changelog, examples, templates and everything in deploy/."""
    assert offending(documents()) == []


def test_help_of_commands_when_read_then_in_plain_words() -> None:
    """It is what people see first."""
    assert offending(command_help()) == []


@pytest.mark.parametrize("room", rooms())
def test_strings_of_a_room_when_read_then_in_plain_words(room: str) -> None:
    """Messages, errors and log lines."""
    assert [str(found) for found in in_room(room)] == []
