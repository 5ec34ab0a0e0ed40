"""
Which action an alert offers, and the request for it. Pure.

An action is offered if the alert's rule names it, the alert is about one owner, and the API's list has that owner as
a running instance. A request becomes a row; the call is made elsewhere.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from alertd.core.actions import (
    UNDO_WITHIN,
    Act,
    Action,
    ActionRequest,
    ActionState,
    Offer,
    Verb,
    consequences,
    open_request,
)
from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.requests import RequestError, parse_acknowledgement
from alertd.core.dataclass import dataclass, replace
from alertd.core.money import format_usd
from alertd.core.resources import Resource
from alertd.core.rules.base import Rule
from alertd.core.words import format_instant, format_list, quote

InstanceKey = tuple[str, str]
"""Account and id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Everything that decides which actions may be requested."""

    actions: Mapping[str, Action] = field(default_factory=dict)
    """The actions of the rules file, by name."""
    instances: Mapping[InstanceKey, Resource] = field(default_factory=dict)
    """The instances as last listed, without endpoints."""
    requests: tuple[ActionRequest, ...] = ()
    """The open requests and the latest finished ones, oldest first."""

    def name_of(self, alert: Alert, key: InstanceKey) -> str:
        """Return the display name of an alert's instance: from the rules file, else from the API, else its id."""
        instance = self.instances.get(key)
        listed = instance.name if instance is not None else ""
        return dict(alert.labels).get("owner_name") or listed or key[1]


NO_ACTIONS = Acting()


def offer_of(alert: Alert, rule: Rule | None, acting: Acting) -> Offer | None:
    """Return the action that an alert's message offers; None if there is none or one is under way."""
    if alert.state is not AlertState.FIRING or rule is None:
        return None
    for name in rule.actions:
        try:
            action, key = wanted(alert, rule, acting, name)
        except RequestError:
            continue
        if open_request(acting.requests, key) is None:
            return Offer(
                verb=Verb.STOP,
                action=action.name,
                name=acting.name_of(alert, key),
                consequences=consequences_of(alert, key, acting),
            )
    return None


def consequences_of(alert: Alert, key: InstanceKey, acting: Acting) -> tuple[str, ...]:
    """Return the warnings before an alert's instance is stopped, one sentence each."""
    instance = acting.instances[key]
    rate = alert.rate.per_hour if alert.rate is not None and alert.rate.per_hour > 0 else None
    return consequences(instance.hardware, rate, instance.keep_days)


def latest_of(alert: Alert, acting: Acting) -> ActionRequest | None:
    """Return the last request of an alert's current episode; None if there is none."""
    of_alert = (one for one in acting.requests if one.fingerprint == alert.fingerprint)
    return max(
        (one for one in of_alert if one.requested_at >= alert.started_at),
        key=lambda one: one.requested_at,
        default=None,
    )


def undo_of(request: ActionRequest) -> Offer | None:
    """Return the offer to restart what a request stopped; None if it stopped nothing."""
    if not request.may_be_undone:
        return None
    return Offer(verb=Verb.START, action=request.action, name=request.name, consequences=(), request=request.id)


def wanted(alert: Alert, rule: Rule | None, acting: Acting, name: str) -> tuple[Action, InstanceKey]:
    """
    Return an alert's action and the instance that it would stop.

    Args:
        name: The action's name; empty if the alert has only one.

    Raises:
        RequestError: It cannot be asked for; the text says why.
    """
    what = f"{alert.rule} ({alert.fingerprint})"
    names = rule.actions if rule is not None else ()
    if not names:
        raise RequestError(f"{what} has no actions; its rule needs `actions:` in the rules file")
    if not name and len(names) > 1:
        raise RequestError(f"{what} has several actions: {format_list(names)}; name one, with --action")
    name = name or names[0]
    action = acting.actions.get(name) if name in names else None
    if action is None:
        raise RequestError(f"{what} has no action {quote(name)}; it has {format_list(names)}")
    owner = dict(alert.group).get("owner", "")
    key = (alert.account, owner)
    if not owner:
        raise RequestError(f"{what} is not about one owner: there is nothing to stop")
    if alert.account not in action.accounts:
        raise RequestError(f"action {quote(name)} has no key for account {quote(alert.account)}")
    instance = acting.instances.get(key)
    if instance is None:
        raise RequestError(f"{quote(owner)} is in no list of instances that the API gave: nothing is known to stop")
    if not instance.is_running:
        state = f": it is {instance.status} by the API's last list" if instance.status else ""
        raise RequestError(f"{acting.name_of(alert, key)} does not run{state}")
    return action, key


