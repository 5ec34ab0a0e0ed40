"""Instants for machines have one spelling."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from alertd.core.times import iso_instant, iso_instant_or_none

AT = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        pytest.param(AT, "2026-01-10T12:00:00Z", id="whole seconds"),
        pytest.param(AT + timedelta(microseconds=5), "2026-01-10T12:00:00.000005Z", id="microseconds"),
        pytest.param(AT.astimezone(timezone(timedelta(hours=2))), "2026-01-10T12:00:00Z", id="of another zone"),
    ],
)
def test_instant_then_utc_with_a_z(at: datetime, text: str) -> None:
    """Go, JavaScript and jq read this one without options."""
    assert iso_instant(at) == iso_instant_or_none(at) == text
    assert datetime.fromisoformat(text) == at


def test_instant_when_there_is_none_then_none() -> None:
    """JSON has null for that."""
    assert iso_instant_or_none(None) is None
