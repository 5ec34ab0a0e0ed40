"""A message that was held says how things stand when it is sent; nothing is lost by that, and nothing said twice."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from alertd.core.alert import Address, Alert
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.due import notified
from alertd.core.alerts.lifecycle import end
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.compose import fold
from alertd.core.messages.holding import is_written_anew
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.messages.storm import FIRST_POLL
from alertd.core.rules.rolling_spend import RollingSpend
from tests.builders import rising_chart
from tests.core.builders import HOUR, NOW, dispatcher, firing, move, rolling

SLACK = Address("slack", "#finops")
OFFICE = Audience(default=("slack",), recipients={"slack": ("#finops",)})
FIRED = firing("60")
TOLD = notified(FIRED, NotifyReason.FIRST, (SLACK,), NOW - 4 * HOUR)


def decided(before: Alert | None, *after: Alert) -> OutboxEntry:
    moves = [move(before, each) for each in after]
    decisions = dispatcher(OFFICE).decide(moves, alerts={}, silences=(), waiting=(), is_first_cycle=False)
    (entry,) = decisions.entries
    return entry


def at_last(entry: OutboxEntry, *alerts: Alert, rule: RollingSpend | None = None, hours: int = 4) -> OutboxEntry:
    rule = rule or rolling()
    known = {alert.fingerprint: alert for alert in alerts}
    return dispatcher(OFFICE, NOW + hours * HOUR).written_anew(entry, alerts=known, rules={rule.name: rule})


def test_repeat_when_it_was_held_then_says_for_how_long_it_fires_by_now() -> None:
    """It said "firing for 4 h" after eight, and what was spent then."""
    told = replace(notified(FIRED, NotifyReason.FIRST, (SLACK,), NOW - 30 * HOUR), fired_at=NOW - 4 * HOUR)
    entry = decided(told, told)
    assert entry.message.lines[0].startswith("Firing for 4 h, since")
    now = replace(told, value=Decimal(75), headline="gpu-1 spent $75.00 in 24h")
    sent = at_last(entry, now)
    assert sent.message.lines[0].startswith("Firing for 8 h, since")
    assert sent.message.title == "Still: gpu-1 spent $75.00 in 24h (warning from $50.00)"
    assert sent.message.history == ("Delivered late: still firing (warning) 2026-01-10 12:05 UTC.",)
    assert replace(sent, message=entry.message) == entry, "nothing else may change: its key, its group, its time"


def test_message_when_written_anew_twice_or_taken_over_then_says_once_when_it_was_due() -> None:
    """In an outage each retry is written anew, and a later message may take it over."""
    entry = decided(None, FIRED)
    twice = at_last(at_last(entry, TOLD), TOLD, hours=8)
    line = "Delivered late: firing (warning) 2026-01-10 12:05 UTC."
    assert twice.message.history == (line,)
    assert fold([twice.message], entry.message).history == (line,)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param([], id="not known any more"),
        pytest.param([replace(TOLD, episode=2)], id="another episode"),
        pytest.param([end(TOLD, reason="", now=NOW + HOUR)], id="over: its end is sent by itself"),
    ],
)
def test_message_when_its_alert_is_another_then_stays_as_it_was(known: list[Alert]) -> None:
    """What is said then is said by another message."""
    entry = decided(None, FIRED)
    assert at_last(entry, *known) is entry


def test_message_when_its_alert_ended_and_no_end_is_sent_then_says_that_it_is_over() -> None:
    """Nobody else would: it is not lost, and not firing either."""
    sent = at_last(decided(None, FIRED), end(TOLD, reason="", now=NOW + HOUR), rule=rolling(send_resolved=False))
    assert sent.message.is_resolved
    assert sent.message.lines[0].startswith("It fired for 1 h")


def test_storm_when_it_was_held_then_counts_what_fires_by_now() -> None:
    """Six were firing in the night; in the morning it is five, and one is much dearer."""
    alerts = [firing("60", owner=f"gpu-{number}") for number in range(6)]
    entry = decided(None, *alerts)
    known = [replace(alerts[0], value=Decimal(99), headline="gpu-0 spent $99.00"), *alerts[1:]]
    sent = at_last(entry, *known)
    assert any("gpu-0 spent $99.00" in line for line in sent.message.lines)
    assert sent.message.reason is NotifyReason.STORM
    assert {facts.fingerprint for facts in sent.message.alerts} == set(entry.fingerprints)


@pytest.mark.parametrize("is_first", [True, False])
def test_storm_of_the_first_poll_when_it_was_held_then_is_that_of_the_first_poll_still(*, is_first: bool) -> None:
    """What was there before anybody watched is told so in the morning too, and nothing else is."""
    alerts = [firing("60", owner=f"gpu-{number}") for number in range(6)]
    moves = [move(None, each) for each in alerts]
    decisions = dispatcher(OFFICE).decide(moves, alerts={}, silences=(), waiting=(), is_first_cycle=is_first)
    (entry,) = decisions.entries
    sent = at_last(entry, *alerts)
    assert (FIRST_POLL in entry.message.title, FIRST_POLL in sent.message.title) == (is_first, is_first)


def test_message_when_no_chart_can_be_drawn_now_then_keeps_the_one_it_had() -> None:
    """Right after a start there is no data for another one."""
    entry = decided(None, FIRED)
    drawn = replace(entry, message=replace(entry.message, chart=rising_chart(title="of gpu-1")))
    assert at_last(drawn, TOLD).message.chart == drawn.message.chart


def test_entry_when_it_is_as_old_as_a_poll_then_written_anew_from_then_on() -> None:
    """Retries within a poll are alike to the byte."""
    entry = decided(None, FIRED)
    assert not is_written_anew(entry, NOW + timedelta(minutes=5, seconds=-1))
    assert is_written_anew(entry, NOW + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("parts", "is_anew"),
    [
        pytest.param({}, True, id="held"),
        pytest.param({"created_at": NOW + 4 * HOUR}, False, id="fresh"),
        pytest.param({"attempts": 3}, True, id="an outage: certainly not sent"),
        pytest.param({"state": EntryState.BLOCKED, "attempts": 1}, True, id="blocked"),
        pytest.param({"attempts": 1, "unknowns": 1}, False, id="a copy may have left: repeated as it was"),
        pytest.param({"state": EntryState.UNKNOWN}, False, id="unknown"),
        pytest.param({"fingerprints": ()}, False, id="a report"),
    ],
)
def test_entry_when_it_waited_then_written_anew_only_where_no_copy_can_have_left(
    parts: dict[str, object], is_anew: bool
) -> None:
    """Copies of one message are alike to the byte."""
    entry = replace(decided(None, FIRED), **parts)  # type: ignore[arg-type]
    assert is_written_anew(entry, NOW + 4 * HOUR) is is_anew
