"""What the forms of the status page ask for: from their fields to requests. Pure."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from alertd.core.alerts.requests import Acknowledge, AddSilence, RequestError
from alertd.core.alerts.silence import SilenceLength
from alertd.core.labels import Patterns

_LONGEST_COMMENT = 200


def acknowledgement(fingerprint: str, fields: Mapping[str, str], *, by: str) -> Acknowledge:
    """Return the request to acknowledge an alert, or to take that back."""
    return Acknowledge(
        fingerprint=fingerprint, by=by, undo=fields.get("undo") == "1", episode=_episode(fields.get("episode", ""))
    )


def silence(fingerprint: str, fields: Mapping[str, str], *, by: str, now: datetime) -> AddSilence:
    """
    Return the request to silence one alert.

    Raises:
        RequestError: The form does not say for how long.
    """
    chosen = fields.get("length", "")
    if chosen not in set(SilenceLength):
        raise RequestError(f"choose how long: {', '.join(SilenceLength)}")
    length = SilenceLength(chosen)
    mark = "\n".join((fingerprint, length, fields.get("mark", "") or now.isoformat()))
    return AddSilence(
        # The same form, sent twice, is the same silence.
        id=hashlib.sha256(mark.encode(errors="surrogateescape")).hexdigest()[:8],
        matchers=(("fingerprint", Patterns((fingerprint,))),),
        by=by,
        comment=" ".join(fields.get("comment", "").split())[:_LONGEST_COMMENT],
        ends_at=length.ends_at(now),
        until_resolved=length is SilenceLength.RESOLVED,
        episode=_episode(fields.get("episode", "")),
    )


def _episode(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
