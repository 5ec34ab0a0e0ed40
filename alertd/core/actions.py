"""
Actions that people may request for an alert, and the lifecycle of a request: stop the alert's instance, or start it
again.

    requested -> calling -> stopping (starting) -> done | failed | unknown

`calling` is stored before the first byte is sent. A request found in that state later may have been sent, so it is
never sent again: the instance's state, read from the API, decides its outcome. A request is done only when the API says
so. Pure: nothing is called here, and the time is an argument.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from alertd.core.dataclass import dataclass, replace
from alertd.core.money import Usd, format_usd
from alertd.core.words import format_count, format_instant

CONFIRMED_WITHIN = timedelta(minutes=15)
"""A call neither confirmed nor refused within this time is `unknown`; a request that waited longer is not called."""
UNDO_WITHIN = timedelta(hours=1)
"""How long the person who stopped an instance may start it again."""


class Verb(StrEnum):
    """What is requested."""

    STOP = "stop"
    START = "start"


class ActionState(StrEnum):
    """The state of a request."""

    REQUESTED = "requested"
    CALLING = "calling"
    STOPPING = "stopping"
    """The call was accepted, or its outcome is unclear: the instance's state is read until it confirms the stop."""
    STARTING = "starting"
    """The same for a start."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether no other state can follow."""
        return self in {ActionState.DONE, ActionState.FAILED, ActionState.UNKNOWN}


_WAITING = {Verb.STOP: ActionState.STOPPING, Verb.START: ActionState.STARTING}
_CONFIRMING = {Verb.STOP: frozenset({"exited", "removed"}), Verb.START: frozenset({"running"})}
"""The instance states that confirm a request."""
_PAST = {Verb.STOP: "stopped", Verb.START: "started"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action of the rules file: in which accounts it may be requested, and who may use its button in Slack."""

    name: str
    accounts: frozenset[str]
    approvers: tuple[str, ...]
    """Slack ids of members and user groups; never empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """One request; replaced at each change of its state."""

    id: str
    verb: Verb
    action: str
    """The action's name in the rules file."""
    fingerprint: str
    """The alert for which it was requested."""
    account: str
    owner: str
    """The instance's id."""
    name: str
    """The instance's name for people; its id if it has no name."""
    by: str
    """Who requested it, for people."""
    person: str
    """The same person for alertd: a system and the person's id in it, as in `slack:U04ABCDEF`."""
    requested_at: datetime
    cost: str = ""
    """What the instance had cost when the request was made, in words."""
    state: ActionState = ActionState.REQUESTED
    called_at: datetime | None = None
    finished_at: datetime | None = None
    detail: str = ""
    """What is known about its state, a clause for people; of the API's answers it quotes only the instance's status."""

    @property
    def key(self) -> tuple[str, str]:
        """Account and instance: each instance has at most one open request."""
        return self.account, self.owner

    @property
    def may_be_undone(self) -> bool:
        """Whether it has stopped an instance, which may be started again."""
        return self.verb is Verb.STOP and self.state is ActionState.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Carries out an alert's action: stop its instance, or start the stopped instance again."""

    id: str
    """The id of the stored request, so that one delivered twice is stored once."""
    fingerprint: str
    """The fingerprint or a unique prefix."""
    by: str
    person: str
    """The requester's id with the system that knows it: `slack:U04ABCDEF`."""
    action: str = ""
    """The action's name in the rules file; may be empty if the alert has only one."""
    undo: bool = False
    """Whether to start the instance that this person stopped."""
    episode: int | None = None
    """The episode of the alert; None for the current one."""


class CallResult(StrEnum):
    """The outcome of a call."""

    TAKEN = "taken"
    REFUSED = "refused"
    """The API refused, or nothing was sent: the call has had no effect and will have none."""
    UNCLEAR = "unclear"
    """The call may have had an effect: there was no answer, or it neither accepts nor refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """The outcome of a call, with the reason as a clause."""

    result: CallResult
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The result of reading the instance's state."""

    status: str = ""
    """The API's status of the instance; empty if it could not be read."""
    text: str = ""
    """Why the status could not be read, as a clause."""


def begin_call(request: ActionRequest, now: datetime) -> ActionRequest:
    """Return a request as `calling`, to be stored before the call is made, or as `failed` if it has waited too long."""
    if abs(now - request.requested_at) > CONFIRMED_WITHIN:
        return fail(request, f"not called: it was asked for {format_instant(request.requested_at)}; ask again", now)
    return replace(request, state=ActionState.CALLING, called_at=now)


def answered(request: ActionRequest, answer: CallAnswer, now: datetime) -> ActionRequest:
    """Return a request after its call."""
    if answer.result is CallResult.REFUSED:
        return fail(request, answer.text, now)
    said = "called; the API has not confirmed it yet" if answer.result is CallResult.TAKEN else answer.text
    return replace(request, state=_WAITING[request.verb], detail=said)


def interrupted(request: ActionRequest, now: datetime) -> ActionRequest:
    """Return a request that was found `calling`, for which it is unknown whether the call was made."""
    text = "alertd ended during the call; whether it was made is not known"
    return answered(request, CallAnswer(result=CallResult.UNCLEAR, text=text), now)


def fail(request: ActionRequest, why: str, now: datetime) -> ActionRequest:
    """Return a request that certainly had no effect, as failed."""
    return replace(request, state=ActionState.FAILED, finished_at=now, detail=why)


def seen(request: ActionRequest, sight: Sight, now: datetime) -> ActionRequest:
    """Return a request after a read of the instance's state: done if that confirms it, unknown after the time limit."""
    if sight.status in _CONFIRMING[request.verb]:
        text = f"{_PAST[request.verb]}: the API says {sight.status}"
        return replace(request, state=ActionState.DONE, finished_at=now, detail=text)
    last = f"the API says {sight.status}" if sight.status else sight.text
    if abs(now - (request.called_at or request.requested_at)) < CONFIRMED_WITHIN:
        return replace(request, detail=last) if last else request
    minutes = CONFIRMED_WITHIN // timedelta(minutes=1)
    text = f"neither confirmed nor refused within {minutes} minutes{f' ({last})' if last else ''}; it may be asked anew"
    return replace(request, state=ActionState.UNKNOWN, finished_at=now, detail=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An action offered in a message."""

    verb: Verb
    action: str
    """The action's name in the rules file."""
    name: str
    """The instance's name for people."""
    consequences: tuple[str, ...]
    """What the requester should know beforehand, one sentence each."""
    request: str = ""
    """The id of the stop request that a start undoes; empty for a stop."""


def consequences(hardware: str, rate: Usd | None, keep_days: int | None) -> tuple[str, ...]:
    """
    Return what people should know before they stop an instance, one sentence each.

    Args:
        hardware: Such as `1 × H100 SXM 80GB`; empty if unknown.
        rate: Its cost per hour; None if unknown.
        keep_days: How many days the API keeps the data of a stopped instance; None if unknown.
    """
    what = f"It is {hardware}" if hardware else "It runs"
    costs = f"costs {format_usd(rate)} an hour" if rate is not None else "what it costs an hour is not known"
    days = "how long its data is kept is not known"
    if keep_days is not None:
        days = f"its data is kept for {format_count(keep_days, 'day')}"
    return f"{what} and {costs}.", f"What runs on it ends. Its disk is still billed, and {days}."


def open_request(requests: Iterable[ActionRequest], key: tuple[str, str]) -> ActionRequest | None:
    """Return the open request of an instance; None if there is none."""
    return next((one for one in requests if one.key == key and not one.state.is_final), None)
