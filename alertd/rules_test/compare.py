"""
Compare expectations with observations, and describe the differences in lines for people.

Compares only what the expectation names. Every firing alert and message must be named; pending and resolved alerts
only count if they are.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from alertd.core.alert import Alert, AlertState, Unit
from alertd.core.alerts.mutes import mute_text, mutes_of, mutes_text
from alertd.core.dataclass import dataclass
from alertd.core.hours import start_of
from alertd.core.messages.holding import holds
from alertd.core.messages.message import Message
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.muted import Muted
from alertd.core.spend.data_state import edge_of_book
from alertd.core.words import format_instant
from alertd.notify.text import plain_with_state, printable
from alertd.rules_test.model import Expectation, ExpectedAlert, ExpectedMessage, RuleTest
from alertd.rules_test.notation import offset_text, value_text
from alertd.rules_test.receivers import SentMessage
from alertd.rules_test.run import Observation, is_of, label_text

_MOST_WAITING = 5
"""Maximum number of waiting messages listed to explain a missing one."""


class LineKind(StrEnum):
    """The kind of a line in a difference."""

    EXPECTED = "expected"
    GOT = "got"
    DIFFERS = "differs"
    MISSING = "missing"
    UNEXPECTED = "unexpected"
    BECAUSE = "because"
    FAULT = "fault"
    TEXT = ""
    """One line of a message."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The differences of alerts or of messages at one time."""

    at: timedelta
    instant: datetime
    what: str
    lines: tuple[Line, ...]
    number: int
    """Index of the expectation in the test, from 0."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message as a receiver's readers saw it; copies for several recipients count as one."""

    message: Message
    receiver: str
    sent_at: datetime
    recipients: tuple[str, ...]


