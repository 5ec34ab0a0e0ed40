"""What an alert's group costs now, in one line: the rate, whether it runs, and what that makes of the time to come."""

from datetime import datetime, timedelta

from alertd.core.alert import Rate
from alertd.core.money import Usd, format_usd
from alertd.core.words import format_about

MORNING_HOUR = 8
"""Somebody looks at it then, UTC."""
_HOUR = timedelta(hours=1)


def rate_line(rate: Rate, now: datetime) -> str:
    """Return `$7.30 an hour, running since 08:02 UTC, 1 × H100 SXM 80GB · about $95 more by Mar 12 08:00 UTC`."""
    parts = [f"{format_usd(rate.per_hour)} an hour", _state(rate, now)]
    line = ", ".join(filter(None, (*parts, rate.hardware)))
    ahead = ahead_text(rate, now)
    return f"{line} · {ahead}." if ahead else f"{line}."


def _state(rate: Rate, now: datetime) -> str:
    # By bills alone it runs since; when it stopped they do not know to the minute.
    since_at = rate.listed_since or (rate.since if rate.is_billed and not rate.has_ended else None)
    if not rate.status:
        since_at = rate.since
    at = f" {moment(since_at, now)}" if since_at is not None else ""
    since = f" since{at}" if at else ""
    if rate.status == "gone":
        return f"no longer listed{since}"
    if rate.has_ended:
        return f"{'stopped' if rate.status == 'exited' else rate.status}{at}"
    if rate.status:
        return f"{rate.status}{since}"
    if rate.is_billed:
        return f"billed every hour{since}" if since else ""
    return f"nothing billed{since or f' before {moment(rate.through, now)}'}"


def ahead_text(rate: Rate, now: datetime) -> str:
    """Return what it costs more by tomorrow morning and by the period's end, empty where nothing goes on."""
    if rate.per_hour <= 0 or rate.has_ended or not rate.is_billed:
        return ""
    morning = now.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
    if morning <= now:
        morning += timedelta(days=1)
    texts = [_more(rate, morning, now)]
    if rate.period_ends_at is not None and rate.period_ends_at > morning:
        texts.append(_more(rate, rate.period_ends_at, now).removeprefix("about "))
    return "about " + ", ".join(texts).removeprefix("about ")


def _more(rate: Rate, at: datetime, now: datetime) -> str:
    hours = max(at - rate.through, timedelta()) // _HOUR
    dollars = round(rate.per_hour * hours, -10) if rate.per_hour * hours >= 10 * 10**10 else rate.per_hour * hours
    return f"about {format_about(Usd(dollars))} more by {moment(at, now)}"


def moment(at: datetime, now: datetime) -> str:
    """Return an instant as short as it can be understood: `08:02 UTC` today, else with its day."""
    return f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%b} {at.day} {at:%H:%M} UTC"
