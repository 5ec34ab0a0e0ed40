"""Spend over time: exact to the last digit, and never a zero where nothing is known."""

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange
from alertd.core.labels import Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import SeriesTable
from alertd.core.spend.steps import SpendSteps, Steps, StepSums, steps_of, sum_steps
from tests.core.builders import DAY, NOW, RUNNING, SETTLE, Desk, Row, a_series, row
from tests.examples import examples

OWNERS = OwnerDirectory((Owner(match=Patterns(("gpu-*",)), team="research"),))


def state(desk: Desk) -> DataState:
    return DataState(books=desk.books, now=NOW, settle_delay=SETTLE)


def read_steps(desk: Desk, hours: int, by: str = "owner", most: int = 8) -> SpendSteps:
    """What the page does: sums of every block, in the order of the store."""
    steps = steps_of(hours, state(desk))
    assert steps is not None
    sums = StepSums(desk.table, steps)
    for (_, _, hour), block in sorted(desk.blocks.items()):
        sums.add(hour, block)
    return sum_steps(sums, state(desk), by=by, owners=OWNERS, most=most)


ROWS = st.lists(
    st.builds(
        lambda owner, ago, span, amount: Row(series=a_series(owner), hour=RUNNING - ago, span=span, amount=amount),
        st.sampled_from(["gpu-1", "gpu-2", "key-1", ""]),
        st.integers(0, 200),
        st.sampled_from([1, 1, 1, 3, 24]),
        st.integers(-(10**12), 10**13),
    ),
    max_size=30,
)


@examples(6, thorough=60)
@given(rows=ROWS, hours=st.sampled_from([24, 72, 168, 720]), most=st.integers(1, 4))
def test_steps_then_equal_a_sum_by_hand(rows: list[Row], hours: int, most: int) -> None:
    """A slow oracle spreads each row over its hours and adds up what lies in each step."""
    desk = Desk()
    desk.read(rows, HourRange(RUNNING - 200, RUNNING + 1))
    found = read_steps(desk, hours, most=most)
    totals: dict[tuple[str, int], int] = defaultdict(int)
    cells: dict[tuple[str, int, int], int] = defaultdict(int)
    for each in rows:
        cells[each.series.owner, each.hour, each.span] += each.amount
    for (owner, hour, length), amount in cells.items():
        # What has not ended is spread over its hours so far.
        span = min(length, RUNNING + 1 - hour) if hour <= RUNNING else length
        share, rest = divmod(amount, span)
        for offset in range(span):
            totals[owner, hour + offset] += share + (offset < rest)
    edges = found.steps.edges
    assert edges[-1] == state(desk).edge(desk.books)

    def expected(owners: set[str]) -> list[int]:
        return [
            sum(amount for (owner, hour), amount in totals.items() if owner in owners and start <= hour < end)
            for start, end in pairwise(edges)
        ]

    named = {group.value for group in found.groups}
    for group in found.groups:
        assert list(group.amounts) == expected({group.value})
        assert group.total == sum(group.amounts)
    everyone = {each.series.owner for each in rows}
    others = [int(amount) for amount in found.rest.amounts] if found.rest is not None else [0] * len(found.steps)
    assert others == expected(everyone - named)
    assert found.total == sum(expected(everyone))
    assert [group.total for group in found.groups] == sorted((g.total for g in found.groups), reverse=True)
    assert len(found.groups) <= most


@pytest.mark.parametrize(
    ("by", "values"),
    [
        pytest.param("owner", ["gpu-1", "key-1", "gpu-2"], id="a key of the series"),
        pytest.param("team", ["research", ""], id="the team from the rules file"),
        pytest.param("category", ["gpu"], id="one group"),
    ],
)
def test_groups_then_by_what_is_asked_the_largest_first(by: str, values: list[str]) -> None:
    """Teams stand in the rules file, everything else in the bills."""
    desk = Desk()
    rows = [row(RUNNING - 1, "5"), row(RUNNING - 1, "4", owner="key-1"), row(RUNNING - 2, "3", owner="gpu-2")]
    desk.read(rows, HourRange(RUNNING - 50, RUNNING + 1))
    assert [group.value for group in read_steps(desk, 24, by).groups] == values


def test_groups_when_an_account_is_watched_no_more_then_its_spend_is_left_out() -> None:
    """What the store still holds of it belongs to no figure of today."""
    desk = Desk()
    desk.read([row(RUNNING - 1, "5")], HourRange(RUNNING - 50, RUNNING + 1))
    desk.read([row(RUNNING - 1, "7", account="old")], HourRange(RUNNING - 50, RUNNING + 1), account="old")
    del desk.books["old", "gpu"]
    assert read_steps(desk, 24).total == 5 * 10**10


