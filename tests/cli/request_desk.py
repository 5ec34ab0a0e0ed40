"""A store with alerts that are withheld in every way, for tests of the commands that ask for that and show it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from alertd.cli.root import run
from alertd.core.alert import Alert, AlertState
from alertd.core.alert_event import Suppressed
from alertd.core.alerts.lifecycle import moved
from alertd.core.alerts.quiet_hours import QuietHours
from alertd.core.alerts.silence import Silence
from alertd.queries.event_words import event_text
from alertd.store.alerts import AlertEvent
from alertd.store.store import Store
from tests.core.builders import HOUR, rolling
from tests.core.stage import TEAM, Stage, match

URL = "sqlite:///./alertd.db"
BEGAN = datetime(2026, 1, 10, 11, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 10, 14, 30, tzinfo=UTC)
RULES = """version: 1
receivers: [{name: finops, type: console}, {name: oncall, type: console}]
defaults: {notify: [finops]}
rules:
  - {name: gpu-24h, type: rolling_spend, group_by: [owner], window: 24h, thresholds: {warning: 50, critical: 100}}
  - {name: calm, type: rolling_spend, window: 24h, thresholds: {warning: 5000}}
"""


@dataclass(slots=True)
class Desk:
    """Runs commands over the store as it was left."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    stage: Stage = field(default_factory=lambda: Stage(now=BEGAN, rule=rolling()))

    def keep(self, *events: AlertEvent) -> None:
        """Store what the stage holds."""
        store = Store.open(URL, now=BEGAN)
        try:
            store.save_decisions(
                alerts=tuple(self.stage.alerts.values()),
                events=events,
                entries=tuple(replace(entry, id=0) for entry in self.stage.decided),
            )
            store.save_decisions(silences=self.stage.silences.values())
        finally:
            store.close()

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; return exit code, output and errors."""
        code = run(list(arguments))
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def alerts(self) -> dict[str, Alert]:
        """Return the stored alerts by owner."""
        store = Store.open_read_only(URL)
        try:
            return {dict(alert.labels)["owner"]: alert for alert in store.alerts.all_alerts()}
        finally:
            store.close()

    def silences(self) -> tuple[Silence, ...]:
        """Return the stored silences."""
        store = Store.open_read_only(URL)
        try:
            return store.silences.all_silences()
        finally:
            store.close()

    def events(self, owner: str) -> list[str]:
        """Return what happened to an owner's alert."""
        store = Store.open_read_only(URL)
        try:
            return [event_text(one.change) for one in store.alerts.events(self.stage.of(owner).fingerprint)]
        finally:
            store.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A rules file, no store yet; commands see NOW."""
    monkeypatch.chdir(tmp_path)
    for name in ("SUDO_USER", "LOGNAME"):
        monkeypatch.setenv(name, "dana")
    monkeypatch.setenv("ALERTD_DATABASE_URL", URL)
    monkeypatch.setattr("alertd.clock.utc_now", lambda: NOW)
    (tmp_path / "rules.yaml").write_text(RULES)
    return Desk(tmp_path, capsys)


@pytest.fixture
def full(desk: Desk) -> Desk:
    """
    One alert of each kind at 14:30: plain, acknowledged, silenced, held by quiet hours, over.

    All fire since 12:00; `held` since 14:00, when quiet hours of finops began.
    """
    stage = desk.stage
    stage.cycle({"plain": "60", "acked": "70", "over": "80"})
    stage.ack("acked")
    stage.silence("51133ce0", matchers=match(owner="hushed"), ends_at=NOW + HOUR, comment="run 12")
    stage.cycle({"plain": "60", "acked": "70", "over": "44", "hushed": "120"})
    stage.audience = replace(
        TEAM, quiet_hours={"finops": (QuietHours(days=frozenset({5}), start=(BEGAN + HOUR).time()),)}
    )
    stage.cycle({"plain": "60", "acked": "70", "hushed": "120", "held": "90"})
    stage.now = NOW
    hushed = stage.of("hushed")
    over = stage.of("over")
    firing = replace(over, state=AlertState.FIRING, value=Decimal(80))
    began = AlertEvent.of(over, moved(None, firing), BEGAN + HOUR)
    ended = AlertEvent.of(over, moved(firing, replace(over, value=Decimal(44))), BEGAN + 2 * HOUR)
    assert hushed.muted is not None
    silenced = AlertEvent.of(hushed, Suppressed(muted=hushed.muted), BEGAN + timedelta(hours=2))
    desk.keep(began, ended, silenced)
    return desk
