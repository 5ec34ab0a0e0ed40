"""When a notification is due, and why: sequences of moves with what was notified noted in between."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import Address, Alert, AlertState, Billed
from alertd.core.alerts.due import Calm, notified, notify_reason, repeat_interval
from alertd.core.alerts.lifecycle import Move, end, step
from alertd.core.alerts.reason import NotifyReason
from alertd.core.rules.base import Escalation
from alertd.core.rules.rolling_spend import RollingSpend
from tests.core.builders import (
    CRITICAL,
    DAY,
    HOUR,
    NOW,
    WARNING,
    billed_by_value,
    firing,
    move,
    rolling,
    sample,
    usd,
)

FIRST, RAISED, REPEAT, RESOLVED = (
    NotifyReason.FIRST,
    NotifyReason.RAISED,
    NotifyReason.REPEAT,
    NotifyReason.RESOLVED,
)
NEVER = rolling(repeat_interval=None)
FINOPS, A, B, C, D = (Address(name, "") for name in ("finops", "a", "b", "c", "d"))


def live(values: str, rule: RollingSpend, *, every: timedelta = HOUR) -> list[NotifyReason | None]:
    """Step an alert through values, noting each notification as told."""
    alert: Alert | None = None
    reasons: list[NotifyReason | None] = []
    for number, value in enumerate(values.split()):
        now = NOW + number * every
        after = step(alert, sample(value, rule), rule, now)
        if after is None or after is alert:
            reasons.append(None)
            continue
        after = billed_by_value(alert, after)
        reason = notify_reason(Move(before=alert, after=after, rule=rule), now)
        alert = notified(after, reason, (FINOPS,), now) if reason is not None else after
        reasons.append(reason)
    return reasons


@pytest.mark.parametrize(
    ("rule", "values", "reasons"),
    [
        pytest.param(NEVER, "60 60 60", [FIRST, None, None], id="told once"),
        pytest.param(NEVER, "49 60", [None, FIRST], id="nothing before it fires"),
        pytest.param(NEVER, "60 100", [FIRST, RAISED], id="a higher severity is news"),
        pytest.param(NEVER, "100 60 60", [FIRST, None, None], id="a lower severity is none"),
        pytest.param(NEVER, "100 60 100", [FIRST, None, RAISED], id="rising again is news again"),
        pytest.param(NEVER, "60 44 44", [FIRST, RESOLVED, None], id="the end is told once"),
        pytest.param(NEVER, "60 44 60", [FIRST, RESOLVED, FIRST], id="a new episode begins anew"),
        pytest.param(rolling(send_resolved=False), "60 44", [FIRST, None], id="no end where none is wanted"),
        pytest.param(rolling(for_=HOUR), "60 60 60", [None, FIRST, None], id="pending is not told"),
        pytest.param(rolling(for_=3 * HOUR), "60 44", [None, None], id="what was only pending has no end to tell"),
        pytest.param(
            rolling(repeat_interval=2 * HOUR, repeat_backoff=Fraction(1)),
            "60 60 60 60 60",
            [FIRST, None, REPEAT, None, REPEAT],
            id="repeated while it fires",
        ),
        pytest.param(
            rolling(repeat_interval=2 * HOUR, repeat_backoff=Fraction(2)),
            "60 60 60 60 60 60 60",
            [FIRST, None, REPEAT, None, None, None, REPEAT],
            id="less and less often",
        ),
        pytest.param(
            rolling(repeat_interval=2 * HOUR),
            "60 60 60 100 100 100",
            [FIRST, None, REPEAT, RAISED, None, REPEAT],
            id="a rise begins the intervals anew",
        ),
        pytest.param(
            rolling(repeat_interval=None, repeat_every=usd("10")),
            "60 69.99 70 79 81 91",
            [FIRST, None, REPEAT, None, REPEAT, REPEAT],
            id="further spend repeats it, counted from the value told",
        ),
        pytest.param(
            rolling(repeat_interval=None, repeat_every=usd("10")),
            "95 105",
            [FIRST, RAISED],
            id="a rise comes before a repeat",
        ),
    ],
)
def test_notification_when_values_come_then_due_for_a_reason(
    rule: RollingSpend, values: str, reasons: list[NotifyReason | None]
) -> None:
    """Each reason once, and silence in between."""
    assert live(values, rule) == reasons


@pytest.mark.parametrize(
    ("interval", "backoff", "hours"),
    [
        pytest.param(DAY, 2, [24, 48, 96, 168, 168, 168], id="doubled up to a week"),
        pytest.param(DAY, 1, [24, 24, 24], id="never longer"),
        pytest.param(10 * DAY, 2, [240, 240], id="longer than a week from the start"),
        pytest.param(HOUR, 100, [1, 100, 168], id="the largest factor"),
        pytest.param(DAY, Fraction(3, 2), [24, 36, 54, 81], id="a fraction"),
        pytest.param(None, 2, [None, None], id="never"),
    ],
)
def test_repeat_interval_when_repeated_then_grows(
    interval: timedelta | None, backoff: int | Fraction, hours: list[int | None]
) -> None:
    """Whoever did not act on the third reminder will not on a daily fourth."""
    rule = rolling(repeat_interval=interval, repeat_backoff=Fraction(backoff))
    expected = [h if h is None else h * HOUR for h in hours]
    assert [repeat_interval(rule, count) for count in range(len(hours))] == expected


def test_repeat_interval_when_repeated_ten_thousand_times_then_still_a_week() -> None:
    """A power of that size must neither overflow nor take time."""
    assert repeat_interval(rolling(repeat_backoff=Fraction(100)), 10_000) == 7 * DAY


def notified_alert(at: datetime = NOW, value: str = "60", **parts: object) -> Alert:
    return replace(notified(firing(value), FIRST, (FINOPS,), at), **parts)  # type: ignore[arg-type]


def test_repeat_when_acknowledged_then_not_due() -> None:
    """Somebody is on it."""
    alert = notified_alert(acknowledged_by="dana")
    assert notify_reason(move(alert, alert), NOW + 30 * DAY) is None
    more = rolling(repeat_every=usd("1"))
    later = replace(alert, billed=Billed(total=usd("100"), held=usd("100")))
    assert notify_reason(move(alert, later, more), NOW) is None


def test_repeat_when_acknowledged_and_then_raised_then_notified_and_repeated_again() -> None:
    """An acknowledgement holds until the severity rises: it was for the milder alert."""
    before = notified_alert(acknowledged_by="dana")
    worse = step(before, sample("100"), rolling(), NOW + HOUR)
    assert worse is not None
    assert notify_reason(move(before, worse), NOW + HOUR) is RAISED
    raised = notified(worse, RAISED, (FINOPS,), NOW + HOUR)
    assert notify_reason(move(raised, raised), NOW + HOUR + DAY) is REPEAT


def test_end_when_acknowledged_then_notified() -> None:
    """An acknowledgement stops repeats only."""
    before = notified_alert(acknowledged_by="dana")
    assert notify_reason(move(before, end(before, reason="", now=NOW)), NOW) is RESOLVED


def test_end_when_the_beginning_was_never_notified_then_not_due() -> None:
    """An end without a beginning puzzles its reader."""
    before = firing()
    assert notify_reason(move(before, end(before, reason="", now=NOW)), NOW) is None


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        pytest.param(None, RESOLVED, id="the rule is gone: nobody can say it is not wanted"),
        pytest.param(rolling(enabled=False), RESOLVED, id="the rule is disabled"),
        pytest.param(rolling(send_resolved=False), None, id="no ends wanted"),
    ],
)
def test_end_when_the_rule_is_removed_then_as_the_rule_wanted(
    rule: RollingSpend | None, reason: NotifyReason | None
) -> None:
    """Who was notified that it fires is notified that nobody watches it any more."""
    before = notified_alert()
    gone = Move(before=before, after=end(before, reason="rule removed", now=NOW), rule=rule)
    assert notify_reason(gone, NOW) is reason


def test_first_when_an_earlier_cycle_could_not_notify_it_then_due_now() -> None:
    """What fires and was never notified is notified, whatever kept it back."""
    alert = firing()
    assert notify_reason(move(alert, alert), NOW + HOUR) is FIRST


def test_repeat_every_when_no_money_is_counted_then_not_due() -> None:
    """Days and hours grow by themselves."""
    alert = notified_alert()
    later = replace(alert, value=alert.value + 1000)
    assert notify_reason(move(alert, later, rolling(repeat_interval=None, repeat_every=usd("1"))), NOW) is None


def test_notified_when_noted_then_receivers_add_up_and_repeats_count() -> None:
    """The end goes to everybody who was notified since the beginning, each once."""
    first = notified(firing(), FIRST, (A, B), NOW)
    again = notified(first, REPEAT, (A,), NOW + DAY)
    thrice = notified(again, REPEAT, (A,), NOW + 3 * DAY)
    worse = notified(replace(thrice, severity=CRITICAL), RAISED, (C, B), NOW + 4 * DAY)
    assert [(a.repeat_count, a.notified_to) for a in (first, again, thrice, worse)] == [
        (0, (A, B)),
        (1, (A, B)),
        (2, (A, B)),
        (0, (A, B, C)),
    ]
    assert (worse.notified_at, worse.notified_value) == (NOW + 4 * DAY, worse.value)
    assert notified(worse, FIRST, (D,), NOW).notified_to == (D,)
    assert first.state is AlertState.FIRING
    assert first.severity is WARNING


CALM_RULES = (
    NEVER,
    rolling(repeat_interval=2 * HOUR, repeat_backoff=Fraction(2)),
    rolling(repeat_interval=None, escalate=Escalation(after=3 * HOUR, notify=("oncall",))),
    rolling(repeat_interval=5 * HOUR, escalate=Escalation(after=HOUR, notify=("oncall",))),
)


@pytest.mark.parametrize("rule", CALM_RULES)
@pytest.mark.parametrize("is_known", [False, True], ids=["not acknowledged", "acknowledged"])
@pytest.mark.parametrize("state", [AlertState.PENDING, AlertState.FIRING])
def test_calm_alert_when_time_passes_then_calm_until_something_is_due(
    rule: RollingSpend, state: AlertState, *, is_known: bool
) -> None:
    """Thousands of alerts are passed over at a poll by what was found at an earlier one: never beyond what is due."""
    alert = replace(notified(firing(rule=rule), FIRST, (FINOPS,), NOW), state=state)
    alert = replace(alert, acknowledged_by="dana", acknowledged_at=NOW) if is_known else alert
    same = Move(before=alert, after=alert, rule=rule)
    calm = Calm()
    assert not calm.holds(same, NOW)
    assert notify_reason(same, NOW) is None
    calm.note(same)
    for minutes in range(0, 13 * 60, 20):
        now = NOW + timedelta(minutes=minutes)
        is_due = notify_reason(same, now) is not None
        assert calm.holds(same, now) is not is_due, minutes
    assert not calm.holds(replace(same), NOW)
    calm.drop(same)
    assert not calm.holds(same, NOW)
