"""How long a server asks to wait, and the dates that HTTP writes. Source: RFC 9110, sections 5.6.7 and 10.2.3."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Some servers send fractions, which the RFC does not know.
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MOST_SECONDS = 999_999_999
"""31 years; whatever is longer counts as this."""


def parse_http_date(text: str | None) -> datetime | None:
    """Read an HTTP date as an aware UTC datetime; None where there is none or it cannot be read."""
    try:
        at = parsedate_to_datetime(text or "")
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """
    Return the wait that an answer's `Retry-After` asks for, never negative; None where nothing readable is said.

    A date counts against the answer's own `Date`, so that a wrong clock here does no harm. The caller bounds the wait.

    Args:
        headers: The answer's, by names in any case.
        now: Stands in where the answer has no date, aware.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=min(float(text), _MOST_SECONDS))
    at = parse_http_date(text)
    if at is None:
        return None
    return max(at - (parse_http_date(headers.get("Date")) or now), timedelta())