def differences(test: RuleTest, observations: Sequence[Observation]) -> list[Difference]:
    """Return every difference from what a test expects."""
    found = []
    for number, (expectation, observed) in enumerate(zip(test.expect, observations, strict=True)):
        scene = _Scene(start=test.start, observed=observed, settle_delay=test.settle_delay)
        for what, lines in (
            ("test", [Line(LineKind.FAULT, text) for text in observed.faults]),
            ("alerts", list(scene.alert_lines(expectation))),
            ("messages", list(scene.message_lines(expectation))),
        ):
            if lines:
                found.append(
                    Difference(at=expectation.at, instant=observed.at, what=what, lines=tuple(lines), number=number)
                )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """One observation, with what is needed to compare and explain it."""

    start: datetime
    observed: Observation
    settle_delay: timedelta

    # --- alerts ----------------------------------------------------------------------------------------------------

    def alert_lines(self, expectation: Expectation) -> Iterator[Line]:
        """Yield how the alerts differ."""
        if expectation.alerts is None:
            return
        # The others may be named but need not be: nobody lists what has ended.
        firing = [alert for alert in self.observed.alerts if alert.state is AlertState.FIRING]
        others = [alert for alert in self.observed.alerts if alert.state is not AlertState.FIRING]
        pairing = pair(
            expectation.alerts,
            [*firing, *others],
            fits=lambda expected, alert: not self._alert_faults(expected, alert),
            distance=self._alert_distance,
        )
        for expected, alert in pairing.changed:
            yield Line(LineKind.EXPECTED, _expected_alert(expected))
            yield Line(LineKind.GOT, self._alert_text(alert))
            yield from (Line(LineKind.DIFFERS, text) for text in self._alert_faults(expected, alert))
            yield from self._alert_reasons(alert)
        for expected in pairing.missing:
            yield Line(LineKind.MISSING, _expected_alert(expected))
            yield from self._absence_reasons(expected)
        for alert in pairing.unexpected:
            if alert.state is AlertState.FIRING:
                yield Line(LineKind.UNEXPECTED, self._alert_text(alert))
                yield from self._alert_reasons(alert)

    def _alert_text(self, alert: Alert) -> str:
        parts = [label_text(alert.rule, alert.group), alert.state.value]
        if alert.state is not AlertState.RESOLVED:
            parts.append(alert.severity.label)
        threshold = f"threshold {value_text(alert.threshold, alert.unit)}, " if alert.threshold is not None else ""
        through = "billed through" if alert.unit in {Unit.USD, Unit.RATIO} else "as of"
        notes = f"({threshold}{through} {self._when(alert.as_of)})"
        return " ".join([*parts, value_text(alert.value, alert.unit), notes])

    def _alert_reasons(self, alert: Alert) -> Iterator[Line]:
        """Yield the details of an alert beyond its value."""
        yield Line(LineKind.BECAUSE, alert.headline)
        since = alert.resolved_at or alert.fired_at or alert.started_at
        reason = f": {alert.reason}" if alert.reason else ""
        yield Line(LineKind.BECAUSE, f"{alert.state.value} since {self._when(since)}{reason}")
        if alert.caveats and alert.state is not AlertState.RESOLVED:
            yield Line(LineKind.BECAUSE, f"not complete: {'; '.join(alert.caveats)}")
        yield from (Line(LineKind.BECAUSE, mute_text(mute)) for mute in self._mutes(alert))

    def _mutes(self, alert: Alert) -> tuple[Muted, ...]:
        return mutes_of(alert, holds(self.observed.waiting, self.observed.at))

    def _alert_faults(self, expected: ExpectedAlert, alert: Alert) -> list[str]:
        return _alert_faults(expected, alert, self._mutes(alert))

    def _alert_distance(self, expected: ExpectedAlert, alert: Alert) -> int | None:
        """Return the number of differences from an alert that is probably meant; None for any other."""
        return len(self._alert_faults(expected, alert)) if is_of(alert, expected.rule, expected.labels) else None

    def _absence_reasons(self, expected: ExpectedAlert) -> Iterator[Line]:
        of_rule = [alert for alert in self.observed.alerts if alert.rule == expected.rule]
        if of_rule:
            names = ", ".join(f"{label_text(alert.rule, alert.group)} {alert.state.value}" for alert in of_rule[:5])
            yield Line(LineKind.BECAUSE, f"{expected.rule} has other alerts: {names}")
        else:
            yield Line(LineKind.BECAUSE, f"{expected.rule} has had no alert so far; {self._data_text()}")

    def _data_text(self) -> str:
        """Say how far bills are known, and what could not be read."""
        edges = [edge_of_book(book, self.observed.at, self.settle_delay) for book in self.observed.books]
        known = [edge for edge in edges if edge is not None]
        through = f"bills are read through {self._when(start_of(max(known)))}" if known else "no bill is read yet"
        failing = [f"{book.category} cannot be read" for book in self.observed.books if book.failed_at is not None]
        return "; ".join([through, *failing])

    # --- messages --------------------------------------------------------------------------------------------------

    def message_lines(self, expectation: Expectation) -> Iterator[Line]:
        """Yield how the messages differ."""
        if expectation.messages is None:
            return
        pairing = pair(
            expectation.messages,
            _joined(self.observed.messages),
            fits=lambda expected, sent: not _message_faults(expected, sent),
            distance=_message_distance,
        )
        for expected, sent in pairing.changed:
            faults = _message_faults(expected, sent)
            yield Line(LineKind.EXPECTED, _expected_message(expected))
            yield Line(LineKind.GOT, self._sent_text(sent))
            yield from (Line(LineKind.DIFFERS, fault) for fault in faults)
            if any(part not in _text(sent.message) for part in expected.text):
                yield from (Line(LineKind.TEXT, f"| {text}".rstrip()) for text in _text(sent.message).splitlines())
        for expected in pairing.missing:
            yield Line(LineKind.MISSING, _expected_message(expected))
            yield from self._silence_reasons(expected)
        for sent in pairing.unexpected:
            yield Line(LineKind.UNEXPECTED, self._sent_text(sent))

    def _sent_text(self, sent: _Sent) -> str:
        to = f"{sent.receiver} ({', '.join(sent.recipients)})" if any(sent.recipients) else sent.receiver
        title = _text(sent.message).partition("\n")[0]
        return f'{to} {sent.message.reason.value} "{title}" ({self._when(sent.sent_at)})'

    def _silence_reasons(self, expected: ExpectedMessage) -> Iterator[Line]:
        """Yield why a message may not have been sent: it waits for the receiver, or the alert is muted."""
        held = [entry for entry in self.observed.waiting if entry.receiver == expected.to]
        for entry in held[:_MOST_WAITING]:
            yield Line(LineKind.BECAUSE, self._waiting_text(entry))
        for alert in self.observed.alerts:
            if alert.muted is not None and alert.state is AlertState.FIRING:
                yield Line(LineKind.BECAUSE, f"{label_text(alert.rule, alert.group)} is {mute_text(alert.muted)}")
            elif alert.state is AlertState.PENDING:
                since = self._when(alert.started_at)
                yield Line(LineKind.BECAUSE, f"{label_text(alert.rule, alert.group)} is only pending, since {since}")

    def _waiting_text(self, entry: OutboxEntry) -> str:
        return f'{entry.receiver} is held until {self._when(entry.not_before)}: "{entry.message.title}"'

    def _when(self, instant: datetime) -> str:
        """Return an instant as an offset from the start, followed by the time."""
        return f"{offset_text(instant - self.start)}, {instant:%b %d %H:%M}"


