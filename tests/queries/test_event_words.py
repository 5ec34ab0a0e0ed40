"""What is stored of an alert's life, in words; what was stored as words before, read as values."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from alertd.core.alert import AlertState, Lag, Unit
from alertd.core.alert_event import (
    Acknowledged,
    AlertChange,
    Moved,
    Recorded,
    SilenceEnded,
    Standing,
    Suppressed,
    Unacknowledged,
    Unsuppressed,
)
from alertd.core.muted import Muted, MuteKind
from alertd.core.severity import Severity
from alertd.queries.event_words import event_detail, event_text
from alertd.store.alerts import old_event

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
FIRING = Standing(state=AlertState.FIRING, severity=Severity.WARNING)
BEGAN = Moved(before=None, after=FIRING, value=Decimal("9.0000000001"), unit=Unit.USD, as_of=NOON)
ENDED = Moved(
    before=FIRING,
    after=Standing(state=AlertState.RESOLVED),
    value=Decimal(4),
    unit=Unit.USD,
    expected=Decimal(6),
    as_of=NOON,
    lagging=(Lag(stream="llm", through=NOON, is_by_day=False),),
    is_complete=False,
    reason="rule edited",
    caveats=("gpu could not be read",),
)
RUNWAY = Moved(
    before=FIRING,
    after=Standing(state=AlertState.FIRING, severity=Severity.CRITICAL),
    value=Decimal(4),
    unit=Unit.DAYS,
    threshold=Decimal(5),
    is_below=True,
    as_of=NOON,
)


@pytest.mark.parametrize(
    ("change", "text", "detail"),
    [
        pytest.param(
            BEGAN,
            "none -> firing (warning)",
            "$9.00; billed through 2026-01-10 12:00 UTC, complete",
            id="the beginning",
        ),
        pytest.param(
            ENDED,
            "firing (warning) -> resolved",
            "$4.00, about $6.00 once billed; billed through 2026-01-10 12:00 UTC; llm through 2026-01-10 12:00 UTC, "
            "not complete; gpu could not be read; rule edited",
            id="the end, with all there is to say",
        ),
        pytest.param(
            RUNWAY,
            "firing (warning) -> firing (critical)",
            "4 d; critical at or below 5 d; as of 2026-01-10 12:00 UTC, complete",
            id="a threshold that is reached from above",
        ),
        pytest.param(
            Suppressed(muted=Muted(kind=MuteKind.INHIBITION, id="f1", by="low", comment="balance is $3")),
            "inhibited by low (f1): balance is $3",
            "",
            id="muted",
        ),
        pytest.param(Unsuppressed(), "notifications no longer suppressed", "", id="no longer muted"),
        pytest.param(Acknowledged(by="dana"), "acknowledged by dana", "", id="acknowledged"),
        pytest.param(Unacknowledged(by="kim"), "acknowledgement taken back by kim", "", id="taken back"),
        pytest.param(Unacknowledged(), "acknowledgement ended", "severity raised", id="outgrown"),
        pytest.param(SilenceEnded(id="51133ce0", by="kim"), "silence 51133ce0 ended by kim", "", id="unsilenced"),
        pytest.param(Recorded(text="silenced", detail=(("by", "kim"),)), "silenced", "by kim", id="an old sentence"),
    ],
)
def test_event_when_shown_then_says_what_happened_and_what_was_known(
    change: AlertChange, text: str, detail: str
) -> None:
    """The command and the page show the same words."""
    assert (event_text(change), event_detail(change)) == (text, detail)


OLD = [("value", "9.0000000001"), ("unit", "USD"), ("as_of", "2026-01-10T12:00:00+00:00"), ("complete", "yes")]
OLD_END = [
    ("value", "4"),
    ("threshold", "5"),
    ("unit", "days"),
    ("as_of", "2026-01-10T12:00:00+00:00"),
    ("complete", "no"),
    ("reason", "rule edited"),
    ("caveat", "gpu could not be read"),
]


@pytest.mark.parametrize(
    ("text", "detail", "change"),
    [
        pytest.param("none -> firing (warning)", OLD, BEGAN, id="the beginning"),
        pytest.param(
            "firing (warning) -> resolved",
            OLD_END,
            Moved(
                before=FIRING,
                after=ENDED.after,
                value=Decimal(4),
                unit=Unit.DAYS,
                threshold=Decimal(5),
                as_of=NOON,
                is_complete=False,
                reason="rule edited",
                caveats=("gpu could not be read",),
            ),
            id="the end",
        ),
        pytest.param("acknowledged by a -> b", [], Recorded(text="acknowledged by a -> b"), id="an arrow in a name"),
        pytest.param("none -> firing (bad)", OLD, Recorded(text="none -> firing (bad)", detail=tuple(OLD)), id="odd"),
        pytest.param("none -> firing", OLD[1:], Recorded(text="none -> firing", detail=tuple(OLD[1:])), id="no value"),
        pytest.param("", [], Recorded(text=""), id="nothing"),
    ],
)
def test_old_event_when_read_then_a_value_or_the_sentence_itself(
    text: str, detail: list[tuple[str, str]], change: AlertChange
) -> None:
    """A database of 0.1.0 keeps its history, and `explain --at` still answers from it."""
    assert old_event(text, detail) == change
