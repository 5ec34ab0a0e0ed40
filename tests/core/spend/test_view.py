"""The spend view against a slow sum over dictionaries, at ordinary amounts and at the edge of 64 bits."""

import resource
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange
from alertd.core.labels import Patterns
from alertd.core.money import MAX_UNITS
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.spend.bill import Series
from alertd.core.spend.block import HourBlock, empty_block
from alertd.core.spend.contributors import largest_parts, risen_parts
from alertd.core.spend.ledger import SeriesTable
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.view import SpendView
from tests.core.builders import Desk, Row, a_series, row, usd
from tests.core.oracle import AT, READS, SPAN, START, SlowLedger
from tests.examples import examples

OWNERS = OwnerDirectory(
    (
        Owner(match=Patterns(("gpu-1",)), name="trainer-a", team="research", labels=(("env", "prod"),)),
        Owner(match=Patterns(("gpu-*",)), team="web"),
    )
)
TEAM = {"gpu-1": "research", "gpu-2": "web", "gpu-3": "web", "": ""}
METRIC_POSITIONS = {"amount": 0, "voucher": 1, "pay": 2}
KEYS = {
    "owner": lambda s: s.owner,
    "product": lambda s: s.product,
    "team": lambda s: TEAM[s.owner],
    "env": lambda s: "prod" if s.owner == "gpu-1" else "",
}
WINDOWS = st.tuples(st.integers(-30, 100), st.integers(0, 130)).map(
    lambda pair: HourRange(START + pair[0], START + pair[0] + pair[1])
)


@examples(5, thorough=50)
@given(READS, st.lists(WINDOWS, min_size=1, max_size=4), st.tuples(st.integers(-5, 20), st.integers(10, 110)))
def test_sums_when_read_again_and_again_then_as_a_slow_ledger_says(
    reads: list[tuple[list[Row], HourRange, int]], windows: list[HourRange], cut: tuple[int, int]
) -> None:
    """Late rows, revisions, new series and long rows: every window of every group must be exact after each read."""
    view_span = HourRange(START + cut[0], START + cut[0] + cut[1])
    desk, slow, at = Desk(), SlowLedger(), AT
    grown = SpendView(desk.table, view_span, metrics=("amount", "pay", "voucher"), owners=OWNERS)
    begun: list[SpendView] = []
    for rows, span, minutes in reads:
        at += timedelta(minutes=minutes)
        for hour, (old, new) in desk.read(rows, span, at).items():
            for view in (grown, *begun):
                view.replace(hour, old, new)
        slow.read(rows, span, at)
        filled = desk.view(view_span, owners=OWNERS)
        # Later reads have hours before and after those that it was filled with.
        begun = begun or [desk.view(view_span, owners=OWNERS)]
        for window in windows:
            for name, key in KEYS.items():
                for metric, position in METRIC_POSITIONS.items():
                    expected = slow.spent(window, view_span, key, position)
                    for view in (grown, filled, *begun):
                        sums = view.sums(SpendQuery(group_by=(name,)), metric, window)
                        found = {labels[0][1]: int(v) for labels, v in zip(sums.groups, sums.values, strict=True)}
                        assert {k: v for k, v in found.items() if v} == {k: v for k, v in expected.items() if v}
                        assert sums.largest >= max(expected.values(), default=sums.largest)


@examples(4, thorough=30)
@given(READS, WINDOWS)
def test_sums_when_filtered_or_whole_then_the_parts_add_up(
    reads: list[tuple[list[Row], HourRange, int]], window: HourRange
) -> None:
    """A filter and its exclusion share nothing and miss nothing; groups of two keys too."""
    desk, slow, at = Desk(), SlowLedger(), AT
    for rows, span, minutes in reads:
        at += timedelta(minutes=minutes)
        desk.read(rows, span, at)
        slow.read(rows, span, at)
    view = desk.view(SPAN, owners=OWNERS)
    whole = view.sums(SpendQuery(), "amount", window).of(())
    assert whole == sum(slow.spent(window, SPAN, lambda s: s.owner, 0).values())
    for name, pattern in (("owner", "gpu-[12]"), ("team", "web"), ("product", "H*"), ("env", "prod")):
        parts = [
            view.sums(SpendQuery(filters=((name, Patterns((text,))),)), "amount", window).of(())
            for text in (pattern, f"!{pattern}")
        ]
        assert sum(parts) == whole
    pairs = view.sums(SpendQuery(group_by=("owner", "product")), "amount", window)
    expected = slow.spent(window, SPAN, lambda s: f"{s.owner}|{s.product}", 0)
    assert {k: v for k, v in expected.items() if v} == {
        "|".join(value for _, value in labels): int(v)
        for labels, v in zip(pairs.groups, pairs.values, strict=True)
        if v
    }


