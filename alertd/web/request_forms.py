"""Turns the fields of the status page's forms into requests. Pure."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from alertd.core.actions import Act
from alertd.core.alerts.acting import parse_action
from alertd.core.alerts.requests import (
    Acknowledge,
    AddSilence,
    RequestError,
    SilenceText,
    end_parts,
    parse_acknowledgement,
    parse_silence,
)


def acknowledgement(fingerprint: str, fields: Mapping[str, str], *, by: str) -> Acknowledge:
    """
    Return the request to acknowledge an alert, or to withdraw the acknowledgement.

    Raises:
        RequestError: The form asks for what cannot be.
    """
    return parse_acknowledgement(fingerprint, by=by, undo=fields.get("undo") == "1", episode=fields.get("episode", ""))


def action(fingerprint: str, fields: Mapping[str, str], *, by: str, now: datetime) -> Act:
    """
    Return the request to have the instance of an alert stopped, or started again.

    Raises:
        RequestError: The form asks for what cannot be, or does not say that it means it.
    """
    if fields.get("confirm") != "1":
        raise RequestError("tick the box first: what runs on the instance ends (confirm=1)")
    mark = "\n".join((fingerprint, fields.get("undo", ""), fields.get("mark", "") or now.isoformat()))
    asked = Act(
        id=hashlib.sha256(mark.encode(errors="surrogateescape")).hexdigest()[:8],
        fingerprint=fingerprint,
        by=by,
        person=f"page:{by}",
        action=fields.get("action", ""),
        undo=fields.get("undo") == "1",
    )
    return parse_action(asked, episode=fields.get("episode", ""))


def silence(fingerprint: str, fields: Mapping[str, str], *, by: str, now: datetime, timezone: str) -> AddSilence:
    """
    Return the request to silence one alert.

    Args:
        timezone: The zone in which a month ends.

    Raises:
        RequestError: The form asks for what cannot be.
    """
    length = fields.get("length", "")
    mark = "\n".join((fingerprint, length, fields.get("mark", "") or now.isoformat()))
    written = SilenceText(
        alert=fingerprint,
        by=by,
        comment=fields.get("comment", ""),
        episode=fields.get("episode", ""),
        timezone=timezone,
        **end_parts(length),
    )
    # The same form, sent twice, makes one silence.
    return parse_silence(written, id=hashlib.sha256(mark.encode(errors="surrogateescape")).hexdigest()[:8], now=now)
