"""`balance` by hand-computed values: what is left, how long it lasts, and what unknown data may say of either."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import Address, Alert, AlertState, Sample, Unit
from alertd.core.alerts.due import notified, notify_reason
from alertd.core.alerts.judge import judge as judge_all
from alertd.core.alerts.lifecycle import step
from alertd.core.alerts.reason import NotifyReason
from alertd.core.hours import HourRange
from alertd.core.labels import Labels, Patterns
from alertd.core.messages.compose import compose_alert
from alertd.core.money import Usd
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.balance import BalanceRule
from alertd.core.rules.base import NOT_MATCHED, Metric
from alertd.core.severity import Severity
from alertd.core.spend.bill import Balance
from tests.core.builders import (
    CRITICAL,
    DAY,
    HOUR,
    NOW,
    RUNNING,
    WARNING,
    Desk,
    Row,
    a_series,
    desk_with,
    rolling,
    row,
    usd,
)

EDGE = RUNNING - 2
"""Without a row of the last hours the window ends here: the read less two hours."""
GROUP: Labels = (("account", "default"),)
AVAILABLE = BalanceRule(name="low", available_below={WARNING: usd("100"), CRITICAL: usd("20")})
RUNWAY = BalanceRule(name="low", runway_below={WARNING: 7 * DAY, CRITICAL: 2 * DAY})
BOTH = replace(RUNWAY, available_below={WARNING: usd("100")})
STEADY = desk_with(row(EDGE - 72, "100"), row(EDGE - 1, "44", category="llm"))
"""$144 in 72 hours: $48 a day."""


def balance(available: str, account: str = "default", read_at: datetime = NOW) -> Balance:
    return Balance(account=account, available=usd(available), cash=usd("0"), read_at=read_at)


def judge(
    rule: BalanceRule,
    available: str,
    desk: Desk = STEADY,
    *watched: Labels,
    unread: Mapping[str, str] | None = None,
    now: datetime = NOW,
) -> Sample:
    facts = replace(desk.facts(now), balances={"default": balance(available)}, balance_gaps=unread or {})
    (sample,) = rule.evaluate(facts, watched or (GROUP,))
    return sample


@pytest.mark.parametrize(
    ("rule", "available", "reached", "held"),
    [
        pytest.param(AVAILABLE, "111.1111111112", None, None, id="available: above the limit over 90 %"),
        pytest.param(AVAILABLE, "111.1111111111", None, WARNING, id="available: a hair less is held"),
        pytest.param(AVAILABLE, "100.0000000001", None, WARNING, id="available: a hair above the limit"),
        pytest.param(AVAILABLE, "100", WARNING, WARNING, id="available: the limit itself"),
        pytest.param(AVAILABLE, "22.2222222222", WARNING, CRITICAL, id="available: critical is held"),
        pytest.param(AVAILABLE, "20", CRITICAL, CRITICAL, id="available: the lower limit itself"),
        pytest.param(AVAILABLE, "-5", CRITICAL, CRITICAL, id="available: below zero"),
        pytest.param(replace(AVAILABLE, available_below={WARNING: usd("0")}), "0.01", None, None, id="limit of zero"),
        pytest.param(replace(AVAILABLE, available_below={WARNING: usd("0")}), "0", WARNING, WARNING, id="zero reached"),
        pytest.param(RUNWAY, "373.3333333334", None, None, id="runway: above 7 days over 90 %"),
        pytest.param(RUNWAY, "373.3333333333", None, WARNING, id="runway: a hair less is held"),
        pytest.param(RUNWAY, "336.0000000001", None, WARNING, id="runway: a hair above 7 days"),
        pytest.param(RUNWAY, "336", WARNING, WARNING, id="runway: 7 days exactly"),
        pytest.param(RUNWAY, "96.0000000001", WARNING, CRITICAL, id="runway: a hair above 2 days"),
        pytest.param(RUNWAY, "96", CRITICAL, CRITICAL, id="runway: 2 days exactly"),
        pytest.param(RUNWAY, "-1", CRITICAL, CRITICAL, id="runway: nothing is left"),
        pytest.param(BOTH, "96", CRITICAL, CRITICAL, id="both: the worse of them"),
        pytest.param(BOTH, "336", WARNING, WARNING, id="both: the one that is reached"),
    ],
)
def test_severity_when_the_balance_falls_then_reached_at_the_limit_and_held_above(
    rule: BalanceRule, available: str, reached: Severity | None, held: Severity | None
) -> None:
    """At or below is reached; left again only above the limit divided by `resolve_below`."""
    sample = judge(rule, available)
    assert (sample.reached, sample.held, sample.is_complete) == (reached, held, True)


@pytest.mark.parametrize(
    ("rows", "days"),
    [
        pytest.param([row(EDGE - 72, "144")], "2", id="the first hour of the window is in"),
        pytest.param([row(EDGE - 73, "99"), row(EDGE - 1, "144")], "2", id="the hour before is out"),
        pytest.param([row(EDGE - 82, "288", span=24)], "1", id="a day's row is whole until the next one is due"),
        pytest.param([row(EDGE - 9, "200"), row(EDGE - 8, "-56")], "2", id="credits count"),
        pytest.param([row(EDGE - 9, "144"), row(EDGE - 9, "500", account="dev")], "2", id="not another account's"),
        pytest.param([row(EDGE - 9, "1000")], "0.288", id="three quarters of a third of a day"),
    ],
)
def test_runway_when_rows_lie_around_the_window_then_those_inside_count(rows: list[Row], days: str) -> None:
    """$96 over the mean spend of the 72 hours that end at the data edge."""
    sample = judge(RUNWAY, "96", desk_with(*rows))
    assert (str(sample.value), sample.unit) == (days, Unit.DAYS)


@pytest.mark.parametrize(
    ("metric", "reached"), [pytest.param(Metric.PAY, None, id="pay"), pytest.param(Metric.AMOUNT, CRITICAL, id="all")]
)
def test_runway_when_vouchers_pay_then_only_cash_counts_unless_asked(metric: Metric, reached: Severity | None) -> None:
    """What a voucher pays does not leave the balance."""
    desk = desk_with(Row(series=a_series(), hour=EDGE - 5, amount=usd("144"), voucher=usd("144")))
    assert judge(replace(RUNWAY, metric=metric), "96", desk).reached is reached


@pytest.mark.parametrize("rows", [[], [row(EDGE - 5, "10"), row(EDGE - 4, "-10")], [row(EDGE - 5, "-10")]])
def test_runway_when_nothing_is_spent_then_without_end(rows: list[Row]) -> None:
    """Then only the available balance decides, and an open alert ends."""
    desk = desk_with(*rows)
    assert judge(RUNWAY, "0.01", desk).held is None
    assert judge(BOTH, "100", desk).reached is WARNING
    assert judge(RUNWAY, "0.01", desk).is_complete


@pytest.mark.parametrize(
    ("rule", "available", "value", "unit", "thresholds"),
    [
        pytest.param(BOTH, "90", "1.875", Unit.DAYS, ["2", "7"], id="runway is worse"),
        pytest.param(AVAILABLE, "90", "90", Unit.USD, ["100", "20"], id="available alone"),
        pytest.param(BOTH, "200", "4.166666", Unit.DAYS, ["2", "7"], id="runway alone holds"),
        pytest.param(BOTH, "500", "500", Unit.USD, ["100"], id="neither"),
        pytest.param(RUNWAY, "480", "10", Unit.DAYS, ["2", "7"], id="neither, and only a runway is asked for"),
    ],
)
def test_value_when_shown_then_of_the_way_that_holds_the_severity(
    rule: BalanceRule, available: str, value: str, unit: Unit, thresholds: list[str]
) -> None:
    """Dollars beside a threshold in days would be nonsense."""
    sample = judge(rule, available)
    assert (str(sample.value), sample.unit, sample.is_below) == (value, unit, True)
    assert sorted(str(limit) for _, limit in sample.thresholds) == thresholds


def with_gap(*rows: Row) -> Desk:
    desk = desk_with(*(rows or (row(EDGE - 72, "144"),)))
    desk.fail(HourRange(EDGE - 30, EDGE - 20))
    return desk


@pytest.mark.parametrize(
    ("rule", "available", "desk", "reached", "is_complete"),
    [
        pytest.param(RUNWAY, "96", with_gap(), CRITICAL, False, id="short already: truly short, or shorter"),
        pytest.param(RUNWAY, "9999", with_gap(), None, False, id="long: spend may be hidden"),
        pytest.param(
            RUNWAY,
            "50",
            with_gap(row(EDGE - 72, "144"), row(EDGE - 200, "-1")),
            None,
            False,
            id="a credit may be missing",
        ),
        pytest.param(
            BOTH,
            "90",
            with_gap(row(EDGE - 72, "144"), row(EDGE - 200, "-1")),
            WARNING,
            False,
            id="but not of a balance",
        ),
        pytest.param(AVAILABLE, "9999", with_gap(), None, True, id="spend is nothing to an available balance"),
        pytest.param(AVAILABLE, "50", Desk(), WARNING, True, id="nor is a bill that was never read"),
        pytest.param(RUNWAY, "0.01", Desk(), None, False, id="no bill was read yet"),
    ],
)
def test_sample_when_spend_is_incomplete_then_may_fire_and_never_ends(
    rule: BalanceRule, available: str, desk: Desk, reached: Severity | None, *, is_complete: bool
) -> None:
    """What is missing can only make the runway shorter."""
    sample = judge(rule, available, desk)
    assert (sample.reached, sample.is_complete, sample.may_raise) == (reached, is_complete, True)
    assert bool(sample.caveats) is not is_complete


@pytest.mark.parametrize("available", ["9999", "100", "1"])
def test_sample_when_the_balance_could_not_be_read_then_only_holds(available: str) -> None:
    """The last known value may be old: it begins, raises, lowers and ends nothing."""
    sample = judge(AVAILABLE, available, unread={"default": "the balance could not be read (HTTP 500)"})
    assert (sample.reached, sample.is_complete, sample.may_raise) == (None, False, False)
    assert sample.caveats == ("the balance could not be read (HTTP 500); judged as of 2026-01-10 12:05 UTC",)


def firing(rule: BalanceRule, available: str) -> Alert:
    alert = step(None, judge(rule, available), rule, NOW)
    assert alert is not None
    assert alert.state is AlertState.FIRING
    return alert


@pytest.mark.parametrize(
    ("rule", "available", "desk", "unread", "state", "severity"),
    [
        pytest.param(RUNWAY, "97", STEADY, {}, AlertState.FIRING, CRITICAL, id="held"),
        pytest.param(RUNWAY, "200", STEADY, {}, AlertState.FIRING, WARNING, id="lowered"),
        pytest.param(RUNWAY, "9999", STEADY, {}, AlertState.RESOLVED, CRITICAL, id="topped up"),
        pytest.param(RUNWAY, "9999", with_gap(), {}, AlertState.FIRING, CRITICAL, id="topped up, but spend unknown"),
        pytest.param(RUNWAY, "9999", STEADY, {"default": "x"}, AlertState.FIRING, CRITICAL, id="not read"),
        pytest.param(BOTH, "9999", with_gap(), {}, AlertState.FIRING, CRITICAL, id="both, spend unknown"),
        pytest.param(RUNWAY, "9999", STEADY, {"dev": "x"}, AlertState.RESOLVED, CRITICAL, id="another one not read"),
    ],
)
def test_open_alert_when_things_change_then_ends_only_on_what_is_known(
    rule: BalanceRule,
    available: str,
    desk: Desk,
    unread: dict[str, str],
    state: AlertState,
    severity: Severity,
) -> None:
    """A critical runway, a poll later."""
    later = NOW + timedelta(minutes=10)
    after = step(firing(RUNWAY, "96"), judge(rule, available, desk, unread=unread), rule, later)
    assert after is not None
    assert (after.state, after.severity) == (state, severity)


def test_account_when_an_edit_leaves_it_out_then_no_longer_matched() -> None:
    """Its balance is what it was: the rule says nothing of it any more."""
    group = (("account", "default"),)
    assert not RUNWAY.left_out(STEADY.facts(), group)
    assert replace(RUNWAY, account=Patterns(("dev",))).left_out(STEADY.facts(), group) == NOT_MATCHED


@pytest.mark.parametrize(
    ("available", "desk", "headline"),
    [
        pytest.param(
            "86.40",
            STEADY,
            "Balance of default is $86.40, enough for 1 d 19 h at the pace of the last 72h "
            "(runs out 2026-01-12 07:00 UTC)",
            id="spending",
        ),
        pytest.param(
            "84.10", desk_with(), "Balance of default is $84.10; nothing was spent in the last 72h", id="idle"
        ),
        pytest.param("84.10", Desk(), "Balance of default is $84.10; no spend is known in the last 72h", id="unread"),
        pytest.param("0", STEADY, "Balance of default is $0.00: nothing is left to spend", id="nothing"),
        pytest.param("-3.2", STEADY, "Balance of default is -$3.20: nothing is left to spend", id="below zero"),
        pytest.param(
            "1000000",
            STEADY,
            "Balance of default is $1,000,000.00, enough for more than a year at the pace of the last 72h",
            id="a year and more",
        ),
    ],
)
def test_headline_when_read_then_says_what_is_left_and_until_when(available: str, desk: Desk, headline: str) -> None:
    """It is the line on the phone."""
    assert judge(BOTH, available, desk).headline == headline


def test_message_when_it_fires_and_ends_then_facts_and_thresholds_read_right() -> None:
    """At or below, as of the read, and no peak: the highest balance is nobody's question."""
    known = Balance(
        account="default",
        available=usd("84.10"),
        cash=usd("34.10"),
        credit_limit=usd("50"),
        outstanding=usd("12"),
        read_at=NOW,
    )
    facts = replace(STEADY.facts(), balances={"default": known})
    rule = replace(BOTH, runway_below={}, available_below={WARNING: usd("100")})
    (sample,) = rule.evaluate(facts, ())
    assert sample.facts == (
        ("Available", "$84.10"),
        ("Cash", "$34.10"),
        ("Credit limit", "$50.00"),
        ("Outstanding invoices", "$12.00"),
        ("Spend per day", "$48.00, the mean of the 72h billed through 2026-01-10 10:00 UTC"),
        ("Reached by", "available (warning at or below $100.00)"),
    )
    assert [(part.owner, part.category) for part in sample.top] == [("gpu-1", "gpu"), ("gpu-1", "llm")]
    alert = step(None, sample, rule, NOW)
    assert alert is not None
    message = compose_alert(alert, rule, NotifyReason.FIRST, headline=alert.headline, owners=OwnerDirectory(), now=NOW)
    assert message.title.endswith(" (warning at or below $100.00)")
    assert message.footer.startswith("as of 2026-01-10 ")
    ended = step(alert, judge(rule, "500"), rule, NOW + HOUR)
    assert ended is not None
    over = compose_alert(ended, rule, NotifyReason.RESOLVED, headline="", owners=OwnerDirectory(), now=NOW + HOUR)
    assert over.lines[0] == "It fired for 1 h, from 2026-01-10 12:05 UTC."


