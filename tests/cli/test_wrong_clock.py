"""Commands beside a daemon whose system's clock is wrong: they go by the time that the daemon checked, and say so."""

import json
from datetime import timedelta

import pytest

from alertd import clock as clocks
from alertd.core.rules.records import ClockRecord
from alertd.store.store import Store
from tests.cli.request_desk import NOW, URL, Desk, desk, full

__all__ = ["desk", "full"]
OFFSETS = [timedelta(days=-800), timedelta(hours=-3), timedelta(hours=3), timedelta(days=40), timedelta(days=800)]


@pytest.fixture(params=OFFSETS, ids=str)
def wrong(full: Desk, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The daemon checked the time a moment ago; the system's clock has been set since."""
    store = Store.open(URL, now=NOW)
    store.meta.put_clock(ClockRecord(checked_at=NOW, elapsed_s=clocks.elapsed_s(), boot=clocks.boot_id()))
    store.close()
    monkeypatch.setattr("alertd.clock.utc_now", lambda: NOW + request.param)
    return full


def test_silence_when_the_clock_is_wrong_then_lasts_as_long_as_asked_from_the_right_time(wrong: Desk) -> None:
    """Forty days ahead it silenced for forty-one days, and behind it was over before it began."""
    code, _, said = wrong.run("silence", "add", "owner=plain", "--for", "24h")
    assert code == 0
    assert said.count("this system's clock says") == 1
    (made,) = (one for one in wrong.silences() if one.id != "51133ce0")
    assert made.ends_at is not None
    assert abs(made.ends_at - NOW - timedelta(hours=24)) < timedelta(minutes=1)
    assert abs(made.created_at - NOW) < timedelta(minutes=1)


def test_silences_when_the_clock_is_wrong_then_are_listed_as_the_daemon_sees_them(wrong: Desk) -> None:
    """What is in force does not depend on who asks."""
    _, out, _ = wrong.run("silence", "list", "--json")
    assert [one["id"] for one in json.loads(out)] == ["51133ce0"]


def test_acknowledgement_when_the_clock_is_wrong_then_is_dated_by_the_right_time(wrong: Desk) -> None:
    """An acknowledgement from the future would be dated anew at the next start, one from the past lost in history."""
    assert wrong.run("ack", wrong.stage.of("plain").fingerprint)[0] == 0
    at = wrong.alerts()["plain"].acknowledged_at
    assert at is not None
    assert abs(at - NOW) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["spend"], id="spend"),
        pytest.param(["alerts"], id="alerts"),
        pytest.param(["running"], id="running"),
        pytest.param(["status"], id="status"),
        pytest.param(["explain", "gpu-24h"], id="explain"),
        pytest.param(["report", "--print"], id="report"),
        pytest.param(["db", "prune"], id="prune"),
        pytest.param(["backtest"], id="backtest"),
    ],
)
def test_command_when_the_clock_is_wrong_then_says_so_once(wrong: Desk, arguments: list[str]) -> None:
    """Whoever reads a window or an age must know by which clock it is."""
    _, _, said = wrong.run(*arguments)
    assert said.count("this system's clock says") == 1


def test_explain_when_the_clock_is_behind_then_what_has_come_can_be_asked_for(
    full: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was refused as a time in the future."""
    store = Store.open(URL, now=NOW)
    store.meta.put_clock(ClockRecord(checked_at=NOW, elapsed_s=clocks.elapsed_s(), boot=clocks.boot_id()))
    store.close()
    monkeypatch.setattr("alertd.clock.utc_now", lambda: NOW - timedelta(days=2))
    assert full.run("explain", "gpu-24h", "--at", "2026-01-10T14:00Z")[0] == 0
    assert full.run("explain", "gpu-24h", "--at", "2026-01-10T15:00Z")[0] == 2
