"""An alert as JSON: for `alertd alerts --json` and `/api/v1/alerts`."""

from datetime import datetime

from alertd.core.alert import Alert
from alertd.core.money import decimal_text


def alert_json(alert: Alert, withheld: str) -> dict[str, object]:
    """
    Return an alert as `alertd alerts --json` and the HTTP interface show it; numbers are decimal texts.

    Args:
        withheld: Why nothing of it is told at the moment, empty where nothing keeps it back.
    """
    return {
        "fingerprint": alert.fingerprint,
        "rule": alert.rule,
        "type": alert.type,
        "account": alert.account,
        "labels": dict(alert.labels),
        "state": alert.state.value,
        "severity": alert.severity.label,
        "value": f"{alert.value:f}",
        "threshold": f"{alert.threshold:f}" if alert.threshold is not None else None,
        "unit": alert.unit.value,
        "as_of": instant(alert.as_of),
        "complete": alert.is_complete,
        "started_at": instant(alert.started_at),
        "fired_at": instant(alert.fired_at),
        "resolved_at": instant(alert.resolved_at),
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_at": instant(alert.acknowledged_at),
        "silenced_by": alert.silenced_by,
        "withheld": withheld or None,
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


def instant(at: datetime | None) -> str | None:
    """Return an instant as JSON has it, in UTC."""
    return at.isoformat().replace("+00:00", "Z") if at is not None else None
