"""The alerts that are open, as the daemon has them; the oracle reads these figures only to compare."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.simulation.plan import HOUR_S

RANKS = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An alert as the daemon has it."""

    fingerprint: str
    rule: str
    rule_type: str
    owner: str | None
    state: str
    severity: str
    value: Fraction
    expected: Fraction | None
    as_of: int
    """The hour, since the plan's start, through which it is billed."""
    started_at: str
    episode: int
    pended_s: float
    """How long it waited before it fired; nothing while it waits."""
    is_window: bool
    """Its value is the sum of one window; else it is less than that of any, as what lags shows less."""
    is_complete: bool
    is_muted: bool
    muted_by: str
    acknowledged_by: str | None
    notified_at: str
    """When it last became due to notify anybody of it."""
    reason: str

    @property
    def is_critical(self) -> bool:
        """Whether it fires as the most severe of all."""
        return self.state == "firing" and self.severity == RANKS[-1]


def open_alerts(life: Any, start_s: float) -> Iterator[Seen]:
    """Yield the open alerts of a process; *start_s* is when the plan starts, as a timestamp."""
    for one in life.open_alerts():
        labels = dict(one.group)
        yield Seen(
            fingerprint=one.fingerprint,
            rule=one.rule,
            rule_type=one.type,
            owner=labels.get("owner", labels.get("team", labels.get("bill_id"))),
            state=str(one.state),
            severity=one.severity.label,
            value=Fraction(one.value),
            expected=Fraction(one.expected) if one.expected is not None else None,
            as_of=int((one.as_of.timestamp() - start_s) // HOUR_S),
            started_at=one.started_at.isoformat(),
            episode=one.episode,
            pended_s=(one.fired_at - one.started_at).total_seconds() if one.fired_at is not None else 0.0,
            is_window=one.is_window,
            is_complete=one.is_complete,
            is_muted=one.muted is not None,
            muted_by=str(one.muted.kind.value) if one.muted is not None else "",
            acknowledged_by=one.acknowledged_by,
            notified_at=str(one.notified_at),
            reason=one.reason,
        )
