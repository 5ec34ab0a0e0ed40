"""What runs now: by bills and by the API's list, dearest first, each with what is known of it and no more."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from alertd.core.alert import AlertState
from alertd.core.labels import Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.reports.running import Running, firing_on, running
from alertd.core.resources import Resource, ResourceKind
from alertd.core.rules.facts import RESOURCES_FRESH, Facts
from alertd.core.utilization import WHOLE, slot_of
from tests.core.builders import HOUR, NOW, RUNNING, Row, a_series, desk_with, firing, row, usd

MOMENT = timedelta(microseconds=1)
EDGE = RUNNING - 2
"""Through which is billed, as bills settle two hours late."""
OWNERS = OwnerDirectory((Owner(match=Patterns(("gpu-1",)), name="trainer-a"),))


def hours_of(owner: str, amount: str, count: int, *, category: str = "gpu", product: str = "H100") -> list[Row]:
    """So many hours up to the edge."""
    series = a_series(owner, category=category, product=product)
    return [replace(row(EDGE - 1 - ago, amount), series=series) for ago in range(count)]


def a_resource(name: str, **parts: object) -> Resource:
    plain = Resource(
        account="default",
        id=name,
        kind=ResourceKind.INSTANCE,
        name="by the API",
        status="running",
        product="as listed",
        gpus=1,
        started_at=None,
        stopped_at=None,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def facts(*rows: Row, resources: tuple[Resource, ...] = (), read_at: object = NOW, **parts: object) -> Facts:
    known = desk_with(*rows, days=20).facts(owners=OWNERS)
    read = {"default": read_at} if read_at is not None else {}
    return replace(known, resources={one.key: one for one in resources}, resources_read=read, **parts)  # type: ignore[arg-type]


def owners(found: tuple[Running, ...]) -> list[str]:
    return [one.owner for one in found]


def test_running_when_all_is_known_then_each_field_has_its_own_value() -> None:
    """The list's state and start, the bills' product and rate, the rules file's name."""
    started_at = NOW - 3 * HOUR
    slot = slot_of(int(NOW.timestamp()))
    known = facts(
        *hours_of("gpu-1", "2.50", 5, product="H100"),
        resources=(a_resource("gpu-1", status="migrating", started_at=started_at),),
        utilization={("default", "gpu-1"): {slot - 1: 999, slot: WHOLE // 4}},
    )
    assert running(known) == (
        Running(
            account="default",
            owner="gpu-1",
            name="trainer-a",
            product="H100",
            category="gpu",
            status="migrating",
            since=started_at,
            rate=usd("2.5"),
            utilization=Decimal("0.25"),
        ),
    )


def test_running_when_bills_alone_know_of_it_then_billed_since_its_first_hour() -> None:
    """Without a list nobody says more."""
    (one,) = running(facts(*hours_of("gpu-2", "1", 5), read_at=None))
    assert (one.name, one.status, one.since, one.utilization) == (
        "",
        "billed",
        NOW.replace(minute=0) - 7 * HOUR,
        None,
    )


def test_running_when_the_list_alone_knows_of_it_then_without_a_rate_and_last() -> None:
    """It costs from its start on, whatever is not billed yet."""
    listed = (
        a_resource("i-1", started_at=NOW - HOUR),
        a_resource("i-2", status="exited"),
        a_resource("i-3", gone_at=NOW),
        a_resource("e-1", kind=ResourceKind.ENDPOINT),
        a_resource("i-4", account="lab"),
    )
    found = running(facts(*hours_of("gpu-1", "1", 3), resources=listed))
    assert owners(found) == ["gpu-1", "i-1"]
    assert found[1] == Running(
        account="default",
        owner="i-1",
        name="",
        product="as listed",
        category="gpu",
        status="running",
        since=NOW - HOUR,
        rate=None,
        utilization=None,
    )


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        pytest.param(RESOURCES_FRESH, ["i-1", "gpu-1"], id="read within the hour"),
        pytest.param(RESOURCES_FRESH + MOMENT, ["gpu-1", "gpu-2"], id="read longer ago"),
    ],
)
def test_running_when_the_list_is_old_then_bills_alone_count(age: timedelta, shown: list[str]) -> None:
    """What a list said yesterday runs neither by it, nor has it ended by it."""
    listed = (a_resource("i-1"), a_resource("gpu-2", status="exited"))
    known = facts(*hours_of("gpu-1", "1", 3), *hours_of("gpu-2", "1", 3), resources=listed, read_at=NOW - age)
    assert sorted(owners(running(known))) == sorted(shown)


def test_running_when_several_do_then_dearest_first_and_each_category_by_itself() -> None:
    """Whoever looks for what to stop begins at the top; what has ended, and storage, is no machine that runs."""
    rows = (
        *hours_of("cheap", "0.50", 3),
        *hours_of("dear", "9", 3),
        *hours_of("dear", "4", 3, category="serverless"),
        *hours_of("disk", "99", 3, category="cloud_storage"),
        *(row(EDGE - 9 - ago, "50", owner="ended") for ago in range(3)),
    )
    found = running(facts(*rows))
    assert [(one.owner, one.category, one.rate) for one in found] == [
        ("dear", "gpu", usd("9")),
        ("dear", "serverless", usd("4")),
        ("cheap", "gpu", usd("0.5")),
    ]


def test_product_when_an_owner_changes_it_then_the_dearest_of_the_present_run_is_shown() -> None:
    """What was worked out for one overview must not stay for the next."""
    desk = desk_with(*hours_of("gpu-1", "1", 3, product="A100"), days=20)
    first = desk.facts()
    assert [one.product for one in running(first)] == ["A100"]
    assert [one.product for one in running(first)] == ["A100"]
    both = [*hours_of("gpu-1", "1", 3, product="A100"), *hours_of("gpu-1", "5", 2, product="B200")]
    assert [one.product for one in running(desk_with(*both, days=20).facts())] == ["B200"]


def test_alerts_on_an_owner_then_those_that_fire_on_it_in_its_account() -> None:
    """Owners of two accounts may have one id, and an alert may be about several accounts."""
    (one,) = running(facts(*hours_of("gpu-1", "1", 3)))
    alerts = (
        firing(owner="gpu-1"),
        replace(firing(owner="gpu-1"), fingerprint="b" * 16, account="lab"),
        replace(firing(owner="gpu-1"), fingerprint="c" * 16, account="default, lab"),
        replace(firing(owner="gpu-1"), fingerprint="d" * 16, state=AlertState.PENDING),
        firing(owner="gpu-2"),
    )
    assert firing_on(alerts)[one.key] == (alerts[0].fingerprint, "c" * 16)
