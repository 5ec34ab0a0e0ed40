"""
The history of one alert, from what is stored: its state, why it is notified or not, each send and its answer.

It reads and words; it judges nothing anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from alertd.core.alert import Alert, AlertState
from alertd.core.alert_event import Moved
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.due import repeat_at
from alertd.core.alerts.mutes import mute_text, mutes_of, silence_text, silenced
from alertd.core.alerts.routing import OWNER, matching_routes
from alertd.core.alerts.silence import Silence, matchable
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels, matches_all
from alertd.core.messages.holding import holds, is_held
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.money import if_it_fits
from alertd.core.muted import MuteKind
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.values import format_value, reached_text, threshold_text
from alertd.core.words import format_duration, format_instant, with_more
from alertd.queries.event_words import both_ends, event_detail, event_text, moved_value, through
from alertd.store.alerts import AlertEvent
from alertd.store.outbox import Attempt
from alertd.store.store import Store

_NEAREST = 5
"""So many groups of a rule are shown."""
_NOTHING = "  nothing to judge: no spend fits it, or nothing was read yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentNotification:
    """One notification with its attempts."""

    entry: OutboxEntry
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertHistory:
    """All that is stored of one alert, up to a moment."""

    alert: Alert
    """As it is now, whatever the moment."""
    events: tuple[AlertEvent, ...]
    notified: tuple[SentNotification, ...]
    silences: tuple[Silence, ...]
    """Those that fit it, ended ones included."""
    at: datetime
    is_past: bool
    """The moment lies in the past: what the alert was then is in its events."""


def read_history(store: Store, alert: Alert, *, at: datetime, is_past: bool) -> AlertHistory:
    """
    Read what is stored of an alert up to a moment.

    Raises:
        StoreError: The store cannot be read.
    """
    labels = matchable(alert)
    with store.snapshot():
        entries = [entry for entry in store.outbox.entries_of(alert.fingerprint) if entry.created_at <= at]
        attempts = {entry.id: store.outbox.attempts(entry.id) for entry in entries}
        events = store.alerts.events(alert.fingerprint)
        silences = store.silences.all_silences()
    notified = (
        SentNotification(entry=entry, attempts=tuple(one for one in attempts[entry.id] if one.started_at <= at))
        for entry in entries
    )
    return AlertHistory(
        alert=alert,
        events=tuple(event for event in events if event.happened_at <= at),
        notified=tuple(notified),
        silences=tuple(s for s in silences if s.created_at <= at and _fits(s, alert, labels)),
        at=at,
        is_past=is_past,
    )


def _fits(silence: Silence, alert: Alert, labels: dict[str, str]) -> bool:
    # Whether it held at some time, whatever ended it.
    is_bound = not silence.bound or any(bound.names(alert) for bound in silence.bound)
    return is_bound and matches_all(dict(silence.matchers), labels)


def history_lines(history: AlertHistory, rule: Rule | None, audience: Audience | None) -> Iterator[str]:
    """
    Yield the history line by line.

    Args:
        rule: The alert's rule, None where the rules file has none of that name.
        audience: Who is notified by the rules file; None where it cannot be read.
    """
    alert = history.alert
    yield f"{alert.rule}  {alert.fingerprint}  episode {alert.episode}"
    yield alert.headline
    yield ""
    for name, text in state_facts(history, rule, audience):
        yield f"{name:<14}{text}"
    yield from _silences(history)
    yield from _sends(history)
    yield from _events(history.events)


def state_facts(history: AlertHistory, rule: Rule | None, audience: Audience | None) -> list[tuple[str, str]]:
    """Return the state of the alert and whom it goes to, as (name, text) pairs; arguments as in `history_lines`."""
    facts = _then(history) if history.is_past else _now(history, rule)
    return [*facts, ("Goes to", _route(history.alert, rule, audience))]


def _then(history: AlertHistory) -> list[tuple[str, str]]:
    moves = ((event.change, event.happened_at) for event in reversed(history.events))
    for change, happened_at in moves:
        if isinstance(change, Moved):
            return [
                ("At", format_instant(history.at)),
                ("State", f"{change.after.text}, since {format_instant(happened_at)}"),
                ("Value", f"{moved_value(change)}, when it changed"),
            ]
    return [("At", f"{format_instant(history.at)}: nothing was known of it yet")]


def _now(history: AlertHistory, rule: Rule | None) -> list[tuple[str, str]]:
    alert = history.alert
    found = [("State", _state(alert)), ("Value", _value(alert)), ("Notified", _notified(alert, rule, history.at))]
    found += [("Incomplete", caveat) for caveat in alert.caveats]
    if alert.reason:
        found.append(("Why", alert.reason))
    for mute in mutes_of(alert, holds((notified.entry for notified in history.notified), history.at)):
        if mute.kind is MuteKind.ACKNOWLEDGEMENT:
            since = f", {format_instant(alert.acknowledged_at)}" if alert.acknowledged_at is not None else ""
            found.append(("Acknowledged", f"by {mute.by}{since}: not repeated until its severity rises"))
        else:
            found.append(("Suppressed", mute_text(mute)))
    return found


def _is_read(rule: SpendRule, facts: Facts) -> bool:
    """Return whether any category that the rule selects was read: then no spend is $0.00."""
    data = facts.of(rule.view).data
    return bool(rule.categories(data)) and rule.edge(data) is not None


def judgement(rule: Rule, facts: Facts) -> Iterator[str]:
    """Yield what a rule says of the groups that reach a severity, or come nearest to one."""
    if isinstance(rule, SpendRule) and not _is_read(rule, facts):
        # To say so takes no numpy.
        yield _NOTHING
        return
    groups = if_it_fits(lambda: tuple(_largest(rule, facts)), ()) if isinstance(rule, SpendRule) else ()
    try:
        samples = rule.evaluate(facts, groups)
    except OverflowError as error:
        yield f"  not judged: {error}"
        return
    samples.sort(key=lambda sample: (-(sample.reached or 0), -sample.value))
    for sample in samples[:_NEAREST]:
        limits = ", ".join(
            threshold_text(severity, limit, sample.unit, is_below=sample.is_below)
            for severity, limit in sample.thresholds
        )
        whole = "complete" if sample.is_complete else "not complete"
        reached = sample.reached.label if sample.reached is not None else "reaches no threshold"
        yield f"  {sample.headline}: {reached}"
        yield f"    {both_ends(sample)}{f'; {limits}' if limits else ''}; {through(sample)}, {whole}"
        yield from (f"    {caveat}" for caveat in sample.caveats)
    if not samples:
        yield _NOTHING if isinstance(rule, SpendRule) else "  reaches no threshold, or nothing was read yet"
    yield from with_more((), len(samples) - _NEAREST, "group", lead="  … ")


def _largest(rule: SpendRule, facts: Facts) -> list[Labels]:
    """Return the groups of a rule that spent most in all hours at hand."""
    seen = facts.of(rule.view)
    sums = seen.spend.sums(replace(rule.query, accounts=seen.data.accounts), rule.metric, seen.spend.span)
    return sorted(sums.groups, key=lambda group: (-sums.of(group), group))[:_NEAREST]


def _state(alert: Alert) -> str:
    moments = [("pending since", alert.started_at)] if alert.fired_at is None else [("fired", alert.fired_at)]
    if alert.resolved_at is not None:
        moments.append(("resolved", alert.resolved_at))
    elif alert.condition_ended_at is not None:
        moments.append(("condition ended", alert.condition_ended_at))
    when = ", ".join(f"{word} {format_instant(at)}" for word, at in moments)
    severity = "" if alert.state is AlertState.RESOLVED else f" ({alert.severity.label})"
    return f"{alert.state}{severity}; {when}"


def _value(alert: Alert) -> str:
    limit = f"; {reached}" if (reached := reached_text(alert)) else ""
    whole = "complete" if alert.is_complete else "not complete"
    worst = "at least" if alert.is_below else "at most"
    return f"{both_ends(alert)}{limit}; {worst} {format_value(alert.peak, alert.unit)}; {through(alert)}, {whole}"


def _notified(alert: Alert, rule: Rule | None, now: datetime) -> str:
    if alert.fired_at is None:
        if rule is None or not rule.for_:
            return "no: it did not fire"
        return f"no: it fires when it has held for {format_duration(rule.for_)}"
    if alert.notified_at is None:
        why = mute_text(alert.muted) if alert.muted is not None else "the next poll decides"
        return f"not yet: {why}"
    value = format_value(alert.notified_value, alert.unit) if alert.notified_value is not None else ""
    severity = alert.notified_severity.label if alert.notified_severity is not None else ""
    text = f"last {format_instant(alert.notified_at)}: {severity} {value}"
    if alert.state is not AlertState.FIRING or rule is None or alert.acknowledged_by is not None:
        return text
    due = repeat_at(alert, rule)
    if due is None:
        return f"{text}; never repeated"
    return f"{text}; repeated {'now' if due <= now else format_instant(due)} if it still fires"


def _route(alert: Alert, rule: Rule | None, audience: Audience | None) -> str:
    if audience is None:
        return "unknown: the rules file cannot be read"
    if rule is None:
        return "nobody new: the rules file has no such rule any more"
    if rule.notify:
        how, names = "the rule's own notify", rule.notify
    else:
        found = matching_routes(matchable(alert), audience.routes)
        names = tuple(dict.fromkeys(name for _, entry in found for name in entry.notify)) if found else audience.default
        how = f"route {', '.join(str(number) for number, _ in found)}" if found else "defaults: no route matches"
    owner = " (owner: the person or channel behind the owner)" if OWNER in names else ""
    return f"{', '.join(names) or 'nobody'}, by {how}{owner}"


def _silences(history: AlertHistory) -> Iterator[str]:
    for silence in history.silences:
        ended = f"; ended by {silence.expired_by} {format_instant(silence.expired_at)}" if silence.expired_at else ""
        yield f"{'Silence':<14}{silence_text(silenced(silence))}{ended}"


def _sends(history: AlertHistory) -> Iterator[str]:
    yield ""
    yield "Notifications" if history.notified else "Notifications: none"
    for notified in history.notified:
        entry = notified.entry
        held = f", held until {format_instant(entry.not_before)}" if is_held(entry, history.at) else ""
        state = f"{entry.state.value}{held}" if not history.is_past else f"{len(notified.attempts)} attempts by then"
        yield f"  {format_instant(entry.created_at)}  {entry.message.reason.value}, {_address(entry)}: {state}"
        yield f"    {entry.message.title}"
        for line in entry.message.history:
            yield f"    {line}"
        for attempt in notified.attempts:
            detail = f": {attempt.detail}" if attempt.detail else ""
            outcome = attempt.outcome or "under way"
            yield f"    attempt {attempt.number}, {attempt.started_at:%H:%M:%S}: {outcome}{detail}"
        if entry.ref:
            yield f"    is at {entry.ref}"
        if entry.error and not notified.attempts:
            yield f"    {entry.error}"


def _address(entry: OutboxEntry) -> str:
    return f"{entry.receiver} {entry.recipient}".rstrip()


def _events(events: Sequence[AlertEvent]) -> Iterator[str]:
    yield ""
    yield "History" if events else "History: none is kept"
    for event in events:
        detail = event_detail(event.change)
        yield f"  {format_instant(event.happened_at)}  {event_text(event.change)}{f': {detail}' if detail else ''}"
