"""Stopping from the status page: offered where something runs, asked for by a form that must be meant, undone there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from alertd.core.actions import ActionState, CallAnswer, CallResult, Sight, Verb
from alertd.core.resources import Listed, Listing, ResourceKind
from tests.web.house import RULES, Account, House, house
from tests.web.test_status_page import require_valid

ACTION = """
actions:
  - name: stop
    type: stop_instance
    accounts: {default: {api_key_env: STOP_KEY}}
    approvers: [U04ABCDEF]
receivers:"""
WITH_ACTIONS = RULES.replace("\nreceivers:", ACTION).replace(
    "    runbook_url:", "    actions: [stop]\n    runbook_url:"
)


@dataclass(slots=True, kw_only=True)
class Rented(Account):
    """An account whose list has the busy instance."""

    status: str = "running"
    calls: list[Verb] = field(default_factory=list)

    async def read_resources(self, kind: ResourceKind) -> Listing:
        if kind is not ResourceKind.INSTANCE:
            return Listing(entries=())
        listed = Listed(id="gpu-1", name="notebook-9", status=self.status, product="H100", gpus=1, keep_days=7)
        return Listing(entries=(listed,))

    async def call(self, verb: Verb, instance_id: str) -> CallAnswer:
        assert instance_id == "gpu-1"
        self.calls.append(verb)
        self.status = {Verb.STOP: "exited", Verb.START: "running"}[verb]
        return CallAnswer(result=CallResult.TAKEN)

    async def look(self, instance_id: str) -> Sight:
        return Sight(status=self.status)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """A daemon whose rules offer the stop, after one poll."""
    account = Rented()
    async with house(tmp_path, account=account, rules=WITH_ACTIONS, instances={("stop", "default"): account}) as found:
        yield found


async def carried_out(home: House) -> None:
    while await home.app.actions.turn():
        home.now += timedelta(seconds=5)


async def test_page_when_the_instance_runs_then_the_form_says_what_comes_of_it(home: House) -> None:
    """What it is, what it costs, what stays billed; and only for who is signed in."""
    path = f"/alerts/{home.alert().fingerprint}"
    _, before = await home.get(path)
    assert "/act" not in before
    await home.sign_in("dana")
    _, text = await home.get(path)
    require_valid(text)
    assert f'action="{path}/act"' in text
    assert "$3.50 an hour" in text
    assert "Its disk is still billed, and its data is kept for 7 days." in text


async def test_stop_when_asked_by_form_then_called_once_shown_and_undone_by_the_same_person(home: House) -> None:
    """From the form to the history, and back within the hour."""
    account = home.account
    assert isinstance(account, Rented)
    csrf = await home.sign_in("dana")
    alert = home.alert()
    path = f"/alerts/{alert.fingerprint}"
    fields = {"csrf": csrf, "episode": str(alert.episode), "back": path, "action": "stop", "mark": "m1"}

    async def post(**more: str) -> str:
        async with home.session.post(f"{home.url}{path}/act", data={**fields, **more}) as answer:
            return await answer.text()

    assert "Not done: tick the box first" in await post()
    text = await post(confirm="1")
    require_valid(text)
    assert "stop trainer-a (gpu-1)" in text
    # The same form, sent twice.
    assert "is being stopped already" in await post(confirm="1")
    assert account.calls == []
    await carried_out(home)
    assert account.calls == [Verb.STOP]
    (row,) = await home.app.gateway.call(lambda store: store.actions.all_requests())
    assert (row.state, row.by) == (ActionState.DONE, "dana (status page)")

    # The list is older than the stop: nothing is offered twice.
    _, text = await home.get(path)
    require_valid(text)
    assert "trainer-a was stopped" in text
    assert "Stop instance" not in text
    assert "stop of trainer-a requested by dana (status page)" in text
    assert "stopped: the API says exited" in text
    await post(confirm="1", undo="1", mark="m2")
    await carried_out(home)
    assert account.calls == [Verb.STOP, Verb.START]
    _, text = await home.get(path)
    assert "Stop instance" in text


async def test_stop_when_asked_without_a_token_then_refused(home: House) -> None:
    """Guarded as every other write."""
    path = f"/alerts/{home.alert().fingerprint}/act"
    async with home.session.post(f"{home.url}{path}", data={"confirm": "1"}, allow_redirects=False) as answer:
        assert answer.status in {401, 403}
    assert await home.app.gateway.call(lambda store: store.actions.all_requests()) == ()
