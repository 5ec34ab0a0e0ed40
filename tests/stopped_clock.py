"""Run commands at a given time, by replacing only the function that reads the clock."""

from datetime import datetime

import pytest

# These modules bind the clock when they are imported: it must be the real one.
import alertd.daemon.checked_time
import alertd.daemon.poll
import alertd.daemon.receivers
import alertd.daemon.schedule
import alertd.notify.alertmanager
import alertd.notify.http_answer
import alertd.notify.slack.errors  # noqa: F401


def stop_clock(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    """Make commands of this process see *at*; freezegun would search a thousand modules for each test."""
    monkeypatch.setattr("alertd.clock.utc_now", lambda: at)
