"""Read how long a server asks to wait."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from alertd.clock import utc_now

LONGEST = timedelta(hours=1)
"""A server that asks for more is asked again after this, so that an odd answer cannot silence a receiver."""


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """
    Return the wait of a `Retry-After` header, from zero to an hour; None when there is none that can be read.

    A date is measured against the answer's own `Date`, so that a wrong clock here does no harm.
    Source: RFC 9110, section 10.2.3: seconds or an HTTP date.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), LONGEST)
    at = _http_date(text)
    if at is None:
        return None
    wait = at - (_http_date(headers.get("Date", "")) or utc_now())
    return min(max(wait, timedelta(0)), LONGEST)


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
