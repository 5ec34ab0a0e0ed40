"""Every key of what programs read: each value is another one, so that none can stand in the place of another."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from alertd.core.alert import Alert, AlertState, Contributor, Lag, Rate, Unit
from alertd.core.alerts.lifecycle import step
from alertd.core.messages.outbox import EntryState
from alertd.core.muted import Muted, MuteKind
from alertd.core.rules.records import ClockRecord, ReloadOutcome
from alertd.core.severity import Severity
from alertd.core.spend.arrival import DAILY, HOURLY
from alertd.core.spend.lists import View
from alertd.core.spend.stream import StreamKey, StreamState
from alertd.queries.alert_json import alert_json
from alertd.queries.health import Edge, ReceiverHealth, ResourceHealth
from alertd.queries.status import Status
from alertd.store.cycles import CycleRecord
from tests.core.builders import HOUR, NOW, RUNNING, rolling, sample, usd

MINUTE = timedelta(minutes=1)
EVERY_KEY = {
    "fingerprint": "00000000000000f1",
    "rule": "gpu-24h",
    "type": "rolling_spend",
    "account": "prod",
    "labels": {"owner": "gpu-1", "team": "research"},
    "state": "resolved",
    "severity": "warning",
    "value": "60.1234567891",
    "expected": "61.5",
    "threshold": "50",
    "unit": "USD",
    "rate_per_hour": "3.5",
    "as_of": "2026-01-10T12:06:00Z",
    "lagging": [{"stream": "llm", "billed_through": "2026-01-10T12:01:00Z"}],
    "complete": False,
    "started_at": "2026-01-10T12:07:00Z",
    "fired_at": "2026-01-10T12:08:00Z",
    "resolved_at": "2026-01-10T12:09:00Z",
    "acknowledged_by": "dana",
    "acknowledged_at": "2026-01-10T12:10:00Z",
    "silenced_by": "51133ce0 by erin until 2026-01-10 12:11 UTC (run 12)",
    "withheld": "silenced by erin until 2026-01-10 12:11 UTC (run 12)",
    "summary": "gpu-1 spent much",
    "reason": "rule removed",
    "caveats": ["llm is late"],
    "top": [
        {"owner": "gpu-1", "product": "H100", "category": "gpu", "amount": "41", "before": "20"},
        {"owner": "gpu-2", "product": "A100", "category": "llm", "amount": "19.1234567891", "before": None},
    ],
}


def whole_alert() -> Alert:
    """An alert in which everything is set."""
    return Alert(
        fingerprint="00000000000000f1",
        rule="gpu-24h",
        type="rolling_spend",
        account="prod",
        group=(("owner", "gpu-1"),),
        labels=(("owner", "gpu-1"), ("team", "research")),
        headline="gpu-1 spent much",
        episode=7,
        state=AlertState.RESOLVED,
        severity=Severity.WARNING,
        value=Decimal("60.12345678912"),
        threshold=Decimal(50),
        unit=Unit.USD,
        as_of=NOW + MINUTE,
        expected=Decimal("61.50"),
        lagging=(Lag(stream="llm", through=NOW - 4 * MINUTE, is_by_day=False),),
        is_complete=False,
        started_at=NOW + 2 * MINUTE,
        fired_at=NOW + 3 * MINUTE,
        resolved_at=NOW + 4 * MINUTE,
        condition_ended_at=NOW + 30 * MINUTE,
        reason="rule removed",
        rule_digest="digest",
        peak=Decimal(99),
        top=(
            Contributor(owner="gpu-1", product="H100", category="gpu", amount=usd("41"), before=usd("20")),
            Contributor(owner="gpu-2", product="A100", category="llm", amount=usd("19.1234567891"), before=None),
        ),
        caveats=("llm is late",),
        rate=Rate(per_hour=usd("3.5"), through=NOW, is_billed=True),
        notified_at=NOW + 31 * MINUTE,
        notified_value=Decimal(98),
        acknowledged_by="dana",
        acknowledged_at=NOW + 5 * MINUTE,
    )


MUTES = (Muted(kind=MuteKind.SILENCE, id="51133ce0", by="erin", until=NOW + 6 * MINUTE, comment="run 12"),)


def test_alert_as_json_when_everything_is_known_then_each_key_has_its_own_value() -> None:
    """Dashboards read each of them."""
    assert alert_json(whole_alert(), MUTES) == EVERY_KEY


def test_alert_as_json_when_little_is_known_then_null_and_not_something_near_it() -> None:
    """A pending alert has not fired: when it began is no time of firing; what is not reached has no threshold."""
    pending = step(None, sample("60", rolling(for_=HOUR)), rolling(for_=HOUR), NOW)
    assert pending is not None
    shown = alert_json(pending, ())
    assert (shown["state"], shown["started_at"]) == ("pending", "2026-01-10T12:05:00Z")
    absent = ("fired_at", "resolved_at", "acknowledged_by", "acknowledged_at", "silenced_by", "withheld", "reason")
    assert {name: shown[name] for name in (*absent, "rate_per_hour")} == dict.fromkeys((*absent, "rate_per_hour"))
    assert (shown["expected"], shown["complete"], shown["caveats"], shown["lagging"]) == ("60", True, [], [])
    held = replace(pending, value=Decimal("49.99"), severity=Severity.WARNING)
    assert alert_json(held, ())["threshold"] is None


@pytest.mark.parametrize("kind", [kind for kind in MuteKind if kind is not MuteKind.SILENCE])
def test_alert_as_json_when_something_else_withholds_it_then_no_silence_is_named(kind: MuteKind) -> None:
    """Only a silence can be ended by whoever reads it."""
    other = Muted(kind=kind, id="0" * 16, by="night", until=NOW + MINUTE, comment="gpu-9 spent much")
    alone, both = alert_json(whole_alert(), (other,)), alert_json(whole_alert(), (other, *MUTES))
    assert (alone["silenced_by"], both["silenced_by"]) == (None, EVERY_KEY["silenced_by"])
    assert alone["withheld"]
    assert str(both["withheld"]).startswith(str(alone["withheld"]))


@pytest.mark.parametrize(
    ("unit", "value", "is_below", "text"),
    [
        pytest.param(Unit.USD, "9.99999999999", False, "9.9999999999", id="money: ten digits, never up to a threshold"),
        pytest.param(Unit.RATIO, "0.79999999", False, "0.799999", id="a share: six digits"),
        pytest.param(Unit.DAYS, "2.50", False, "2.5", id="days"),
        pytest.param(Unit.HOURS, "3.0000001", True, "3.000001", id="hours, reached from above: never down to it"),
    ],
)
def test_value_as_json_when_it_has_a_unit_then_digits_of_that_unit(
    unit: Unit, value: str, is_below: bool, text: str
) -> None:
    """`value` and `unit` go together."""
    shown = alert_json(replace(whole_alert(), unit=unit, value=Decimal(value), is_below=is_below, expected=None), ())
    assert (shown["value"], shown["expected"], shown["unit"]) == (text, text, unit.value)


def cycle(at: datetime, *, is_ok: bool) -> CycleRecord:
    return CycleRecord(started_at=at, finished_at=at + MINUTE, is_ok=is_ok, summary=(("rows", 7), ("errors", "none")))


def test_status_as_json_then_each_key_has_its_own_value() -> None:
    """What monitoring reads, and `/api/v1/status`."""
    status = Status(
        version="1.2.3",
        problems=("one", "two"),
        last_cycle=cycle(NOW, is_ok=False),
        last_good=cycle(NOW - HOUR, is_ok=True),
        firing=3,
        pending=4,
        open_alerts=(),
        edges=(
            Edge(
                account="prod",
                category="gpu",
                view=View.API_KEY,
                title="gpu by API key",
                billed_through=NOW - 5 * MINUTE,
                streams=(
                    StreamState(key=StreamKey("prod", "gpu", HOURLY), edge=RUNNING, lateness=2 * HOUR),
                    StreamState(key=StreamKey("prod", "gpu", DAILY), edge=RUNNING - 12, lateness=30 * HOUR),
                ),
                read_at=NOW - 2 * MINUTE,
                error="HTTP 500",
            ),
            Edge(
                account="dev",
                category="llm",
                view=View.USAGE,
                title="llm",
                billed_through=None,
                streams=(),
                read_at=None,
                error="",
            ),
        ),
        receivers=(
            ReceiverHealth(
                name="finops",
                counts={EntryState.DELIVERED: 5, EntryState.GAVE_UP: 1},
                last_error="invite the bot",
                due_since=NOW,
            ),
            ReceiverHealth(name="mail", counts={EntryState.PENDING: 2}, last_error="", due_since=None),
        ),
        resources=(
            ResourceHealth(account="prod", instances=8, endpoints=9, read_at=NOW - 3 * MINUTE, error="429"),
            ResourceHealth(account="dev", instances=0, endpoints=0, read_at=None, error=""),
        ),
        rules_file=ReloadOutcome(
            faults=("rules.yaml:1:1: no",),
            broken_since=NOW - 6 * MINUTE,
            changes="1 rule added (gpu)",
            loaded_at=NOW - 7 * MINUTE,
            rules=11,
            failures=12,
        ),
        clock=ClockRecord(checked_at=NOW - 8 * MINUTE, elapsed_s=1.0, boot="b", note="the clock is off"),
        next_poll=NOW + 9 * MINUTE,
        now=NOW,
    )
    expected: dict[str, Any] = {
        "version": "1.2.3",
        "healthy": False,
        "problems": ["one", "two"],
        "last_cycle": {
            "started_at": "2026-01-10T12:05:00Z",
            "finished_at": "2026-01-10T12:06:00Z",
            "ok": False,
            "rows": 7,
            "errors": "none",
        },
        "last_good_cycle": {
            "started_at": "2026-01-10T11:05:00Z",
            "finished_at": "2026-01-10T11:06:00Z",
            "ok": True,
            "rows": 7,
            "errors": "none",
        },
        "next_poll": "2026-01-10T12:14:00Z",
        "clock": {"checked_at": "2026-01-10T11:57:00Z", "note": "the clock is off"},
        "rules_file": {
            "rules": 11,
            "loaded_at": "2026-01-10T11:58:00Z",
            "broken_since": "2026-01-10T11:59:00Z",
            "faults": ["rules.yaml:1:1: no"],
            "changes": "1 rule added (gpu)",
            "failures": 12,
        },
        "firing": 3,
        "pending": 4,
        "data_edges": [
            {
                "account": "prod",
                "category": "gpu",
                "view": "api_key",
                "billed_through": "2026-01-10T12:00:00Z",
                "streams": [
                    {"rows": "hour", "billed_through": "2026-01-10T12:00:00Z", "lateness_s": 7200},
                    {"rows": "day", "billed_through": "2026-01-10T00:00:00Z", "lateness_s": 108000},
                ],
                "read_at": "2026-01-10T12:03:00Z",
                "error": "HTTP 500",
            },
            {
                "account": "dev",
                "category": "llm",
                "view": "usage",
                "billed_through": None,
                "streams": [],
                "read_at": None,
                "error": None,
            },
        ],
        "resources": [
            {
                "account": "prod",
                "instances": 8,
                "endpoints": 9,
                "read_at": "2026-01-10T12:02:00Z",
                "error": "429",
            },
            {"account": "dev", "instances": 0, "endpoints": 0, "read_at": None, "error": None},
        ],
        "outbox": {"finops": {"delivered": 5, "gave up": 1}, "mail": {"pending": 2}},
        "receivers": [{"name": "finops", "last_error": "invite the bot"}, {"name": "mail", "last_error": None}],
    }
    assert status.json() == expected
    words = {
        "rules": (status.rules_text, "11 in force since 2026-01-10 11:58 UTC; broken since 2026-01-10 11:59 UTC"),
        "clock": (status.clock_text, "checked 2026-01-10 11:57 UTC; the clock is off"),
        "next": (status.next_poll_text, "2026-01-10 12:14 UTC (in 9 min)"),
        "last": (status.last_cycle_text, "2026-01-10 12:06 UTC (0 min ago, 7 rows)"),
        "good": (status.last_good_text, "2026-01-10 11:06 UTC (59 min ago, 7 rows)"),
    }
    for shown, text in words.values():
        assert shown == text
    assert status.edges[0].row() == (
        "prod",
        "gpu by API key",
        "2026-01-10 12:00 (day rows: Jan 9)",
        "2026-01-10 12:03",
        "HTTP 500",
    )
    assert status.receivers[0].row() == ("finops", "5", "0", "0", "0", "1", "invite the bot")
