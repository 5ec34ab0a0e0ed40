"""What is said of a request for an action, in each of its states: in a line, in a sentence, and at the thread's end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.actions import ActionState, Verb
from alertd.core.messages.action_words import action_line, action_lines, action_step, action_title
from tests.core.builders import NOW
from tests.core.test_actions import request

ASKED = request(requested_at=NOW, detail="the API says why", cost="$12.50 since noon")
ENDED = NOW + timedelta(minutes=7)
WHEN = "asked for by dana 2026-01-10 12:05 UTC; the API says why"


@pytest.mark.parametrize(
    ("verb", "state", "title", "line", "step"),
    [
        pytest.param(
            *(Verb.STOP, ActionState.REQUESTED, "notebook-9 is being stopped"),
            f"notebook-9 is being stopped, {WHEN}.",
            "stop of notebook-9 requested by dana",
            id="asked for",
        ),
        pytest.param(
            *(Verb.START, ActionState.STARTING, "notebook-9 is being started again"),
            f"notebook-9 is being started again, {WHEN}.",
            "start of notebook-9: starting",
            id="under way",
        ),
        pytest.param(
            *(Verb.STOP, ActionState.DONE, "Stopped by dana: notebook-9"),
            "Stopped by dana: notebook-9 2026-01-10 12:12 UTC; the API says why.",
            "stop of notebook-9: done",
            id="done",
        ),
        pytest.param(
            *(Verb.START, ActionState.DONE, "Started again by dana: notebook-9"),
            "Started again by dana: notebook-9 2026-01-10 12:12 UTC; the API says why.",
            "start of notebook-9: done",
            id="started",
        ),
        pytest.param(
            *(Verb.STOP, ActionState.FAILED, "Not stopped: notebook-9"),
            f"Not stopped: notebook-9, {WHEN}.",
            "stop of notebook-9: failed",
            id="failed",
        ),
        pytest.param(
            *(Verb.START, ActionState.UNKNOWN, "Not known whether it started: notebook-9"),
            f"Not known whether it started: notebook-9, {WHEN}.",
            "start of notebook-9: unknown",
            id="unknown",
        ),
    ],
)
def test_request_when_shown_then_who_when_and_what_came_of_it(
    verb: Verb, state: ActionState, title: str, line: str, step: str
) -> None:
    """Nobody must take what is under way for done."""
    shown = replace(ASKED, verb=verb, state=state, finished_at=ENDED if state.is_final else None)
    assert (action_title(shown), action_line(shown), action_step(shown)) == (title, line, step)


def test_thread_when_it_is_over_then_says_when_each_thing_was_and_what_may_be_done() -> None:
    """Only a stop that is done may be taken back."""
    done = replace(ASKED, state=ActionState.DONE, finished_at=ENDED)
    undo = "Its disk is still billed. Whoever stopped it may start it again from here for an hour."
    begun = "Asked for by dana 2026-01-10 12:05 UTC"
    assert action_lines(done) == (
        f"{begun}, ended 2026-01-10 12:12 UTC.",
        "The API says why.",
        "Until then: $12.50 since noon.",
        undo,
    )
    assert action_lines(replace(done, state=ActionState.UNKNOWN))[-1] != undo
    assert action_lines(replace(done, verb=Verb.START))[-1] != undo
    assert action_lines(request(requested_at=NOW)) == (f"{begun}.",)
