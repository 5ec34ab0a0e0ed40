"""What must hold of what receivers got: once, in order, byte for byte, and nothing missing that should be there."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulation.plan import HOUR_S
from tests.simulation.receivers import Network, Taken

FALLBACK = "spare"
MOST_COPIES = 3
REPEATED_AFTER_S = 23 * HOUR_S
CUT_WITHIN_S = 60
LATE_S = 48 * HOUR_S
"""What came late is repeated when it would have been without that."""


@dataclass(slots=True)
class _Known:
    """What one receiver knows of one alert."""

    status: str
    starts_at: str
    severity: str
    at_s: float
    is_late: bool


@dataclass(slots=True)
class Inboxes:
    """What each receiver knows, from what it took, in the order in which it took it."""

    known: dict[tuple[str, str], _Known] = field(default_factory=dict)
    stood_in: int = 0
    """What the fallback took in place of others."""
    _read: int = 0
    _bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _copies: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lost: Counter[tuple[str, str]] = field(default_factory=Counter)

    def read(self, network: Network, excuse_repeat_since: dict[str, float], cuts: Sequence[float]) -> Iterator[str]:
        """
        Read what came since the last time, and yield what is wrong with it.

        Args:
            excuse_repeat_since: Fingerprint to when somebody did something for which it may be notified anew.
            cuts: When the process was killed or stood still: it may never have learnt what came of an attempt.
        """
        for one in network.taken[self._read :]:
            key = (one.receiver, one.key)
            self._copies[key] += 1
            if self._bodies.setdefault(key, one.body) != one.body:
                yield f"{one.receiver}: {one.key[:12]} came again with other bytes"
            allowed = min(1 + self._lost[key], MOST_COPIES)
            if self._copies[key] > allowed:
                yield f"{one.receiver}: {one.key[:12]} came {self._copies[key]} times, {allowed} allowed: {_title(one)}"
            if not one.is_answered or any(0 <= at_s - one.at_s < CUT_WITHIN_S for at_s in cuts):
                self._lost[key] += 1
            if self._copies[key] > 1:
                continue
            if one.receiver == FALLBACK:
                self.stood_in += 1
                continue
            for alert in one.alerts:
                yield from self._note(network, one, alert, excuse_repeat_since)
        self._read = len(network.taken)

    def _note(self, network: Network, one: Taken, alert: dict[str, Any], excuses: dict[str, float]) -> Iterator[str]:
        summary = alert["annotations"].get("summary", "")
        place = (one.receiver, alert["fingerprint"])
        before = self.known.get(place)
        is_folded = "Delivered late" in json.dumps(alert["annotations"])
        now = _Known(alert["status"], alert["startsAt"], alert["labels"].get("severity", ""), one.at_s, is_folded)
        who = f"{one.receiver}: {alert['labels'].get('alertname')} of {alert['labels'].get('owner', 'all')}"
        if now.status == "resolved":
            began_s = datetime.fromisoformat(now.starts_at).timestamp() - network.world.start_s
            is_lost = network.may_have_lost(one.receiver, began_s, one.at_s)
            if not is_folded and not is_lost and (before is None or before.status != "firing"):
                yield f"{who} ended without having begun there ({summary})"
        elif before is not None and before.status == "firing" and before.starts_at == now.starts_at:
            is_excused = excuses.get(alert["fingerprint"], -1e9) > before.at_s - 5 * HOUR_S
            is_soon = one.at_s - before.at_s < REPEATED_AFTER_S
            is_excused |= before.is_late or network.had_trouble(before.at_s - LATE_S, one.at_s)
            if is_soon and now.severity == before.severity and not is_excused and not is_folded:
                yield f"{who} came twice within {(one.at_s - before.at_s) / HOUR_S:.1f} h ({summary})"
        elif before is not None and before.starts_at > now.starts_at:
            yield f"{who}: an earlier episode came after a later one ({summary})"
        self.known[place] = now


def _title(one: Taken) -> str:
    found = one.alerts
    return found[0]["annotations"].get("summary", "")[:80] if found else ""