def at_text(difference: Difference) -> str:
    """Return the time of a difference: `14h (2026-03-10 14:00 UTC)`."""
    return f"{offset_text(difference.at)} ({format_instant(difference.instant)})"


def _alert_faults(expected: ExpectedAlert, alert: Alert, mutes: Sequence[Muted]) -> list[str]:
    """Return the differences of an alert; other rule or labels mean that it is another alert."""
    if not is_of(alert, expected.rule, expected.labels):
        return ["another alert"]
    faults = []
    if alert.state is not expected.state:
        faults.append(f"state: expected {expected.state.value}, got {alert.state.value}")
    if expected.severity is not None and alert.severity is not expected.severity:
        faults.append(f"severity: expected {expected.severity.label}, got {alert.severity.label}")
    about = alert.value if alert.expected is None else alert.expected
    for name, wanted, value in (("value", expected.value, alert.value), ("about", expected.about, about)):
        if wanted is not None and not wanted.fits(value, alert.unit):
            faults.append(f"{name}: expected {wanted}, got {value_text(value, alert.unit)}")
    if expected.headline is not None and expected.headline not in alert.headline:
        faults.append(f'headline: "{expected.headline}" is not in "{alert.headline}"')
    if expected.withheld is not None and not _is_withheld(expected.withheld, mutes):
        faults.append(f'withheld: expected "{expected.withheld}", got "{mutes_text(mutes)}"')
    return faults


def _is_withheld(expected: str, mutes: Sequence[Muted]) -> bool:
    return any(expected in mute_text(mute) for mute in mutes) if expected else not mutes


def _expected_alert(expected: ExpectedAlert) -> str:
    parts = [label_text(expected.rule, expected.labels), expected.state.value]
    if expected.severity is not None:
        parts.append(expected.severity.label)
    if expected.value is not None:
        parts.append(str(expected.value))
    if expected.about is not None:
        parts.append(f"about {expected.about}")
    return " ".join(parts)


def _joined(messages: Sequence[SentMessage]) -> list[_Sent]:
    """Return the messages in the order sent, merging the copies for a receiver's recipients."""
    joined: dict[tuple[Message, str, datetime], list[str]] = {}
    for sent in messages:
        joined.setdefault((sent.message, sent.receiver, sent.sent_at), []).append(sent.recipient)
    return [_Sent(*shared, tuple(recipients)) for shared, recipients in joined.items()]


