"""Planned spend by hand-computed values, and against a slow oracle that goes hour by hour."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.spend.bill import Series
from alertd.core.spend.data_state import DataState
from alertd.core.spend.planned import NOTHING_PLANNED, Allowance, Allowances, Cover, PlannedSpend
from alertd.core.spend.selection import SpendQuery
from tests.core.builders import NOW, SETTLE, Desk, Row, a_series, desk_with, group, row, usd
from tests.examples import examples

END = hour_of(datetime(2026, 1, 10, tzinfo=UTC))
"""The data edge of these tests: a midnight."""
DAY = HourRange(END - 24, END)
OWNERS = OwnerDirectory(
    (
        Owner(match=Patterns(("gpu-1", "gpu-2")), team="research", labels=(("env", "lab"),)),
        Owner(match=Patterns(("gpu-3",)), team="web"),
    )
)
KNOWN = HourRange(END - 60 * 24, END)


def plan(amount: str, first: int, last: int, /, comment: str = "", **match: str) -> PlannedSpend:
    """An entry for the hours from one up to another, before the edge where negative."""
    return PlannedSpend(
        match=tuple((name, Patterns((text,))) for name, text in match.items()),
        amount=usd(amount),
        hours=HourRange(END + first, END + last),
        comment=comment,
    )


def allowances(
    desk: Desk,
    *planned: PlannedSpend,
    window: HourRange = DAY,
    by: tuple[str, ...] = (),
    rule: str = "gpu-24h",
    query: SpendQuery | None = None,
    view: HourRange = KNOWN,
) -> Allowances:
    """What is allowed in the 24 hours before the edge."""
    return Allowances(
        planned,
        rule=rule,
        query=query or SpendQuery(group_by=by),
        metric="amount",
        categories=tuple(desk.books),
        window=window,
        spend=desk.view(view, owners=OWNERS),
        data=DataState(books=desk.books, now=NOW, settle_delay=SETTLE),
    )


def allowed(desk: Desk, *planned: PlannedSpend, who: Labels = (), window: HourRange = DAY, **more: object) -> Allowance:
    """What one group is allowed, of what it spent in the window."""
    found = allowances(desk, *planned, window=window, by=tuple(name for name, _ in who), **more)  # type: ignore[arg-type]
    query = SpendQuery(group_by=tuple(name for name, _ in who))
    return found.of(who, desk.view(KNOWN, owners=OWNERS).sums(query, "amount", window).of(who))


def spending(*rows: tuple[int, str] | tuple[int, str, str]) -> Desk:
    """A desk that read sixty days; rows as (hour before the edge, amount, owner)."""
    return desk_with(*(row(END + r[0], r[1], owner=r[2] if len(r) > 2 else "gpu-1") for r in rows))


# --- hours, amounts, windows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "entry", "expected"),
    [
        pytest.param([(-5, "60")], plan("100", -5, -4), "60", id="the span's only hour is in"),
        pytest.param([(-5, "60")], plan("100", -4, 9), "0", id="the hour before its first is not"),
        pytest.param([(-5, "60")], plan("100", -9, -5), "0", id="the hour at which it ends is not"),
        pytest.param([(-5, "60")], plan("100", -9, -4), "60", id="its last hour is in"),
        pytest.param([(-24, "60")], plan("100", -24, 9), "60", id="the window's first hour"),
        pytest.param([(-25, "60"), (-1, "30")], plan("100", -48, 9), "30", id="the hour before the window is not"),
        pytest.param([(-25, "80"), (-1, "30")], plan("100", -48, 9), "20", id="and leaves the rest of the amount"),
        pytest.param([(-25, "100"), (-1, "30")], plan("100", -48, 9), "0", id="used up exactly before the window"),
        pytest.param([(-25, "99"), (-2, "1"), (-1, "30")], plan("100", -48, 9), "1", id="used up exactly within it"),
        pytest.param([(-25, "120"), (-1, "30")], plan("100", -48, 9), "0", id="more than used up: never below 0"),
        pytest.param([(-49, "120"), (-1, "30")], plan("100", -48, 9), "30", id="spend before the span uses up nothing"),
        pytest.param([(-1, "130")], plan("100", -48, 9), "100", id="never more than the amount"),
        pytest.param([(-20, "40"), (-4, "40")], plan("100", -12, 9), "40", id="half of the window lies in the span"),
        pytest.param([(-30, "40"), (-20, "40"), (-4, "7")], plan("100", -36, -12), "40", id="half of the span in it"),
        pytest.param([], plan("100", -48, 9), "0", id="nothing is spent"),
        pytest.param([(-1, "60")], plan("100", 0, 9), "0", id="the span begins at the edge"),
        pytest.param([(-3, "60"), (-2, "-20")], plan("100", -48, 9), "40", id="a credit lowers what is spent"),
        pytest.param([(-30, "-20"), (-3, "150")], plan("100", -48, 9), "100", id="a credit before adds nothing to it"),
        pytest.param([(-30, "150"), (-29, "-100"), (-3, "60")], plan("100", -48, 9), "50", id="a credit gives back"),
        pytest.param([(-3, "-20")], plan("100", -48, 9), "0", id="a credit alone"),
    ],
)  # fmt: skip
def test_allowance_when_spend_lies_around_window_and_span_then_what_is_left_of_the_amount(
    rows: list[tuple[int, str]], entry: PlannedSpend, expected: str
) -> None:
    """The smaller of what the series spent in both, and what the amount leaves after the hours before."""
    assert allowed(spending(*rows), entry).amount == usd(expected)


def test_allowance_when_a_row_is_longer_than_an_hour_then_by_its_hours() -> None:
    """A day's row of $96 is $4 an hour: 12 hours before the window use up 48 of 60, so three hours of it are left."""
    desk = desk_with(row(END - 36, "96", span=24))
    assert allowed(desk, plan("60", -36, 9)).amount == usd("12")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        pytest.param({}, "142", id="no match takes everything"),
        pytest.param({"owner": "gpu-1"}, "30", id="an owner"),
        pytest.param({"owner": "!gpu-1"}, "112", id="all but one"),
        pytest.param({"team": "research"}, "55", id="a team"),
        pytest.param({"env": "lab"}, "55", id="an owner label"),
        pytest.param({"category": "llm"}, "70", id="a category"),
        pytest.param({"product": "A*"}, "17", id="a product"),
        pytest.param({"product_id": "a100"}, "17", id="a product id"),
        pytest.param({"subcategory": "Compute", "account": "default", "billing_method": "on-demand"}, "142", id="more"),
        pytest.param({"team": "research", "category": "llm"}, "0", id="all of them must match"),
        pytest.param({"rule": "gpu-*"}, "142", id="this rule"),
        pytest.param({"rule": "other"}, "0", id="another rule"),
        pytest.param({"rule": "!other", "owner": "gpu-2"}, "25", id="not another rule, and an owner"),
    ],
)
def test_allowance_when_labels_are_matched_then_of_those_series_only(match: dict[str, str], expected: str) -> None:
    """What others spend is never expected."""
    desk = desk_with(
        row(END - 1, "30"),
        row(END - 1, "25", owner="gpu-2"),
        row(END - 1, "70", owner="", category="llm"),
        Row(series=a_series("gpu-3", product="A100"), hour=END - 1, amount=usd("17")),
    )
    assert allowed(desk, plan("1000", -48, 9, **match)).amount == usd(expected)


