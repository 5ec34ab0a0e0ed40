"""The history of one alert, word for word: a repeat that failed twice, a silence that somebody ended, a history."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from alertd.core.alert import AlertState, Unit
from alertd.core.alert_event import Acknowledged
from alertd.core.alerts.lifecycle import moved
from alertd.core.alerts.mutes import NO_RECEIVER, mutes_of, mutes_text
from alertd.core.alerts.routing import Route
from alertd.core.alerts.silence import Silence
from alertd.core.messages.holding import holds
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.muted import Muted, MuteKind
from alertd.queries.alert_history import AlertHistory, SentNotification, history_lines, judgement, read_history
from alertd.store.alerts import AlertEvent
from alertd.store.outbox import Attempt
from alertd.store.store import Store
from tests.core.builders import CRITICAL, HOUR, NOW, RUNNING, desk_with, firing, rolling, row
from tests.core.stage import TEAM, Stage, a_silence, bound_to, match

SECOND = timedelta(seconds=1)
SILENCED = Muted(kind=MuteKind.SILENCE, id="51133ce0", by="kim")
THROUGH = "billed through 2026-01-10 12:00 UTC, not complete"


def an_attempt(number: int, outcome: str, detail: str = "") -> Attempt:
    at = NOW + HOUR + number * SECOND
    return Attempt(entry_id=1, number=number, started_at=at, finished_at=at, outcome=outcome, detail=detail)


def a_history(**parts: object) -> AlertHistory:
    """An acknowledged alert of gpu-1, told once after two failures, silenced for an hour."""
    stage = Stage(rule=rolling())
    stage.lives("60")
    (notified,) = stage.notified
    stage.ack()
    # Every instant and amount has its own value: none can stand for another.
    alert = replace(
        stage.of(),
        fired_at=NOW + HOUR / 2,
        acknowledged_at=NOW + HOUR * 3 / 2,
        notified_value=Decimal("59.5"),
        peak=Decimal("61.25"),
        caveats=("gpu could not be read since 11:00 UTC",),
        is_complete=False,
    )
    sent = replace(
        notified.entry,
        state=EntryState.DELIVERED,
        recipient="#finops",
        ref="C0000FINOPS/1.000100",
        message=replace(notified.entry.message, history=("Delivered late: firing (warning) 2026-01-10 12:05 UTC.",)),
    )
    attempts = (an_attempt(1, "NotSent", "busy"), an_attempt(2, ""), an_attempt(3, "Delivered"))
    plain = AlertHistory(
        alert=alert,
        events=(
            AlertEvent.of(alert, moved(None, alert), NOW),
            AlertEvent.of(alert, Acknowledged(by="dana"), NOW + HOUR),
        ),
        notified=(SentNotification(entry=sent, attempts=attempts),),
        silences=(a_silence(comment="run 12", expired_by="kim", expired_at=NOW + HOUR),),
        at=NOW + 2 * HOUR,
        is_past=False,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def test_history_when_shown_then_reads_so() -> None:
    """Value, state, why, route, silence, sends with their answers, history: in this order, in these words."""
    audience = replace(TEAM, routes=(Route(match=match(owner="gpu-*"), notify=("finops", "owner")),))
    assert "\n".join(history_lines(a_history(), rolling(), audience)) == (
        "gpu-24h  a0189caff68cf5aa  episode 1\n"
        "gpu-1 spent $60\n"
        "\n"
        "State         firing (warning); fired 2026-01-10 12:35 UTC\n"
        "Value         $60.00; warning from $50.00; at most $61.25; billed through 2026-01-10 12:00 UTC, not complete\n"
        "Notified      last 2026-01-10 13:05 UTC: warning $59.50\n"
        "Incomplete    gpu could not be read since 11:00 UTC\n"
        "Acknowledged  by dana, 2026-01-10 13:35 UTC: not repeated until its severity rises\n"
        "Goes to       finops, owner, by route 1 (owner: the person or channel behind the owner)\n"
        "Silence       51133ce0 by dana until 2026-01-11 12:05 UTC (run 12); ended by kim 2026-01-10 13:05 UTC\n"
        "\n"
        "Notifications\n"
        "  2026-01-10 13:05 UTC  firing, finops #finops: delivered\n"
        "    gpu-1 spent $60 (warning from $50.00)\n"
        "    Delivered late: firing (warning) 2026-01-10 12:05 UTC.\n"
        "    attempt 1, 13:05:01: NotSent: busy\n"
        "    attempt 2, 13:05:02: under way\n"
        "    attempt 3, 13:05:03: Delivered\n"
        "    is at C0000FINOPS/1.000100\n"
        "\n"
        "History\n"
        "  2026-01-10 12:05 UTC  none -> firing (warning): $60.00; warning from $50.00; "
        "billed through 2026-01-10 12:00 UTC, not complete; gpu could not be read since 11:00 UTC\n"
        "  2026-01-10 13:05 UTC  acknowledged by dana"
    )


def lines(history: AlertHistory, **parts: object) -> list[str]:
    rule = replace(rolling(), **parts)  # type: ignore[arg-type]
    return list(history_lines(history, rule, TEAM))


@pytest.mark.parametrize(
    ("parts", "rule", "line"),
    [
        pytest.param({}, {}, "Notified      last 2026-01-10 13:05 UTC: warning $59.50", id="acknowledged"),
        pytest.param(
            {"acknowledged_by": None},
            {},
            "Notified      last 2026-01-10 13:05 UTC: warning $59.50; repeated 2026-01-11 13:05 UTC if it still fires",
            id="the next repeat",
        ),
        pytest.param(
            {"acknowledged_by": None},
            {"repeat_interval": HOUR},
            "Notified      last 2026-01-10 13:05 UTC: warning $59.50; repeated now if it still fires",
            id="due now",
        ),
        pytest.param(
            {"acknowledged_by": None},
            {"repeat_interval": None},
            "Notified      last 2026-01-10 13:05 UTC: warning $59.50; never repeated",
            id="never",
        ),
        pytest.param(
            {"acknowledged_by": None, "repeat_count": 2},
            {"repeat_interval": HOUR, "repeat_backoff": Fraction(3)},
            "Notified      last 2026-01-10 13:05 UTC: warning $59.50; repeated 2026-01-10 22:05 UTC if it still fires",
            id="the third, with a backoff",
        ),
        pytest.param(
            {"is_below": True, "unit": Unit.DAYS, "value": Decimal(2), "threshold": Decimal(3), "peak": Decimal(1)},
            {},
            "Value         2 d; warning at or below 3 d; at least 1 d; as of 2026-01-10 12:00 UTC, not complete",
            id="reached from above",
        ),
        pytest.param(
            {"acknowledged_at": NOW + 5 * HOUR},
            {},
            "Acknowledged  by dana, 2026-01-10 17:05 UTC: not repeated until its severity rises",
            id="acknowledged later",
        ),
        pytest.param({"notified_at": None}, {}, "Notified      not yet: the next poll decides", id="not yet"),
        pytest.param(
            {"notified_at": None, "muted": NO_RECEIVER},
            {},
            "Notified      not yet: no route leads to a receiver",
            id="nobody",
        ),
        pytest.param(
            {"fired_at": None, "state": AlertState.PENDING},
            {"for_": 2 * HOUR},
            "Notified      no: it fires when it has held for 2h",
            id="pending",
        ),
        pytest.param({"fired_at": None}, {}, "Notified      no: it did not fire", id="never fired"),
        pytest.param({"reason": "rule edited"}, {}, "Why           rule edited", id="the reason"),
        pytest.param({"threshold": None}, {}, f"Value         $60.00; at most $61.25; {THROUGH}", id="no threshold"),
    ],
)  # fmt: skip
def test_history_when_the_alert_differs_then_the_line_does(
    parts: dict[str, object], rule: dict[str, object], line: str
) -> None:
    """Each state of telling has its own words."""
    history = a_history()
    assert line in lines(replace(history, alert=replace(history.alert, **parts)), **rule)  # type: ignore[arg-type]


# --- what is read ---------------------------------------------------------------------------------------------------


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open("sqlite://", now=NOW)
    yield opened
    opened.close()


def kept(store: Store, stage: Stage, *silences: Silence) -> None:
    alerts = tuple(stage.alerts.values())
    events = tuple(AlertEvent.of(alert, moved(None, alert), alert.started_at) for alert in alerts)
    entries = tuple(replace(entry, id=0) for entry in stage.decided)
    store.save_decisions(alerts=alerts, events=events, entries=entries)
    store.save_decisions(silences=silences)


def test_history_when_read_then_has_this_alert_up_to_the_moment(store: Store) -> None:
    """Of others nothing, of later nothing."""
    stage = Stage()
    stage.cycle({"gpu-1": "60", "gpu-2": "60"})
    stage.cycle({"gpu-1": "120", "gpu-2": "60"})
    alert = stage.of("gpu-1")
    kept(store, stage, a_silence(), a_silence(id="0ther000", matchers=match(owner="gpu-2")))
    whole = read_history(store, alert, at=NOW + 9 * HOUR, is_past=False)
    assert [notified.entry.message.severity.label for notified in whole.notified] == ["warning", "critical"]
    assert [silence.id for silence in whole.silences] == ["51133ce0"]
    assert len(whole.events) == 1
    early = read_history(store, alert, at=NOW + HOUR, is_past=True)
    assert [notified.entry.message.severity.label for notified in early.notified] == ["warning"]
    none = read_history(store, alert, at=NOW - HOUR, is_past=True)
    assert (none.notified, none.events, none.silences) == ((), (), ())


def test_history_when_asked_of_the_past_then_as_it_was_then(store: Store) -> None:
    """The last move before the moment counts, and no attempt after it."""
    stage = Stage()
    stage.lives("60")
    alert = stage.of()
    began, raised = replace(alert, value=Decimal(51)), replace(alert, value=Decimal(120), severity=CRITICAL)
    (added,) = (replace(entry, id=0, created_at=NOW) for entry in stage.decided)
    events = [
        AlertEvent.of(alert, moved(None, began), NOW),
        AlertEvent.of(alert, moved(began, raised), NOW + HOUR),
        AlertEvent.of(alert, Acknowledged(by="dana"), NOW + 2 * HOUR),
    ]
    store.save_decisions(alerts=[alert], events=events, entries=[added])
    (entry,) = store.outbox.entries_of(alert.fingerprint)
    claimed = replace(entry, state=EntryState.SENDING, attempts=1, started_at=NOW + 3 * HOUR)
    assert store.outbox.start_attempt(entry, claimed)

    def shown(at: datetime) -> list[str]:
        history = read_history(store, alert, at=at, is_past=True)
        return [line for line in history_lines(history, rolling(), TEAM) if line.startswith(("State", "Value", "  20"))]

    early, late = shown(NOW + HOUR - SECOND), shown(NOW + 2 * HOUR)
    assert early[0] == "State         firing (warning), since 2026-01-10 12:05 UTC"
    assert early[1].startswith("Value         $51.00; warning from $50.00; ")
    assert late[0] == "State         firing (critical), since 2026-01-10 13:05 UTC"
    assert late[1].startswith("Value         $120.00; ")
    assert [line for line in late if "attempts by then" in line] == [
        "  2026-01-10 12:05 UTC  firing, finops: 0 attempts by then"
    ]
    assert "1 attempts by then" in " ".join(shown(NOW + 3 * HOUR))


def test_judgement_when_many_groups_are_judged_then_the_worst_and_the_largest_first() -> None:
    """What comes nearest to a threshold is what one asks for."""
    amounts = {"a": "60", "b": "120", "c": "55", "d": "10", "e": "20", "f": "30"}
    rows = [row(RUNNING - 3, amount, owner=owner) for owner, amount in amounts.items()]
    lines = list(judgement(rolling(), desk_with(*rows).facts()))
    assert [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("    ")] == [
        *["b", "a", "c", "f", "e"]
    ]
    assert "critical" in lines[0]
    assert "reaches no threshold" in lines[6]
    many = [row(RUNNING - 3, str(60 + number), owner=f"gpu-{number}") for number in range(7)]
    assert list(judgement(rolling(), desk_with(*many).facts()))[-1] == "  … and 2 more groups"


@pytest.mark.parametrize(
    ("silence", "is_notified"),
    [
        pytest.param(a_silence(expired_at=NOW, expired_by="kim"), True, id="ended by somebody"),
        pytest.param(a_silence(ends_at=NOW + timedelta(seconds=1)), True, id="ended by its time"),
        pytest.param(a_silence(bound=(bound_to(firing(), "1"),)), True, id="its amount was reached"),
        pytest.param(a_silence(bound=(bound_to(replace(firing(), episode=7)),)), False, id="of another episode"),
        pytest.param(a_silence(bound=(bound_to(firing(owner="x")),)), False, id="of another alert"),
        pytest.param(a_silence(matchers=match(owner="x")), False, id="of another owner"),
    ],
)
def test_silences_in_the_history_when_they_are_over_then_still_notified(
    store: Store, silence: Silence, is_notified: bool
) -> None:
    """They are why nobody heard of it then."""
    stage = Stage()
    stage.lives("60")
    kept(store, stage, silence)
    history = read_history(store, stage.of(), at=NOW + 9 * HOUR, is_past=False)
    assert bool(history.silences) is is_notified


@pytest.mark.parametrize(
    ("parts", "waiting", "why"),
    [
        pytest.param({}, {}, "", id="nothing keeps it back"),
        pytest.param({"state": AlertState.RESOLVED, "muted": NO_RECEIVER}, {}, "", id="it does not fire"),
        pytest.param(
            {"muted": SILENCED, "acknowledged_by": "dana"},
            {},
            "silenced by kim until the alert ends; acknowledged by dana",
            id="silenced first",
        ),
        pytest.param({"acknowledged_by": "dana"}, {}, "acknowledged by dana", id="acknowledged"),
        pytest.param(
            {"acknowledged_by": "dana"},
            {"not_before": NOW + HOUR},
            "quiet hours until 2026-01-10 13:05 UTC (finops); acknowledged by dana",
            id="held",
        ),
        pytest.param(
            {}, {"not_before": NOW + HOUR, "attempts": 1, "first_attempt_at": NOW}, "", id="a retry is not withheld"
        ),
        pytest.param({}, {"not_before": NOW}, "", id="due now"),
        pytest.param({}, {"not_before": NOW + HOUR, "fingerprints": ("other",)}, "", id="of another alert"),
    ],
)
def test_mutes_when_asked_then_every_reason(parts: dict[str, object], waiting: dict[str, object], why: str) -> None:
    """Whoever ends one of them must know what else is in the way; what somebody asked for comes first."""
    stage = Stage()
    stage.lives("60")
    entry: OutboxEntry = replace(stage.decided[0], **{"not_before": NOW - HOUR, **waiting})  # type: ignore[arg-type]
    alert = replace(stage.of(), **parts)  # type: ignore[arg-type]
    assert mutes_text(mutes_of(alert, holds([entry], NOW))) == why
    assert alert.severity < CRITICAL
    assert alert.value == Decimal(60)


def test_mutes_when_several_receivers_hold_it_then_each_with_its_latest_end() -> None:
    """Each has quiet hours of its own, and more than one notification may wait for them."""
    stage = Stage()
    stage.lives("60")
    first = stage.decided[0]
    held = [
        replace(first, receiver="oncall", not_before=NOW + 2 * HOUR),
        replace(first, receiver="finops", not_before=NOW + 3 * HOUR),
        replace(first, receiver="finops", not_before=NOW + HOUR),
    ]
    assert mutes_text(mutes_of(stage.of(), holds(held, NOW))) == (
        "quiet hours until 2026-01-10 15:05 UTC (finops); quiet hours until 2026-01-10 14:05 UTC (oncall)"
    )
