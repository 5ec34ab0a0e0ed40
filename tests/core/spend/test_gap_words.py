"""What is said of hours that are missing: which, from when on, and whether a credit may be among them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alertd.core.alert import Lag
from alertd.core.hours import HourRange, HourSet
from alertd.core.money import Usd
from alertd.core.rules.reconcile import hours_of_month, month_before
from alertd.core.spend.arrival import DAILY, HOURLY
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import CategoryBook, HourSummary, Suspicion
from alertd.core.spend.stream import through_text
from tests.core.builders import HOUR, NOW, RUNNING, SETTLE

WINDOW = HourRange(RUNNING - 24, RUNNING)


def hours(*spans: tuple[int, int]) -> HourSet:
    """Stretches from so many hours before the running one to so many."""
    return HourSet.of([HourRange(RUNNING - start, RUNNING - end) for start, end in spans])


def a_book(**parts: object) -> CategoryBook:
    plain = CategoryBook(
        account="prod", category="gpu", covered=hours((100, 0)), read_at=NOW - 9 * timedelta(minutes=1)
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def a_suspicion() -> Suspicion:
    return Suspicion(digest=b"x" * 16, total=Usd(1), since=NOW - HOUR)


CREDIT: Mapping[int, HourSummary] = {
    RUNNING - 3: HourSummary(total=Usd(-1), end=RUNNING - 2, digest=b"x" * 16, has_credit=True)
}
FAILED = {"failed": hours((20, 19), (10, 5)), "error": "HTTP 500"}
DOUBTED = {"suspicions": {RUNNING - number: a_suspicion() for number in (4, 9, 30, 6)}}


@pytest.mark.parametrize(
    ("parts", "text", "hides"),
    [
        pytest.param({}, None, False, id="all is read"),
        pytest.param(
            {**FAILED, "failed_at": NOW - 2 * HOUR},
            "gpu could not be read since 2026-01-10 10:05 UTC (HTTP 500)",
            False,
            id="reads fail since",
        ),
        pytest.param(
            FAILED,
            "gpu could not be read for 6 hours from 2026-01-09 16:00 UTC (HTTP 500)",
            False,
            id="newer hours were read: how many, and from the first on",
        ),
        pytest.param(
            {**FAILED, "error": ""},
            "gpu could not be read for 6 hours from 2026-01-09 16:00 UTC (see the log)",
            False,
            id="without a word why",
        ),
        pytest.param(
            {"covered": hours((100, 20), (18, 7), (5, 0))},
            "gpu was not read yet for 4 hours from 2026-01-09 16:00 UTC",
            False,
            id="never read: how many in the window, from the first on",
        ),
        pytest.param(
            {"covered": hours((100, 20), (18, 0)), "hours": CREDIT},
            "gpu was not read yet for 2 hours from 2026-01-09 16:00 UTC",
            True,
            id="where credits come, one may be among them",
        ),
        pytest.param(
            DOUBTED,
            "gpu spend of 2026-01-10 03:00 UTC is gone from the bills or less than half; it counts as before until "
            "a second read says the same",
            False,
            id="doubted: the first in the window",
        ),
        pytest.param(
            {**DOUBTED, "hours": CREDIT},
            "gpu spend of 2026-01-10 03:00 UTC is gone from the bills or less than half; it counts as before until "
            "a second read says the same",
            False,
            id="a doubted hour hides no credit",
        ),
        pytest.param(
            {**DOUBTED, **FAILED, "covered": hours((100, 20), (18, 0))},
            "gpu could not be read for 6 hours from 2026-01-09 16:00 UTC (HTTP 500)",
            False,
            id="what failed is said before all else",
        ),
    ],
)
def test_gap_when_hours_are_missing_then_the_clause_says_which(
    parts: dict[str, object], text: str | None, *, hides: bool
) -> None:
    """A person decides by it whether a sum may be low, and where to look."""
    book = a_book(**parts)
    data = DataState(books={book.key: book}, now=NOW, settle_delay=SETTLE)
    gaps = data.gaps([book.key], WINDOW)
    assert [(gap.account, gap.category, gap.text, gap.may_hide_credit) for gap in gaps] == (
        [("prod", "gpu", text, hides)] if text is not None else []
    )


@pytest.mark.parametrize(
    ("through", "is_by_day", "text"),
    [
        pytest.param((10, 0, 0), True, "gpu through Jan 9", id="a midnight of day rows: the day before"),
        pytest.param((1, 0, 0), True, "gpu through Dec 31", id="and of the year before"),
        pytest.param((10, 7, 0), True, "gpu through 2026-01-10 07:00 UTC", id="day rows that end elsewhere"),
        pytest.param((10, 0, 0), False, "gpu through 2026-01-10 00:00 UTC", id="a midnight of hour rows"),
        pytest.param((10, 12, 0), False, "gpu through 2026-01-10 12:00 UTC", id="an hour"),
    ],
)
def test_lag_when_shown_then_the_last_day_or_hour_that_is_whole(
    through: tuple[int, int, int], text: str, *, is_by_day: bool
) -> None:
    """Billed through January 9 means that all of it is there."""
    day, hour, minute = through
    lag = Lag(stream="gpu", through=datetime(2026, 1, day, hour, minute, tzinfo=UTC), is_by_day=is_by_day)
    assert lag.text == text


def test_stream_when_shown_in_a_table_then_alike() -> None:
    midnight = RUNNING - RUNNING % 24
    assert through_text(midnight, DAILY) == "Jan 9"
    assert through_text(midnight + 7, DAILY) == "Jan 10 07:00"
    assert through_text(midnight, HOURLY) == "Jan 10 00:00"


@pytest.mark.parametrize(
    ("now", "count", "month"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), 0, "2026-01"),
        (datetime(2026, 1, 1, tzinfo=UTC), 1, "2025-12"),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), 0, "2026-12"),
        (datetime(2026, 12, 31, tzinfo=UTC), 12, "2025-12"),
        (datetime(2026, 3, 31, tzinfo=UTC), 14, "2025-01"),
    ],
)
def test_month_before_when_counted_back_then_over_the_ends_of_years(now: datetime, count: int, month: str) -> None:
    assert month_before(now, count) == month


@pytest.mark.parametrize(("month", "days"), [("2026-02", 28), ("2024-02", 29), ("2025-12", 31), ("2026-04", 30)])
def test_hours_of_a_month_then_all_of_its_days(month: str, days: int) -> None:
    found = hours_of_month(month)
    year, number = map(int, month.split("-"))
    assert found.start == int(datetime(year, number, 1, tzinfo=UTC).timestamp()) // 3600
    assert len(found) == days * 24
