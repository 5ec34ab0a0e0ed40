"""A small world for tests of notifications: alerts live through values, silences and requests; what arrives is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from alertd.core.alert import Address, Alert, AlertState
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.lifecycle import Move, end, step
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.request_outcome import RequestOutcome, Situation, carry_out
from alertd.core.alerts.requests import Acknowledge, AddSilence, ExpireSilence, Request
from alertd.core.alerts.silence import Bound, Silence
from alertd.core.labels import Patterns
from alertd.core.messages.dispatch import Decisions
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.notify.delivery.order import ready
from tests.core.builders import HOUR, NOW, billed_by_value, dispatcher, rolling, sample, usd

TEAM = Audience(default=("finops",), recipients={"finops": ("",), "mail": ("a@x.io", "b@x.io"), "oncall": ("",)})


@dataclass(frozen=True, slots=True)
class Told:
    """A message that arrived."""

    at: datetime
    to: Address
    entry: OutboxEntry

    @property
    def word(self) -> str:
        """Why it was sent, with the severity: `firing warning`."""
        message = self.entry.message
        return f"{message.reason.value} {message.severity.label}"

    @property
    def owners(self) -> tuple[str, ...]:
        """Whose alerts it is about."""
        return tuple(dict(facts.labels)["owner"] for facts in self.entry.message.alerts)


@dataclass(slots=True, kw_only=True)
class Stage:
    """Alerts of one rule, the outbox and its reader; each cycle is an hour unless said otherwise."""

    rule: RollingSpend = field(default_factory=lambda: rolling(repeat_interval=None))
    audience: Audience = TEAM
    now: datetime = NOW
    alerts: dict[str, Alert] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    waiting: list[OutboxEntry] = field(default_factory=list)
    decided: list[OutboxEntry] = field(default_factory=list)
    """Everything that ever became due, in order."""
    folded: dict[str, list[OutboxEntry]] = field(default_factory=dict)
    """What an entry tells along, by its key."""
    notified: list[Told] = field(default_factory=list)
    is_fresh: bool = False

    def cycle(
        self,
        values: Mapping[str, str | None] | None = None,
        *,
        after: timedelta = HOUR,
        restated: str | None = None,
        complete: bool = True,
        rule: RollingSpend | None = None,
    ) -> list[str]:
        """
        Let time go by, judge owners by their values (None: the rule is gone), and deliver; return the words told.

        Args:
            restated: What the told value of each alert is by now.
        """
        begin = len(self.notified)
        self._deliver(self.now + after)
        judging = rule or self.rule
        moves = [
            move
            for owner, value in (values or {}).items()
            if (move := self._move(owner, value, judging, restated, complete=complete)) is not None
        ]
        decisions = self.decide(moves)
        self._deliver(self.now)
        assert decisions.alerts == tuple(m.after for m in decisions.moves)
        return [notified.word for notified in self.notified[begin:]]

    def decide(self, moves: list[Move]) -> Decisions:
        """Dispatch moves and keep what is decided, as the store does."""
        decisions = dispatcher(self.audience, self.now).decide(
            moves,
            alerts=self.alerts,
            silences=tuple(self.silences.values()),
            waiting=self.waiting,
            is_first_cycle=self.is_fresh,
        )
        self.is_fresh = False
        self.alerts |= {alert.fingerprint: alert for alert in decisions.alerts}
        folded = {number for numbers in decisions.folded.values() for number in numbers}
        held, by_id = decisions.held, {entry.id: entry for entry in self.waiting}
        self.folded |= {key: [by_id[number] for number in numbers] for key, numbers in decisions.folded.items()}
        self.waiting = [
            replace(entry, not_before=held.get(entry.id, entry.not_before))
            for entry in self.waiting
            if entry.id not in folded
        ]
        begin = 1 + max((entry.id for entry in (*self.decided, *self.waiting)), default=0)
        # That the first message shows the present state tells nobody anything.
        telling = [entry for entry in decisions.entries if entry.message.reason is not NotifyReason.UPDATED]
        entries = [replace(entry, id=begin + number) for number, entry in enumerate(telling)]
        self.waiting += entries
        self.decided += entries
        return decisions

    def _move(
        self, owner: str, value: str | None, rule: RollingSpend, restated: str | None, *, complete: bool
    ) -> Move | None:
        before = next((alert for alert in self.alerts.values() if dict(alert.labels)["owner"] == owner), None)
        if value is None:
            assert before is not None
            return Move(before=before, after=end(before, reason="rule removed", now=self.now), rule=None)
        after = step(before, sample(value, rule, owner=owner, complete=complete), rule, self.now)
        if after is None or after is before:
            return None
        after = billed_by_value(before, after)
        return Move(before=before, after=after, rule=rule, restated=Decimal(restated) if restated else None)

    def _deliver(self, until: datetime) -> None:
        """Let time go by until an instant, each message arriving when it may be sent."""
        moments = sorted({entry.not_before for entry in self.waiting if self.now < entry.not_before <= until} | {until})
        for moment in moments:
            while chosen := ready(self.waiting, moment):
                for entry in chosen.values():
                    self.waiting.remove(entry)
                    self.notified.append(Told(moment, Address(entry.receiver, entry.recipient), entry))
        self.now = until

    def lives(self, values: str, *, owner: str = "gpu-1", after: timedelta = HOUR) -> list[list[str]]:
        """Return what each cycle told of one owner."""
        return [self.cycle({owner: value}, after=after) for value in values.split()]

    def ask(self, request: Request) -> RequestOutcome:
        """Carry out what a person asks for."""
        situation = Situation(
            alerts=self.alerts,
            silences=self.silences,
            rules={self.rule.name: self.rule},
            inhibitions=self.audience.inhibitions,
            now=self.now,
        )
        outcome = carry_out(request, situation)
        self.alerts |= {alert.fingerprint: alert for alert in outcome.alerts}
        self.silences |= {silence.id: silence for silence in outcome.silences}
        return outcome

    def ack(self, owner: str = "gpu-1", *, undo: bool = False) -> RequestOutcome:
        """Dana acknowledges."""
        return self.ask(Acknowledge(fingerprint=self.of(owner).fingerprint, by="dana", undo=undo))

    def silence(self, name: str = "51133ce0", /, **parts: object) -> RequestOutcome:
        """Dana silences gpu-1, for a day where no end is given."""
        ends = {} if {"ends_at", "until_resolved", "until_spend"} & set(parts) else {"ends_at": self.now + 24 * HOUR}
        plain = AddSilence(id=name, matchers=match(owner="gpu-1"), by="dana")
        return self.ask(replace(plain, **{**ends, **parts}))  # type: ignore[arg-type]

    def expire(self, name: str = "51133ce0") -> RequestOutcome:
        """Dana ends a silence."""
        return self.ask(ExpireSilence(id=name, by="dana"))

    def of(self, owner: str = "gpu-1") -> Alert:
        """Return an owner's alert."""
        return next(alert for alert in self.alerts.values() if dict(alert.labels)["owner"] == owner)

    def reached(self, owner: str = "gpu-1") -> list[tuple[Address, str]]:
        """Return who was notified what of an owner, in order."""
        return [(notified.to, notified.word) for notified in self.notified if owner in notified.owners]

    @property
    def is_silent(self) -> bool:
        """Nothing fires that is notified."""
        return all(alert.muted is not None for alert in self.alerts.values() if alert.state is AlertState.FIRING)


def match(**labels: str) -> tuple[tuple[str, Patterns], ...]:
    """Return matchers as they are written: values joined by commas."""
    return tuple(sorted((name, Patterns(tuple(text.split(",")))) for name, text in labels.items()))


def a_silence(**parts: object) -> Silence:
    """A silence of gpu-1 for a day."""
    plain = Silence(
        id="51133ce0", matchers=match(owner="gpu-1"), author="dana", created_at=NOW, ends_at=NOW + 24 * HOUR
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def bound_to(alert: Alert, billed: str = "0") -> Bound:
    """A silence's hold on one alert, whose group had been billed an amount by then."""
    return Bound(fingerprint=alert.fingerprint, episode=alert.episode, billed=usd(billed))
