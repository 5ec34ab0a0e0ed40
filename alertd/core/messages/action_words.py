"""The texts about an action on an alert: in its message, in its thread, in lists."""

from alertd.core.actions import ActionRequest, ActionState, Verb
from alertd.core.words import format_instant

_DONE = {Verb.STOP: "Stopped", Verb.START: "Started again"}
_DOING = {Verb.STOP: "being stopped", Verb.START: "being started again"}
_NOT_DONE = {Verb.STOP: "Not stopped", Verb.START: "Not started again"}
_UNKNOWN = {Verb.STOP: "Not known whether it stopped", Verb.START: "Not known whether it started"}


def action_step(request: ActionRequest) -> str:
    """Return the step that a request has reached, for histories."""
    if request.state is ActionState.REQUESTED:
        return f"{request.verb.value} of {request.name} requested by {request.by}"
    return f"{request.verb.value} of {request.name}: {request.state.value}"


def action_title(request: ActionRequest) -> str:
    """Return a line with a request's state, its author and its instance."""
    match request.state:
        case ActionState.DONE:
            return f"{_DONE[request.verb]} by {request.by}: {request.name}"
        case ActionState.FAILED:
            return f"{_NOT_DONE[request.verb]}: {request.name}"
        case ActionState.UNKNOWN:
            return f"{_UNKNOWN[request.verb]}: {request.name}"
        case _:
            return f"{request.name} is {_DOING[request.verb]}"


def action_line(request: ActionRequest) -> str:
    """Return the same in a sentence, with when and why."""
    asked = f"asked for by {request.by} {format_instant(request.requested_at)}"
    if request.state is ActionState.DONE:
        ended = f" {format_instant(request.finished_at)}" if request.finished_at is not None else ""
        return f"{action_title(request)}{ended}; {request.detail}."
    detail = f"; {request.detail}" if request.detail else ""
    return f"{action_title(request)}, {asked}{detail}."


def action_lines(request: ActionRequest) -> tuple[str, ...]:
    """Return the thread's final text: who and when, what the API confirms, what it cost until then."""
    ended = f", ended {format_instant(request.finished_at)}" if request.finished_at is not None else ""
    lines = [f"Asked for by {request.by} {format_instant(request.requested_at)}{ended}."]
    if request.detail:
        lines.append(f"{request.detail[0].upper()}{request.detail[1:]}.")
    if request.cost:
        lines.append(f"Until then: {request.cost}.")
    if request.may_be_undone:
        lines.append("Its disk is still billed. Whoever stopped it may start it again from here for an hour.")
    return tuple(lines)
