"""Which hours are read: a table of situations, and properties that hold in all of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange, HourSet, hour_of, midnight_before
from alertd.core.spend.ledger import FULL_HOURS, CategoryBook, Suspicion, file_failure
from alertd.core.spend.reading import Cadence, plan_reads
from tests.core.builders import DAY, HOUR, NOW, RUNNING, SETTLE, Desk
from tests.examples import examples

USUAL = Cadence()
TODAY = midnight_before(RUNNING)
END = RUNNING + 1
LONG = HourRange(RUNNING - 4000, END)

STEADY = CategoryBook(
    account="default",
    category="gpu",
    covered=HourSet((LONG,)),
    read_at=NOW - timedelta(minutes=10),
    deep_read_at=NOW - timedelta(minutes=10),
    full_read_at=NOW - timedelta(minutes=10),
)
SMALL_HOURS = replace(
    STEADY,
    read_at=NOW.replace(hour=5) - timedelta(minutes=10),
    deep_read_at=NOW.replace(hour=5) - timedelta(minutes=10),
    full_read_at=NOW.replace(hour=5) - timedelta(minutes=10),
)
FRESH = CategoryBook(account="default", category="gpu")


def plan(
    book: CategoryBook, *, now: datetime = NOW, horizon: int = RUNNING - 48, everything: bool = False
) -> list[tuple[int, int]]:
    """The ranges, in hours relative to today's midnight."""
    spans = plan_reads(book, now, horizon=horizon, settle_delay=SETTLE, cadence=USUAL, everything=everything)
    return [(span.start - TODAY, span.end - TODAY) for span in spans]


@pytest.mark.parametrize(
    ("book", "first", "ranges"),
    [
        pytest.param(STEADY, TODAY - 24, [(0, 13)], id="before what is due: nothing changes"),
        pytest.param(FRESH, TODAY - 24, [(-24, 13)], id="within: cut there"),
        pytest.param(FRESH, TODAY + 24, [], id="the API has nothing yet"),
    ],
)
def test_reads_when_the_api_begins_at_an_hour_then_nothing_before_is_asked_for(
    book: CategoryBook, first: int, ranges: list[tuple[int, int]]
) -> None:
    """What the API never had is unknown; an empty answer would look like zero."""
    spans = plan_reads(book, NOW, horizon=RUNNING - 2000, settle_delay=SETTLE, cadence=USUAL, first=first)
    assert [(span.start - TODAY, span.end - TODAY) for span in spans] == ranges