def test_threshold_when_the_way_changes_then_never_one_of_another_unit() -> None:
    """A threshold in days beside a value in dollars would look like money."""
    rule = replace(RUNWAY, available_below={WARNING: usd("100")})
    alert = firing(rule, "96")
    assert (alert.unit, str(alert.threshold)) == (Unit.DAYS, "2")
    idle = judge(rule, "96", desk_with(), unread={"default": "x"})
    after = step(alert, idle, rule, NOW + HOUR)
    assert after is not None
    assert (after.severity, after.unit, after.threshold) == (CRITICAL, Unit.USD, None)


@pytest.mark.parametrize(
    ("limit", "state", "reason"),
    [
        pytest.param("80", AlertState.RESOLVED, "threshold lowered by edit", id="lowered: it ends"),
        pytest.param("95", AlertState.FIRING, "", id="lowered a little: it fires on"),
    ],
)
def test_edit_when_a_floor_is_moved_then_the_reason_is_the_right_way_round(
    limit: str, state: AlertState, reason: str
) -> None:
    """Of a floor, lower is milder."""
    before = replace(AVAILABLE, available_below={WARNING: usd("100")})
    after_edit = replace(before, available_below={WARNING: usd(limit)})
    alert = step(firing(before, "90"), judge(after_edit, "90"), after_edit, NOW + HOUR)
    assert alert is not None
    assert (alert.state, alert.reason) == (state, reason)


