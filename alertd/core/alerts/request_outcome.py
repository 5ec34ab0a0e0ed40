"""
The changes that a request makes, to be stored in one transaction. Pure.

Every change has an author, a time and a description.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from alertd.core.actions import Act, ActionRequest
from alertd.core.alert import Alert, AlertState
from alertd.core.alert_event import Acknowledged, Acted, AlertChange, SilenceEnded, Suppressed, Unacknowledged
from alertd.core.alerts.acting import NO_ACTIONS, Acting, act, require_open, said
from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.mutes import Mutes, silenced
from alertd.core.alerts.requests import Acknowledge, AddSilence, ExpireSilence, Request, RequestError, check
from alertd.core.alerts.silence import Bound, Silence, expire, matchable
from alertd.core.dataclass import dataclass, replace
from alertd.core.labels import Patterns, matches_all
from alertd.core.money import Usd
from alertd.core.rules.base import Rule
from alertd.core.words import quote, with_more

_SHORTEST_PREFIX = 4
_ONE_ALERT = re.compile(r"[0-9a-f]{16}|[0-9a-f]{4,15}\*")
"""A fingerprint or prefix; other patterns may match several."""
_NAMED = 5
"""Maximum number of alerts named in an answer; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The data for a request."""

    alerts: Mapping[str, Alert]
    silences: Mapping[str, Silence]
    rules: Mapping[str, Rule]
    inhibitions: Sequence[Inhibition]
    acting: Acting = NO_ACTIONS
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOutcome:
    """The changes of a request, to be stored in one transaction."""

    text: str
    """What was done, for the requester."""
    change: AlertChange | None
    """The same for the alerts' history; None if nothing was done."""
    alerts: tuple[Alert, ...] = ()
    """The changed alerts, in their new state."""
    silences: tuple[Silence, ...] = ()
    action: ActionRequest | None = None
    """The row of the action request."""
    is_new: bool = False
    """Whether that row is new and to be stored."""


def carry_out(request: Request, situation: Situation) -> RequestOutcome:
    """
    Return what a request changes.

    Raises:
        RequestError: It names something that does not exist, or makes no sense.
    """
    check(request, situation.now)
    match request:
        case Acknowledge():
            return _acknowledge(request, situation)
        case AddSilence():
            return _add_silence(request, situation)
        case ExpireSilence():
            return _expire_silence(request, situation)
        case Act():
            return _act(request, situation)


def find_alert(alerts: Mapping[str, Alert], fingerprint: str) -> Alert:
    """
    Return the alert with a fingerprint or fingerprint prefix.

    Raises:
        RequestError: No alert matches, or several do.
    """
    return alerts[_find(alerts, fingerprint, "alert", "`alertd alerts --all` lists them")]


def _find(known: Mapping[str, object], beginning: str, what: str, remedy: str) -> str:
    if beginning in known:
        return beginning
    if len(beginning) < _SHORTEST_PREFIX:
        raise RequestError(f"there is no {what} {quote(beginning)}; write at least {_SHORTEST_PREFIX} of its digits")
    found = [name for name in known if name.startswith(beginning)]
    if len(found) > 1:
        raise RequestError(f'"{beginning}" is the beginning of {len(found)} {what}s; write more of it')
    if not found:
        raise RequestError(f"there is no {what} {quote(beginning)}; {remedy}")
    return found[0]


def _acknowledge(request: Acknowledge, situation: Situation) -> RequestOutcome:
    alert = find_alert(situation.alerts, request.fingerprint)
    name = f"{alert.rule} ({alert.fingerprint})"
    require_open(alert, request.episode, "acknowledge")
    if request.undo:
        if alert.acknowledged_by is None:
            raise RequestError(f"{name} is not acknowledged")
        after = replace(alert, acknowledged_by=None, acknowledged_at=None)
        text = f"{name}: acknowledgement taken back by {request.by}. It is repeated again."
        return RequestOutcome(text=text, change=Unacknowledged(by=request.by), alerts=(after,))
    if alert.acknowledged_by is not None:
        # Pressed twice, or by two people: the first one counts.
        text = f"{name} was acknowledged by {alert.acknowledged_by} already: {alert.headline}"
        return RequestOutcome(text=text, change=None)
    after = replace(alert, acknowledged_by=request.by, acknowledged_at=situation.now)
    text = f"{name} is acknowledged: {alert.headline}. It is not repeated until its severity rises."
    return RequestOutcome(text=text, change=Acknowledged(by=request.by), alerts=(after,))


def _act(request: Act, situation: Situation) -> RequestOutcome:
    alert = find_alert(situation.alerts, request.fingerprint)
    row, is_new = act(request, alert, situation.rules.get(alert.rule), situation.acting, situation.now)
    change, alerts = (Acted(request=row), (alert,)) if is_new else (None, ())
    return RequestOutcome(text=said(row, is_new=is_new), change=change, alerts=alerts, action=row, is_new=is_new)