def _text(message: Message) -> str:
    """Return a message as people read it, beginning with its state."""
    return plain_with_state(printable(message))


def _message_distance(expected: ExpectedMessage, sent: _Sent) -> int | None:
    """Return the number of differences from a message that is probably meant; None if only the receiver matches."""
    keys = (expected.recipient, expected.reason, expected.severity, expected.title, *expected.text)
    faults = len(_message_faults(expected, sent))
    return faults if sent.receiver == expected.to and faults < sum(key is not None for key in keys) else None


def _message_faults(expected: ExpectedMessage, sent: _Sent) -> list[str]:
    """Return the differences of a message."""
    message = sent.message
    text = _text(message)
    title = text.partition("\n")[0]
    faults = []
    if sent.receiver != expected.to:
        faults.append(f"to: expected {expected.to}, got {sent.receiver}")
    if expected.recipient is not None and expected.recipient not in sent.recipients:
        faults.append(f"recipient: expected {expected.recipient}, got {', '.join(sent.recipients)}")
    if expected.reason is not None and message.reason is not expected.reason:
        faults.append(f"reason: expected {expected.reason.value}, got {message.reason.value}")
    if expected.severity is not None and message.severity is not expected.severity:
        faults.append(f"severity: expected {expected.severity.label}, got {message.severity.label}")
    if expected.title is not None and expected.title not in title:
        faults.append(f'title: "{expected.title}" is not in "{title}"')
    faults += [f'text: "{part}" is not in it' for part in expected.text if part not in text]
    return faults


def _expected_message(expected: ExpectedMessage) -> str:
    to = f"{expected.to} ({expected.recipient})" if expected.recipient is not None else expected.to
    parts = [to]
    if expected.reason is not None:
        parts.append(expected.reason.value)
    if expected.severity is not None:
        parts.append(expected.severity.label)
    if expected.title is not None:
        parts.append(f'"{expected.title}"')
    return " ".join(parts)


E = TypeVar("E")
G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class Pairing(Generic[E, G]):
    """The differences: `changed` holds pairs that are similar but not equal."""

    changed: tuple[tuple[E, G], ...]
    missing: tuple[E, ...]
    unexpected: tuple[G, ...]


def pair(
    expected: Sequence[E], got: Sequence[G], *, fits: Callable[[E, G], bool], distance: Callable[[E, G], int | None]
) -> Pairing[E, G]:
    """
    Pair each expectation with at most one observation.

    Args:
        fits: Whether an observation meets the expectation.
        distance: How far an observation is from the expectation; None if it cannot be the one meant.
    """
    by_expected = _matched(len(expected), len(got), lambda e, g: fits(expected[e], got[g]))
    open_expected = [number for number in range(len(expected)) if number not in by_expected]
    open_got = [number for number in range(len(got)) if number not in by_expected.values()]
    alike = [(far, e, g) for e in open_expected for g in open_got if (far := distance(expected[e], got[g])) is not None]
    changed: dict[int, int] = {}
    for _, e, g in sorted(alike):
        if e not in changed and g not in changed.values():
            changed[e] = g
    return Pairing(
        changed=tuple((expected[e], got[g]) for e, g in sorted(changed.items())),
        missing=tuple(expected[e] for e in open_expected if e not in changed),
        unexpected=tuple(got[g] for g in open_got if g not in changed.values()),
    )


def _matched(left: int, right: int, fits: Callable[[int, int], bool]) -> dict[int, int]:
    """Return a maximum matching, so that a loose expectation leaves room for a stricter one."""
    of_right: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for other in range(right):
            if other in tried or not fits(one, other):
                continue
            tried.add(other)
            if other not in of_right or place(of_right[other], tried):
                of_right[other] = one
                return True
        return False

    for one in range(left):
        place(one, set())
    return {one: other for other, one in of_right.items()}
