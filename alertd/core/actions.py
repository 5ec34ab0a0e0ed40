"""
What a person may have done about an alert: stop the instance behind it, or start that again; and the request's life.

    requested -> calling -> stopping (starting) -> done | failed | unknown

`calling` is stored before the first byte leaves. What is found in it later may have been called, so it is never called
again: only the instance's state, read back, says what came of it. A request is done when the API says so, and never
otherwise. Pure: it calls nobody, and the clock is an argument.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from alertd.core.dataclass import dataclass
from alertd.core.money import Usd, format_usd
from alertd.core.words import format_count, format_instant

CONFIRMED_WITHIN = timedelta(minutes=15)
"""A call that is neither confirmed nor refused for so long is `unknown`; a request that waited longer is not called."""
UNDO_WITHIN = timedelta(hours=1)
"""So long whoever stopped an instance may start it again."""


class Verb(StrEnum):
    """What is asked for."""

    STOP = "stop"
    START = "start"


class ActionState(StrEnum):
    """Where a request is in its life."""

    REQUESTED = "requested"
    CALLING = "calling"
    STOPPING = "stopping"
    """Taken, or nobody knows: the instance's state is read until it says so."""
    STARTING = "starting"
    """The same of a start."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether nothing comes after it."""
        return self in {ActionState.DONE, ActionState.FAILED, ActionState.UNKNOWN}


_WAITING = {Verb.STOP: ActionState.STOPPING, Verb.START: ActionState.STARTING}
_CONFIRMING = {Verb.STOP: frozenset({"exited", "removed"}), Verb.START: frozenset({"running"})}
"""The instance's states by which the API says that it is done."""
_PAST = {Verb.STOP: "stopped", Verb.START: "started"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action of the rules file: what may be asked for, in which accounts, and who may press in Slack."""

    name: str
    accounts: frozenset[str]
    approvers: tuple[str, ...]
    """Slack ids of members and user groups; never empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """One request; replaced at each step of its life."""

    id: str
    verb: Verb
    action: str
    """Its name in the rules file."""
    fingerprint: str
    """The alert about which it was asked for."""
    account: str
    owner: str
    """The instance's id."""
    name: str
    """What people call it; its id where it has no name."""
    by: str
    """Who asked, for people."""
    person: str
    """The same for alertd: where that name is known, and the name there, as in `slack:U04ABCDEF`."""
    requested_at: datetime
    cost: str = ""
    """What it had cost when it was asked for, in words."""
    state: ActionState = ActionState.REQUESTED
    called_at: datetime | None = None
    finished_at: datetime | None = None
    detail: str = ""
    """What is known of its state, a clause in words for people; never anything out of an answer but a status."""

    @property
    def key(self) -> tuple[str, str]:
        """Account and instance: only one request of each is open at a time."""
        return self.account, self.owner

    @property
    def may_be_undone(self) -> bool:
        """Whether it has stopped something."""
        return self.verb is Verb.STOP and self.state is ActionState.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Have an alert's action done: stop the instance that it is about, or start what was stopped again."""

    id: str
    """Of the row that it becomes: delivered twice, it is the same one."""
    fingerprint: str
    """Or the beginning of one that no other alert shares."""
    by: str
    person: str
    """Who asks, with where that name is known: `slack:U04ABCDEF`."""
    action: str = ""
    """Its name in the rules file; may be empty where the alert has but one."""
    undo: bool = False
    """Start again what this person stopped."""
    episode: int | None = None
    """The life of the alert that it is about; None for the present one."""


class CallResult(StrEnum):
    """What became of a call."""

    TAKEN = "taken"
    REFUSED = "refused"
    """The API said no, or nothing was sent: it has not happened and will not."""
    UNCLEAR = "unclear"
    """It may have happened: no answer, or one that says neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """What became of a call, with why in a clause."""

    result: CallResult
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a read of the instance's state said."""

    status: str = ""
    """As the API has it; empty where it was not learnt."""
    text: str = ""
    """Why it was not learnt, in a clause."""


def begin_call(request: ActionRequest, now: datetime) -> ActionRequest:
    """Return a request about to be called, to be stored before it is; one that has waited too long is not called."""
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
    """Return a request that was found `calling`: nobody knows whether the call was made."""
    text = "alertd ended during the call; whether it was made is not known"
    return answered(request, CallAnswer(result=CallResult.UNCLEAR, text=text), now)


def fail(request: ActionRequest, why: str, now: datetime) -> ActionRequest:
    """Return a request of which is certain that nothing came."""
    return replace(request, state=ActionState.FAILED, finished_at=now, detail=why)


def seen(request: ActionRequest, sight: Sight, now: datetime) -> ActionRequest:
    """Return a request after the instance's state was read: done where the API says so, unknown when time is over."""
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
    """An action as a message offers it."""

    verb: Verb
    action: str
    """Its name in the rules file."""
    name: str
    """The instance, as people call it."""
    consequences: tuple[str, ...]
    """What whoever asks should know first, a sentence each."""
    request: str = ""
    """The stop that a start takes back."""


def consequences(hardware: str, rate: Usd | None, keep_days: int | None) -> tuple[str, ...]:
    """
    Return what to know before an instance is stopped, a sentence each.

    Args:
        hardware: What it is made of; empty where it is not known.
        rate: What it costs an hour; None where that is not known.
        keep_days: How many days the API keeps the data of a stopped instance; None where it does not say.
    """
    what = f"It is {hardware}" if hardware else "It runs"
    costs = f"costs {format_usd(rate)} an hour" if rate is not None else "what it costs an hour is not known"
    days = "how long its data is kept is not known"
    if keep_days is not None:
        days = f"its data is kept for {format_count(keep_days, 'day')}"
    return f"{what} and {costs}.", f"What runs on it ends. Its disk is still billed, and {days}."


def open_request(requests: Iterable[ActionRequest], key: tuple[str, str]) -> ActionRequest | None:
    """Return the open request of an instance, None where there is none."""
    return next((one for one in requests if one.key == key and not one.state.is_final), None)