def _add_silence(request: AddSilence, situation: Situation) -> RequestOutcome:
    if request.id in situation.silences:
        # The same request, delivered twice.
        return RequestOutcome(text=f"Silence {request.id} is there already.", change=None)
    request = replace(request, matchers=tuple(_named_alert(matcher, situation) for matcher in request.matchers))
    matching = _matching(request, situation)
    if request.episode is not None and request.episode not in {alert.episode for alert in matching}:
        raise RequestError("the alert has already ended: there is nothing to silence")
    is_bound = request.until_resolved or request.until_spend is not None
    if is_bound and not matching:
        raise RequestError("nothing that fires now matches; without a firing alert the silence needs a time: --for 24h")
    silence = Silence(
        id=request.id,
        matchers=request.matchers,
        author=request.by,
        comment=request.comment,
        created_at=situation.now,
        ends_at=request.ends_at,
        bound=tuple(_bound(alert, request.until_spend, situation) for alert in matching) if is_bound else (),
        further=request.until_spend,
    )
    text = f"Silence {silence.id} {silence.until} withholds {_named(matching)}{_unknown_labels(request, situation)}"
    return _with_silence(silence, situation, text=text, change=Suppressed(muted=silenced(silence)))


def _named_alert(matcher: tuple[str, Patterns], situation: Situation) -> tuple[str, Patterns]:
    """
    Return a matcher with the full fingerprint if it names one alert by a prefix.

    Raises:
        RequestError: No fingerprint has the prefix, or several do.
    """
    name, patterns = matcher
    if name != "fingerprint" or len(patterns.texts) != 1 or not _ONE_ALERT.fullmatch(patterns.texts[0]):
        return matcher
    alert = find_alert(situation.alerts, patterns.texts[0].rstrip("*"))
    return name, Patterns((alert.fingerprint,))


def _matching(request: AddSilence, situation: Situation) -> list[Alert]:
    matchers = dict(request.matchers)
    firing = (alert for alert in situation.alerts.values() if alert.state is AlertState.FIRING)
    found = [alert for alert in firing if matches_all(matchers, matchable(alert))]
    return sorted(found, key=lambda alert: (-alert.severity, alert.rule, alert.fingerprint))


def _bound(alert: Alert, until_spend: Usd | None, situation: Situation) -> Bound:
    if until_spend is not None:
        rule = situation.rules.get(alert.rule)
        if rule is None:
            raise RequestError(
                f"{alert.rule} ({alert.fingerprint}): its rule cannot be read now, which says what an amount is to it; "
                "choose a time, or fix the rules file (`alertd check`)"
            )
        if not rule.COUNTS_MONEY:
            raise RequestError(
                f"{alert.rule} ({alert.fingerprint}) counts no money, so no amount ends its silence; choose a time"
            )
    billed = alert.billed.total if alert.billed is not None else Usd(0)
    return Bound(fingerprint=alert.fingerprint, episode=alert.episode, billed=billed)


def _named(alerts: Sequence[Alert]) -> str:
    if not alerts:
        return "what will match: nothing that fires now does."
    lines = [f"  {alert.fingerprint}  {alert.severity.label}  {alert.headline}" for alert in alerts[:_NAMED]]
    return "\n".join([f"{len(alerts)} firing now:", *with_more(lines, len(alerts) - _NAMED, lead="  … ")])


def _unknown_labels(request: AddSilence, situation: Situation) -> str:
    """Return a hint if a matcher names a value that no alert has had so far, probably a typo."""
    known = {name for alert in situation.alerts.values() for name in matchable(alert)}
    unknown = [name for name, _ in request.matchers if known and name not in known]
    return "".join(
        f'\nNo alert so far has the label "{name}"; the labels are {", ".join(sorted(known))}.' for name in unknown
    )


def _expire_silence(request: ExpireSilence, situation: Situation) -> RequestOutcome:
    active = {name: silence for name, silence in situation.silences.items() if silence.is_active(situation.now)}
    silence = active[_find(active, request.id, "active silence", "`alertd silence list` shows them")]
    text = f"Silence {silence.id} is ended. What it withheld and still fires is sent at the next poll."
    ended = expire(silence, by=request.by, now=situation.now)
    return _with_silence(ended, situation, text=text, change=SilenceEnded(id=silence.id, by=request.by))


def _with_silence(silence: Silence, situation: Situation, *, text: str, change: AlertChange) -> RequestOutcome:
    """Return the change, with every alert that is now silenced by it or no longer is."""
    silences = {**situation.silences, silence.id: silence}
    mutes = Mutes(silences.values(), situation.inhibitions, situation.alerts, situation.now)
    holding = replace(silence, expired_at=None)
    held = (a for a in situation.alerts.values() if holding.holds(a, matchable(a), situation.now))
    noted = ((alert, mutes.noted(alert)) for alert in held)
    changed = tuple(after for before, after in noted if after is not before)
    return RequestOutcome(text=text, change=change, alerts=changed, silences=(silence,))
