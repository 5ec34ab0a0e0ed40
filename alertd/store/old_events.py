"""Alert events as alertd 0.1.0 wrote them, a sentence with pairs of text, read as today's values."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

from alertd.core.alert import AlertState, Unit
from alertd.core.alert_event import Moved, Recorded, Standing
from alertd.core.severity import Severity

_ARROW = re.compile(r"(?P<before>.+) -> (?P<after>.+)")
_STANDING = re.compile(r"(?P<state>\w+)(?: \((?P<severity>\w+)\))?")
_READ = {"value", "unit", "threshold", "expected", "as_of", "complete", "reason"}


def old_event(text: str, detail: Sequence[tuple[str, str]]) -> Moved | Recorded:
    """Return the content of an old event: the change of the alert with its value, or the sentence itself."""
    arrow = _ARROW.fullmatch(text)
    if arrow is None:
        return Recorded(text=text, detail=tuple(detail))
    known = dict(detail)
    try:
        return Moved(
            before=None if arrow["before"] == "none" else _standing(arrow["before"]),
            after=_standing(arrow["after"]),
            value=Decimal(known["value"]),
            unit=Unit(known["unit"]),
            threshold=Decimal(known["threshold"]) if "threshold" in known else None,
            expected=Decimal(known["expected"]) if "expected" in known else None,
            as_of=datetime.fromisoformat(known["as_of"]),
            is_complete=known.get("complete") != "no",
            reason=known.get("reason", ""),
            # For lagging streams only a text without the year was stored.
            caveats=tuple(text if name == "caveat" else f"{name} {text}" for name, text in detail if name not in _READ),
        )
    except (KeyError, ValueError, InvalidOperation):
        return Recorded(text=text, detail=tuple(detail))


def _standing(text: str) -> Standing:
    found = _STANDING.fullmatch(text)
    if found is None:
        raise ValueError(text)
    severity = Severity.of(found["severity"]) if found["severity"] is not None else None
    return Standing(state=AlertState(found["state"]), severity=severity)
