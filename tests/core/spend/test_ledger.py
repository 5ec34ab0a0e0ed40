"""The ledger: replacement by hour, money that vanishes, coverage, data edge, and what messages say is missing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange, HourSet, hour_of, midnight_before
from alertd.core.money import MAX_UNITS, Usd
from alertd.core.spend.data_state import DataState, edge_of_book
from alertd.core.spend.ledger import DEEP_HOURS, FULL_HOURS, CategoryBook, SeriesTable, file_rows, summarise
from alertd.core.spend.reading import Cadence
from tests.core.builders import HOUR, NOW, RUNNING, SETTLE, Desk, Row, a_series, bill_rows, row, usd
from tests.core.oracle import AT, READS, SPAN, START, Amounts, Cell, SlowLedger
from tests.examples import examples

KEY = ("default", "gpu")
NEXT = timedelta(minutes=10)


def held(desk: Desk) -> dict[int, dict[Cell, Amounts]]:
    """What the desk holds, as the slow ledger writes it."""
    found = {}
    for (_, _, hour), block in desk.blocks.items():
        cells = zip(block.series.tolist(), block.span.tolist(), strict=True)
        amounts = zip(block.amount.tolist(), block.voucher.tolist(), block.pay.tolist(), strict=True)
        names = [(desk.table.names[number], span) for number, span in cells]
        if names:
            found[hour] = dict(zip(names, amounts, strict=True))
    return found


def total(desk: Desk, hour: int) -> int:
    summary = desk.book().hours.get(hour)
    return summary.total if summary is not None else 0


# --- replacement ----------------------------------------------------------------------------------------------------


@examples(5, thorough=80)
@given(READS)
def test_file_rows_when_read_again_and_again_then_as_a_slow_ledger_says(
    reads: list[tuple[list[Row], HourRange, int]],
) -> None:
    """Blocks, summaries, changes and doubts must follow the rules after any history of answers."""
    desk, slow, at = Desk(), SlowLedger(), AT
    for rows, span, minutes in reads:
        at += timedelta(minutes=minutes)
        changes = desk.read(rows, span, at)
        assert set(changes) == slow.read(rows, span, at)
        assert held(desk) == slow.held
        book = desk.book()
        assert {h: (s.since, s.total) for h, s in book.suspicions.items()} == {
            h: (since, sum(a for a, _, _ in cells.values())) for h, (cells, since) in slow.doubts.items()
        }
        assert {h: (s.total, s.end, s.has_credit) for h, s in book.hours.items()} == {
            h: (
                sum(a for a, _, _ in cells.values()),
                h + max(span for _, span in cells),
                any(a < 0 for a, _, _ in cells.values()),
            )
            for h, cells in slow.held.items()
        }
        assert all(summarise(h, desk.blocks[*KEY, h]) == summary for h, summary in book.hours.items())


@examples(5, thorough=40)
@given(READS, st.randoms())
def test_file_rows_when_rows_come_in_another_order_then_nothing_changes(
    reads: list[tuple[list[Row], HourRange, int]], chance: Random
) -> None:
    """The API promises no order, and reading the same twice must write nothing."""
    desk, at = Desk(), AT
    for rows, span, minutes in reads:
        at += timedelta(minutes=minutes)
        desk.read(rows, span, at)
        before = desk.book()
        shuffled = list(rows)
        chance.shuffle(shuffled)
        assert desk.read(shuffled, span, at) == {}
        assert desk.book() == before


def test_file_rows_when_rows_are_exactly_alike_then_each_counts_and_none_twice() -> None:
    """Rows have no id: two equal ones are two charges, and the same two in the next answer are no more of them."""
    desk, twins, span = Desk(), [row(START, "1.5"), row(START, "1.5")], HourRange(START, START + 5)
    desk.read(twins, span, AT)
    assert desk.book().hours[START].total == usd("3")
    assert desk.read(twins, span, AT + timedelta(hours=1)) == {}
    desk.read([*twins, row(START, "1.5")], span, AT + timedelta(hours=2))
    assert desk.book().hours[START].total == usd("4.5")


def test_file_rows_when_rows_start_outside_the_range_then_ignored() -> None:
    """A row that merely reaches into the range belongs to the read of its own first hour."""
    desk = Desk()
    rows = [row(START - 1, "5", span=10), row(START + 2, "1"), row(START + 5, "7")]
    filing = file_rows(desk.book(), desk.table, bill_rows(rows), HourRange(START, START + 5), read_at=AT)
    assert (filing.ignored, list(filing.blocks)) == (2, [START + 2])
    nothing = file_rows(desk.book(), desk.table, bill_rows(rows[:1]), HourRange(START, START + 5), read_at=AT)
    assert (nothing.ignored, dict(nothing.blocks), list(nothing.book.covered)) == (1, {}, [HourRange(START, START + 5)])


def test_file_rows_when_one_cell_exceeds_64_bits_then_error() -> None:
    """Two rows of one owner and hour are added before anything else looks at them."""
    rows = [Row(series=a_series(), hour=START, amount=MAX_UNITS // 2) for _ in range(3)]
    with pytest.raises(OverflowError, match="922 million"):
        Desk().read(rows, SPAN)


# --- money that vanishes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "totals"),
    [
        pytest.param(["10", None], ["10", "10"], id="an empty answer is doubted"),
        pytest.param(["10", None, None], ["10", "10", "0"], id="a later cycle that says the same is believed"),
        pytest.param(["10", "4.99"], ["10", "10"], id="less than half is doubted"),
        pytest.param(["10", "4.99", "4.99"], ["10", "10", "4.99"], id="less than half twice is believed"),
        pytest.param(["10", "5"], ["10", "5"], id="exactly half is believed at once"),
        pytest.param(["10", "12"], ["10", "12"], id="more is believed at once"),
        pytest.param(["10", None, "10", None], ["10", "10", "10", "10"], id="money that came back starts anew"),
        pytest.param(["10", None, "3", "3"], ["10", "10", "10", "3"], id="another answer must be confirmed itself"),
        pytest.param(["10", None, "3", None], ["10", "10", "10", "10"], id="two answers in turn are never believed"),
        pytest.param(["10", None, "6"], ["10", "10", "6"], id="a believable answer ends the doubt"),
        pytest.param(["-10", None, None], ["-10", "-10", "0"], id="a vanished credit is doubted too"),
        pytest.param(["0", None], ["0", "0"], id="rows of nothing go at once"),
    ],
)
def test_file_rows_when_money_vanishes_then_two_cycles_must_say_so(
    answers: list[str | None], totals: list[str]
) -> None:
    """A glitch of the API must not end an alert, a real correction must arrive."""
    desk, found = Desk(), []
    for number, answer in enumerate(answers):
        rows = [row(START, answer)] if answer is not None else []
        desk.read(rows, SPAN, NOW + number * NEXT)
        found.append(total(desk, START))
    assert found == [usd(text) for text in totals]


def test_file_rows_when_the_same_cycle_reads_twice_then_it_does_not_confirm_itself() -> None:
    """Two ranges of one cycle come from the same moment of the API."""
    desk = Desk()
    desk.read([row(START, "10")], SPAN)
    for _ in range(3):
        desk.read([], SPAN, NOW + NEXT)
        assert total(desk, START) == usd("10")
    assert desk.book().suspicions[START].since == NOW + NEXT
    desk.read([], SPAN, NOW + 2 * NEXT)
    assert (total(desk, START), dict(desk.book().suspicions)) == (0, {})


@pytest.mark.parametrize(
    ("poll", "after", "believed"),
    [
        pytest.param(timedelta(minutes=10), timedelta(seconds=20), False, id="an edit of the rules asked for a poll"),
        pytest.param(timedelta(minutes=10), timedelta(minutes=6), False, id="no whole poll later"),
        pytest.param(timedelta(minutes=10), timedelta(minutes=10), True, id="the next poll"),
        pytest.param(timedelta(minutes=10), timedelta(minutes=9, seconds=55), True, id="which was punctual"),
        pytest.param(timedelta(seconds=10), timedelta(minutes=4), False, id="many polls, but of one outage"),
        pytest.param(timedelta(seconds=10), timedelta(minutes=5), True, id="five minutes"),
        pytest.param(timedelta(hours=1), timedelta(minutes=50), False, id="slow polls"),
        pytest.param(timedelta(hours=1), timedelta(hours=1), True, id="the next of slow polls"),
        pytest.param(timedelta(minutes=10), -timedelta(days=40), False, id="the first was dated by a wrong clock"),
    ],
)
def test_file_rows_when_money_vanished_then_a_second_read_confirms_it_after_five_minutes_and_a_poll(
    poll: timedelta, after: timedelta, believed: bool
) -> None:
    """Two reads of one short outage are one observation."""
    desk = Desk()
    desk.read([row(START, "10")], SPAN)
    book = file_rows(desk.book(), desk.table, bill_rows([]), SPAN, read_at=NOW + NEXT).book
    wait = Cadence.for_interval(poll).confirm_after
    filing = file_rows(book, desk.table, bill_rows([]), SPAN, read_at=NOW + NEXT + after, confirm_after=wait)
    assert (START in filing.blocks) is believed


def test_filing_when_an_older_hour_is_in_doubt_then_it_is_not_counted_again() -> None:
    """The count is of this read, so that the log's sum over ranges is right."""
    desk = Desk()
    desk.read([row(START, "10"), row(START + 30, "10")], SPAN)
    one, other = HourRange(START, START + 24), HourRange(START + 24, START + 48)
    first = file_rows(desk.book(), desk.table, bill_rows([]), one, read_at=NOW + NEXT)
    second = file_rows(first.book, desk.table, bill_rows([]), other, read_at=NOW + NEXT)
    assert (first.doubted, second.doubted) == (1, 1)


