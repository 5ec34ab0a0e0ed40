"""What may be done about alerts now: by the last lists, and by what was done since they were read."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.actions import Action, ActionState, Verb
from alertd.core.resources import ResourceKind
from alertd.daemon.asked import acting_of
from tests.core.alerts.test_acting import KEY, a_resource
from tests.core.builders import NOW
from tests.core.test_actions import request

MINUTE = timedelta(minutes=1)
ACTIONS = {"stop": Action(name="stop", accounts=frozenset({"default"}), approvers=("U04ABCDEF",))}
STOPPED = request(state=ActionState.DONE, finished_at=NOW)
STARTED = replace(STOPPED, verb=Verb.START)


def test_acting_when_put_together_then_instances_alone_are_there_to_be_stopped() -> None:
    """An endpoint of the same id is no instance."""
    endpoint = a_resource(id="e-1", kind=ResourceKind.ENDPOINT)
    found = acting_of(ACTIONS, [a_resource(), endpoint], (STOPPED,), {"default": NOW + MINUTE})
    assert (found.actions, found.requests) == (ACTIONS, (STOPPED,))
    assert found.instances == {KEY: a_resource()}


@pytest.mark.parametrize(
    ("asked", "listed", "read_at", "status"),
    [
        pytest.param(STOPPED, "running", NOW - MINUTE, "exited", id="stopped since the list was read"),
        pytest.param(STARTED, "exited", NOW - MINUTE, "running", id="started since"),
        pytest.param(STOPPED, "running", None, "exited", id="no list was read since alertd started"),
        pytest.param(STOPPED, "running", NOW + MINUTE, "running", id="the list is newer: somebody started it again"),
        pytest.param(STOPPED, "running", NOW, "running", id="read at that moment"),
        pytest.param(
            replace(STOPPED, state=ActionState.UNKNOWN), "running", NOW - MINUTE, "running", id="nobody knows"
        ),
        pytest.param(
            replace(STOPPED, state=ActionState.STOPPING, finished_at=None), "running", None, "running", id="under way"
        ),
        pytest.param(replace(STOPPED, account="lab"), "running", None, "running", id="another account's"),
    ],
)
def test_instance_when_something_was_done_to_it_then_that_counts_where_it_is_newer(
    asked: object, listed: str, read_at: datetime | None, status: str
) -> None:
    """A list of ten minutes ago must not offer to stop what was stopped since."""
    read = {"default": read_at} if read_at is not None else {}
    found = acting_of(ACTIONS, [a_resource(status=listed)], (asked,), read)  # type: ignore[arg-type]
    assert found.instances[KEY].status == status
