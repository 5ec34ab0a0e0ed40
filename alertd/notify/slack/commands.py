"""What `/alertd …` in Slack answers: what fires, what is spent, and silences. Words only; the service does the rest."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import AddSilence, Request, RequestError, parse_silence, split_silence
from alertd.core.calendar import Period, period_of
from alertd.core.hours import HourRange, hour_of
from alertd.core.money import Usd, format_usd
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
        alerts: The open alerts.
        spent: What each category cost in a span of hours, largest first.
        carry_out: Does what somebody asks for.
    """

    def __init__(
        self,
        *,
        alerts: Callable[[], Sequence[Alert]],
        spent: Callable[[HourRange], Awaitable[Sequence[tuple[str, Usd]]]],
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
                    return self._firing()
                case ["spend"] | ["spend", "today"]:
                    return await self._spend("today", Period.DAY)
                case ["spend", "month"]:
                    return await self._spend("this month", Period.MONTH)
                case ["silence", *rest]:
                    return (await self._carry_out(self._silence(rest, person))).text
        except (RequestError, AlertdError) as error:
            return f"Not done: {error}"
        return HELP

    def _firing(self) -> str:
        firing = [alert for alert in self._alerts() if alert.state is AlertState.FIRING]
        firing.sort(key=lambda alert: (-alert.severity, alert.rule, alert.fingerprint))
        if not firing:
            return "Nothing is firing."
        lines = [f"{alert.severity.label.upper()} {alert.headline} ({alert.fingerprint})" for alert in firing[:_LISTED]]
        more = [f"… and {len(firing) - _LISTED} more"] if len(firing) > _LISTED else []
        return "\n".join([*lines, *more])

    async def _spend(self, name: str, kind: Period) -> str:
        running = hour_of(self._now())
        start = period_of(running, kind, "UTC").hours.start
        parts = [(category, amount) for category, amount in await self._spent(HourRange(start, running + 1)) if amount]
        total = format_usd(sum(amount for _, amount in parts))
        lines = [f"{format_usd(amount)} {category}" for category, amount in parts]
        return "\n".join([f"{total} {name} (UTC), as far as it is billed", *lines])

    def _silence(self, words: Sequence[str], person: str) -> AddSilence:
        now = self._now()
        mark = f"{now.isoformat()} {person} {' '.join(words)}"
        name = hashlib.sha256(mark.encode(errors="surrogatepass")).hexdigest()[:8]
        return parse_silence(split_silence(words, by=person), id=name, now=now)