# --- coverage and failure -------------------------------------------------------------------------------------------

TODAY = HourRange(midnight_before(RUNNING), RUNNING + 1)


def test_file_failure_when_a_read_fails_then_everything_known_stays() -> None:
    """A failed category never looks cheaper than it was."""
    desk = Desk()
    desk.read([row(RUNNING - 3, "5")], TODAY)
    before = desk.book()
    desk.fail(TODAY, NOW + NEXT)
    after = desk.book()
    assert (after.hours, after.covered, after.read_at) == (before.hours, before.covered, NOW)
    assert (list(after.failed), after.error, after.failed_at) == ([TODAY], "HTTP 500", NOW + NEXT)
    desk.fail(TODAY, NOW + 2 * NEXT, error="HTTP 502")
    assert (desk.book().error, desk.book().failed_at) == ("HTTP 502", NOW + NEXT)
    desk.read([row(RUNNING - 3, "5")], TODAY, NOW + 3 * NEXT)
    assert (desk.book().failed, desk.book().error, desk.book().failed_at) == (HourSet(), "", None)


def test_file_rows_when_only_older_hours_are_read_then_the_newest_stay_failed() -> None:
    """Repairing last week says nothing about today."""
    desk = Desk()
    desk.fail(TODAY)
    week_ago = HourRange(TODAY.start - 168, TODAY.start - 144)
    desk.read([], week_ago, NOW)
    book = desk.book()
    assert (book.read_at, book.error, list(book.failed)) == (None, "HTTP 500", [TODAY])
    assert list(book.covered) == [week_ago]