def parse_action(asked: Act, *, episode: str = "") -> Act:
    """
    Parse a request as written.

    Raises:
        RequestTextError: A part of it cannot be parsed.
        RequestError: No alert can have that name.
    """
    read = parse_acknowledgement(asked.fingerprint, by=asked.by, episode=episode)
    return replace(asked, fingerprint=read.fingerprint, by=read.by, episode=read.episode)


def act(request: Act, alert: Alert, rule: Rule | None, acting: Acting, now: datetime) -> tuple[ActionRequest, bool]:
    """
    Return the row of a request, and whether it is new: an open request for the instance is returned instead.

    Raises:
        RequestError: It cannot be asked for; the text says why.
    """
    if known := next((one for one in acting.requests if one.id == request.id), None):
        # The same press, delivered twice.
        return known, False
    if request.undo:
        return _start_again(request, alert, acting, now)
    require_open(alert, request.episode, "stop")
    # An instance that is being stopped need not be running any more.
    if (known := open_request(acting.requests, (alert.account, dict(alert.group).get("owner", "")))) is not None:
        return known, False
    action, key = wanted(alert, rule, acting, request.action)
    return (
        ActionRequest(
            id=request.id,
            verb=Verb.STOP,
            action=action.name,
            fingerprint=alert.fingerprint,
            account=key[0],
            owner=key[1],
            name=acting.name_of(alert, key),
            by=request.by,
            person=request.person,
            requested_at=now,
            cost=_cost(alert),
        ),
        True,
    )


def require_open(alert: Alert, episode: int | None, what: str) -> None:
    """
    Refuse a request about an alert, or an episode of it, that is over.

    Raises:
        RequestError: There is nothing to do *what* to.
    """
    if alert.state is AlertState.RESOLVED or episode not in {None, alert.episode}:
        ended = f" {format_instant(alert.resolved_at)}" if alert.resolved_at is not None else ""
        raise RequestError(f"{alert.rule} ({alert.fingerprint}) has already ended{ended}: there is nothing to {what}")


def _start_again(request: Act, alert: Alert, acting: Acting, now: datetime) -> tuple[ActionRequest, bool]:
    of_alert = [one for one in acting.requests if one.fingerprint == alert.fingerprint]
    stopped = next((one for one in reversed(of_alert) if one.may_be_undone), None)
    if stopped is None:
        raise RequestError("nothing was stopped for this alert recently: there is nothing to start again")
    if (known := open_request(acting.requests, stopped.key)) is not None:
        return known, False
    since = stopped.finished_at or stopped.requested_at
    if now - since > UNDO_WITHIN:
        raise RequestError(
            f"{stopped.name} was stopped {format_instant(since)}: alertd starts again within an hour; "
            "after that do it in the Novita console"
        )
    if request.person != stopped.person:
        raise RequestError(f"{stopped.name} was stopped by {stopped.by}, who alone may start it again from here")
    if stopped.action not in acting.actions or stopped.account not in acting.actions[stopped.action].accounts:
        raise RequestError(
            f"action {quote(stopped.action)} is no longer in the rules file; start it in the Novita console"
        )
    if any(one.verb is Verb.START and one.state is ActionState.DONE and _after(one, stopped) for one in of_alert):
        raise RequestError(f"{stopped.name} has already been started again")
    return (
        replace(
            stopped,
            id=request.id,
            verb=Verb.START,
            by=request.by,
            requested_at=now,
            cost="",
            state=ActionState.REQUESTED,
            called_at=None,
            finished_at=None,
            detail="",
        ),
        True,
    )


def _after(one: ActionRequest, other: ActionRequest) -> bool:
    return one.requested_at >= other.requested_at


def _cost(alert: Alert) -> str:
    """Return what the alert's group had cost at the time of the request."""
    through = f", billed through {format_instant(alert.as_of)}"
    if alert.billed is not None and alert.billed.total > 0:
        return f"{format_usd(alert.billed.total)} since {format_instant(alert.started_at)}{through}"
    return f"{alert.headline}{through}"


def said(request: ActionRequest, *, is_new: bool) -> str:
    """Return the answer to the requester."""
    verb = "stop" if request.verb is Verb.STOP else "start"
    if is_new:
        return f"Request {request.id}: {verb} {request.name} ({request.owner}); `alertd actions` says what comes of it."
    doing = "being stopped" if request.verb is Verb.STOP else "being started again"
    if request.state.is_final:
        return f"{request.name}: this was asked for already, and is {request.state.value}: {request.detail}."
    return (
        f"{request.name} is {doing} already: asked for by {request.by} {format_instant(request.requested_at)}, "
        f"{request.state.value} (request {request.id})."
    )
