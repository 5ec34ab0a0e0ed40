"""What an alert costs now: its group's rate, whether it runs by bills and list, and what that makes of tomorrow."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import Alert, Rate
from alertd.core.alerts.judge import judge
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import Period
from alertd.core.local_time import Clock
from alertd.core.messages.compose import compose_alert
from alertd.core.messages.rate_words import rate_line
from alertd.core.money import format_usd
from alertd.core.owners import OwnerDirectory
from alertd.core.resources import Resource, ResourceKind
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.facts import Facts
from alertd.queries.alert_json import alert_json
from tests.core.builders import HOUR, NOW, RUNNING, WARNING, desk_with, rolling, row, usd

RULE = rolling(group_by=("owner",))
EDGE = RUNNING - 2
RESOURCE = Resource(
    account="default",
    id="gpu-1",
    kind=ResourceKind.INSTANCE,
    name="trainer",
    status="running",
    product="H100 SXM 80GB",
    gpus=1,
    started_at=None,
    stopped_at=None,
)


def facts(*resources: Resource, read_at: datetime = NOW, until: int = EDGE) -> Facts:
    """An owner at $8.36 an hour for thirty hours."""
    known = desk_with(*(row(until - ago, "8.36") for ago in range(1, 31))).facts()
    return replace(known, resources={one.key: one for one in resources}, resources_read={"default": read_at})


def only(known: Facts, rule: Rule = RULE) -> Alert:
    moves, faults = judge([rule], known, {}, ["default"])
    assert not faults
    (move,) = moves
    return move.after


def first_line(alert: Alert, rule: Rule = RULE) -> str:
    message = compose_alert(alert, rule, NotifyReason.FIRST, headline=alert.headline, owners=OwnerDirectory(), now=NOW)
    return message.clock.localized(message.lines[0])


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        pytest.param(None, "billed every hour since yesterday 04:00 UTC · about $184", id="bills alone"),
        pytest.param(
            RESOURCE,
            "running since yesterday 04:00 UTC, 1 × H100 SXM 80GB · about $184",
            id="the list, and since by bills",
        ),
        pytest.param(
            replace(RESOURCE, started_at=NOW - 4 * HOUR), "running since 08:05 UTC, 1 × H100", id="the list says when"
        ),
        pytest.param(
            replace(RESOURCE, status="exited", stopped_at=NOW - HOUR),
            "stopped 11:05 UTC, 1 × H100 SXM 80GB.",
            id="stopped since the last bill",
        ),
        pytest.param(replace(RESOURCE, status="removed"), "removed, 1 × H100 SXM 80GB.", id="removed"),
        pytest.param(replace(RESOURCE, gone_at=NOW), "no longer listed since 12:05 UTC, 1 ×", id="gone"),
        pytest.param(
            replace(RESOURCE, status="migrating"), "migrating since yesterday 04:00 UTC", id="an unusual state"
        ),
    ],
)
def test_message_when_an_owner_costs_money_then_its_first_line_says_what_it_costs_now(
    resource: Resource | None, words: str
) -> None:
    """At three in the morning that is the question."""
    line = first_line(only(facts(*([resource] if resource is not None else []))))
    assert line.startswith(f"$8.36 an hour, {words}")


def test_message_when_the_list_is_old_then_bills_alone_say_whether_it_runs() -> None:
    """What was read two hours ago says nothing of now."""
    line = first_line(only(facts(replace(RESOURCE, status="exited"), read_at=NOW - 2 * HOUR)))
    assert "billed every hour" in line


def test_message_when_nothing_is_billed_any_more_then_says_since_when_and_no_more_to_come() -> None:
    """The window still holds what was spent."""
    assert first_line(only(facts(until=EDGE - 4))) == "$0.00 an hour, nothing billed since 06:00 UTC."


def test_message_when_a_budget_counts_then_by_the_period_s_end_too() -> None:
    """That is what the budget is about."""
    rule = BudgetRule(
        name="day", group_by=("owner",), amount=usd("10"), thresholds={WARNING: Share(Fraction(1))}, period=Period.MONTH
    )
    line = first_line(only(facts(), rule), rule)
    assert line.endswith("about $184 more by tomorrow 08:00 UTC, $4,330 more by Feb 1 00:00 UTC.")


def test_rate_when_the_group_is_not_one_owner_then_the_sum_of_all() -> None:
    """One group has one rate, whoever is in it."""
    rows = [row(EDGE - ago, "2", owner=owner) for ago in range(1, 31) for owner in ("gpu-1", "gpu-2")]
    alert = only(desk_with(*rows).facts(), rolling(group_by=("category",)))
    assert alert.rate is not None
    assert alert.rate.per_hour == usd("4")
    assert alert_json(alert, [])["rate_per_hour"] == "4"


AT = datetime(2026, 3, 12, 3, 20, tzinfo=UTC)
UTC_AT = Clock(timezone="UTC", now=AT)


@pytest.mark.parametrize(
    ("per_hour", "through", "words"),
    [
        ("7.3", AT.replace(minute=0) - 2 * HOUR, "$7.30 an hour · about $51 more by 08:00 UTC."),
        ("0.01", AT.replace(minute=0), "$0.01 an hour · about $0.05 more by 08:00 UTC."),
        ("-1", AT.replace(minute=0), "$-1.00 an hour."),
    ],
)
def test_line_when_it_is_night_then_by_this_morning(per_hour: str, through: datetime, words: str) -> None:
    """Somebody looks at it at eight."""
    rate = Rate(per_hour=usd(per_hour), through=through, is_billed=True)
    assert UTC_AT.localized(rate_line(rate, UTC_AT)) == words.replace("$-1.00", format_usd(usd("-1")))


def test_line_when_morning_has_come_then_by_tomorrow() -> None:
    """Eight o'clock of today is over."""
    rate = Rate(per_hour=usd("1"), through=AT.replace(hour=8, minute=0), is_billed=True)
    late = replace(UTC_AT, now=AT.replace(hour=8, minute=0) + timedelta(minutes=1))
    assert "2026-03-13 08:00 UTC" in rate_line(rate, late)


@pytest.mark.parametrize(
    ("timezone", "now", "morning"),
    [
        pytest.param("Europe/Berlin", "2026-03-12T03:20:00", "2026-03-12 07:00 UTC", id="an hour ahead"),
        pytest.param("Europe/Berlin", "2026-03-12T07:00:00", "2026-03-13 07:00 UTC", id="at eight it is over"),
        pytest.param("Europe/Berlin", "2026-03-28T20:00:00", "2026-03-29 06:00 UTC", id="the night is an hour short"),
        pytest.param("America/Los_Angeles", "2026-03-12T03:20:00", "2026-03-12 15:00 UTC", id="still yesterday there"),
        pytest.param("Asia/Kolkata", "2026-03-12T03:20:00", "2026-03-13 02:30 UTC", id="a zone with half an hour"),
    ],
)
def test_line_when_the_rules_have_a_zone_then_by_eight_o_clock_there(timezone: str, now: str, morning: str) -> None:
    """Morning is when those who are notified come to work."""
    rate = Rate(per_hour=usd("1"), through=AT, is_billed=True)
    line = rate_line(rate, Clock(timezone=timezone, now=datetime.fromisoformat(now).replace(tzinfo=UTC)))
    assert line.endswith(f"more by {morning}.")