@pytest.mark.parametrize(
    ("back", "deep", "full"),
    [
        pytest.param(DEEP_HOURS - 1, False, False, id="short of three days"),
        pytest.param(DEEP_HOURS, True, False, id="three days"),
        pytest.param(FULL_HOURS, True, True, id="a month"),
    ],
)
def test_file_rows_when_the_read_went_far_back_then_it_counts_as_deep_or_full(
    back: int, deep: bool, full: bool
) -> None:
    """The next late-row read is planned from these."""
    desk = Desk()
    desk.read([], HourRange(RUNNING - back, RUNNING + 1))
    assert (desk.book().deep_read_at is not None, desk.book().full_read_at is not None) == (deep, full)


# --- the data edge --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "read_at", "edge"),
    [
        pytest.param([], None, None, id="nothing known"),
        pytest.param([], NOW, RUNNING - 2, id="no rows: the last read less the settle delay, down to the hour"),
        pytest.param([(-3, 1)], NOW, RUNNING - 2, id="a row before the settle delay does not hold it back"),
        pytest.param([(-1, 1)], NOW, RUNNING, id="the end of the newest hour with a row"),
        pytest.param([(0, 1)], NOW, RUNNING + 1, id="the running hour counts"),
        pytest.param([(1, 1)], NOW, RUNNING - 2, id="later hours do not"),
        pytest.param([(-12, 24)], NOW, RUNNING - 2, id="a row of a whole day counts once its day is over"),
        pytest.param([(-30, 24)], NOW, RUNNING - 6, id="a whole day that is over: the next one is not billed yet"),
        pytest.param([(-5, 4)], None, RUNNING - 1, id="rows of a read that did not reach the running hour"),
        pytest.param([], NOW - 5 * HOUR, RUNNING - 7, id="an old read"),
        pytest.param([], NOW.replace(minute=0), RUNNING - 2, id="a read at the full hour"),
    ],
)
def test_edge_when_rows_and_reads_differ_then_the_later_of_both(
    rows: list[tuple[int, int]], read_at: datetime | None, edge: int | None
) -> None:
    """Billed through: what a message says and where every window ends."""
    desk = Desk()
    if rows:
        mine = [row(RUNNING + start, "1", span=span) for start, span in rows]
        desk.read(mine, HourRange(RUNNING - 48, RUNNING), NOW) if read_at is None else desk.read(
            mine, HourRange(RUNNING - 48, RUNNING + 2), read_at
        )
    elif read_at is not None:
        at = hour_of(read_at)
        desk.read([], HourRange(at - 24, at + 1), read_at)
    assert edge_of_book(desk.book(), NOW, SETTLE) == edge


