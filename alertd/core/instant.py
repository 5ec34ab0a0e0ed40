"""Instants for machines: ISO 8601 in UTC."""

from datetime import UTC, datetime


def iso_instant(at: datetime) -> str:
    """Return an aware instant for JSON and HTML: `2026-01-10T12:00:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def iso_instant_or_none(at: datetime | None) -> str | None:
    """Return an aware instant as `iso_instant` does; None for None."""
    return iso_instant(at) if at is not None else None