def test_sums_when_nothing_is_known_then_one_group_of_nothing() -> None:
    """A rule on the whole must say zero, not vanish."""
    view = SpendView(SeriesTable(), SPAN)
    assert view.sums(SpendQuery(), "amount", SPAN).groups == ((),)
    assert view.sums(SpendQuery(), "amount", SPAN).of(()) == 0
    assert view.sums(SpendQuery(group_by=("owner",)), "amount", SPAN).groups == ()
    assert view.metrics == {"amount"}
    none = np.empty(0, np.int64)
    assert view.cells(SpendQuery()).least(none, 7).tolist() == [7], "not 0, which is an hour of 1970"
    assert view.cells(SpendQuery(group_by=("owner",))).least(none, 7).tolist() == []


def test_at_least_when_a_group_meets_the_floor_exactly_then_it_is_in() -> None:
    """Reached means `>=`."""
    desk = Desk()
    desk.read([row(START, "5"), row(START, "4.99", owner="gpu-2"), row(START, "-1", owner="gpu-3")], SPAN)
    sums = desk.view(SPAN).sums(SpendQuery(group_by=("owner",)), "amount", SPAN)
    assert dict(sums.at_least(usd("5"))) == {(("owner", "gpu-1"),): usd("5")}
    assert dict(sums.at_least(usd("5") + 1)) == {}
    assert len(list(sums.at_least(usd("-1")))) == 3
    assert sums.of((("owner", "gpu-9"),)) == 0


def test_sums_when_a_series_is_new_then_the_next_question_knows_it() -> None:
    """Selections are remembered; a new owner must not wait for a restart."""
    desk = Desk()
    view = SpendView(desk.table, SPAN)
    query = SpendQuery(group_by=("owner",))
    assert view.sums(query, "amount", SPAN).groups == ()
    owners = [f"gpu-{n}" for n in range(40)]
    for hour, (old, new) in desk.read([row(START + 3, "2", owner=o) for o in owners], SPAN).items():
        view.replace(hour, old, new)
    found = view.sums(query, "amount", SPAN)
    assert sorted(labels[0][1] for labels in found.groups) == sorted(owners)
    assert set(found.values.tolist()) == {usd("2")}


def test_between_when_bounds_are_given_then_each_group_between_two_of_them() -> None:
    """Many short windows at once; what lies outside the view counts as nothing."""
    desk = Desk()
    rows = [row(START + 1, "5"), row(START + 3, "7", owner="gpu-2"), row(START + 4, "1"), row(START + 4, "2", span=2)]
    desk.read(rows, SPAN)
    view = desk.view(SPAN, owners=OWNERS)
    bounds = [START - 9, START, START + 2, START + 2, START + 4, START + 5]
    by_owner = SpendQuery(group_by=("owner",))
    for query in (
        by_owner,
        SpendQuery(),
        SpendQuery(group_by=("team",)),
        SpendQuery(filters=(("owner", Patterns(("x",))),)),
    ):
        found = view.between(query, "amount", bounds)
        windows = [HourRange(start, end) for start, end in pairwise(bounds)]
        assert found.tolist() == [view.sums(query, "amount", window).values.tolist() for window in windows]
    assert view.between(by_owner, "amount", bounds).tolist() == [
        [0, 0], [usd("5"), 0], [0, 0], [0, usd("7")], [usd("2"), 0]
    ]  # fmt: skip