def test_edge_when_several_categories_then_the_latest() -> None:
    """A rule over all categories must not wait for one that bills once a day."""
    desk = Desk()
    desk.read([row(RUNNING, "1")], TODAY)
    desk.read([], TODAY, category="llm")
    data = DataState(books=desk.books, now=NOW, settle_delay=SETTLE)
    assert data.edge([KEY, ("default", "llm")]) == RUNNING + 1
    assert data.edge([("default", "llm")]) == RUNNING - 2
    assert data.edge([]) is None


# --- what is missing ------------------------------------------------------------------------------------------------

WINDOW = HourRange(RUNNING - 24, RUNNING)
WIDE = HourRange(RUNNING - 100, RUNNING + 1)


def failing(desk: Desk) -> None:
    desk.read([], WIDE, NOW - HOUR)
    desk.fail(TODAY, NOW)


def half_read(desk: Desk) -> None:
    desk.read([], HourRange(RUNNING - 10, RUNNING + 1))


def doubted(desk: Desk) -> None:
    desk.read([row(RUNNING - 5, "10")], WIDE, NOW - HOUR)
    desk.read([], WIDE, NOW)


def read_whole(desk: Desk) -> None:
    desk.read([row(RUNNING - 5, "10")], WIDE)


def failing_elsewhere(desk: Desk) -> None:
    desk.read([], WIDE)
    desk.fail(HourRange(RUNNING - 100, RUNNING - 24), NOW)


