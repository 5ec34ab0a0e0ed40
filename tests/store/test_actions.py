"""Requests for actions: each step is stored before the next, one open request an instance, whoever wins a race."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from alertd.core.actions import ActionRequest, ActionState
from alertd.core.alert_event import Acted
from alertd.store.actions import LATELY
from alertd.store.alerts import AlertEvent
from alertd.store.store import ActionOpen, Store
from tests.core.test_actions import request
from tests.store.places import Place
from tests.store.samples import NOW, entry_of

CALLING = request(requested_at=NOW, state=ActionState.CALLING, called_at=NOW)
FINISHED = request(requested_at=NOW, state=ActionState.DONE, called_at=NOW, finished_at=NOW, detail="stopped")


def test_request_when_reopened_at_each_step_then_as_it_was_left(url: str) -> None:
    """A crash between any two steps loses neither."""
    steps = [
        request(requested_at=NOW),
        CALLING,
        replace(CALLING, state=ActionState.STOPPING, detail="called"),
        FINISHED,
    ]
    with closing(Store.open(url, now=NOW)) as store:
        store.save_decisions(actions=[steps[0]])
    for before, after in pairwise(steps):
        with closing(Store.open(url, now=NOW)) as store:
            assert store.actions.open_requests() == (before,)
            assert store.move_action(before, after)
            assert store.check() == []
    with closing(Store.open(url, now=NOW)) as store:
        assert store.actions.open_requests() == ()
        assert store.actions.all_requests() == store.actions.recent(NOW) == (FINISHED,)
        assert store.actions.request(FINISHED.id) == FINISHED


def test_step_when_another_has_taken_it_then_nothing_is_kept(store: Store) -> None:
    """Two that would call the same request: only one may, and only that one writes a word of it."""
    row = request(requested_at=NOW)
    store.save_decisions(actions=[row])
    event = AlertEvent(fingerprint=row.fingerprint, episode=1, happened_at=NOW, change=Acted(request=CALLING))
    assert store.move_action(row, CALLING, events=[event])
    assert not store.move_action(row, CALLING, events=[event], entries=[entry_of()])
    assert store.actions.open_requests() == (CALLING,)
    assert len(store.alerts.events(row.fingerprint)) == 1
    assert store.outbox.open_entries() == ()


@pytest.mark.parametrize(
    ("second", "is_refused"),
    [
        pytest.param(request(id="other"), True, id="the same instance"),
        pytest.param(request(), True, id="the same id"),
        pytest.param(request(id="other", owner="gpu-2"), False, id="another instance"),
        pytest.param(request(id="other", account="lab"), False, id="another account"),
        pytest.param(request(id="other", finished_at=NOW, state=ActionState.FAILED), False, id="one that is over"),
    ],
)
def test_request_when_one_of_the_instance_is_open_then_refused(
    store: Store, second: ActionRequest, is_refused: bool
) -> None:
    """The database itself keeps two from being open."""
    store.save_decisions(actions=[request()])
    if is_refused:
        with pytest.raises(ActionOpen, match="another request for notebook-9 is open"):
            store.save_decisions(actions=[second], entries=[entry_of()])
        assert store.outbox.open_entries() == ()
    else:
        store.save_decisions(actions=[second])
    assert len(store.actions.all_requests()) == 2 - is_refused


def test_requests_when_old_then_finished_ones_go(store: Store) -> None:
    """An open one decides, however old; a finished one is history."""
    store.save_decisions(actions=[FINISHED, request(id="open", owner="gpu-2", requested_at=NOW)])
    assert [one.id for one in store.actions.recent(NOW + LATELY + timedelta(seconds=1))] == ["open"]
    store.prune(before_hour=0, before=NOW)
    assert len(store.actions.all_requests()) == 2
    store.prune(before_hour=0, before=NOW + timedelta(seconds=1))
    assert [one.id for one in store.actions.all_requests()] == ["open"]


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        pytest.param("UPDATE action_request SET state = 'done'", "state is not what its body says", id="a state"),
        pytest.param("UPDATE action_request SET body = '{}'", "action request a1b2c3d4 cannot be read", id="a body"),
    ],
)
def test_check_when_a_request_contradicts_itself_then_found(
    url: str, place: Place, statement: str, finding: str
) -> None:
    """A row that says two things could be called twice."""
    with closing(Store.open(url, now=NOW)) as store:
        store.save_decisions(actions=[CALLING])
    place.run(url, statement)
    with closing(Store.open_read_only(url)) as reader:
        assert finding in "\n".join(reader.check())


@pytest.mark.parametrize("known", ActionState)
@pytest.mark.parametrize("stored", [ActionState.REQUESTED, ActionState.CALLING, ActionState.STOPPING])
def test_step_when_its_state_is_another_by_now_then_nothing_is_written(
    store: Store, stored: ActionState, known: ActionState
) -> None:
    """Whoever read an earlier or a later state than is stored decides nothing, whichever the two are."""
    row = request(requested_at=NOW, state=stored)
    store.save_decisions(actions=[row])
    assert store.move_action(replace(row, state=known), FINISHED) is (known is stored)
    assert store.actions.request(row.id) == (FINISHED if known is stored else row)
