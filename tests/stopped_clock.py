"""Commands at a given moment: the one place that asks for the time says it, and nothing else is touched."""

from datetime import datetime

import pytest

# These hold on to the clock when they are imported: it must be the real one.
import alertd.daemon.checked_time
import alertd.daemon.poll
import alertd.daemon.receivers
import alertd.daemon.schedule
import alertd.notify.alertmanager
import alertd.notify.http_answer
import alertd.notify.slack.errors  # noqa: F401


def stop_clock(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    """Let commands of this process see *at*; freezegun would look through a thousand modules for each test."""
    monkeypatch.setattr("alertd.clock.utc_now", lambda: at)