def test_allowance_when_the_rule_filters_then_of_what_it_sums() -> None:
    """Spend that the rule does not look at uses up nothing of what it allows."""
    desk = desk_with(row(END - 30, "90", category="llm"), row(END - 1, "60"))
    only_gpu = SpendQuery(filters=(("category", Patterns(("gpu",))),))
    assert allowed(desk, plan("100", -48, 9)).amount == usd("10")
    assert allowed(desk, plan("100", -48, 9), query=only_gpu).amount == usd("60")


# --- several groups, several entries ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([(-3, "30", "a"), (-2, "50", "b")], {"a": "30", "b": "50"}, id="enough for both"),
        pytest.param([(-3, "80", "a"), (-2, "50", "b")], {"a": "80", "b": "20"}, id="who comes first"),
        pytest.param([(-2, "150", "a"), (-2, "50", "b")], {"a": "75", "b": "25"}, id="in one hour: shares"),
        pytest.param([(-30, "100", "b"), (-2, "50", "a")], {"a": "0", "b": "0"}, id="used up by the other"),
        pytest.param(
            [(-30, "90", "b"), (-2, "30", "a"), (-2, "10", "b")], {"a": "7.5", "b": "2.5"}, id="what the other left"
        ),
        pytest.param(
            [(-3, "100", "a"), (-2, "-60", "b"), (-1, "60", "a")], {"a": "100", "b": "0"},
            id="room made by a credit, never above the amount",
        ),
        pytest.param(
            [(-3, "0.0000000001", "a"), (-3, "0.0000000001", "b"), (-3, "199.9999999998", "c")],
            {"a": "0", "b": "0", "c": "99.9999999999"}, id="rounded down",
        ),
    ],
)  # fmt: skip
def test_allowance_when_groups_share_an_entry_then_they_share_its_amount(
    rows: list[tuple[int, str, str]], expected: dict[str, str]
) -> None:
    """One pot for all of them, hour by hour: together they are never allowed more than it holds."""
    desk = spending(*rows)
    found = {name: allowed(desk, plan("100", -48, 9), who=group(name)).amount for name in expected}
    assert found == {name: usd(text) for name, text in expected.items()}


