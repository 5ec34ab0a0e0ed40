"""An alert as JSON: for `alertd alerts --json` and `/api/v1/alerts`."""

from collections.abc import Sequence
from functools import partial

from alertd.core.alert import Alert
from alertd.core.alerts.mutes import mutes_text, silence_text
from alertd.core.money import decimal_text
from alertd.core.muted import Muted
from alertd.core.times import iso_instant, iso_instant_or_none
from alertd.core.values import exact_text


def alert_json(alert: Alert, mutes: Sequence[Muted]) -> dict[str, object]:
    """
    Return an alert as `alertd alerts --json` and the HTTP interface show it; numbers are decimal strings.

    Args:
        mutes: Everything that suppresses its notifications now.
    """
    known = partial(exact_text, unit=alert.unit, is_below=alert.is_below)
    return {
        "fingerprint": alert.fingerprint,
        "rule": alert.rule,
        "type": alert.type,
        "account": alert.account,
        "labels": dict(alert.labels),
        "state": alert.state.value,
        "severity": alert.severity.label,
        "value": known(alert.value),
        "expected": known(alert.value if alert.expected is None else alert.expected),
        "threshold": known(alert.threshold) if alert.threshold is not None and alert.is_reached else None,
        "unit": alert.unit.value,
        "rate_per_hour": decimal_text(alert.rate.per_hour) if alert.rate is not None else None,
        "as_of": iso_instant_or_none(alert.as_of),
        "lagging": [{"stream": lag.stream, "billed_through": iso_instant(lag.through)} for lag in alert.lagging],
        "complete": alert.is_complete,
        "started_at": iso_instant_or_none(alert.started_at),
        "fired_at": iso_instant_or_none(alert.fired_at),
        "resolved_at": iso_instant_or_none(alert.resolved_at),
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_at": iso_instant_or_none(alert.acknowledged_at),
        "silenced_by": next((silence_text(mute) for mute in mutes if mute.is_silence), None),
        "withheld": mutes_text(mutes) or None,
        "summary": alert.headline,
        "reason": alert.reason or None,
        "caveats": list(alert.caveats),
        "top": [
            {
                "owner": part.owner,
                "product": part.product,
                "category": part.category,
                "amount": decimal_text(part.amount),
                "before": decimal_text(part.before) if part.before is not None else None,
            }
            for part in alert.top
        ],
    }
