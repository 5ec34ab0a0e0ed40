"""What `/alertd …` in Slack answers: what fires, what is spent, and silences. Words only; the service does the rest."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import AddSilence, Request, RequestError, parse_silence, split_silence
from alertd.core.calendar import Period, period_of
from alertd.core.hours import HourRange, start_of
from alertd.core.money import Usd, format_usd
from alertd.core.words import format_instant
from alertd.errors import AlertdError

HELP = """\
/alertd alerts: what is firing
/alertd spend, /alertd spend month: what was spent today or this month (UTC), by category
/alertd silence owner=gpu-1 24h why: withhold notifications; also rule=, team=, severity=, or an alert's fingerprint"""
_LISTED = 20


class SlackCommands:
    """
    Answers slash commands.

    Args:
        alerts: The open alerts as they are stored: what was notified of is among them, whatever is under way.
        spent: The billed hours of the calendar period of the last of them, in UTC, and what each category cost in
            them, largest first; None while nothing is known.
        carry_out: Does what somebody asks for.
    """

    def __init__(
        self,
        *,
        alerts: Callable[[], Awaitable[Sequence[Alert]]],
        spent: Callable[[Period], Awaitable[tuple[HourRange, Sequence[tuple[str, Usd]]] | None]],
        carry_out: Callable[[Request], Awaitable[RequestOutcome]],
        now: Callable[[], datetime],
    ) -> None:
        self._alerts = alerts
        self._spent = spent
        self._carry_out = carry_out
        self._now = now

    async def answer(self, text: str, person: str) -> str:
        """Return the answer to what a person typed behind the command."""
        words = text.split()
        try:
            match words:
                case [] | ["alerts"]:
                    return await self._firing()
                case ["spend"] | ["spend", "today"]:
                    return await self._spend(Period.DAY)
                case ["spend", "month"]:
                    return await self._spend(Period.MONTH)
                case ["silence", *rest]:
                    return (await self._carry_out(self._silence(rest, person))).text
        except (RequestError, AlertdError) as error:
            return f"Not done: {error}"
        return HELP

    async def _firing(self) -> str:
        firing = [alert for alert in await self._alerts() if alert.state is AlertState.FIRING]
        firing.sort(key=lambda alert: (-alert.severity, alert.rule, alert.fingerprint))
        if not firing:
            return "Nothing is firing."
        lines = [f"{alert.severity.label.upper()} {alert.headline} ({alert.fingerprint})" for alert in firing[:_LISTED]]
        more = [f"… and {len(firing) - _LISTED} more"] if len(firing) > _LISTED else []
        return "\n".join([*lines, *more])

    async def _spend(self, kind: Period) -> str:
        found = await self._spent(kind)
        if found is None:
            return "No bills were read yet."
        span, parts = found
        total = format_usd(sum(amount for _, amount in parts))
        lines = [f"{format_usd(amount)} {category}" for category, amount in parts if amount]
        title = period_of(span.start, kind, "UTC").title
        on = "on" if kind is Period.DAY else "in"
        return "\n".join([f"{total} {on} {title} (UTC), billed through {format_instant(start_of(span.end))}", *lines])

    def _silence(self, words: Sequence[str], person: str) -> AddSilence:
        now = self._now()
        mark = f"{now.isoformat()} {person} {' '.join(words)}"
        name = hashlib.sha256(mark.encode(errors="surrogatepass")).hexdigest()[:8]
        return parse_silence(split_silence(words, by=person), id=name, now=now)
