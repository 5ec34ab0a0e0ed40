"""`reconcile` by hand-computed sums: a monthly bill against the hourly rows of its month."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import AlertState, Sample, Unit
from alertd.core.alerts.lifecycle import step
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Labels, Patterns
from alertd.core.rules.base import NOT_MATCHED, Share
from alertd.core.rules.reconcile import Reconcile
from alertd.core.severity import Severity
from alertd.core.spend.bill import MonthlyBill
from tests.core.builders import (
    CRITICAL,
    DAY,
    NOW,
    SETTLE,
    WARNING,
    Desk,
    Row,
    desk_with,
    monthly_bill,
    row,
    tracked,
    usd,
)

FIRST = hour_of(datetime(2025, 12, 1, tzinfo=UTC))
AFTER = hour_of(datetime(2026, 1, 1, tzinfo=UTC))
RULE = Reconcile(name="bill-agrees")
BILL = monthly_bill()
"""December, $100."""
GROUP = (("account", "default"), ("month", "2025-12"), ("bill_id", "b-1"))
SHARES = replace(RULE, thresholds={WARNING: Share(Fraction(5, 100)), CRITICAL: Share(Fraction(1, 4))})


def judge(
    desk: Desk,
    bill: MonthlyBill = BILL,
    *watched: Labels,
    rule: Reconcile = RULE,
    now: datetime = NOW,
    gaps: dict[str, str] | None = None,
) -> list[Sample]:
    return rule.evaluate(desk.facts(now, bills=(tracked((now, bill)),), bill_gaps=gaps), watched)


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        pytest.param([row(FIRST, "60"), row(AFTER - 1, "30")], "0.1", id="first and last hour of the month are in"),
        pytest.param([row(FIRST - 1, "60"), row(FIRST, "90")], "0.1", id="the hour before the month is out"),
        pytest.param([row(AFTER, "60"), row(FIRST, "90")], "0.1", id="the hour after it is out"),
        pytest.param([row(FIRST - 12, "180", span=24)], "0.1", id="half of a day's row lies in the month"),
        pytest.param([row(FIRST, "90"), row(FIRST, "30", category="llm")], "0.2", id="every category; rows above"),
        pytest.param([row(FIRST, "130"), row(FIRST + 5, "-20")], "0.1", id="credits count"),
        pytest.param([row(FIRST, "100")], None, id="they agree"),
        pytest.param([row(FIRST, "99")], None, id="the tolerance met exactly is none"),
        pytest.param([row(FIRST, "101")], None, id="in either direction"),
        pytest.param([row(FIRST, "98.9999")], "0.010001", id="a hair more is a difference"),
        pytest.param([row(FIRST, "100"), row(FIRST, "5", account="dev")], None, id="another account's rows"),
        pytest.param([], "1", id="an empty ledger against a bill"),
    ],
)
def test_difference_when_rows_lie_around_the_month_then_as_a_share_of_the_bill(
    rows: list[Row], value: str | None
) -> None:
    """$100 for December UTC; a difference of more than one percent is notified."""
    found = [(str(s.value), s.reached, s.unit, s.group) for s in judge(desk_with(*rows)) if s.reached]
    assert found == ([(value, WARNING, Unit.RATIO, GROUP)] if value else [])


@pytest.mark.parametrize(
    ("rule", "rows", "reached", "held"),
    [
        pytest.param(RULE, "99.1", None, None, id="90 % of the tolerance exactly is left"),
        pytest.param(RULE, "99.09", None, WARNING, id="a cent more is held"),
        pytest.param(replace(RULE, severity=CRITICAL), "98", CRITICAL, CRITICAL, id="the severity that is written"),
        pytest.param(SHARES, "95.01", None, WARNING, id="below every threshold"),
        pytest.param(SHARES, "95", WARNING, WARNING, id="a threshold met exactly"),
        pytest.param(SHARES, "75", CRITICAL, CRITICAL, id="the highest met exactly"),
        pytest.param(SHARES, "77.5", WARNING, CRITICAL, id="the highest held at 90 %"),
        pytest.param(replace(RULE, tolerance=Share(Fraction(0))), "99.99", None, None, id="a cent is rounding"),
        pytest.param(replace(RULE, tolerance=Share(Fraction(0))), "99.9899", WARNING, WARNING, id="more is not"),
    ],
)
def test_severity_when_the_difference_grows_then_reached_and_held(
    rule: Reconcile, rows: str, reached: Severity | None, held: Severity | None
) -> None:
    """By tolerance and severity, or by thresholds."""
    (sample,) = judge(desk_with(row(FIRST, rows)), BILL, GROUP, rule=rule)
    assert (sample.reached, sample.held) == (reached, held)


@pytest.mark.parametrize(
    ("total", "rows", "value"),
    [("0", "5", "1"), ("0", "0.01", None), ("-10", "-5", "0.5"), ("0.03", "0.02", None)],
)
def test_share_when_the_bill_is_of_nothing_or_less_then_still_a_share(total: str, rows: str, value: str | None) -> None:
    """Nothing is divided by nothing."""
    samples = judge(desk_with(row(FIRST, rows)), replace(BILL, total=usd(total)))
    assert [str(s.value) for s in samples] == ([value] if value else [])


def unread_last_hours() -> Desk:
    """A month that was read to its end, but at once: rows of its last hours may still come."""
    desk = Desk()
    read_at = datetime(2026, 1, 1, 1, 59, tzinfo=UTC)
    desk.read([row(FIRST, "50")], HourRange(FIRST - 24, AFTER + 2), read_at)
    return desk


def with_gap(start: int, *, category: str = "gpu") -> Desk:
    desk = desk_with(row(FIRST, "50"), row(FIRST, "1", category="llm"))
    desk.fail(HourRange(start, start + 1), category=category)
    return desk


def doubted() -> Desk:
    desk = desk_with(row(FIRST, "50"))
    desk.read([], HourRange(FIRST, FIRST + 24), NOW + timedelta(minutes=10))
    return desk


def never_read() -> Desk:
    desk = desk_with(row(FIRST, "50"))
    desk.books["default", "llm"] = desk.book("llm")
    return desk


@pytest.mark.parametrize(
    ("desk", "bill", "gaps", "caveat"),
    [
        pytest.param(desk_with(), {"status": "pending"}, {}, "the bill is not issued yet", id="pending"),
        pytest.param(desk_with(), {"month": "2026-01"}, {}, "its month is not over", id="of the running month"),
        pytest.param(desk_with(), {"month": "9999-12"}, {}, "its month is not over", id="of a month that cannot be"),
        pytest.param(with_gap(FIRST), {}, {}, "gpu could not be read", id="the first hour failed"),
        pytest.param(with_gap(AFTER - 1, category="llm"), {}, {}, "llm could not be read", id="the last, elsewhere"),
        pytest.param(with_gap(AFTER), {}, {}, "", id="an hour after the month failed"),
        pytest.param(doubted(), {}, {}, "gpu spend of 2025-12-01 00:00 UTC is gone", id="money vanished"),
        pytest.param(never_read(), {}, {}, "llm was not read yet", id="a category never read"),
        pytest.param(unread_last_hours(), {}, {}, "gpu is not billed through", id="read before it settled"),
        pytest.param(desk_with(), {}, {"default": "monthly bills could not be read (HTTP 500)"}, "monthly", id="bills"),
        pytest.param(Desk(), {}, {}, "no category of the account is read", id="no categories"),
    ],
)
def test_bill_when_anything_is_missing_then_not_decided(
    desk: Desk, bill: dict[str, object], gaps: dict[str, str], caveat: str
) -> None:
    """Half a month is no difference; an open alert waits."""
    changed = replace(BILL, **bill)  # type: ignore[arg-type]
    assert bool(judge(desk, changed, gaps=gaps)) is not bool(caveat)
    if changed.month > "2026-01":
        return
    group = (("account", "default"), ("month", changed.month), ("bill_id", "b-1"))
    (sample,) = judge(desk, changed, group, gaps=gaps)
    assert (sample.is_complete, sample.may_raise) == (not caveat, not caveat)
    assert sample.reached is (None if caveat else WARNING)
    assert " ".join(sample.caveats).startswith(caveat)


@pytest.mark.parametrize("status", ["outed", "paid", "overdue", "dunned"])
def test_bill_when_issued_then_compared_whatever_became_of_it(status: str) -> None:
    """Also a bill that is paid can be wrong."""
    assert len(judge(desk_with(row(FIRST, "50")), replace(BILL, status=status))) == 1


@pytest.mark.parametrize(
    ("bill", "rule", "now", "state"),
    [
        pytest.param({}, RULE, NOW, AlertState.FIRING, id="still different"),
        pytest.param({"total": usd("50")}, RULE, NOW, AlertState.RESOLVED, id="the bill was put right"),
        pytest.param({"status": "pending"}, RULE, NOW, AlertState.FIRING, id="taken back: not decided"),
        pytest.param({}, RULE, datetime(2026, 2, 28, 23, 59, tzinfo=UTC), AlertState.FIRING, id="last moment"),
    ],
)
def test_open_alert_when_bill_or_rule_change_then_ends_or_stays(
    bill: dict[str, object], rule: Reconcile, now: datetime, state: AlertState
) -> None:
    """It ends when both agree, or when the bill is not looked at any more."""
    (seen,) = judge(desk_with(row(FIRST, "50")))
    alert = step(None, seen, RULE, NOW)
    changed = replace(BILL, **bill)  # type: ignore[arg-type]
    (sample,) = judge(desk_with(row(FIRST, "50"), now=now, days=95), changed, GROUP, rule=rule, now=now)
    after = step(alert, sample, rule, now)
    assert after is not None
    assert after.state is state


@pytest.mark.parametrize(
    ("bill", "rule", "now", "why"),
    [
        pytest.param({}, RULE, NOW, "", id="compared"),
        pytest.param({"status": "voided"}, RULE, NOW, "the bill is voided", id="voided"),
        pytest.param({}, replace(RULE, account=Patterns(("dev",))), NOW, NOT_MATCHED, id="edited to another account"),
        pytest.param({}, RULE, datetime(2026, 3, 1, tzinfo=UTC), "its hours are too long ago", id="too long ago"),
    ],
)
def test_bill_when_it_is_not_compared_any_more_then_says_why(
    bill: dict[str, object], rule: Reconcile, now: datetime, why: str
) -> None:
    """Its alert ends with the difference that it had."""
    changed = replace(BILL, **bill)  # type: ignore[arg-type]
    facts = desk_with(row(FIRST, "50"), now=now, days=95).facts(now, bills=(tracked((NOW, changed)),))
    assert rule.left_out(facts, GROUP) == why


def test_sample_when_different_then_both_sums_the_difference_and_the_categories() -> None:
    """The reader compares the invoice with it."""
    rows = [row(FIRST, "20", category="llm"), row(FIRST, "75"), row(FIRST, "0", category="gen_api")]
    (sample,) = judge(desk_with(*rows))
    assert (
        sample.headline == "Bill of 2025-12 (default) is $5.00 (5 %) more than its hourly rows: $100.00 against $95.00"
    )
    assert sample.facts == (
        ("Bill total", "$100.00"),
        ("Hourly rows", "$95.00"),
        ("Difference", "$5.00 more on the bill"),
        ("Rows by category", "gpu $75.00, llm $20.00"),
        ("Month", "2025-12 (UTC)"),
        ("Status", "overdue"),
    )
    assert (sample.url, sample.as_of) == ("https://novita.ai/invoice/b-1", datetime(2026, 1, 1, tzinfo=UTC))
    assert [(s.label, str(v)) for s, v in sample.thresholds] == [("warning", "0.01")]
    assert dict(sample.labels)["status"] == "overdue"


@pytest.mark.parametrize(
    ("rows", "bill", "headline"),
    [
        pytest.param("100", {}, "agrees with its hourly rows: $100.00 against $100.00", id="equal"),
        pytest.param(
            "104", {}, "is $4.00 (4 %) less than its hourly rows: $100.00 against $104.00", id="less on the bill"
        ),
    ],
)
def test_headline_when_watched_then_says_how_they_stand(rows: str, bill: dict[str, object], headline: str) -> None:
    """It is the line on the phone."""
    (sample,) = judge(desk_with(row(FIRST, rows)), replace(BILL, **bill), GROUP)  # type: ignore[arg-type]
    assert sample.headline == f"Bill of 2025-12 (default) {headline}"


def test_lookback_when_asked_at_any_time_of_a_year_then_reaches_the_month_before_last() -> None:
    """Three months in a row have at most 92 days."""
    now = datetime(2027, 12, 31, 23, 59, tzinfo=UTC)
    while now.year > 2025:
        month = now.replace(day=1, hour=0, minute=0)
        for _ in range(2):
            month = (month - DAY).replace(day=1)
        assert now - RULE.lookback() <= month
        now -= DAY
    assert SETTLE < DAY


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        pytest.param(RULE, [], id="none"),
        pytest.param(replace(SHARES, severity=WARNING), ["severity"], id="said twice"),
        pytest.param(replace(SHARES, tolerance=Share(Fraction(1, 10))), ["thresholds"], id="below the tolerance"),
        pytest.param(
            replace(RULE, thresholds={WARNING: Share(Fraction(1, 2)), CRITICAL: Share(Fraction(1, 2))}),
            ["thresholds"],
            id="equal thresholds",
        ),
    ],
)
def test_problems_when_the_rule_makes_no_sense_then_named(rule: Reconcile, keys: list[str]) -> None:
    """What a single key cannot show."""
    assert [key for key, _ in rule.problems()] == keys
