"""`monthly_bill` by hand-computed days, and how a bill's phases are tracked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alertd.core.alert import Sample
from alertd.core.labels import Patterns
from alertd.core.rules.base import NOT_MATCHED
from alertd.core.rules.monthly_bill import MonthlyBillRule
from alertd.core.severity import Severity
from alertd.core.spend.bill import FIRST_MONTH, MonthlyBill, TrackedBill, gone_from, oldest_open_month, track
from tests.core.builders import CRITICAL, DAY, HOUR, NOW, WARNING, Desk, monthly_bill, tracked, usd

RULE = MonthlyBillRule(name="bill-overdue")
OUTED = monthly_bill(status="outed", debt=usd("0"), repaid=usd("0"))
OWES = monthly_bill(status="outed")
OVERDUE = monthly_bill()
PAID = monthly_bill(status="paid")
VOIDED = monthly_bill(status="voided")
GROUP = (("account", "default"), ("month", "2025-12"), ("bill_id", "b-1"))


def judge(
    bill: TrackedBill, rule: MonthlyBillRule = RULE, *, watched: bool = False, now: datetime = NOW
) -> list[Sample]:
    facts = Desk().facts(now, bills=(bill,))
    return rule.evaluate(facts, (GROUP,) if watched else ())


@pytest.mark.parametrize(
    ("phases", "days", "reached"),
    [
        pytest.param([(0, OUTED)], None, None, id="issued and not due"),
        pytest.param([(0, OVERDUE)], "0", WARNING, id="overdue since now: 0d is met exactly"),
        pytest.param([(36, OVERDUE)], "1.5", WARNING, id="overdue for a day and a half"),
        pytest.param([(7 * 24, OVERDUE)], "7", CRITICAL, id="the threshold met exactly"),
        pytest.param([(7 * 24 - 1, OVERDUE)], "6.958333", WARNING, id="an hour short of it"),
        pytest.param([(48, OWES)], "2", WARNING, id="owes money, whatever its state says"),
        pytest.param([(72, OWES), (24, OVERDUE)], "3", WARNING, id="first owing, then overdue: since the first"),
        pytest.param([(72, OVERDUE), (48, OUTED), (24, OVERDUE)], "1", WARNING, id="a break starts the count anew"),
        pytest.param([(72, OUTED), (24, OVERDUE)], "1", WARNING, id="not since it was issued"),
        pytest.param([(72, OVERDUE), (0, PAID)], None, None, id="paid"),
        pytest.param([(72, OVERDUE), (0, VOIDED)], None, None, id="voided"),
        pytest.param([(72, OVERDUE), (48, OVERDUE), (0, OVERDUE)], "3", WARNING, id="seen again and again"),
    ],
)
def test_days_when_phases_differ_then_counted_from_the_first_of_an_unbroken_stretch(
    phases: list[tuple[int, MonthlyBill]], days: str | None, reached: Severity | None
) -> None:
    """Days since the bill was first seen in one of the states."""
    samples = judge(tracked(*((NOW - hours * HOUR, bill) for hours, bill in phases)))
    assert [(str(s.value), s.reached, s.held) for s in samples] == ([(days, reached, reached)] if days else [])


def vanished(*phases: tuple[datetime, MonthlyBill], at: datetime) -> TrackedBill:
    """A bill that a complete read no longer had."""
    (gone,) = gone_from([tracked(*phases)], [], start_month=FIRST_MONTH, at=at)
    return gone


def test_bill_when_it_vanished_from_the_list_then_neither_ends_nor_ages() -> None:
    """Gone is not paid; and nobody knows that it is still owed either."""
    bill = vanished((NOW - 5 * DAY, OVERDUE), at=NOW - 2 * DAY)
    (later,) = judge(bill, watched=True, now=NOW + 30 * DAY)
    assert (str(later.value), later.held, later.is_complete) == ("3", WARNING, False)
    (caveat,) = later.caveats
    assert "missing from Novita's list since 2026-01-08 12:05 UTC" in caveat


@pytest.mark.parametrize(
    ("again", "days", "reached"),
    [
        pytest.param(OVERDUE, "8", CRITICAL, id="still overdue: since it was first"),
        pytest.param(PAID, "8", None, id="paid meanwhile: it ends"),
    ],
)
def test_bill_when_it_comes_back_then_judged_as_if_it_had_never_gone(
    again: MonthlyBill, days: str, reached: Severity | None
) -> None:
    """A list that was cut once is no payment and no new debt."""
    bill = track(vanished((NOW - 8 * DAY, OVERDUE), at=NOW - DAY), again, NOW)
    (sample,) = judge(bill, watched=True)
    assert (str(sample.value), sample.held, sample.is_complete) == (days, reached, True)


@pytest.mark.parametrize(
    ("start", "listed", "gone"),
    [
        pytest.param("2025-10", [], ["b-1"], id="every month was read, and it is in none"),
        pytest.param("2025-12", [], ["b-1"], id="its own month was read"),
        pytest.param("2026-01", [], [], id="its month was not asked for"),
        pytest.param("2025-10", [OVERDUE], [], id="it is there"),
    ],
)
def test_gone_when_a_read_was_complete_then_what_it_asked_for_and_did_not_get(
    start: str, listed: list[MonthlyBill], gone: list[str]
) -> None:
    """A read of some months says nothing of the others."""
    found = gone_from([tracked((NOW - DAY, OVERDUE))], listed, start_month=start, at=NOW)
    assert [one.bill.bill_id for one in found] == gone
    assert gone_from(found, listed, start_month=start, at=NOW) == []


@pytest.mark.parametrize("bill", [PAID, VOIDED, OUTED])
def test_watched_bill_when_it_left_the_states_then_its_alert_ends(bill: MonthlyBill) -> None:
    """It resolves when it is paid or voided."""
    (sample,) = judge(tracked((NOW - DAY, OVERDUE), (NOW, bill)), watched=True)
    assert (sample.held, sample.is_complete, sample.group) == (None, True, GROUP)


@pytest.mark.parametrize(
    ("rule", "bill", "counts"),
    [
        pytest.param(MonthlyBillRule(name="r", status=("outed",)), OUTED, True, id="issued bills wanted"),
        pytest.param(MonthlyBillRule(name="r", status=("outed",)), OVERDUE, False, id="only issued ones"),
        pytest.param(MonthlyBillRule(name="r", status=("dunned",)), monthly_bill(status="dunned"), True, id="unknown"),
        pytest.param(MonthlyBillRule(name="r", min_debt=usd("80")), OVERDUE, True, id="min_debt met exactly"),
        pytest.param(MonthlyBillRule(name="r", min_debt=usd("80.01")), OVERDUE, False, id="owes less than min_debt"),
        pytest.param(MonthlyBillRule(name="r", account=Patterns(("dev",))), OVERDUE, False, id="another account"),
    ],
)
def test_rule_when_its_keys_differ_then_bills_count(rule: MonthlyBillRule, bill: MonthlyBill, counts: bool) -> None:
    """Status, debt and account filter."""
    assert bool(judge(tracked((NOW, bill)), rule)) is counts


def test_watched_bill_when_the_rule_is_edited_to_another_account_then_its_alert_ends() -> None:
    """This bill is none of its business any more: it is owed as it was."""
    facts = Desk().facts(bills=(tracked((NOW - DAY, OVERDUE)),))
    assert not RULE.left_out(facts, GROUP)
    for parts in ({"account": Patterns(("dev",))}, {"status": ("dunned",)}):
        edited = replace(RULE, **parts)
        assert edited.left_out(facts, GROUP) == NOT_MATCHED
        assert edited.evaluate(replace(facts, bills=()), ()) == []


def test_bill_when_its_account_could_not_be_read_then_incomplete() -> None:
    """A bill that may have been paid meanwhile neither ends nor is it sure."""
    facts = Desk().facts(
        bills=(tracked((NOW - DAY, OVERDUE)), tracked((NOW - DAY, monthly_bill(account="dev", bill_id="b-2")))),
        bill_gaps={"dev": "monthly bills could not be read (HTTP 500)"},
    )
    found = {s.account: (s.is_complete, s.caveats) for s in RULE.evaluate(facts, ())}
    assert found == {"default": (True, ()), "dev": (False, ("monthly bills could not be read (HTTP 500)",))}


@pytest.mark.parametrize(
    ("phases", "headline"),
    [
        pytest.param([(0, OVERDUE)], "Bill of 2025-12 (default) is overdue: $80.00 owed of $100.00", id="just now"),
        pytest.param(
            [(76, OVERDUE)], "Bill of 2025-12 (default) is overdue for 3 d 4 h: $80.00 owed of $100.00", id="for days"
        ),
        pytest.param(
            [(5, OWES)],
            "Bill of 2025-12 (default) owes money for 5 h: $80.00 owed of $100.00",
            id="owes in another state",
        ),
        pytest.param(
            [(215, OVERDUE), (0, PAID)],
            "Bill of 2025-12 (default) is paid after 8 d 23 h: total $100.00",
            id="paid",
        ),
    ],
)
def test_headline_when_the_bill_moves_on_then_says_whose_what_and_how_much(
    phases: list[tuple[int, MonthlyBill]], headline: str
) -> None:
    """It is the line on the phone."""
    (sample,) = judge(tracked(*((NOW - hours * HOUR, bill) for hours, bill in phases)), watched=True)
    assert sample.headline == headline


def test_sample_when_evaluated_then_shows_owed_total_month_and_invoice() -> None:
    """The reader pays from the message."""
    (sample,) = judge(tracked((NOW - DAY, OVERDUE)))
    assert sample.facts == (
        ("Owed", "$80.00"), ("Bill total", "$100.00"), ("Month", "2025-12"), ("Status", "overdue"),
    )  # fmt: skip
    assert (sample.url, sample.as_of) == ("https://novita.ai/invoice/b-1", NOW - DAY)
    assert dict(sample.labels)["status"] == "overdue"
    assert [(s.label, str(v)) for s, v in sample.thresholds] == [("warning", "0"), ("critical", "7")]


@pytest.mark.parametrize(
    ("bill", "owed"),
    [
        (monthly_bill(debt=usd("10"), repaid=usd("4")), "6"),
        (monthly_bill(debt=usd("10"), repaid=usd("10")), "0"),
        (monthly_bill(debt=usd("10"), repaid=usd("12")), "0"),
        (PAID, "0"),
        (VOIDED, "0"),
    ],
)
def test_owed_when_repaid_then_the_rest_and_never_less_than_nothing(bill: MonthlyBill, owed: str) -> None:
    """Overpaid is not owed to us."""
    assert bill.owed == usd(owed)


def test_track_when_seen_again_then_one_phase_per_change() -> None:
    """The phases are kept for ever: polls must not add to them."""
    at = [NOW + n * HOUR for n in range(5)]
    bill = tracked((at[0], OUTED), (at[1], OUTED), (at[2], OWES), (at[3], OVERDUE), (at[4], OVERDUE))
    assert [(p.status, p.owes, p.since) for p in bill.phases] == [
        ("outed", False, at[0]),
        ("outed", True, at[2]),
        ("overdue", True, at[3]),
    ]
    assert (bill.last_seen_at, bill.bill) == (at[4], OVERDUE)


@pytest.mark.parametrize(
    ("bills", "month"),
    [
        pytest.param([], FIRST_MONTH, id="none known"),
        pytest.param([PAID, monthly_bill(month="2026-02", status="paid")], "2026-02", id="all settled: the newest"),
        pytest.param(
            [monthly_bill(month="2026-01"), OVERDUE, monthly_bill(month="2025-11", status="paid")],
            "2025-12",
            id="oldest open",
        ),
    ],
)
def test_oldest_open_month_when_bills_are_known_then_where_to_read_from(bills: list[MonthlyBill], month: str) -> None:
    """Settled months are not asked for again."""
    assert oldest_open_month(tracked((NOW, bill)) for bill in bills) == month


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        pytest.param(MonthlyBillRule(name="r", status=()), "status", id="no status"),
        pytest.param(MonthlyBillRule(name="r", thresholds={WARNING: DAY, CRITICAL: DAY}), "thresholds", id="equal"),
    ],
)
def test_problems_when_the_rule_makes_no_sense_then_named(rule: MonthlyBillRule, key: str) -> None:
    """What a single key cannot show."""
    assert [k for k, _ in rule.problems()] == [key]
    assert list(RULE.problems()) == []


def test_days_when_february_has_29_then_counted_as_time() -> None:
    """Days are 24 hours each: no calendar gets in between."""
    begun = datetime(2028, 2, 28, 12, tzinfo=UTC)
    (sample,) = judge(tracked((begun, OVERDUE)), now=begun + timedelta(days=2))
    assert (str(sample.value), begun + 2 * DAY) == ("2", datetime(2028, 3, 1, 12, tzinfo=UTC))
