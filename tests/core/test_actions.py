"""The life of a request for an action: called at most once, done only when the API says so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest

from alertd.core.actions import (
    CONFIRMED_WITHIN,
    ActionRequest,
    ActionState,
    CallAnswer,
    CallResult,
    Sight,
    Verb,
    answered,
    begin_call,
    consequences,
    interrupted,
    open_request,
    seen,
)
from tests.core.builders import NOW, usd

MINUTE = timedelta(minutes=1)
STATUSES = """
pending toCreate creating pulling running toStart starting toStop stopping exited toRestart restarting toRemove
removing removed toReset resetting migrating freezing hovering
"""
"""Every state that the vendor documents, and one that nobody does."""


def request(**parts: object) -> ActionRequest:
    plain = ActionRequest(
        id="a1b2c3d4",
        verb=Verb.STOP,
        action="stop",
        fingerprint="f" * 16,
        account="default",
        owner="gpu-1",
        name="notebook-9",
        by="dana",
        person="cli:dana",
        requested_at=NOW,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def stopping(verb: Verb = Verb.STOP) -> ActionRequest:
    called = begin_call(request(verb=verb), NOW)
    return answered(called, CallAnswer(result=CallResult.TAKEN), NOW)


@pytest.mark.parametrize(
    ("waited", "state"),
    [
        pytest.param(timedelta(), ActionState.CALLING, id="at once it is called"),
        pytest.param(CONFIRMED_WITHIN, ActionState.CALLING, id="after a quarter of an hour still"),
        pytest.param(CONFIRMED_WITHIN + MINUTE, ActionState.FAILED, id="later nobody expects it any more"),
        pytest.param(-CONFIRMED_WITHIN - MINUTE, ActionState.FAILED, id="asked for in the future: a clock was wrong"),
    ],
)
def test_request_when_its_turn_comes_then_called_only_while_it_is_expected(
    waited: timedelta, state: ActionState
) -> None:
    """An instance that stops an hour after somebody pressed is a surprise, maybe to its next user."""
    after = begin_call(request(), NOW + waited)
    assert after.state is state
    assert (after.called_at is None) is (state is ActionState.FAILED)
    assert (after.finished_at is None) is (state is ActionState.CALLING)


@pytest.mark.parametrize(
    ("result", "verb", "state"),
    [
        pytest.param(CallResult.TAKEN, Verb.STOP, ActionState.STOPPING, id="taken is not done"),
        pytest.param(CallResult.UNCLEAR, Verb.STOP, ActionState.STOPPING, id="unclear is read back"),
        pytest.param(CallResult.REFUSED, Verb.STOP, ActionState.FAILED, id="refused is over"),
        pytest.param(CallResult.TAKEN, Verb.START, ActionState.STARTING, id="a start alike"),
        pytest.param(CallResult.REFUSED, Verb.START, ActionState.FAILED, id="a refused start alike"),
    ],
)
def test_call_when_answered_then_never_done_by_its_answer(result: CallResult, verb: Verb, state: ActionState) -> None:
    """That the API took the call says nothing of the instance."""
    called = begin_call(request(verb=verb), NOW)
    after = answered(called, CallAnswer(result=result, text="why"), NOW + MINUTE)
    assert after.state is state
    assert after.called_at == NOW
    assert after.detail


def test_request_when_it_fails_or_is_done_then_it_ends_at_that_moment() -> None:
    """Undo, and what is shown as lately, count from its end."""
    late = begin_call(request(), NOW + CONFIRMED_WITHIN + MINUTE)
    assert (late.finished_at, late.state) == (NOW + CONFIRMED_WITHIN + MINUTE, ActionState.FAILED)
    refused = answered(begin_call(request(), NOW), CallAnswer(result=CallResult.REFUSED, text="no"), NOW + MINUTE)
    assert (refused.finished_at, refused.detail) == (NOW + MINUTE, "no")
    done = seen(stopping(), Sight(status="exited"), NOW + 2 * MINUTE)
    assert (done.finished_at, done.detail) == (NOW + 2 * MINUTE, "stopped: the API says exited")
    started = seen(stopping(Verb.START), Sight(status="running"), NOW + 2 * MINUTE)
    assert started.detail == "started: the API says running"


def test_request_when_found_calling_then_its_state_is_read_and_nothing_called() -> None:
    """Whoever ended during the call may have made it."""
    after = interrupted(begin_call(request(), NOW), NOW + MINUTE)
    assert (after.state, after.called_at) == (ActionState.STOPPING, NOW)


@pytest.mark.parametrize(("verb", "status"), [*product(Verb, STATUSES.split())])
def test_state_when_read_back_then_done_by_these_alone(verb: Verb, status: str) -> None:
    """A stop is done by `exited` and `removed`, a start by `running`; all others say nothing yet."""
    confirming = {Verb.STOP: {"exited", "removed"}, Verb.START: {"running"}}[verb]
    soon = seen(stopping(verb), Sight(status=status), NOW + MINUTE)
    late = seen(stopping(verb), Sight(status=status), NOW + CONFIRMED_WITHIN)
    if status in confirming:
        assert (soon.state, late.state) == (ActionState.DONE, ActionState.DONE)
    else:
        assert soon.state is stopping(verb).state
        assert soon.finished_at is None
        assert late.state is ActionState.UNKNOWN
        assert late.finished_at == NOW + CONFIRMED_WITHIN
    assert status in late.detail


def test_time_to_confirm_when_it_was_called_late_then_counts_from_the_call() -> None:
    """A request that waited ten minutes for its call has a quarter of an hour from there."""
    called = begin_call(request(), NOW + 10 * MINUTE)
    waiting = answered(called, CallAnswer(result=CallResult.TAKEN), NOW + 10 * MINUTE)
    sight = Sight(status="stopping")
    assert seen(waiting, sight, NOW + 10 * MINUTE + CONFIRMED_WITHIN - MINUTE).state is ActionState.STOPPING
    assert seen(waiting, sight, NOW + 10 * MINUTE + CONFIRMED_WITHIN).state is ActionState.UNKNOWN


def test_state_when_read_again_then_the_request_says_what_the_api_said_last() -> None:
    """`alertd actions` shows how far it is, and what is not learnt leaves what is known."""
    first = seen(stopping(), Sight(status="running"), NOW + MINUTE)
    assert first.detail == "the API says running"
    assert seen(first, Sight(status="toStop"), NOW + MINUTE).detail == "the API says toStop"
    assert seen(first, Sight(), NOW + MINUTE) is first


def test_state_when_it_cannot_be_read_then_unknown_after_a_quarter_of_an_hour() -> None:
    """Nothing learnt is nothing confirmed, and the row must not stay open for ever."""
    sight = Sight(text="its state could not be read (ReadTimeout)")
    soon = seen(stopping(), sight, NOW + CONFIRMED_WITHIN - MINUTE)
    late = seen(soon, Sight(), NOW + CONFIRMED_WITHIN)
    assert (soon.state, soon.detail) == (ActionState.STOPPING, sight.text)
    assert late.state is ActionState.UNKNOWN
    assert "may be asked anew" in late.detail


@pytest.mark.parametrize("state", ActionState)
def test_request_when_final_then_another_may_be_opened(state: ActionState) -> None:
    """One open request an instance."""
    known = request(state=state)
    assert (open_request([known], known.key) is None) is state.is_final
    assert open_request([known], ("default", "gpu-2")) is None
    assert open_request([known], ("lab", "gpu-1")) is None


@pytest.mark.parametrize(
    ("hardware", "rate", "days", "texts"),
    [
        pytest.param("one H100", "7.30", 7, ["one H100", "$7.30 an hour", "kept for 7 days"], id="all is known"),
        pytest.param("", None, None, ["costs an hour is not known", "data is kept is not known"], id="nothing is"),
        pytest.param("", "2", 1, ["costs $2.00 an hour", "kept for 1 day."], id="one day"),
    ],
)
def test_consequences_when_shown_then_say_what_is_known_and_what_is_not(
    hardware: str, rate: str | None, days: int | None, texts: list[str]
) -> None:
    """Whoever presses must not learn afterwards that the disk costs on and the data goes."""
    said = " ".join(consequences(hardware, usd(rate) if rate is not None else None, days))
    assert "Its disk is still billed" in said
    assert [text for text in texts if text not in said] == []


@pytest.mark.parametrize(
    ("end", "state"),
    [
        pytest.param(lambda at: begin_call(request(), at), ActionState.FAILED, id="waited too long to be called"),
        pytest.param(
            lambda at: answered(stopping(), CallAnswer(result=CallResult.REFUSED), at), ActionState.FAILED, id="refused"
        ),
        pytest.param(lambda at: seen(stopping(), Sight(status="exited"), at), ActionState.DONE, id="done"),
        pytest.param(lambda at: seen(stopping(), Sight(), at), ActionState.UNKNOWN, id="never confirmed"),
    ],
)
def test_request_when_it_ends_then_at_that_moment(end: Callable[[datetime], ActionRequest], state: ActionState) -> None:
    """From its end an hour is counted in which it may be taken back, and the days for which it is kept."""
    ended = end(NOW + 2 * CONFIRMED_WITHIN)
    assert (ended.state, ended.finished_at) == (state, NOW + 2 * CONFIRMED_WITHIN)