def test_allowance_when_a_credit_comes_after_the_amount_is_used_up_then_not_above_what_is_spent() -> None:
    """The credit takes back what was expected first, though it comes when nothing more is expected."""
    desk = spending((-4, "100"), (-3, "100", "gpu-3"), (-2, "-60"), (-1, "500", "gpu-2"))
    entry = plan("100", -48, 9, owner="gpu-[13]")
    assert allowed(desk, entry, who=(("team", "research"),)).amount == usd("40")


def test_allowance_when_two_entries_match_then_they_add_up_to_what_was_spent() -> None:
    """Each has an amount of its own, but nobody is allowed more than was spent."""
    desk = spending((-3, "60"), (-2, "90", "gpu-2"))
    whole, single = plan("40", -48, 9), plan("50", -48, 9, owner="gpu-1")
    assert allowed(desk, whole, single).amount == usd("90")
    assert allowed(desk, whole, single, who=group()).amount == usd("60")
    assert allowed(desk, whole, single, who=group("gpu-2")).amount == 0
    assert [text for _, text in allowed(desk, whole, single, who=group()).facts] == [
        "$40.00 of $40.00 expected until 2026-01-10 09:00 UTC; all of it is used up",
        "$50.00 of $50.00 expected until 2026-01-10 09:00 UTC; all of it is used up",
    ]


def test_allowance_when_no_entry_concerns_the_group_then_none() -> None:
    """Nothing is caveated or told of who has nothing to do with it."""
    desk = spending((-3, "60"), (-2, "90", "gpu-2"))
    assert allowed(desk, plan("40", -48, 9, owner="gpu-2"), who=group()) == NOTHING_PLANNED
    assert allowed(desk, plan("40", -48, -24), who=group()) == NOTHING_PLANNED
    assert allowed(desk) == NOTHING_PLANNED


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        pytest.param(
            plan("2,000", -48, 24 * 5, comment="training run 12"),
            "$1,200.00 of $2,000.00 expected until Jan 14 (training run 12)",
            id="the last whole day, and the comment",
        ),
        pytest.param(plan("2,000", -48, 7), "$1,200.00 of $2,000.00 expected until 2026-01-10 07:00 UTC", id="an hour"),
        pytest.param(
            plan("500", -48, 24, comment="x"),
            "$500.00 of $500.00 expected until Jan 10 (x); all of it is used up",
            id="why it alerts all the same",
        ),
    ],
)
def test_fact_when_planned_spend_counts_then_says_how_much_of_it_and_until_when(entry: PlannedSpend, text: str) -> None:
    """The reader sees that the value is the real one, and why the line lies higher."""
    assert allowed(spending((-3, "1200")), entry).facts == (("Planned", text),)


# --- what is not known ------------------------------------------------------------------------------------------------


def read_from(first: int, *rows: Row, credit: bool = False) -> Desk:
    """A desk whose gpu bills were read from an hour before the edge on; llm is read whole."""
    desk = Desk()
    if credit:
        rows = (*rows, row(END - 2, "-1"))
    desk.read(list(rows), HourRange(END + first, hour_of(NOW) + 1))
    desk.read([], HourRange(END - 2000, hour_of(NOW) + 1), category="llm")
    return desk