def test_top_when_asked_then_largest_parts_with_the_window_before() -> None:
    """The reader's next question is who it was, and whether that is new."""
    now, then = HourRange(START + 24, START + 48), HourRange(START, START + 24)
    desk = Desk()
    desk.read(
        [
            row(START + 30, "5"),
            row(START + 3, "2"),
            Row(series=a_series(product="A100"), hour=START + 30, amount=usd("9")),
            Row(series=a_series(product="disk"), hour=START + 30, amount=usd("1")),
            Row(series=a_series(product="free"), hour=START + 30, amount=0),
            Row(series=a_series(product="refund"), hour=START + 30, amount=usd("-3")),
            row(START + 30, "100", owner="gpu-2"),
        ],
        SPAN,
    )
    view = desk.view(SPAN)
    query, mine = SpendQuery(group_by=("owner",)), (("owner", "gpu-1"),)
    found = largest_parts(view, query, "amount", now, mine, before=then)
    assert [(c.product, c.amount, c.before) for c in found] == [
        ("A100", usd("9"), 0),
        ("H100", usd("5"), usd("2")),
        ("disk", usd("1"), 0),
    ]
    unknown = largest_parts(view, query, "amount", now, mine, before=None, count=1)
    assert [(c.owner, c.category, c.before) for c in unknown] == [("gpu-1", "gpu", None)]
    assert largest_parts(view, query, "amount", now, (("owner", "gpu-9"),), before=None) == ()
    assert largest_parts(view, SpendQuery(), "amount", now, (), before=None)[0].amount == usd("100")


def test_top_when_series_differ_in_what_is_not_named_then_each_part_is_their_whole_sum() -> None:
    """Of an owner, product and category there may be several series: by subcategory, or by how they are billed."""
    now, then = HourRange(START + 24, START + 48), HourRange(START, START + 24)
    desk = Desk()
    several = [a_series(), a_series()._replace(billing_method="monthly"), a_series()._replace(subcategory="other")]
    rows = [Row(series=each, hour=START + 30, amount=usd(text)) for each, text in zip(several, "531", strict=True)]
    rows += [Row(series=each, hour=START + 3, amount=usd("2")) for each in several]
    desk.read([*rows, row(START + 30, "4", owner="gpu-2")], SPAN)
    query = SpendQuery()
    top = largest_parts(desk.view(SPAN), query, "amount", now, (), before=then)
    assert [(part.owner, part.amount, part.before) for part in top] == [
        ("gpu-1", usd("9"), usd("6")),
        ("gpu-2", usd("4"), usd("0")),
    ]


def test_risen_when_asked_then_largest_rises_over_the_mean_before() -> None:
    """Parts that fell or stayed are not what rose; equal rises in the order of their names."""
    desk = Desk()
    rows = [row(START, "40"), row(START + 10, "20"), row(START + 20, "31"), row(START + 20, "0", owner="gpu-9")]
    rows += [row(START + 20, "3", owner=owner) for owner in ("gpu-5", "gpu-4", "gpu-3")]
    rows += [row(START, "10", owner="gpu-6"), row(START + 20, "5", owner="gpu-6")]
    desk.read(rows, HourRange(START, START + 30), AT)
    view = desk.view(HourRange(START, START + 30))
    window, before = HourRange(START + 20, START + 30), HourRange(START, START + 20)
    risen = risen_parts(view, SpendQuery(), "amount", window, (), before=before)
    assert [(c.owner, c.amount, c.before) for c in risen] == [
        ("gpu-3", usd("3"), 0),
        ("gpu-4", usd("3"), 0),
        ("gpu-5", usd("3"), 0),
    ]
    (first, *_) = risen_parts(view, SpendQuery(), "amount", window, (), before=before, count=4)[3:]
    assert (first.owner, first.amount, first.before) == ("gpu-1", usd("31"), usd("30"))


def test_first_hour_when_charges_cancel_out_then_still_the_first() -> None:
    """A sum of nothing may be spend and its credit; a row of nothing is none."""
    desk = Desk()
    rows = [row(START + 2, "0"), row(START + 5, "4"), row(START + 6, "-4"), row(START + 3, "1", owner="gpu-2")]
    desk.read(rows, HourRange(START, START + 30), AT)
    view, query = desk.view(HourRange(START, START + 30)), SpendQuery(group_by=("owner",))
    asked = [(0, 30), (0, 5), (0, 6), (6, 30), (7, 30), (-50, -20), (90, 95)]
    found = [view.first_hour(query, "amount", HourRange(START + a, START + b), (("owner", "gpu-1"),)) for a, b in asked]
    assert found == [START + 5, None, START + 5, START + 6, None, None, None]
    assert view.first_hour(query, "amount", SPAN, (("owner", "gpu-9"),)) is None


