"""The facts of past hours: what is missing, what is known of it, and monthly bills in their phases."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.owners import OwnerDirectory
from alertd.core.replay.past import History, Past, last_hour
from alertd.core.rules.facts import Facts
from alertd.core.rules.watched import Watched
from alertd.core.spend.bill import Balance
from alertd.core.spend.ledger import SeriesTable
from alertd.core.spend.lists import View
from alertd.core.spend.selection import SpendQuery
from tests.core.builders import HOUR, NOW, RUNNING, SETTLE, Desk, Row, a_series, monthly_bill, row, tracked, usd

KEY = ("default", "gpu")


def history(rows: Sequence[Row], *, covered: HourRange) -> History:
    """What is stored after one read of a range."""
    desk = Desk()
    desk.read(rows, covered)
    blocks = [(hour, held) for (_, _, hour), held in desk.blocks.items()]
    return History(table=desk.table, books=desk.books, blocks=lambda _: blocks)


def past_of(stored: History, *, first: int = RUNNING - 40) -> Past:
    span = HourRange(RUNNING - 100, RUNNING + 1)
    watched = Watched(accounts=("default",), rules=(), settle_delay=SETTLE)
    return Past(stored, watched, span, first, owners=OwnerDirectory())


def spent(facts: Facts) -> int:
    return facts.spend.sums(SpendQuery(), "amount", HourRange(RUNNING - 100, RUNNING + 1)).of(())


@pytest.mark.parametrize(
    ("ago", "amount", "edge_ago"),
    [
        pytest.param(30, "0", 32, id="in its last hour it is not known, and the edge is the read's"),
        pytest.param(29, "24", 29, id="with its end it is known whole, and its end is the edge"),
        pytest.param(20, "24", 29, id="it stays so until another day is over"),
    ],
)
def test_row_of_a_day_when_it_is_not_over_then_it_is_not_known(ago: int, amount: str, edge_ago: int) -> None:
    """The service bills storage when the day is over: half of it at noon is what nobody saw."""
    whole_day = row(RUNNING - 53, "24", span=24)
    past = past_of(history([whole_day], covered=HourRange(RUNNING - 100, RUNNING + 1)))

    facts = past.at(start_of(RUNNING - ago))

    assert spent(facts) == usd(amount)
    assert facts.data.edge([KEY]) == RUNNING - edge_ago


def test_hours_when_never_read_then_they_are_missing_from_windows_that_hold_them() -> None:
    """As the daemon would have: what is missing may hide spend."""
    stored = history([row(RUNNING - 50, "1")], covered=HourRange(RUNNING - 60, RUNNING + 1))
    past = past_of(stored)

    data = past.at(start_of(RUNNING - 20)).data

    assert not data.gaps([KEY], HourRange(RUNNING - 60, RUNNING - 20))
    assert data.gaps([KEY], HourRange(RUNNING - 61, RUNNING - 20))
    assert data.gaps([KEY], HourRange(RUNNING - 60, RUNNING - 18)), "an hour that was still to come"


@pytest.mark.parametrize(
    ("ago", "hides"),
    [
        pytest.param(31, False, id="before it was known there was none"),
        pytest.param(30, True, id="from then on another may be missing"),
    ],
)
def test_credit_when_seen_then_what_is_missing_may_hide_one(ago: int, hides: bool) -> None:
    """Where a credit was ever seen incomplete data does not fire."""
    credit = Row(series=a_series(), hour=RUNNING - 31, amount=usd("-1"))
    past = past_of(history([credit], covered=HourRange(RUNNING - 60, RUNNING + 1)))

    (gap,) = past.at(start_of(RUNNING - ago)).data.gaps([KEY], HourRange(RUNNING - 70, RUNNING - ago))

    assert gap.may_hide_credit is hides


def test_credit_when_several_are_filed_under_an_hour_then_known_from_the_first_that_is_over() -> None:
    """A row of a day is known a day later than one of the hour that it begins with."""
    short = Row(series=a_series(), hour=RUNNING - 31, amount=usd("-1"))
    long = Row(series=a_series(owner="gpu-2"), hour=RUNNING - 31, amount=usd("-1"), span=24)
    past = past_of(history([short, long], covered=HourRange(RUNNING - 60, RUNNING + 1)))
    found = {}
    for ago in (31, 30, 8, 7):
        (gap,) = past.at(start_of(RUNNING - ago)).data.gaps([KEY], HourRange(RUNNING - 70, RUNNING - ago))
        found[ago] = gap.may_hide_credit
    assert found == {31: False, 30: True, 8: True, 7: True}


def test_credit_when_it_lies_before_the_view_then_it_was_seen_all_the_same() -> None:
    """The daemon's book remembers every credit."""
    credit = Row(series=a_series(), hour=RUNNING - 150, amount=usd("-1"))
    past = past_of(history([credit], covered=HourRange(RUNNING - 160, RUNNING - 60)))

    (gap,) = past.at(start_of(RUNNING - 30)).data.gaps([KEY], HourRange(RUNNING - 70, RUNNING - 30))

    assert gap.may_hide_credit