def test_steps_when_by_day_then_from_midnight_to_midnight_and_no_further_back_than_known() -> None:
    """Days are UTC's; before the first read nothing is known, which is no row of zeros."""
    desk = Desk()
    desk.read([], HourRange(RUNNING - 61, RUNNING + 1))
    steps = steps_of(30 * 24, state(desk))
    end = RUNNING - 2
    assert steps == Steps(edges=(RUNNING - 61, *range(RUNNING - 60, RUNNING, 24), end), is_by_day=True, running=RUNNING)
    week = steps_of(48, state(desk))
    assert week is not None
    assert (week.edges[0], week.edges[-1]) == (end - 48, end)
    assert steps_of(24, DataState(books={}, now=NOW, settle_delay=SETTLE)) is None


def test_step_when_it_could_not_be_read_then_is_not_whole_and_when_unread_not_known() -> None:
    """A gap in the bills must look like a gap."""
    desk = Desk()
    desk.read([row(RUNNING - 20, "5")], HourRange(RUNNING - 24, RUNNING - 9), at=NOW - 10 * timedelta(hours=1))
    desk.fail(HourRange(RUNNING - 12, RUNNING + 1), at=NOW)
    found = read_steps(desk, 24)
    whole = dict(zip(found.steps.edges, found.is_whole, strict=False))
    known = dict(zip(found.steps.edges, found.is_known, strict=False))
    assert whole[RUNNING - 20]
    assert whole[RUNNING - 13]
    assert known[RUNNING - 13]
    assert found.steps.edges[-1] == RUNNING - 12
    (gap,) = found.gaps
    assert gap.startswith("gpu could not be read since 2026-01-10 12:05 UTC")


def test_step_when_money_vanished_then_is_not_whole() -> None:
    """It counts as before until a second read says the same, and is marked until then."""
    desk = Desk()
    span = HourRange(RUNNING - 24, RUNNING + 1)
    desk.read([row(RUNNING - 5, "5")], span)
    desk.read([], span, at=NOW + timedelta(minutes=10))
    found = read_steps(desk, 24)
    whole = dict(zip(found.steps.edges, found.is_whole, strict=False))
    assert (whole[RUNNING - 5], whole[RUNNING - 6], found.total) == (False, True, 5 * 10**10)


def test_sums_when_a_series_came_meanwhile_then_it_waits_for_the_next_reading() -> None:
    """The store is read in turns, and a cycle may write between them."""
    desk = Desk()
    desk.read([row(RUNNING - 2, "5")], HourRange(RUNNING - 24, RUNNING + 1))
    steps = Steps(edges=tuple(range(RUNNING - 24, RUNNING + 1)), is_by_day=False, running=RUNNING)
    sums = StepSums(SeriesTable(desk.table.names), steps)
    desk.read(
        [row(RUNNING - 1, "5"), row(RUNNING - 1, "7", owner="new")], HourRange(RUNNING - 1, RUNNING + 1), NOW + DAY
    )
    for (_, _, hour), block in desk.blocks.items():
        sums.add(hour, block)
    found = sum_steps(sums, state(desk), by="owner", owners=OWNERS, most=8)
    assert [(group.value, group.total) for group in found.groups] == [("gpu-1", 10 * 10**10)]


def test_sums_when_they_do_not_fit_then_summed_as_integers_of_any_size() -> None:
    """One vendor's slip of units takes the chart away from nobody, and no number wraps round."""
    desk = Desk()
    huge = 9 * 10**18
    rows = [Row(series=a_series(owner), hour=RUNNING - 1, amount=huge) for owner in ("a", "b")]
    desk.read(rows, HourRange(RUNNING - 24, RUNNING + 1))
    found = read_steps(desk, 24, most=1)
    assert (found.total, found.groups[0].total, found.others) == (2 * huge, huge, (("b", huge),))
    assert found.rest is not None
    assert max(found.rest.amounts) == huge


def test_step_when_it_was_read_settled_and_a_later_read_fails_then_stays_whole() -> None:
    """A read that fails asks for days back: what was known of them is known still."""
    desk = Desk()
    desk.read([row(RUNNING - 20, "5")], HourRange(RUNNING - 48, RUNNING + 1), at=NOW)
    desk.fail(HourRange(RUNNING - 48, RUNNING + 1), at=NOW + timedelta(minutes=10))
    found = read_steps(desk, 24)
    whole = dict(zip(found.steps.edges, found.is_whole, strict=False))
    assert whole[RUNNING - 20]
    assert whole[RUNNING - 3]
    assert found.steps.edges[-1] == RUNNING - 2
    assert len(found.gaps) == 1