@pytest.mark.parametrize(
    ("desk", "entry", "texts"),
    [
        pytest.param(read_from(-48, row(END - 1, "60")), plan("100", -48, 9), [], id="read from its start on"),
        pytest.param(
            read_from(-47, row(END - 1, "60")), plan("100", -48, 9),
            ["gpu was not read yet for 1 hours from 2026-01-08 00:00 UTC"], id="one hour before the window is missing",
        ),
        pytest.param(read_from(-20, row(END - 1, "60")), plan("100", -24, 9), [], id="in it they are the rule's"),
        pytest.param(
            read_from(-47, row(END - 1, "60")), plan("100", -48, 9, category="llm"), [], id="it matches nothing"
        ),
        pytest.param(
            read_from(-47, row(END - 40, "100"), row(END - 1, "60")), plan("100", -48, 9), [],
            id="used up already: further spend changes nothing",
        ),
        pytest.param(
            read_from(-47, row(END - 40, "100"), row(END - 1, "60"), credit=True), plan("100", -48, 9),
            ["gpu was not read yet for 1 hours from 2026-01-08 00:00 UTC"], id="but a credit would",
        ),
    ],
)  # fmt: skip
def test_gaps_when_hours_before_the_window_are_missing_then_notified(
    desk: Desk, entry: PlannedSpend, texts: list[str]
) -> None:
    """With less known to be used up, more is allowed than is right: nothing may end or lower by it."""
    found = allowed(desk, entry)
    assert [gap.text for gap in found.gaps] == texts


def test_gaps_when_they_are_of_a_category_that_does_not_match_then_not_notified() -> None:
    """What was not read of others uses up nothing."""
    desk = read_from(-47, row(END - 1, "60"))
    desk.read([row(END - 1, "30", category="llm")], HourRange(END - 2000, hour_of(NOW) + 1), category="llm")
    assert allowed(desk, plan("100", -48, 9, category="llm")).gaps == ()
    assert allowed(desk, plan("100", -48, 9, category="!llm", account="default")).gaps
    assert allowed(desk, plan("100", -48, 9, category="[gl]*")).gaps


def test_gaps_when_the_span_begins_before_the_view_then_notified() -> None:
    """What was used up in hours that are not held cannot be known."""
    desk = spending((-1, "60"))
    (gap,) = allowed(desk, plan("100", -48, 9), view=HourRange(END - 30, END)).gaps
    assert gap.text == (
        "planned spend may be used up already: what was spent before 2026-01-08 18:00 UTC is not at hand"
    )
    assert not gap.may_hide_credit


def test_gaps_of_a_history_when_a_span_reaches_into_it_then_those_of_its_hours_before() -> None:
    """A forecast takes planned spend out of the history, so it must know how much was used up before that."""
    desk = read_from(-100, row(END - 1, "60"))
    found = allowances(desk, plan("100", -120, -60))
    assert [gap.category for gap in found.gaps(END - 80)] == ["gpu"]
    assert found.gaps(END - 60) == ()
    assert allowances(desk, plan("100", -90, -60)).gaps(END - 80) == ()


# --- the history that a forecast is made of ---------------------------------------------------------------------------


def test_unplanned_when_spend_was_expected_then_without_it() -> None:
    """What is planned must not be taken for a habit."""
    desk = spending(
        (-70, "10"), (-46, "40"), (-45, "30", "gpu-2"), (-22, "70"), (-22, "70", "gpu-2"), (-2, "8", "gpu-2")
    )
    found = allowances(desk, plan("140", -48, -12), by=("owner",))
    # 70 of the first day of the span; of 140 in the hour that exceeds the amount one half; nothing after.
    bounds = [END - 72, END - 48, END - 24, END]
    assert (found.unplanned(bounds, np.arange(2)) / usd("1")).tolist() == [[10, 0], [0, 0], [35, 43]]
    twice = allowances(desk, plan("140", -48, -12), plan("1000", -48, -12, owner="gpu-1"), by=("owner",))
    assert (found.unplanned(bounds, np.array([1])) / usd("1")).tolist() == [[0], [0], [43]]
    assert (twice.unplanned(bounds, np.arange(2)) / usd("1")).tolist() == [[10, 0], [0, 0], [0, 43]]
    assert (allowances(desk, by=("owner",)).unplanned(bounds, np.arange(2)) / usd("1")).tolist() == [
        [10, 0],
        [40, 30],
        [70, 78],
    ]


