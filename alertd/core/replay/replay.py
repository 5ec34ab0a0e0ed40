"""
Replays rules over the past: what would have fired, when, for how long, and with which messages.

It uses the daemon's functions to judge and dispatch. Every message counts as delivered at once, or when the quiet
hours that held it end; nobody silences or acknowledges anything.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from decimal import Decimal

from alertd.core.alert import Alert, AlertState, Unit
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.judge import judge
from alertd.core.alerts.lifecycle import Move
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange, start_of
from alertd.core.labels import Labels
from alertd.core.messages.dispatch import Decisions, Dispatcher
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.replay.past import History, Past
from alertd.core.replay.upcoming import Upcoming
from alertd.core.rules.base import Rule
from alertd.core.rules.watched import Watched
from alertd.core.severity import Severity
from alertd.core.spend.ledger import FULL_HOURS
from alertd.core.spend.lists import View

_INSTALL = "replay"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Watched):
    """What to replay, and whom the rules would have notified."""

    audience: Audience
    headline_of: Callable[[Alert, Rule | None], str]

    @property
    def replayed(self) -> tuple[Rule, ...]:
        """The enabled rules that can be judged by past bills."""
        return tuple(rule for rule in self.rules if rule.enabled and not rule.NOT_REPLAYED)

    def first_hour(self, since: int) -> int:
        """Return the first hour that the rules need when the replay begins."""
        watched = replace(self, rules=self.replayed)
        seen = (watched.horizon(start_of(since), view) for view in View)
        return min(*seen, since - FULL_HOURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One episode of a firing alert."""

    rule: str
    fingerprint: str
    account: str
    labels: Labels
    severity: Severity
    """The highest severity."""
    started_at: datetime
    ended_at: datetime | None
    """None if it was still firing at the end."""
    peak: Decimal
    """The highest value while it fired."""
    peak_at: datetime
    unit: Unit
    headline: str
    """The headline at the peak."""

    def lasted(self, until: datetime) -> timedelta:
        """Return how long it fired, up to *until* if it still does."""
        return (self.ended_at or until) - self.started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message to one recipient."""

    receiver: str
    rule: str
    """The first rule that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The result of a replay."""

    since: datetime
    until: datetime
    rules: tuple[Rule, ...]
    """The replayed rules."""
    episodes: tuple[Episode, ...]
    """Episodes in chronological order."""
    firing_hours: Mapping[str, int]
    """The number of hours in which any alert of a rule fired, by rule."""
    sent: tuple[Sent, ...]
    faults: Mapping[str, Exception | SystemExit]
    """Rules that failed, with their first error."""

    def of(self, rule: str) -> tuple[Episode, ...]:
        """Return the episodes of a rule."""
        return tuple(episode for episode in self.episodes if episode.rule == rule)

    def messages(self, rule: str | None = None) -> dict[str, int]:
        """Return the number of messages for each receiver, of one rule or of all."""
        notified = Counter(sent.receiver for sent in self.sent if rule in {None, sent.rule})
        return dict(sorted(notified.items()))

    @property
    def days(self) -> float:
        """The length of the replayed period."""
        return (self.until - self.since) / _DAY


@dataclass(slots=True)
class _Journal:
    """The episodes so far: open ones by fingerprint, and ended ones."""

    open: dict[str, Episode] = field(default_factory=dict)
    ended: list[Episode] = field(default_factory=list)
    firing_hours: Counter[str] = field(default_factory=Counter)

    def note(self, decisions: Decisions, now: datetime) -> None:
        for alert in decisions.alerts:
            known = self.open.get(alert.fingerprint)
            if alert.state is AlertState.FIRING:
                self.open[alert.fingerprint] = _episode(known, alert, now)
            elif known is not None:
                self.ended.append(replace(known, ended_at=now))
                del self.open[alert.fingerprint]
        self.firing_hours.update({episode.rule for episode in self.open.values()})

    def peak_of(self, alert: Alert) -> Decimal:
        """Return the worst value of an alert while it was firing."""
        known = self.open.get(alert.fingerprint)
        return alert.value if known is None else known.peak

    def episodes(self) -> tuple[Episode, ...]:
        found = (*self.ended, *self.open.values())
        return tuple(sorted(found, key=lambda episode: (episode.started_at, episode.rule, episode.fingerprint)))


def _episode(known: Episode | None, alert: Alert, now: datetime) -> Episode:
    if known is None:
        return Episode(
            rule=alert.rule,
            fingerprint=alert.fingerprint,
            account=alert.account,
            labels=alert.labels,
            severity=alert.severity,
            started_at=now,
            ended_at=None,
            peak=alert.value,
            peak_at=now,
            unit=alert.unit,
            headline=alert.headline,
        )
    is_worse = alert.value < known.peak if alert.is_below else alert.value > known.peak
    if is_worse or alert.unit is not known.unit:
        known = replace(known, peak=alert.value, unit=alert.unit, peak_at=now, headline=alert.headline)
    return replace(known, severity=max(known.severity, alert.severity))


class Replayer:
    """
    Goes through the past hour by hour.

    Args:
        history: The stored bills.
        hours: The hours to replay, including the first and the last; each is judged at its beginning.
    """

    def __init__(self, history: History, watch: Watch, hours: HourRange) -> None:
        self.hours = hours
        self.alerts: dict[str, Alert] = {}
        """The latest episode of each alert, by fingerprint."""
        self._watch = watch
        self._rules = watch.replayed
        span = HourRange(watch.first_hour(hours.start), hours.end)
        owners = watch.audience.owners
        self.past = Past(history, replace(watch, rules=self._rules), span, hours.start, owners=owners)
        self._open: dict[str, dict[str, Alert]] = {}
        """Open alerts by rule."""
        self._upcoming = Upcoming(
            self.past, self._rules, watch.planned, hours, is_linked=bool(watch.audience.inhibitions)
        )
        self._journal = _Journal()
        self._held: list[OutboxEntry] = []
        """Entries held by quiet hours, oldest first."""
        self._sent: list[Sent] = []
        self._faults: dict[str, Exception | SystemExit] = {}

    def step(self, hour: int) -> Decisions:
        """
        Judge and decide at the beginning of an hour like the daemon; call it for each hour in turn.

        Rules that certainly change nothing are not judged: their alerts keep the last value.
        """
        now, passed_over = start_of(hour), self._upcoming.passed_over(hour)
        moves: list[Move] = []
        if len(passed_over) < len(self._rules):
            moves, faults = judge(
                self._rules,
                self.past.at(now),
                self.alerts,
                self._watch.accounts,
                passed_over=passed_over,
                steady=self._upcoming.steady(hour),
            )
            for rule, fault in faults:
                self._faults.setdefault(rule, fault)
        self._deliver(now)
        watch, is_first = self._watch, hour == self.hours.start
        dispatcher = Dispatcher(audience=watch.audience, install_id=_INSTALL, headline_of=watch.headline_of, now=now)
        decisions = dispatcher.decide(
            moves, alerts=self.alerts, silences=(), waiting=self._held, is_first_cycle=is_first
        )
        self._keep(decisions.alerts)
        self._journal.note(decisions, now)
        self._take(decisions, now)
        for each in self._rules:
            if each.name not in passed_over:
                opened = self._open.get(each.name, {}).values()
                self._upcoming.note(each, hour, opened, self._journal.peak_of)
        return decisions

    def _keep(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            self.alerts[alert.fingerprint] = alert
            of_rule = self._open.setdefault(alert.rule, {})
            of_rule.pop(alert.fingerprint, None)
            if alert.state is not AlertState.RESOLVED:
                of_rule[alert.fingerprint] = alert

    def _take(self, decisions: Decisions, now: datetime) -> None:
        """Append new entries to the waiting ones, without those that they include, and deliver what is not held."""
        folded = {number for numbers in decisions.folded.values() for number in numbers}
        first = max((entry.id for entry in self._held), default=0) + 1
        new = [replace(entry, id=number) for number, entry in enumerate(decisions.entries, first)]
        waiting = [replace(entry, not_before=decisions.held.get(entry.id, entry.not_before)) for entry in self._held]
        self._held = [entry for entry in (*waiting, *new) if entry.id not in folded]
        self._deliver(now)

    def _deliver(self, now: datetime | None) -> None:
        """Count due entries as delivered; all entries if no instant is given."""
        due = [entry for entry in self._held if now is None or entry.not_before <= now]
        self._held = [entry for entry in self._held if now is not None and entry.not_before > now]
        # A correction replaces its message, without a new notification.
        self._sent += [
            Sent(receiver=entry.receiver, rule=entry.message.alerts[0].rule)
            for entry in due
            if not entry.message.reason.is_edit
        ]

    def result(self) -> Replay:
        """Return the result; messages still held by quiet hours count as sent when those end."""
        self._deliver(None)
        return Replay(
            since=start_of(self.hours.start),
            until=start_of(self.hours.end - 1),
            rules=self._rules,
            episodes=self._journal.episodes(),
            firing_hours=dict(self._journal.firing_hours),
            sent=tuple(self._sent),
            faults=self._faults,
        )
