"""Which steps of an action are written to Slack: its outcome, and nothing on the way there."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from alertd.core.actions import ActionState, begin_call, fail
from alertd.core.alerts.reason import NotifyReason
from alertd.daemon.store_gateway import StoreGateway
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import NOW, rolling
from tests.core.test_actions import request
from tests.daemon.test_cycle_chart import cycle_of


@pytest.fixture
async def gateway() -> AsyncIterator[StoreGateway]:
    thread = await StoreThread.start(lambda: Store.open("sqlite://", now=NOW))
    yield StoreGateway(thread)
    await thread.close()


async def test_action_when_it_is_carried_out_then_its_outcome_is_written_and_no_step_before(
    gateway: StoreGateway,
) -> None:
    """The first message shows that it was asked for already; a step a second would be an edit a second."""
    cycle = cycle_of(gateway, rolling())
    await cycle.run(NOW)
    (alert,) = cycle.open_alerts()
    asked = replace(request(fingerprint=alert.fingerprint), requested_at=NOW)
    await gateway.call(lambda store: store.save_decisions(actions=(asked,)))
    before = await gateway.open_entries()
    calling = begin_call(asked, NOW)
    assert calling.state is ActionState.CALLING
    assert await cycle.move_action(asked, calling, NOW)
    assert await gateway.open_entries() == before
    failed = fail(calling, "refused", NOW)
    assert not await cycle.move_action(asked, failed, NOW), "by who read it before"
    assert await gateway.open_entries() == before
    assert await cycle.move_action(calling, failed, NOW)
    new = (await gateway.open_entries())[len(before) :]
    assert [entry.message.reason for entry in new] == [NotifyReason.ACTION, NotifyReason.UPDATED]
    outcome, first = (entry.message for entry in new)
    assert outcome.title == "Not stopped: notebook-9"
    assert outcome.lines == ("Asked for by dana 2026-01-10 12:05 UTC, ended 2026-01-10 12:05 UTC.", "Refused.")
    said = [line for line in first.lines if "notebook-9" in line]
    assert said == ["Not stopped: notebook-9, asked for by dana 2026-01-10 12:05 UTC; refused."]