def test_monthly_bill_when_replayed_then_in_the_phase_of_then() -> None:
    """A bill that is paid now was overdue, and owed what it owed."""
    bill = monthly_bill(status="paid", debt=usd("100"), repaid=usd("100"))
    phases = [
        (NOW - 30 * HOUR, monthly_bill(status="outed", debt=usd("0"), repaid=usd("0"))),
        (NOW - 20 * HOUR, monthly_bill(status="overdue")),
        (NOW - 10 * HOUR, bill),
    ]
    past = past_of(History(table=SeriesTable(), books={}, blocks=lambda _: (), bills=(tracked(*phases),)))

    seen = {ago: past.at(start_of(hour_of(NOW - timedelta(hours=ago)) + 1)).bills for ago in (35, 25, 15, 5)}

    assert seen[35] == ()
    assert [(t.bill.status, t.bill.owed) for ago in (25, 15, 5) for t in seen[ago]] == [
        ("outed", 0),
        ("overdue", usd("100")),
        ("paid", 0),
    ]


def test_last_hour_when_the_daemon_stopped_then_the_last_that_it_read() -> None:
    """After that nothing would be known, and everything would look at rest."""
    stored = history([], covered=HourRange(RUNNING - 60, RUNNING - 30))

    assert last_hour(stored, NOW) == RUNNING - 31
    assert last_hour(stored, NOW - 40 * HOUR) == RUNNING - 40


def test_keys_and_balances_when_they_are_stored_then_each_hour_sees_those_of_its_time() -> None:
    """The second list and what was left are replayed as far as they are known, and the lists stay apart."""
    whole = HourRange(RUNNING - 100, RUNNING + 1)
    by_key = history([row(RUNNING - 30, "7")], covered=whole)
    balances = tuple(
        Balance(account="default", available=usd(amount), read_at=start_of(RUNNING - ago))
        for ago, amount in ((35, "120"), (25, "80"))
    )
    usage = history([row(RUNNING - 30, "5")], covered=whole)
    past = past_of(replace(usage, keys=by_key, balances=balances))

    seen = []
    for ago in (36, 35, 29, 25):
        facts = past.at(start_of(RUNNING - ago))
        left = facts.balances.get("default")
        by_view = [
            of.spend.sums(SpendQuery(), "amount", HourRange(RUNNING - 100, RUNNING - ago)).of(())
            for of in (facts, facts.of(View.API_KEY))
        ]
        seen.append((*by_view, left.available if left is not None else None))

    assert seen == [
        (0, 0, None),
        (0, 0, usd("120")),
        (usd("5"), usd("7"), usd("120")),
        (usd("5"), usd("7"), usd("80")),
    ]


def test_history_when_asked_of_some_accounts_then_nothing_of_others_is_left() -> None:
    """Rules of one file must not see the bills of another's accounts."""
    whole = HourRange(RUNNING - 100, RUNNING + 1)
    balance = Balance(account="default", available=usd("1"), read_at=NOW)
    stored = replace(history([row(RUNNING - 30, "5")], covered=whole), balances=(balance,))
    stored = replace(stored, keys=stored)

    gone = stored.of({"other"})

    assert (gone.books, gone.balances) == ({}, ())
    assert gone.keys is not None
    assert gone.keys.books == {}
    assert stored.of({"default"}).books.keys() == stored.books.keys()