@pytest.mark.parametrize(("available", "reason"), [("60.01", None), ("60", NotifyReason.REPEAT), ("95", None)])
@pytest.mark.parametrize(
    "rule",
    [replace(AVAILABLE, available_below={WARNING: usd("100")}), replace(RUNWAY, runway_below={WARNING: 7 * DAY})],
)
def test_repeat_every_when_the_balance_falls_by_it_then_notified_again(
    rule: BalanceRule, available: str, reason: NotifyReason | None
) -> None:
    """A balance that falls is further spend, whether its alert is about dollars or about days."""
    rule = replace(rule, repeat_every=usd("30"))
    reasons = []
    alerts: dict[str, Alert] = {}
    for left in ("90", available):
        facts = replace(STEADY.facts(NOW), balances={"default": balance(left)})
        ((move,), _) = judge_all([rule], facts, alerts, {"default"})
        reasons.append(notify_reason(move, NOW))
        after = notified(move.after, NotifyReason.FIRST, (Address("ops", ""),), NOW)
        alerts = {after.fingerprint: after}
    assert reasons == [NotifyReason.FIRST, reason]


def test_accounts_when_several_then_each_has_its_own_alert() -> None:
    """Each balance is judged by its own account's spend; one that was never read is not judged."""
    desk = desk_with(row(EDGE - 5, "144"), row(EDGE - 5, "14.4", account="dev"), row(EDGE - 5, "1", account="new"))
    facts = replace(desk.facts(), balances={"default": balance("96"), "dev": balance("96", "dev")})
    assert [(s.account, s.reached) for s in RUNWAY.evaluate(facts, ())] == [("default", CRITICAL)]
    only = replace(RUNWAY, account=Patterns(("dev",)), runway_below={WARNING: 20 * DAY})
    assert [(s.group, s.reached) for s in only.evaluate(facts, ())] == [((("account", "dev"),), WARNING)]


def test_rule_when_asked_what_it_needs_then_balances_and_two_windows_of_usage() -> None:
    """Only what some rule needs is read."""
    assert RUNWAY.NEEDS_BALANCE
    assert not rolling().NEEDS_BALANCE
    assert RUNWAY.lookback() == timedelta(hours=144)
    assert RUNWAY.metrics == {Metric.PAY}


@pytest.mark.parametrize(
    ("days", "before"),
    [
        pytest.param(20, usd("144"), id="as long before is read"),
        pytest.param(4, None, id="a part of it was never read"),
    ],
)
def test_largest_spend_when_the_window_before_is_not_known_then_nothing_is_compared(
    days: int, before: Usd | None
) -> None:
    """Hours that were never read would make a rise of whatever came after them."""
    rows = [row(RUNNING - 3 - hour, "2") for hour in range(24 * min(days, 7))]
    facts = desk_with(*rows, days=days).facts()
    known = Balance(account="default", available=usd("10"), read_at=NOW)
    rule = replace(BOTH, runway_below={}, available_below={WARNING: usd("100")})
    (sample,) = rule.evaluate(replace(facts, balances={"default": known}), ())
    assert [part.before for part in sample.top] == [before]
