"""The answers of `/alertd …` in Slack: firing alerts, spend, and silences. Texts only; the service does the rest."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import (
    AddSilence,
    Request,
    RequestError,
    parse_acknowledgement,
    parse_expiry,
    parse_silence,
    split_silence,
)
from alertd.core.calendar import Period, period_of
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, start_of
from alertd.core.money import Usd, format_usd
from alertd.core.nearest import nearest
from alertd.core.printable import one_line
from alertd.core.words import format_instant, with_more
from alertd.errors import AlertdError

_LOOKS = {
    "alerts": "what is firing",
    "spend": "what was spent today, by category; `spend month` for this month",
}
_ASKS = {
    "ack": "`ack 1c00c82c` acknowledges an alert, `ack 1c00c82c undo` takes that back",
    "silence": "`silence owner=gpu-1 24h why` withholds notifications; also rule=, team=, severity=, or a fingerprint",
    "unsilence": "`unsilence 3f9a1c02` ends a silence",
}
_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A further topic of the command."""

    help: str
    answer: Callable[[], Awaitable[str]]


class SlackCommands:
    """
    Answers slash commands.

    Args:
        alerts: Returns the open alerts from the store, which include everything notified, even during a cycle.
        spent: The billed hours of the timezone's calendar period of the last of them, and what each category cost in
            them, largest first; None while nothing is known.
        carry_out: Carries out a request.
        topics: Further topics.
        timezone: The zone of the days and months for spend and for the end of silences.
    """

    def __init__(
        self,
        *,
        alerts: Callable[[], Awaitable[Sequence[Alert]]],
        spent: Callable[[Period], Awaitable[tuple[HourRange, Sequence[tuple[str, Usd]]] | None]],
        carry_out: Callable[[Request], Awaitable[RequestOutcome]],
        now: Callable[[], datetime],
        topics: Mapping[str, Topic] = MappingProxyType({}),
        timezone: Callable[[], str] = lambda: "UTC",
    ) -> None:
        self._alerts = alerts
        self._spent = spent
        self._carry_out = carry_out
        self._now = now
        self._topics = topics
        self._timezone = timezone

    async def answer(self, text: str, person: str) -> str:
        """Return the answer to the text after the command."""
        words = text.split()
        try:
            request = self._request(words, person)
            if request is not None:
                return (await self._carry_out(request)).text
            return await self._look(words)
        except (RequestError, AlertdError) as error:
            return f"Not done: {error}"

    def _request(self, words: Sequence[str], person: str) -> Request | None:
        match words:
            case ["silence", *rest]:
                return self._silence(rest, person)
            case ["unsilence", name]:
                return parse_expiry(name, by=person)
            case ["ack", name]:
                return parse_acknowledgement(name, by=person)
            case ["ack", name, "undo"]:
                return parse_acknowledgement(name, by=person, undo=True)
        return None

    async def _look(self, words: Sequence[str]) -> str:
        match words:
            case [] | ["alerts"]:
                return await self._firing()
            case ["spend"] | ["spend", "today"]:
                return await self._spend(Period.DAY)
            case ["spend", "month"]:
                return await self._spend(Period.MONTH)
            case [word] if word in self._topics:
                return await self._topics[word].answer()
            case ["help", *_]:
                return self._help()
        return self._unknown(words)

    def _help(self) -> str:
        topics = {word: topic.help for word, topic in self._topics.items()}
        lines = [f"/alertd {word}: {text}" for word, text in {**_LOOKS, **topics, **_ASKS}.items()]
        return "\n".join([*lines, "/alertd help: this list"])

    def _unknown(self, words: Sequence[str]) -> str:
        """Say what was not understood, suggest what was meant, and list what there is."""
        known = [*_LOOKS, *self._topics, *_ASKS, "help"]
        word = words[0]
        if word in known:
            return f"`/alertd {one_line(' '.join(words))}` is not understood.\n{self._help()}"
        near = nearest(word, known)
        hint = f"; did you mean `/alertd {near}`?" if near else "."
        return f"There is no `/alertd {one_line(word)}`{hint}\n{self._help()}"

    async def _firing(self) -> str:
        firing = [alert for alert in await self._alerts() if alert.state is AlertState.FIRING]
        firing.sort(key=lambda alert: (-alert.severity, alert.rule, alert.fingerprint))
        if not firing:
            return "Nothing is firing."
        lines = [f"{alert.severity.label.upper()} {alert.headline} ({alert.fingerprint})" for alert in firing[:_LISTED]]
        return "\n".join(with_more(lines, len(firing) - _LISTED, lead="… "))

    async def _spend(self, kind: Period) -> str:
        found = await self._spent(kind)
        if found is None:
            return "No bills were read yet."
        span, parts = found
        total = format_usd(sum(amount for _, amount in parts))
        lines = [f"{format_usd(amount)} {category}" for category, amount in parts if amount]
        timezone = self._timezone()
        title = period_of(span.start, kind, timezone).title
        on = "on" if kind is Period.DAY else "in"
        billed = format_instant(start_of(span.end))
        return "\n".join([f"{total} {on} {title} ({timezone}), billed through {billed}", *lines])

    def _silence(self, words: Sequence[str], person: str) -> AddSilence:
        now = self._now()
        mark = f"{now.isoformat()} {person} {' '.join(words)}"
        name = hashlib.sha256(mark.encode(errors="surrogatepass")).hexdigest()[:8]
        written = replace(split_silence(words, by=person), timezone=self._timezone())
        return parse_silence(written, id=name, now=now)