@pytest.mark.parametrize(
    ("entry", "end", "expected"),
    [
        pytest.param(plan("100", -12, 12), 12, ("30", "10"), id="what is left, as they spent so far"),
        pytest.param(plan("100", -12, 12), 99, ("30", "10"), id="the period ends after the span"),
        pytest.param(plan("100", -12, 12), 6, ("15", "5"), id="half of what is left of the span lies in the period"),
        pytest.param(plan("100", -12, 0), 12, ("0", "0"), id="the span is over"),
        pytest.param(plan("50", -12, 12), 12, ("0", "0"), id="used up"),
        pytest.param(plan("100", 1, 12), 12, ("0", "0"), id="it did not begin"),
        pytest.param(plan("100", -1, 12), 12, ("0", "0"), id="nobody has spent anything of it"),
        pytest.param(plan("100", -12, 12, owner="gpu-2"), 12, ("0", "85"), id="of whom it matches"),
    ],
)
def test_ahead_when_a_span_goes_on_then_what_is_left_of_it(
    entry: PlannedSpend, end: int, expected: tuple[str, str]
) -> None:
    """Spread evenly over the hours that are left, 45 by one and 15 by the other being spent."""
    desk = spending((-6, "45"), (-4, "15", "gpu-2"))
    found = allowances(desk, entry, by=("owner",))
    assert tuple(found.ahead(group(name), END + end) for name in ("gpu-1", "gpu-2")) == tuple(map(usd, expected))


# --- against a slow oracle --------------------------------------------------------------------------------------------

FIRST = END - 40
AMOUNTS = st.one_of(st.integers(1, 60), st.integers(1, 10**17))
PLANS = st.builds(
    lambda amount, first, length, owner: PlannedSpend(
        match=(("owner", Patterns((owner,))),) if owner else (),
        amount=Usd(amount),
        hours=HourRange(FIRST + first, FIRST + first + length),
    ),
    AMOUNTS,
    st.integers(0, 38),
    st.integers(1, 50),
    st.sampled_from(["", "gpu-[12]", "!gpu-1"]),
)
WINDOWS = st.integers(1, 40).map(lambda hours: HourRange(END - hours, END))


def rows_of(least: int) -> st.SearchStrategy[list[Row]]:
    """Rows of one hour; with *least* below 0 some are credits."""
    amounts = st.one_of(st.integers(max(least, -30), 30), st.integers(least, 10**16))
    series = st.sampled_from(["gpu-1", "gpu-2", "gpu-3"]).map(a_series)
    return st.lists(st.builds(Row, series=series, hour=st.integers(FIRST, END - 1), amount=amounts), max_size=25)


