"""Formats values of alerts: for people with their units, and for programs with a fixed number of digits."""

from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from alertd.core.alert import Alert, Sample, Unit, lag_text
from alertd.core.alert_event import Moved
from alertd.core.money import SCALE_DIGITS, UNITS_PER_USD, format_usd, plain
from alertd.core.severity import Severity
from alertd.core.words import format_age, format_instant, format_share

_DAY_S = 86400
_HOUR_S = 3600
OTHER_DIGITS = 6
"""Decimal places of shares, ratios, days and hours for programs."""


def format_value(value: Decimal, unit: Unit) -> str:
    """Return a value with its unit for people: `$61.25`, `83 %`, `7 d 12 h`, `3 h`."""
    match unit:
        case Unit.USD:
            return format_usd(int(value * UNITS_PER_USD))
        case Unit.RATIO:
            return format_share(value)
        case Unit.DAYS:
            return format_age(timedelta(seconds=round(value * _DAY_S))) if value else "0 d"
        case Unit.HOURS:
            return format_age(timedelta(seconds=round(value * _HOUR_S))) if value else "0 h"


def threshold_text(severity: Severity, threshold: Decimal, unit: Unit, *, is_below: bool) -> str:
    """Return a threshold for people: `critical from $180.00`, `critical at or below 2 d`."""
    return f"{severity.label} {'at or below' if is_below else 'from'} {format_value(threshold, unit)}"


def reached_text(alert: Alert) -> str:
    """Return the alert's threshold as text if its value reaches it, else an empty text."""
    if alert.threshold is None or not alert.is_reached:
        return ""
    return threshold_text(alert.severity, alert.threshold, alert.unit, is_below=alert.is_below)


def is_of_bills(known: Alert | Sample | Moved) -> bool:
    """Return whether a value is a sum of bills or a share of one, so that `billed through` applies to it."""
    return known.unit in {Unit.USD, Unit.RATIO} and not known.is_below


def through_text(known: Alert | Sample | Moved) -> str:
    """Return until when a value is known: `2026-03-09 14:00 UTC; cloud_storage through Mar 8`."""
    lagging = f"; {lag_text(known.lagging)}" if known.lagging else ""
    return f"{format_instant(known.as_of)}{lagging}"


def exact_text(value: Decimal, unit: Unit, *, is_below: bool = False) -> str:
    """
    Return a value for programs, without trailing zeros: money to 10 decimal places, everything else to 6.

    Args:
        is_below: Whether thresholds are reached by lower values. Rounding never makes a value reach a threshold.
    """
    digits = SCALE_DIGITS if unit is Unit.USD else OTHER_DIGITS
    rounding = ROUND_CEILING if is_below else ROUND_FLOOR
    return f"{plain(value.quantize(Decimal(1).scaleb(-digits), rounding)):f}"
