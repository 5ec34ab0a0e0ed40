"""
How long to wait: as a server requests it, or after consecutive failures; and HTTP dates.

Source: RFC 9110, sections 5.6.7 and 10.2.3.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Some servers send fractions, which the RFC does not allow.
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MOST_SECONDS = 999_999_999
"""31 years, to which longer waits are shortened."""


def parse_http_date(text: str | None) -> datetime | None:
    """Parse an HTTP date as an aware UTC datetime; None if it is missing or invalid."""
    try:
        at = parsedate_to_datetime(text or "")
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """
    Return the wait that a response's `Retry-After` requests, never negative; None if it is missing or invalid.

    A date is compared with the response's own `Date`, so that a wrong local clock does no harm. The caller limits the
    wait.

    Args:
        headers: The response's headers, a mapping that ignores case.
        now: Aware; used if the response has no valid `Date`.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=min(float(text), _MOST_SECONDS))
    at = parse_http_date(text)
    if at is None:
        return None
    return max(at - (parse_http_date(headers.get("Date")) or now), timedelta())


def doubled_s(failures: int, *, first_s: float, longest_s: float) -> float:
    """
    Return a wait in seconds that doubles with each failure, up to *longest_s*.

    Args:
        failures: Consecutive failures, at least 1; after the first the wait is *first_s*.
    """
    # The exponent is bounded, because a task may fail for years and 2.0 ** n would overflow.
    return min(longest_s, first_s * 2.0 ** min(failures - 1, 30))