@pytest.mark.parametrize(
    ("happened", "text"),
    [
        pytest.param(read_whole, None, id="complete"),
        pytest.param(failing_elsewhere, None, id="a failure before the window is none of its business"),
        pytest.param(failing, "gpu could not be read since 2026-01-10 12:05 UTC (HTTP 500)", id="could not be read"),
        pytest.param(
            half_read, "gpu was not read yet for 14 hours from 2026-01-09 12:00 UTC", id="never read, as at first"
        ),
        pytest.param(
            doubted,
            "gpu spend of 2026-01-10 07:00 UTC is gone from the bills or less than half; "
            "it counts as before until a second read says the same",
            id="gone from the bills",
        ),
    ],
)
def test_gaps_when_data_is_missing_then_named_for_people(happened: Callable[[Desk], None], text: str | None) -> None:
    """Four facts are kept apart: could not be read, not read yet, gone from the bills, really zero."""
    desk = Desk()
    happened(desk)
    gaps = DataState(books=desk.books, now=NOW, settle_delay=SETTLE).gaps([KEY], WINDOW)
    assert [gap.text for gap in gaps] == ([text] if text else [])
    assert all((gap.account, gap.category) == KEY for gap in gaps)


@pytest.mark.parametrize(
    ("amounts", "happened", "hides"),
    [
        pytest.param(["10"], "failed", False, id="charges only: what is missing could only add"),
        pytest.param(["10", "-1"], "failed", True, id="a credit was seen: another may be missing"),
        pytest.param(["10", "-1"], "doubted", False, id="a doubted hour hides none: it still counts in full"),
    ],
)
def test_gap_when_credits_occur_then_it_may_hide_one(amounts: list[str], happened: str, hides: bool) -> None:
    """Missing data can hide spend but never invent it, unless a credit lies in it."""
    desk = Desk()
    rows = [row(RUNNING - 5 - n, amount) for n, amount in enumerate(amounts)]
    desk.read(rows, WIDE, NOW - HOUR)
    assert desk.book().has_credit is ("-1" in amounts)
    if happened == "failed":
        desk.fail(TODAY)
    else:
        desk.read(rows[1:], WIDE, NOW)
    (gap,) = DataState(books=desk.books, now=NOW, settle_delay=SETTLE).gaps([KEY], WINDOW)
    assert gap.may_hide_credit is hides


def test_gaps_when_older_hours_failed_but_the_newest_came_then_the_text_names_the_hours() -> None:
    """The newest read succeeded, so nothing "could not be read since" a time long before alertd asked."""
    desk = Desk()
    desk.fail(HourRange(RUNNING - 100, RUNNING - 10), NOW)
    desk.read([], HourRange(RUNNING - 10, RUNNING + 1), NOW)
    (gap,) = DataState(books=desk.books, now=NOW, settle_delay=SETTLE).gaps([KEY], WINDOW)
    assert "(no answer)" not in gap.text


def test_book_when_empty_then_knows_nothing() -> None:
    """Before the first read there is no edge and no credit."""
    book = CategoryBook(account="default", category="gpu")
    assert (edge_of_book(book, NOW, SETTLE), book.has_credit, book.key) == (None, False, KEY)
    assert NOW.tzinfo is UTC


@pytest.mark.parametrize("sign", [1, -1], ids=["charges", "credits"])
def test_rows_when_credits_hide_how_large_they_are_then_error_and_no_wrap(sign: int) -> None:
    """Their sum fits, and what it is the sum of does not."""
    half = sign * (MAX_UNITS // 2 + 1)
    rows = [Row(series=a_series(), hour=RUNNING - 3, amount=Usd(amount)) for amount in (half, half, -half, -half)]
    with pytest.raises(OverflowError, match="add up to more than"):
        file_rows(
            CategoryBook(account="default", category="gpu"),
            SeriesTable(),
            bill_rows(rows),
            HourRange(RUNNING - 5, RUNNING),
            read_at=NOW,
        )