def test_top_when_a_series_is_new_then_it_is_counted() -> None:
    """It must not depend on another question having been asked first."""
    desk = Desk()
    view = SpendView(desk.table, SPAN)
    rows = [row(START, "1", owner=f"gpu-{n}") for n in range(30)]
    desk.read(rows, SPAN)
    assert largest_parts(view, SpendQuery(), "amount", SPAN, (), before=None) == ()


# --- at the edge of 64 bits -----------------------------------------------------------------------------------------

HUGE = MAX_UNITS // 2 - 1


def block(cells: Sequence[tuple[int, int, int]]) -> HourBlock:
    """Cells as (series, span, amount), sorted by series and span."""
    ordered = sorted(cells)
    amounts = np.array([amount for _, _, amount in ordered], np.int64)
    return HourBlock(
        series=np.array([number for number, _, _ in ordered], np.int32),
        span=np.array([span for _, span, _ in ordered], np.int32),
        amount=amounts,
        voucher=np.zeros(len(ordered), np.int64),
        pay=amounts,
    )


def table(count: int) -> SeriesTable:
    return SeriesTable(a_series(f"gpu-{n}") for n in range(count))


def whole(view: SpendView) -> int:
    return view.sums(SpendQuery(), "amount", SPAN).of(())


@pytest.mark.parametrize("way", ["filled", "replaced"])
def test_view_when_owners_together_exceed_its_limit_then_error_whichever_way_they_came(way: str) -> None:
    """The sum of the whole must not read as a credit."""
    huge = block([(n, 1, HUGE) for n in range(3)])
    view = SpendView(table(3), SPAN)
    if way == "filled":
        view.fill([(START, huge)])
    else:
        view.replace(START, empty_block(), huge)
    with pytest.raises(OverflowError, match="922 million"):
        whole(view)


def test_view_when_some_series_overflow_then_the_sums_of_others_are_right() -> None:
    """A vendor's slip of units in one category hides the spend of no other."""
    names = table(3)
    view = SpendView(names, SPAN)
    view.fill([(START + n, block([(0, 1, HUGE), (1, 1, -HUGE), (2, 1, 7)])) for n in range(3)])
    view.replace(START + 5, empty_block(), block([(0, 1, HUGE), (2, 1, 5)]))
    others = SpendQuery(filters=(("owner", Patterns((names.names[2].owner,))),))
    hours = [SPAN.start, START + 5, SPAN.end]
    assert view.sums(others, "amount", SPAN).of(()) == 26
    assert view.between(others, "amount", hours).tolist() == [[21], [5]]
    assert view.totals_up_to(others, "amount", np.array(hours), np.array([0])).tolist() == [[0], [21], [26]]
    assert view.by_hour(others, "amount", HourRange(START, START + 6)).tolist() == [7, 7, 7, 0, 0, 5]
    assert [part.amount for part in largest_parts(view, others, "amount", SPAN, (), before=None)] == [26]
    cells = view.cells(SpendQuery())
    asking: list[Callable[[], object]] = [
        lambda: view.sums(SpendQuery(group_by=("owner",)), "amount", HourRange(START, START + 1)),
        lambda: view.between(SpendQuery(), "amount", hours),
        lambda: view.totals_up_to(SpendQuery(), "amount", np.array(hours), np.array([0])),
        lambda: view.by_hour(SpendQuery(), "amount", SPAN),
        lambda: largest_parts(view, SpendQuery(), "amount", SPAN, (), before=None),
        lambda: view.totals_at(cells, "amount", np.array(hours)),
    ]
    for ask in asking:
        with pytest.raises(OverflowError, match="922 million"):
            ask()


def test_view_when_what_overflowed_is_taken_back_then_sums_again() -> None:
    """The vendor corrects the rows, and nobody has to restart anything."""
    view = SpendView(table(2), SPAN)
    huge = block([(0, 1, HUGE), (1, 1, HUGE)])
    view.fill([(START, huge)])
    view.replace(START, huge, block([(0, 1, 3)]))
    assert whole(view) == 3


