"""Through when books are billed: worked out once in an hour while a book is the same object."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.spend.data_state import DataState
from alertd.queries.status import Edges
from tests.core.builders import DAY, HOUR, NOW, RUNNING, Row, desk_with, row

SETTLE = timedelta(hours=2)


def rows() -> list[Row]:
    """Ten days of two categories."""
    return [row(RUNNING - ago, "1", category=name) for name in ("gpu", "llm") for ago in range(1, 240)]


def test_edges_when_books_are_the_same_then_as_if_worked_out_afresh() -> None:
    """By the next hour, by another delay, and of a book that was read again."""
    books, known = [*desk_with(*rows()).books.values()], Edges()
    first = known.of(books, NOW, SETTLE)
    assert all(one is other for one, other in zip(known.of(books, NOW, SETTLE), first, strict=True))
    read = [replace(books[0], read_at=NOW + DAY, error="HTTP 500"), *books[1:]]
    for asked in (
        (read, NOW, SETTLE),
        (read, NOW + HOUR, SETTLE),
        (read, NOW + HOUR, 5 * SETTLE),
        (books, NOW, SETTLE),
    ):
        assert known.of(*asked) == Edges().of(*asked)


@pytest.mark.parametrize(
    ("spans", "through"),
    [
        pytest.param((1,), "2026-01-10 12:00", id="rows of hours"),
        pytest.param((24,), "2026-01-10 00:00", id="rows of days"),
        pytest.param(
            (1, 24), "2026-01-10 12:00 (day rows: Jan 9)", id="both: the later, and how far the other is behind"
        ),
    ],
)
def test_edge_when_shown_then_the_latest_and_what_is_behind_it(spans: tuple[int, ...], through: str) -> None:
    """Hours that are billed are not hidden by days that are billed once they are over."""
    midnight = RUNNING - RUNNING % 24
    by_span = {
        1: [row(RUNNING - ago, "1") for ago in range(1, 240)],
        24: [row(midnight - 24 * ago, "5", span=24) for ago in range(1, 9)],
    }
    books = desk_with(*(one for span in spans for one in by_span[span])).books
    (edge,) = Edges().of([*books.values()], NOW, SETTLE)
    assert edge.row() == ("default", "gpu", through, "2026-01-10 12:05", "ok")
    assert [stream.key.step for stream in edge.streams] == list(spans)


def test_streams_when_shared_then_only_of_the_same_books_in_the_same_hour() -> None:
    """A page of ten thousand series must not work out for each visitor how late rows come."""
    books = dict(desk_with(*rows()).books)

    def data(**parts: object) -> DataState:
        return DataState(**{"books": books, "now": NOW, "settle_delay": SETTLE, **parts})  # type: ignore[arg-type]

    first = data()
    streams = first.streams
    other = {key: replace(book, error="x") for key, book in books.items()}
    for asked, is_same in (
        (data(), True),
        (data(now=NOW + timedelta(minutes=1)), True),
        (data(now=NOW + HOUR), False),
        (data(settle_delay=HOUR), False),
        (data(books=other), False),
        (data(books=dict([*books.items()][:1])), False),
        (data(known_streams=data(now=NOW - DAY).streams), False),
    ):
        asked.share_streams(first)
        assert (asked.streams is streams) is is_same
    fresh = data()
    fresh.share_streams(None)
    fresh.share_streams(data())
    assert fresh.streams is not streams