def doubting(hour: int) -> CategoryBook:
    return replace(STEADY, suspicions={hour: Suspicion(digest=b"", total=0, since=NOW)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("book", "now", "ranges"),
    [
        pytest.param(STEADY, NOW, [(0, 13)], id="steady: today"),
        pytest.param(
            SMALL_HOURS, NOW.replace(hour=5), [(-24, 6)], id="in the small hours: six hours back is yesterday"
        ),
        pytest.param(
            replace(STEADY, deep_read_at=NOW - HOUR), NOW, [(-72, 13)], id="an hour after the last deep read: 3 days"
        ),
        pytest.param(
            replace(STEADY, deep_read_at=NOW - HOUR + timedelta(seconds=1)), NOW, [(0, 13)], id="a second before"
        ),
        pytest.param(
            file_failure(STEADY, HourRange(RUNNING - 12, END), error="x", failed_at=NOW),
            NOW,
            [(0, 13)],
            id="after a failure: the same again",
        ),
        pytest.param(
            file_failure(STEADY, HourRange(TODAY - 48, TODAY - 24), error="x", failed_at=NOW),
            NOW,
            [(0, 13), (-48, -24)],
            id="an older failed day",
        ),
        pytest.param(
            file_failure(STEADY, HourRange(TODAY - 30, TODAY - 23), error="x", failed_at=NOW),
            NOW,
            [(0, 13), (-48, 0)],
            id="a failure across midnight: both days whole",
        ),
        pytest.param(doubting(TODAY - 40), NOW, [(0, 13), (-48, -24)], id="a doubted hour: its day again"),
        pytest.param(doubting(TODAY - 100), NOW, [(0, 13)], id="a doubted hour that no rule sees"),
        pytest.param(
            replace(STEADY, read_at=NOW - 20 * HOUR), NOW, [(-24, 13)], id="a stop of 20 hours: from the settled end on"
        ),
        pytest.param(
            replace(STEADY, covered=HourSet((HourRange(TODAY - 24, END),))),
            NOW,
            [(0, 13), (-48, -24)],
            id="a rule that looks further back than before",
        ),
    ],
)
def test_plan_when_the_situation_differs_then_ranges(
    book: CategoryBook, now: datetime, ranges: list[tuple[int, int]]
) -> None:
    """The newest hours always, the rest as often as late rows are worth it."""
    assert plan(book, now=now) == ranges


def covered_by(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same hours as joined ranges."""
    return [(r.start, r.end) for r in HourSet.of(HourRange(a, b) for a, b in ranges)]


@pytest.mark.parametrize(
    ("book", "horizon", "since"),
    [
        pytest.param(FRESH, RUNNING - 48, -FULL_HOURS, id="first start: a month"),
        pytest.param(FRESH, RUNNING - 60 * 24, -60 * 24, id="first start of a rule that sees two months"),
        pytest.param(replace(STEADY, full_read_at=NOW - DAY), RUNNING - 48, -FULL_HOURS, id="daily: a month"),
        pytest.param(
            replace(STEADY, read_at=NOW - 5 * DAY, deep_read_at=NOW - 5 * DAY),
            RUNNING - 48,
            -120,
            id="a stop of five days: all of it, though no rule looks so far",
        ),
        pytest.param(
            replace(STEADY, read_at=NOW - 90 * DAY, deep_read_at=None, full_read_at=None),
            RUNNING - 48,
            -FULL_HOURS,
            id="a stop of three months: no more than a month",
        ),
        pytest.param(
            replace(STEADY, read_at=NOW - 90 * DAY, deep_read_at=None, full_read_at=None),
            RUNNING - 40 * 24,
            -40 * 24,
            id="or as far as a rule sees",
        ),
    ],
)
def test_plan_when_it_goes_far_back_then_all_of_it(book: CategoryBook, horizon: int, since: int) -> None:
    """Whatever the pieces, together they cover it without a hole."""
    assert covered_by(plan(book, horizon=horizon)) == [(since, 13)]


def test_plan_when_everything_is_wanted_then_from_the_horizon_on() -> None:
    """`--once` reads every hour that a rule can see, whatever is known."""
    assert plan(STEADY, horizon=RUNNING - 48, everything=True) == [(-48, 13)]
    assert covered_by(plan(STEADY, horizon=RUNNING - 60 * 24, everything=True)) == [(-60 * 24, 13)]


@pytest.mark.parametrize("minutes", [10, 20, 50])
@pytest.mark.parametrize("hour", [0, 5, 12, 23])
@pytest.mark.parametrize("days", [2, 60])
def test_plan_when_the_far_read_just_succeeded_then_not_again_at_the_next_poll(
    minutes: int, hour: int, days: int
) -> None:
    """A month of every category at each poll would be a hundred times the load."""
    desk, now = Desk(), NOW.replace(hour=hour)
    horizon = hour_of(now) - days * 24
    for at in (now, now + timedelta(minutes=minutes)):
        spans = plan_reads(desk.book(), at, horizon=horizon, settle_delay=SETTLE, cadence=USUAL)
        for span in spans:
            desk.read([], span, at)
    assert sum(map(len, spans)) <= 54


def test_cadence_when_polls_are_quicker_then_in_step() -> None:
    """Every 6th and every 144th poll, but at least hourly and daily; a second read waits for a poll."""
    assert Cadence.for_interval(timedelta(minutes=10)) == Cadence(
        deep_every=HOUR, full_every=DAY, confirm_after=timedelta(minutes=9)
    )
    assert Cadence.for_interval(timedelta(seconds=1)) == Cadence(
        deep_every=timedelta(seconds=6), full_every=timedelta(seconds=144)
    )
    assert Cadence.for_interval(timedelta(hours=6)) == Cadence(
        deep_every=HOUR, full_every=DAY, confirm_after=timedelta(hours=5, minutes=24)
    )


HOURS_AGO = st.integers(0, 2500)
SPANS = st.tuples(HOURS_AGO, st.integers(1, 900)).map(
    lambda pair: HourRange(RUNNING - pair[0], min(RUNNING - pair[0] + pair[1], END))
)
BOOKS = st.builds(
    lambda covered, failed, doubts, times: CategoryBook(
        account="default",
        category="gpu",
        covered=HourSet.of(covered),
        failed=HourSet.of(failed),
        suspicions={RUNNING - h: Suspicion(digest=b"", total=0, since=NOW) for h in doubts},  # type: ignore[arg-type]
        read_at=times[0],
        deep_read_at=times[1],
        full_read_at=times[2],
    ),
    st.lists(SPANS, max_size=4),
    st.lists(SPANS, max_size=3),
    st.lists(HOURS_AGO, max_size=3),
    st.tuples(*[st.none() | st.integers(0, 3000).map(lambda h: NOW - h * HOUR)] * 3),
)


@examples(12, thorough=120)
@given(BOOKS, HOURS_AGO, st.booleans(), st.integers(0, 23))
def test_plan_when_anything_is_known_then_midnights_a_month_at_most_newest_first_and_no_hole(
    book: CategoryBook, back: int, everything: bool, hour: int
) -> None:
    """Daily rows are read whole, the API's limit holds, and whatever is missing since the horizon is fetched."""
    now = NOW.replace(hour=hour)
    end = hour_of(now) + 1
    horizon = hour_of(now) - back
    spans = plan_reads(book, now, horizon=horizon, settle_delay=SETTLE, cadence=USUAL, everything=everything)
    assert all(span.start % 24 == 0 for span in spans)
    assert all(0 < len(span) <= 31 * 24 for span in spans)
    assert all(newer.start >= older.end for newer, older in pairwise(spans))
    assert spans[0].end == end
    planned = {h for span in spans for h in range(span.start, span.end)}
    seen = HourRange(horizon, end)
    wanted = [*book.covered.missing_from(seen), *book.failed.within(seen)]
    wanted += [HourRange(h, h + 1) for h in book.suspicions if h in seen]
    assert {h for span in wanted for h in range(span.start, span.end)} <= planned
    assert set(range(end - 7, end)) <= planned
    if everything:
        assert set(range(horizon, end)) <= planned
