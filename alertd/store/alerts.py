"""Alerts, one row each, and their history."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from alertd.core.alert import Alert, AlertState, Unit
from alertd.core.alert_event import (
    Acknowledged,
    Acted,
    AlertChange,
    Moved,
    Recorded,
    SilenceEnded,
    Standing,
    Suppressed,
    Unacknowledged,
    Unsuppressed,
)
from alertd.core.dataclass import dataclass
from alertd.core.severity import Severity
from alertd.store.database import Database, Value
from alertd.store.encoding import from_json, to_json, to_micros
from alertd.store.meta import Meta
from alertd.store.table import insert_all, row_of, select, upsert_all, value_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """An event of an alert, kept to explain it later."""

    fingerprint: str
    episode: int
    happened_at: datetime
    change: AlertChange

    @classmethod
    def of(cls, alert: Alert, change: AlertChange, happened_at: datetime) -> "AlertEvent":
        """Return an event of the alert's current episode."""
        return cls(fingerprint=alert.fingerprint, episode=alert.episode, happened_at=happened_at, change=change)


class AlertRow(NamedTuple):
    """The columns of `alert`; `body` determines all others."""

    fingerprint: str
    rule: str
    type: str
    account: str
    state: str
    severity: int
    started_at: int
    fired_at: int | None
    resolved_at: int | None
    notified_at: int | None
    body: str

    @classmethod
    def of(cls, alert: Alert) -> "AlertRow":
        """Return the row for an alert."""
        return row_of(cls, alert, body=to_json(alert))

    @property
    def alert(self) -> Alert:
        """
        The alert that the row holds.

        Raises:
            StoreError: The row is damaged.
        """
        return from_json(self.body, Alert, where=f"alert {self.fingerprint}")


class _EventRow(NamedTuple):
    fingerprint: str
    episode: int
    happened_at: int
    kind: str
    """Names the type of *detail*; a sentence in rows from before there were types."""
    detail: str


_SHAPES: dict[str, type[AlertChange]] = {
    "moved": Moved,
    "suppressed": Suppressed,
    "unsuppressed": Unsuppressed,
    "acknowledged": Acknowledged,
    "unacknowledged": Unacknowledged,
    "silence ended": SilenceEnded,
    "acted": Acted,
    "recorded": Recorded,
}
_KINDS: dict[type, str] = {shape: kind for kind, shape in _SHAPES.items()}


_IS_OVER = (
    "WHERE state = ? AND COALESCE(resolved_at, started_at) < ? "
    "AND NOT EXISTS (SELECT 1 FROM alert_event WHERE alert_event.fingerprint = alert.fingerprint) "
    "AND NOT EXISTS (SELECT 1 FROM outbox_alert WHERE outbox_alert.fingerprint = alert.fingerprint)"
)
"""Digits of a fingerprint of which nothing else is stored."""


class Alerts:
    """The tables `alert` and `alert_event`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all_alerts(self) -> tuple[Alert, ...]:
        """Return the latest episode of every stored alert, by fingerprint."""
        return self._read("ORDER BY fingerprint")

    def open_alerts(self) -> tuple[Alert, ...]:
        """Return the alerts that are not resolved, by fingerprint."""
        return self._read("WHERE state <> ? ORDER BY fingerprint", AlertState.RESOLVED)

    def alert(self, fingerprint: str) -> Alert | None:
        """Return the latest episode of one alert."""
        found = self._read("WHERE fingerprint = ?", fingerprint)
        return found[0] if found else None

    def _read(self, rest: str, *values: Value) -> tuple[Alert, ...]:
        return tuple(row.alert for row in select(self._database, AlertRow, "alert", rest, values))

    def save(self, alerts: Iterable[Alert]) -> None:
        """Store alerts, replacing those with the same fingerprints."""
        with self._database.transaction():
            upsert_all(self._database, "alert", AlertRow, map(AlertRow.of, alerts), ("fingerprint",))

    def add_events(self, events: Iterable[AlertEvent]) -> None:
        """Append to the history."""
        rows = (
            row_of(_EventRow, event, kind=_KINDS[type(event.change)], detail=to_json(event.change)) for event in events
        )
        with self._database.transaction():
            insert_all(self._database, "alert_event", _EventRow, rows)

    def events(self, fingerprint: str) -> tuple[AlertEvent, ...]:
        """Return the history of one alert, in the order written."""
        rows = select(self._database, _EventRow, "alert_event", "WHERE fingerprint = ? ORDER BY id", (fingerprint,))
        return tuple(value_of(AlertEvent, row, change=_change(row)) for row in rows)

    def prune(self, before: datetime) -> int:
        """
        Delete events from before an instant of resolved alerts; return how many.

        Those that ended before it, and of which neither history nor message is left, go too. Their episodes' numbers
        never come again, since delivery keys are made of them: alerts to come are numbered from above them.
        """
        border = to_micros(before)
        with self._database.transaction():
            events = self._database.execute(
                "DELETE FROM alert_event WHERE happened_at < ? AND NOT EXISTS ("
                "SELECT 1 FROM alert WHERE alert.fingerprint = alert_event.fingerprint AND alert.state <> ?)",
                (border, AlertState.RESOLVED),
            )
            gone = self._read(_IS_OVER, AlertState.RESOLVED, border)
            if gone:
                meta = Meta(self._database)
                meta.put_first_episode(max(meta.first_episode, *(alert.episode + 1 for alert in gone)))
                self._database.execute(f"DELETE FROM alert {_IS_OVER}", (AlertState.RESOLVED, border))  # noqa: S608
            return events


def _change(row: _EventRow) -> AlertChange:
    where = f"event of alert {row.fingerprint}"
    shape = _SHAPES.get(row.kind)
    if shape is None:
        return old_event(row.kind, from_json(row.detail, tuple[tuple[str, str], ...], where=where))
    return from_json(row.detail, shape, where=where)


_ARROW = re.compile(r"(?P<before>.+) -> (?P<after>.+)")
_STANDING = re.compile(r"(?P<state>\w+)(?: \((?P<severity>\w+)\))?")
_READ = {"value", "unit", "threshold", "expected", "as_of", "complete", "reason"}


def old_event(text: str, detail: Sequence[tuple[str, str]]) -> Moved | Recorded:
    """
    Return the content of an event as alertd 0.1.0 wrote it, a sentence with pairs of text.

    Returns:
        The change of the alert with its value, or the sentence itself.
    """
    arrow = _ARROW.fullmatch(text)
    if arrow is None:
        return Recorded(text=text, detail=tuple(detail))
    known = dict(detail)
    try:
        return Moved(
            before=None if arrow["before"] == "none" else _standing(arrow["before"]),
            after=_standing(arrow["after"]),
            value=Decimal(known["value"]),
            unit=Unit(known["unit"]),
            threshold=Decimal(known["threshold"]) if "threshold" in known else None,
            expected=Decimal(known["expected"]) if "expected" in known else None,
            as_of=datetime.fromisoformat(known["as_of"]),
            is_complete=known.get("complete") != "no",
            reason=known.get("reason", ""),
            # For lagging streams only a text without the year was stored.
            caveats=tuple(text if name == "caveat" else f"{name} {text}" for name, text in detail if name not in _READ),
        )
    except (KeyError, ValueError, InvalidOperation):
        return Recorded(text=text, detail=tuple(detail))


def _standing(text: str) -> Standing:
    found = _STANDING.fullmatch(text)
    if found is None:
        raise ValueError(text)
    severity = Severity.of(found["severity"]) if found["severity"] is not None else None
    return Standing(state=AlertState(found["state"]), severity=severity)
