"""An alert's current cost in one line: the rate, whether it runs, and the projected cost."""

from datetime import datetime, timedelta

from alertd.core.alert import Rate
from alertd.core.local_time import Clock, next_morning
from alertd.core.money import Usd, format_usd
from alertd.core.words import format_about, format_instant

MORNING_HOUR = 8
"""The morning hour at which somebody will see it, in the recipients' time zone."""
_HOUR = timedelta(hours=1)


def rate_line(rate: Rate, clock: Clock) -> str:
    """
    Return `$7.30 an hour, running since <instant>, 1 × H100 SXM 80GB · about $95 more by <instant>`.

    Args:
        clock: The clock of the next morning.
    """
    parts = [f"{format_usd(rate.per_hour)} an hour", _state(rate)]
    line = ", ".join(filter(None, (*parts, rate.hardware)))
    ahead = ahead_text(rate, clock)
    return f"{line} · {ahead}." if ahead else f"{line}."


def _state(rate: Rate) -> str:
    # Bills alone show since when it runs, but not exactly when it stopped.
    since_at = rate.listed_since or (rate.since if rate.is_billed and not rate.has_ended else None)
    if not rate.status:
        since_at = rate.since
    at = f" {format_instant(since_at)}" if since_at is not None else ""
    since = f" since{at}" if at else ""
    if rate.status == "gone":
        return f"no longer listed{since}"
    if rate.has_ended:
        return f"{'stopped' if rate.status == 'exited' else rate.status}{at}"
    if rate.status:
        return f"{rate.status}{since}"
    if rate.is_billed:
        return f"billed every hour{since}" if since else ""
    return f"nothing billed{since or f' before {format_instant(rate.through)}'}"


def ahead_text(rate: Rate, clock: Clock) -> str:
    """Return the further cost by tomorrow morning and by the period's end; empty if nothing is running."""
    if rate.per_hour <= 0 or rate.has_ended or not rate.is_billed:
        return ""
    morning = next_morning(clock.now, clock.timezone, MORNING_HOUR)
    texts = [_more(rate, morning)]
    if rate.period_ends_at is not None and rate.period_ends_at > morning:
        texts.append(_more(rate, rate.period_ends_at).removeprefix("about "))
    return "about " + ", ".join(texts).removeprefix("about ")


def _more(rate: Rate, at: datetime) -> str:
    hours = max(at - rate.through, timedelta()) // _HOUR
    dollars = round(rate.per_hour * hours, -10) if rate.per_hour * hours >= 10 * 10**10 else rate.per_hour * hours
    return f"about {format_about(Usd(dollars))} more by {format_instant(at)}"
