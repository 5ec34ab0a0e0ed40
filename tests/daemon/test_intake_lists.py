"""What a daemon makes of answers without any list: `{}` may stand for an empty one, and for a gateway's own."""

from pathlib import Path

import pytest

from alertd.core.alert import AlertState
from alertd.daemon.cycle import Cycle
from tests.core.builders import NOW
from tests.daemon.test_intake_monthly import POLL
from tests.daemon.test_resource_intake import cycle, groups, path, world  # noqa: F401 -- fixtures
from tests.e2e.world import MONTHLY, BillingWorld, Fault
from tests.examples import rest_slow


@pytest.mark.parametrize("body", rest_slow([b"{}", b'{"code": 0}', b'{"data": null}']))
async def test_bills_when_the_list_goes_missing_then_unread_and_not_gone(
    cycle: Cycle,  # noqa: F811
    world: BillingWorld,  # noqa: F811
    body: bytes,
) -> None:
    """Believed twice it ended every alert of the category, and moved the data edge."""
    await cycle.run(NOW)
    before = groups(cycle)
    assert before == [("research", AlertState.FIRING)]
    world.broken["gpu"] = Fault(body=body)
    for poll in (1, 2, 3):
        report = await cycle.run(NOW + poll * POLL)
        assert "without a list" in " ".join(report.errors)
    assert groups(cycle) == before
    world.broken.clear()
    assert (await cycle.run(NOW + 4 * POLL)).is_ok


async def test_bills_when_never_any_and_no_list_then_empty(cycle: Cycle, world: BillingWorld) -> None:  # noqa: F811
    """A service may write an empty list as nothing at all: a category without spend is no failure."""
    world.broken["llm"] = Fault(body=b"{}")
    assert (await cycle.run(NOW)).is_ok


async def test_monthly_bills_when_no_list_then_unread_and_an_instance_is_not_gone(
    cycle: Cycle,  # noqa: F811
    world: BillingWorld,  # noqa: F811
    path: Path,  # noqa: F811
) -> None:
    """The service fills months in up to the running one; a listing without its key says nothing of what is gone."""
    await cycle.run(NOW)
    world.broken[MONTHLY] = world.broken["instances"] = Fault(body=b"{}")
    report = await cycle.run(NOW + POLL)
    assert "no list of bills" in " ".join(report.errors)
    (instance,) = [resource for resource in cycle.state.resources.values() if resource.id == "i-1"]
    assert instance.gone_at is None
