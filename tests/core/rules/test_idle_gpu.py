"""`idle_gpu`: which running instances are at rest, what that has cost, and what metrics must say before it moves."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from alertd.core.alert import AlertState, Unit
from alertd.core.alerts.judge import judge
from alertd.core.alerts.reason import NotifyReason
from alertd.core.labels import Labels, Patterns
from alertd.core.messages.compose import compose_alert
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.facts import Facts
from alertd.core.rules.idle_gpu import IdleGpu
from alertd.core.severity import Severity
from alertd.rules_file.keys import key_table
from tests.core.builders import HOUR, NOW, RUNNING, desk_with, row, usd
from tests.core.messages.test_rate import RESOURCE
from tests.core.test_utilization import slots

KEY = ("default", "gpu-1")
GROUP: Labels = (("account", "default"), ("owner", "gpu-1"))
OWNERS = OwnerDirectory().named({"gpu-1": "trainer"})
LIMITS = {Severity.WARNING: usd("10"), Severity.CRITICAL: usd("40")}


def facts(busy: str, *, read_at: object = NOW, **parts: object) -> Facts:
    """A running instance at $7.30 an hour, and its utilisation of late."""
    known = desk_with(*(row(RUNNING - ago, "7.30") for ago in range(2, 40))).facts(owners=OWNERS)
    resource = replace(RESOURCE, **parts)  # type: ignore[arg-type] # a test's shorthand
    return replace(
        known,
        resources={KEY: resource},
        resources_read={"default": NOW if read_at is NOW else NOW - 2 * HOUR},
        utilization={KEY: slots(busy)},
    )


def rule(**parts: object) -> IdleGpu:
    return IdleGpu(name="idle", **parts)  # type: ignore[arg-type] # a test's shorthand


def idle(hours: int) -> str:
    """Busy once, idle since for so long."""
    return " ".join(["80", *["0"] * (12 * hours + 1)])


def test_instance_when_idle_for_the_window_then_fires_with_the_utilisation() -> None:
    """Without thresholds it is a warning, and the value is the utilisation."""
    (sample,) = rule().evaluate(facts(idle(2)), [])
    assert (sample.reached, sample.unit, sample.value) == (Severity.WARNING, Unit.RATIO, Decimal(0))
    assert sample.group == GROUP
    assert dict(sample.labels)["owner_name"] == "trainer"


@pytest.mark.parametrize(
    "busy", ["80 0 0 0", "0 0 0", idle(1), idle(2) + " 6", "_", " ".join(["0"] * 10 + ["_"] * 8 + ["0"] * 10)]
)
def test_instance_when_not_idle_for_sure_then_nothing(busy: str) -> None:
    """Too short, busy now, or not sampled."""
    assert rule().evaluate(facts(busy), []) == []


def test_headline_when_idle_then_how_long_how_busy_and_what_it_cost() -> None:
    """In the words of who has to decide."""
    (sample,) = rule(thresholds=LIMITS).evaluate(facts(idle(6)), [])
    # Of the six hours from 06:05 on four whole ones are billed.
    assert sample.headline == "trainer (gpu-1) idle for 6 h at 0 % of 1 × H100 SXM 80GB: $29.20 so far"
    assert (sample.reached, sample.unit, sample.value) == (Severity.WARNING, Unit.USD, Decimal("29.20"))


def test_headline_when_the_metrics_end_earlier_then_idle_for_as_long_as_they_show() -> None:
    """What was not sampled may have been busy."""
    known = facts(idle(6))
    late = replace(known, utilization={KEY: slots(idle(6), ended=3)})
    (now,), (then,) = (rule(thresholds=LIMITS).evaluate(each, []) for each in (known, late))
    assert "idle for 6 h at 0 %" in now.headline
    assert "idle for 6 h 5 min at 0 %" in then.headline, "through 11:55, and not for the ten minutes since"


def test_message_when_idle_then_the_threshold_from_above() -> None:
    """A low value is the bad one."""
    (move,), _ = judge([rule(severity=Severity.CRITICAL)], facts(idle(3)), {}, ["default"])
    message = compose_alert(
        move.after, move.rule, NotifyReason.FIRST, headline=move.after.headline, owners=OWNERS, now=NOW
    )
    assert message.title.endswith("$7.30 so far (critical at or below 5 %)")
    assert message.lines[0].startswith("$7.30 an hour, running since")


ENDS = [
    pytest.param(facts(idle(3) + " 60"), AlertState.RESOLVED, id="busy again"),
    pytest.param(facts(idle(3), status="exited"), AlertState.RESOLVED, id="stopped"),
    pytest.param(facts(idle(3), gone_at=NOW), AlertState.RESOLVED, id="gone"),
    pytest.param(facts("_"), AlertState.FIRING, id="no metrics at all"),
    pytest.param(facts("0 0 0"), AlertState.FIRING, id="too few metrics"),
    pytest.param(facts(idle(3), status="exited", read_at=None), AlertState.FIRING, id="an old list"),
    pytest.param(facts("80 0 0 0"), AlertState.RESOLVED, id="busy within the window"),
]


@pytest.mark.parametrize(("later", "state"), ENDS)
def test_alert_when_things_change_then_ends_only_by_what_is_known(later: Facts, state: AlertState) -> None:
    """Above `below`, or when the instance stops; missing metrics decide nothing."""
    judging = rule()
    (fired,), _ = judge([judging], facts(idle(3)), {}, ["default"])
    moves, faults = judge([judging], later, {fired.after.fingerprint: fired.after}, ["default"])
    assert not faults
    assert (moves[0].after.state if moves else AlertState.FIRING) is state


@pytest.mark.parametrize(
    ("parts", "count"),
    [
        ({}, 1),
        ({"owner": Patterns(("gpu-2",))}, 0),
        ({"account": Patterns(("prod",))}, 0),
        ({"product": Patterns(("*H100*",))}, 1),
        ({"product": Patterns(("!*H100*",))}, 0),
        ({"team": Patterns(("research",))}, 0),
        ({"below": 0}, 1),
        ({"window": timedelta(hours=4)}, 0),
    ],
)
def test_rule_when_it_filters_then_only_those(parts: dict[str, object], count: int) -> None:
    """The same instance, by other rules; an open alert of one that is left out ends, as nothing is read for it."""
    assert len(rule(**parts).evaluate(facts(idle(3)), [])) == count
    is_left_out = bool(rule(**parts).left_out(facts(idle(3)), GROUP))
    assert is_left_out is (count == 0 and "window" not in parts)


def test_keys_when_read_then_none_that_bills_alone_have() -> None:
    """What idles is an instance; metrics know no subcategory."""
    assert not {"group_by", "metric", "view", "category", "subcategory"} & key_table(IdleGpu).keys()


@pytest.mark.parametrize(
    "parts", [{"severity": Severity.INFO, "thresholds": LIMITS}, {"thresholds": dict(zip(LIMITS, [2, 1], strict=True))}]
)
def test_rule_when_it_makes_no_sense_then_says_so(parts: dict[str, object]) -> None:
    """Before it ever runs."""
    assert len(list(rule(**parts).problems())) == 1


def test_alert_when_metrics_are_missing_in_between_then_a_lower_cost_lowers_nothing() -> None:
    """What idled before the gap may have idled through it: the cost that is left is no less than that of before."""
    judging = rule(thresholds=LIMITS)
    (fired,), _ = judge([judging], facts(idle(9)), {}, ["default"])
    assert fired.after.severity is Severity.CRITICAL
    gap = " ".join(["80", *["0"] * 60, *["_"] * 12, *["0"] * 30])
    (later,), _ = judge([judging], facts(gap), {fired.after.fingerprint: fired.after}, ["default"])
    assert (later.after.state, later.after.severity) == (AlertState.FIRING, Severity.CRITICAL)
    assert not later.after.is_complete
    assert later.after.caveats == ("there are no metrics from before 2026-01-10 09:40 UTC",)
