"""How long owners run by their bills alone: gaps that end a run, gaps in what is known that do not, and the cost."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange
from alertd.core.labels import Labels, Patterns
from alertd.core.spend.edges import edges_of
from alertd.core.spend.runs import Run, runs
from alertd.core.spend.selection import SpendQuery
from tests.core.builders import NOW, RUNNING, SETTLE, Desk, desk_with, row, usd
from tests.examples import examples

EDGE = RUNNING - 2
"""With the settle delay of two hours."""
ONE: Labels = (("account", "default"), ("owner", "gpu-1"))
QUERY = SpendQuery(filters=(("category", Patterns(("gpu",))),), group_by=("account", "owner"))


def desk(*ago: int, amount: str = "2") -> Desk:
    """An owner that was billed in some hours before the edge; 1 is the last."""
    return desk_with(*(row(EDGE - hours, amount) for hours in ago))


def found(held: Desk, *, gap: int = 1, min_rate: str = "1", hours: int = 24 * 31) -> Run | None:
    facts = held.facts()
    edges = edges_of(facts.spend, facts.data, QUERY, facts.data.books)
    answer = runs(
        facts.spend, facts.data, QUERY, "amount", edges, hours=hours, min_rate=usd(min_rate), gap=gap, also=(ONE,)
    )
    return answer.get(ONE)


@pytest.mark.parametrize(
    ("ago", "gap", "hours"),
    [
        pytest.param(range(1, 27), 1, 26, id="every hour"),
        pytest.param((1,), 1, 1, id="one hour"),
        pytest.param((*range(1, 5), *range(6, 20)), 1, 4, id="an hour without bills ends a run"),
        pytest.param((*range(1, 5), *range(6, 20)), 2, 19, id="a longer gap is asked for"),
        pytest.param((*range(1, 5), *range(7, 20)), 2, 4, id="a gap of exactly so long ends it"),
        pytest.param(range(2, 10), 1, 0, id="it has ended"),
        pytest.param(range(2, 10), 2, 8, id="it may go on: the gap is not over"),
        pytest.param((), 1, None, id="nothing was ever billed"),
    ],
)
def test_run_when_hours_are_billed_then_those_in_a_row(ago: tuple[int, ...], gap: int, hours: int | None) -> None:
    """Up to the data edge, and from bills alone."""
    run = found(desk(*ago), gap=gap)
    assert (run.hours if run is not None else None) == hours


def test_run_when_it_costs_less_than_asked_then_none() -> None:
    """A stopped instance keeps its disk, which is still billed."""
    run = found(desk(*range(1, 20), amount="0.04"), min_rate="0.05")
    assert run is not None
    assert run.hours == 0


def test_run_when_hours_could_not_be_read_then_neither_counted_nor_ended() -> None:
    """Missing data can hide spend but never invent it."""
    held = Desk()
    held.read([row(EDGE - ago, "2") for ago in (*range(1, 5), *range(8, 20))], HourRange(RUNNING - 480, EDGE - 7))
    held.fail(HourRange(EDGE - 7, EDGE - 4))
    held.read([row(EDGE - ago, "2") for ago in range(1, 5)], HourRange(EDGE - 4, RUNNING + 1))
    run = found(held)
    assert run is not None
    assert (run.hours, run.span) == (16, HourRange(EDGE - 19, EDGE))


def test_run_when_its_hours_fail_to_be_read_again_then_still_counted() -> None:
    """They were billed, whatever the last read says."""
    held = desk(*range(1, 20))
    held.fail(HourRange(RUNNING - 24, RUNNING + 1))
    run = found(held)
    assert run is not None
    assert run.hours == 19


def test_run_when_older_than_looked_at_then_at_least_so_long() -> None:
    """A run that never began is not said to have begun."""
    run = found(desk(*range(1, 60)), hours=24)
    assert run is not None
    assert (run.hours, run.is_whole) == (24, False)
    begun = found(desk(*range(1, 20)), hours=24)
    assert begun is not None
    assert begun.is_whole


def test_run_when_asked_what_it_costs_then_its_sum_and_the_mean_of_three_hours() -> None:
    """One hour alone may be billed in part."""
    held = desk_with(row(EDGE - 1, "3"), row(EDGE - 2, "6"), row(EDGE - 3, "9"), row(EDGE - 4, "100"))
    run = found(held)
    assert run is not None
    assert (run.cost, run.rate, run.edge) == (usd("118"), usd("6"), EDGE)


def test_run_when_accounts_differ_then_the_gap_of_one_ends_nothing_of_the_other() -> None:
    """Each account is read by itself."""
    rows = [row(EDGE - ago, "2") for ago in range(1, 10)]
    others = [replace(one, series=one.series._replace(account="dev")) for one in rows]
    held = desk_with(*rows, *others)
    held.books["dev", "gpu"] = replace(held.books["dev", "gpu"], failed=held.books["dev", "gpu"].covered)
    facts = held.facts()
    assert facts.data.settle_delay == SETTLE
    assert facts.now == NOW
    run = found(held)
    assert run is not None
    assert run.hours == 9


HOURS_AGO = st.integers(1, 24)


@examples(20, thorough=500)
@given(
    st.lists(st.sets(HOURS_AGO, min_size=1), min_size=1, max_size=4),
    st.lists(st.tuples(HOURS_AGO, st.integers(1, 5)), max_size=3),
    st.integers(1, 4),
    st.integers(2, 30),
)
def test_runs_when_of_many_owners_at_once_then_as_one_finds_hour_by_hour(
    billed: list[set[int]], failed: list[tuple[int, int]], gap: int, hours: int
) -> None:
    """All groups are searched together; each has its own gaps, and its own hours that could not be read."""
    rows = [row(EDGE - ago, "2", owner=f"gpu-{n}") for n, each in enumerate(billed) for ago in each]
    held = Desk()
    held.read(rows, HourRange(RUNNING - 480, RUNNING + 1))
    for ago, length in failed:
        held.fail(HourRange(EDGE - ago, EDGE - ago + length))
    unknown = {hour for ago, length in failed for hour in range(EDGE - ago, EDGE - ago + length)}
    facts = held.facts()
    edges = edges_of(facts.spend, facts.data, QUERY, facts.data.books)
    answer = runs(facts.spend, facts.data, QUERY, "amount", edges, hours=hours, min_rate=usd("1"), gap=gap)
    for n, each in enumerate(billed):
        run = answer.get((("account", "default"), ("owner", f"gpu-{n}")))
        if run is not None:
            since = edges.latest - hours
            assert (run.hours, run.cost) == _slow({EDGE - ago for ago in each}, unknown, since, run.edge, gap)


def _slow(billed: set[int], unknown: set[int], first: int, edge: int, gap: int) -> tuple[int, int]:
    """Walk back from the edge; return hours and cost."""
    hours = cost = empty = 0
    for hour in reversed(range(first, edge)):
        if hour in billed:
            hours, cost, empty = hours + 1 + (empty if hours else 0), cost + usd("2"), 0
        elif hour not in unknown:
            empty += 1
            if empty == gap:
                break
    return hours, cost
