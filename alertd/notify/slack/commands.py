"""What `/alertd …` in Slack answers: what fires, what is spent, and silences. Words only; the service does the rest."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.requests import AddSilence, Request, RequestError, RequestOutcome
from alertd.core.calendar import Period, period_of
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Patterns
from alertd.core.money import Usd, format_usd
from alertd.errors import AlertdError
from alertd.settings import parse_duration

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
        matchers: dict[str, Patterns] = {}
        rest = list(words)
        while rest and ("=" in rest[0] or _is_fingerprint(rest[0])):
            name, equals, value = rest.pop(0).partition("=")
            name, value = (name, value) if equals else ("fingerprint", f"{name}*")
            matchers[name] = Patterns(tuple(value.split(",")))
        try:
            lasting = parse_duration(rest.pop(0) if matchers and rest else "")
        except ValueError:
            raise RequestError("write /alertd silence owner=gpu-1 24h, and why") from None
        now = self._now()
        mark = f"{now.isoformat()} {person} {' '.join(words)}"
        return AddSilence(
            id=hashlib.sha256(mark.encode()).hexdigest()[:8],
            matchers=tuple(sorted(matchers.items())),
            by=person,
            comment=" ".join(rest),
            ends_at=now + lasting,
        )


def _is_fingerprint(word: str) -> bool:
    return len(word) == 16 and all(character in "0123456789abcdef" for character in word)