def slowly(rows: Sequence[Row], entry: PlannedSpend, window: HourRange, key: tuple[str, ...]) -> dict[Labels, int]:
    """Go through the span hour by hour, charge by charge, in fractions."""

    def name(series: Series) -> Labels:
        return tuple((k, getattr(series, k)) for k in key)

    mine = [r for r in rows if all(p.matches(getattr(r.series, k)) for k, p in entry.match) and r.hour in entry.hours]
    allowed: dict[Labels, int] = {}
    spent: dict[Labels, int] = {}
    total = 0
    for hour in range(entry.hours.start, entry.hours.end):
        sums: dict[Labels, int] = {}
        for r in mine:
            if r.hour == hour:
                sums[name(r.series)] = sums.get(name(r.series), 0) + r.amount
        before, total = total, total + sum(sums.values())
        paid_before, paid = (max(0, min(value, entry.amount)) for value in (before, total))
        if (paid_before, paid) == (before, total):
            part = Fraction(1)
        else:
            part = Fraction(paid - paid_before, total - before) if total != before else Fraction(0)
        for who, value in sums.items():
            if hour in window:
                allowed[who] = allowed.get(who, 0) + (value * part.numerator) // part.denominator
                spent[who] = spent.get(who, 0) + value
    capped = {who: max(0, min(value, spent[who])) for who, value in allowed.items()}
    all_of_it = sum(capped.values())
    if all_of_it > entry.amount:
        capped = {who: value * entry.amount // all_of_it for who, value in capped.items()}
    return capped


@examples(8, thorough=150)
@given(rows_of(-(10**16)), PLANS, WINDOWS, st.sampled_from([(), ("owner",)]))
def test_allowances_when_rows_are_any_then_as_the_slow_oracle_says(
    rows: list[Row], entry: PlannedSpend, window: HourRange, key: tuple[str, ...]
) -> None:
    """Exact to the last unit, credits and all; never above the amount, nor above what was spent."""
    desk = desk_with(*rows)
    found = allowances(desk, entry, window=window, by=key)
    sums = desk.view(KNOWN).sums(SpendQuery(group_by=key), "amount", window)
    got = {who: int(found.of(who, sums.of(who)).amount) for who in sums.groups}
    expected = slowly(rows, entry, window, key)
    wanted = {who: min(expected.get(who, 0), max(sums.of(who), 0)) for who in sums.groups}
    assert got == wanted
    assert sum(got.values()) <= entry.amount
    if not key:
        in_both = HourRange(max(window.start, entry.hours.start), max(window.start, entry.hours.start, entry.hours.end))
        narrow = [r for r in rows if all(p.matches(getattr(r.series, k)) for k, p in entry.match)]
        within = sum(r.amount for r in narrow if r.hour in in_both)
        before = sum(r.amount for r in narrow if r.hour in entry.hours and r.hour < window.start)
        left = max(0, entry.amount - max(before, 0))
        # Before is below 0 only by credits, and what they brought in is spent first.
        assert got[()] == max(0, min(within + min(before, 0), left, sums.of(())))


@examples(6, thorough=100)
@given(rows_of(0), PLANS, WINDOWS, st.data())
def test_allowances_when_rows_are_missing_then_never_more_seems_unplanned(
    rows: list[Row], entry: PlannedSpend, window: HourRange, data: st.DataObject
) -> None:
    """Missing data may hide what goes beyond the plan and never invents it: what fires on known data is right."""
    known = data.draw(st.lists(st.sampled_from(rows), unique_by=id)) if rows else []

    def beyond(some: Sequence[Row]) -> dict[Labels, int]:
        desk = desk_with(*some)
        found = allowances(desk, entry, window=window, by=("owner",))
        sums = desk.view(KNOWN).sums(SpendQuery(group_by=("owner",)), "amount", window)
        return {who: sums.of(who) - found.of(who, sums.of(who)).amount for who in sums.groups}

    whole = beyond(rows)
    assert all(value <= whole[who] for who, value in beyond(known).items())


@examples(6, thorough=60)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30), st.integers(1, 80))
def test_cover_when_spend_is_any_then_pays_for_every_hour_once(spent: list[int], amount: int) -> None:
    """What is whole and what is in part add up to what is used up at the end."""
    cover = Cover.of(np.array(spent, np.int64), 100, amount)
    whole = sum(spent[hour - 100] for run in cover.whole for hour in range(run.start, run.end))
    assert whole + sum(paid for _, paid, _ in cover.parts) == cover.used(100 + len(spent))
    assert 0 <= cover.used(10**6) <= amount
    assert cover.used(0) == 0


def test_by_hour_when_the_span_leaves_the_view_then_nothing_there() -> None:
    """Hours ahead, and those that are no longer held, count as nothing; changes are seen."""
    desk = spending((-70, "1"), (-2, "3"), (-2, "4", "gpu-2"), (-1, "5"))
    view = desk.view(HourRange(END - 3, END + 5))
    one = SpendQuery(filters=(("owner", Patterns(("gpu-1",))),))
    span = HourRange(END - 80, END + 20)
    assert [(h - 80, v // usd("1")) for h, v in enumerate(view.by_hour(one, "amount", span).tolist()) if v] == [
        (-2, 3), (-1, 5),
    ]  # fmt: skip
    assert view.by_hour(SpendQuery(), "amount", HourRange(END - 80, END - 70)).tolist() == [0] * 10
    assert view.by_hour(SpendQuery(), "amount", HourRange(END + 9, END + 11)).tolist() == [0, 0]
    last = HourRange(END - 2, END)
    assert view.by_hour(SpendQuery(), "amount", last).tolist() == [usd("7"), usd("5")]
    for hour, (old, new) in desk.read([row(END - 1, "9")], HourRange(END - 1, END), NOW + timedelta(hours=1)).items():
        view.replace(hour, old, new)
    assert view.by_hour(SpendQuery(), "amount", last).tolist() == [usd("7"), usd("9")]


def test_entry_when_it_names_a_rule_then_the_name_is_no_filter_of_spend() -> None:
    """No series has a rule."""
    entry = plan("1", 0, 1, rule="gpu-*", owner="gpu-1")
    query = SpendQuery(filters=(("category", Patterns(("gpu",))),), group_by=("owner",))
    narrowed = replace(query, filters=(*query.filters, ("owner", Patterns(("gpu-1",)))))
    assert entry.narrow(query) == narrowed
    assert (entry.concerns("gpu-24h"), entry.concerns("llm-24h")) == (True, False)