def test_view_when_half_of_64_bits_is_used_then_exact() -> None:
    """Up to 922 million USD every sum is exact to the last unit."""
    view = SpendView(table(2), SPAN)
    view.fill([(START, block([(0, 1, HUGE - 5), (1, 1, 4)]))])
    assert whole(view) == HUGE - 1


def test_fill_when_a_series_exceeds_its_limit_over_time_then_error() -> None:
    """Running totals are what could wrap."""
    view = SpendView(table(1), SPAN)
    view.fill([(START, block([(0, 1, HUGE)])), (START + 1, block([(0, 1, HUGE)]))])
    with pytest.raises(OverflowError, match="million"):
        whole(view)


def test_fill_when_long_rows_pile_up_in_one_hour_then_error_and_no_wrap() -> None:
    """Rows of four lengths overlap in one hour to 2^64, which in 64 bits looks like nothing."""
    length = 4
    quarter = MAX_UNITS // 2 - 7
    blocks = [
        (START + 10 - back, block([(0, span, quarter) for span in range(back + 1, length + 1)]))
        for back in range(length)
    ]
    view = SpendView(table(1), HourRange(START + 10, START + 11))
    view.fill(blocks)
    with pytest.raises(OverflowError, match="million"):
        whole(view)


def test_replace_when_a_series_exceeds_its_limit_then_error() -> None:
    """The same limit holds whichever way the rows came."""
    view = SpendView(table(1), SPAN)
    view.replace(START, empty_block(), block([(0, 1, HUGE)]))
    view.replace(START + 1, empty_block(), block([(0, 1, HUGE)]))
    with pytest.raises(OverflowError, match="922 million"):
        whole(view)


def test_replace_when_credits_hide_the_size_then_error_and_no_wrap() -> None:
    """Charges before and credits after: the last total is small, a window in between is not."""
    view = SpendView(table(1), SPAN)

    half = HUGE // 2
    for hour in range(10):
        view.replace(START + 30 - hour, empty_block(), block([(0, 1, half)]))
        view.replace(START + 40 + hour, empty_block(), block([(0, 1, -half)]))
    with pytest.raises(OverflowError, match="922 million"):
        whole(view)


def test_series_table_when_asked_twice_then_the_same_number() -> None:
    """Stored blocks point at these numbers for ever."""
    names = [a_series("b"), a_series("a"), a_series("b")]
    made = SeriesTable(names)
    assert [made.number(name) for name in names] == [0, 1, 0]
    assert made.names == [a_series("b"), a_series("a")]
    assert len(made) == 2
    assert isinstance(made.names[0], Series)


def test_sums_when_a_row_has_not_ended_then_it_is_spread_over_its_hours_so_far() -> None:
    """A day row that is there at noon holds what was spent until noon, and nothing of the evening."""
    desk = Desk()
    desk.read([row(START, "24", span=24), row(START, "1")], SPAN)
    view = desk.view(HourRange(START - 1, START + 30))
    found = []
    for running in (START + 1, START + 11, START + 23, START + 25):
        view.advance(running)
        found.append(view.sums(SpendQuery(), "amount", HourRange(START + 1, START + 2)).of(()))
        assert view.sums(SpendQuery(), "amount", HourRange(START, START + 30)).of(()) == usd("25")
    assert found == [usd("12"), usd("2"), usd("1"), usd("1")]


def test_view_when_spend_is_in_few_of_its_hours_then_the_others_take_no_memory() -> None:
    """A view has room for two months and the next days; an account of a week, or the days to come, must not fill it."""
    series, hours, last = 20_000, 1_000, START + 600
    view = SpendView(table(series), HourRange(START, START + hours), metrics=("amount", "pay"))
    cells = [(number, 1, 5) for number in range(series)]
    before = _resident_mib()
    view.fill([(last - 1, block(cells))])
    view.replace(last, empty_block(), block(cells))
    view.advance(last + 1)
    taken = _resident_mib() - before
    found = [view.sums(SpendQuery(), "pay", HourRange(end - 600, end)).of(()) for end in (last, last + 1, last + 300)]
    assert found == [5 * series, 10 * series, 10 * series]
    assert taken < 32, "all rows together have 305 MiB"


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20
