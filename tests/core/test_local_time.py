"""Instants within texts: found where they stand, by the reader's clock, and nothing else is touched."""

from datetime import UTC, datetime

import pytest

from alertd.core.local_time import Clock, parts_of
from alertd.core.words import format_instant

NOW = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)
BERLIN = Clock(timezone="Europe/Berlin", now=NOW)


@pytest.mark.parametrize(
    ("clock", "written", "read"),
    [
        pytest.param(BERLIN, "2026-03-28 19:00 UTC", "20:00 CET", id="today there"),
        pytest.param(BERLIN, "2026-03-27 22:59 UTC", "yesterday 23:59 CET", id="yesterday there"),
        pytest.param(BERLIN, "2026-03-27 23:00 UTC", "00:00 CET", id="midnight there"),
        pytest.param(BERLIN, "2026-03-29 06:00 UTC", "tomorrow 08:00 CEST", id="clocks are set forward tonight"),
        pytest.param(BERLIN, "2026-01-02 08:00 UTC", "Jan 2 09:00 CET", id="this year"),
        pytest.param(BERLIN, "2025-12-31 23:00 UTC", "Jan 1 00:00 CET", id="this year there"),
        pytest.param(BERLIN, "2025-12-31 22:00 UTC", "2025-12-31 23:00 CET", id="another year"),
        pytest.param(Clock(timezone="Asia/Kolkata", now=NOW), "2026-03-28 22:00 UTC", "03:30 IST", id="half an hour"),
        pytest.param(
            Clock(timezone="America/Sao_Paulo", now=NOW),
            "2026-03-28 22:00 UTC",
            "19:00 UTC-03",
            id="no name but a number",
        ),
        pytest.param(Clock(timezone="UTC", now=NOW), "2026-03-28 22:00 UTC", "22:00 UTC", id="no zone asked for"),
        pytest.param(BERLIN, "2026-02-30 08:00 UTC", "2026-02-30 08:00 UTC", id="no such day"),
        pytest.param(BERLIN, "0001-01-01 00:00 UTC", "0001-01-01 00:00 UTC", id="before all zones"),
        pytest.param(BERLIN, "9999-12-31 23:59 UTC", "9999-12-31 23:59 UTC", id="after all zones"),
        pytest.param(BERLIN, "2026-03-28 19:00 UTCx", "2026-03-28 19:00 UTCx", id="a longer word"),
        pytest.param(BERLIN, "12026-03-28 19:00 UTC", "12026-03-28 19:00 UTC", id="a longer number"),
        pytest.param(BERLIN, "through Mar 8 UTC", "through Mar 8 UTC", id="a day is no instant"),
    ],
)
def test_text_when_localized_then_its_instants_by_the_readers_clock(clock: Clock, written: str, read: str) -> None:
    """Nobody should have to count hours at three in the morning."""
    assert clock.localized(f"a ({written}); b {written}.") == f"a ({read}); b {read}."


def test_parts_when_joined_then_the_text_as_it_was() -> None:
    """What no channel rewrites stays right."""
    text = f"from {format_instant(NOW)} to 2026-13-01 00:00 UTC, {format_instant(NOW)}"
    parts = list(parts_of(text))
    assert parts == ["from ", NOW, " to 2026-13-01 00:00 UTC, ", NOW]
    assert "".join(part if isinstance(part, str) else format_instant(part) for part in parts) == text
