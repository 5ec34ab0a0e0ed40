"""`running`: hours in a row by bills alone; when it fires, what it says, and that missing data ends nothing."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alertd.core.alert import AlertState, Sample, Unit
from alertd.core.alerts.judge import judge
from alertd.core.hours import HourRange
from alertd.core.labels import Labels, Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Rule
from alertd.core.rules.running import RunningRule
from alertd.core.severity import Severity
from alertd.rules_file.keys import key_table
from tests.core.builders import CRITICAL, HOUR, RUNNING, WARNING, Desk, desk_with, row

EDGE = RUNNING - 2
ONE: Labels = (("account", "default"), ("owner", "gpu-1"))


def rule(**parts: object) -> RunningRule:
    limits = {WARNING: 24 * HOUR, CRITICAL: 72 * HOUR}
    return RunningRule(name="on", **{"thresholds": limits, **parts})  # type: ignore[arg-type] # a test's shorthand


def held(hours: int, *, ended: int = 0, amount: str = "8.36", owner: str = "gpu-1") -> Desk:
    """An owner that ran so long and stopped some hours ago."""
    return desk_with(*(row(EDGE - ended - back, amount, owner=owner) for back in range(1, hours + 1)))


def one(desk: Desk, judging: RunningRule | None = None, *, watched: bool = True) -> Sample | None:
    found = (judging or rule()).evaluate(desk.facts(), [ONE] if watched else [])
    return found[0] if found else None


@pytest.mark.parametrize(
    ("hours", "reached"),
    [
        pytest.param(23, None, id="below"),
        pytest.param(24, Severity.WARNING, id="exactly so long"),
        pytest.param(71, Severity.WARNING, id="between"),
        pytest.param(72, Severity.CRITICAL, id="the higher"),
    ],
)
def test_owner_when_billed_so_long_then_the_severity_of_that(hours: int, reached: Severity | None) -> None:
    """Reached means value >= threshold."""
    sample = one(held(hours))
    assert sample is not None
    assert (sample.value, sample.unit, sample.reached) == (Decimal(hours), Unit.HOURS, reached)


def test_owner_when_no_alert_is_open_and_it_runs_shortly_then_no_sample() -> None:
    """Thousands of owners run; only those that run long are of interest."""
    assert one(held(23), watched=False) is None
    assert one(held(24), watched=False) is not None


def test_headline_when_it_runs_then_how_long_and_what_it_cost() -> None:
    """In one clause; the first line of the message says what it costs now."""
    owners = OwnerDirectory((Owner(match=Patterns(("gpu-1",)), name="notebook"),))
    (sample,) = rule().evaluate(held(26).facts(owners=owners), [])
    assert sample.headline == "notebook (gpu-1) has run for 1 d 2 h: $217.36 so far"
    assert dict(sample.labels) == {"account": "default", "owner": "gpu-1", "owner_name": "notebook"}
    assert sample.facts == (("Running since", "2026-01-09 08:00 UTC"),)


def test_alert_when_the_run_ends_in_complete_data_then_resolved() -> None:
    """An hour without bills that is known to be empty."""
    judging, ran, over = rule(), held(30), held(30, ended=1)
    (fired,), _ = judge([judging], ran.facts(), {}, ["default"])
    assert fired.after.state is AlertState.FIRING
    (ended,), _ = judge([judging], over.facts(), {fired.after.fingerprint: fired.after}, ["default"])
    assert (ended.after.state, ended.after.headline) == (AlertState.RESOLVED, "gpu-1 is no longer running")


def test_alert_when_later_hours_could_not_be_read_then_goes_on() -> None:
    """Missing data ends nothing, however long it is missing."""
    judging, desk = rule(), held(30)
    (fired,), _ = judge([judging], desk.facts(), {}, ["default"])
    later = 12 * HOUR
    desk.fail(HourRange(RUNNING - 5, RUNNING + 13), desk.facts().now + later)
    known = {fired.after.fingerprint: fired.after}
    (move,), _ = judge([judging], desk.facts(desk.facts().now + later), known, ["default"])
    assert move.after.state is AlertState.FIRING
    assert not move.after.is_complete


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        pytest.param({"min_rate": 84 * 10**9}, 0, id="below min_rate"),
        pytest.param({"min_rate": 836 * 10**8}, 30, id="min_rate exactly"),
        pytest.param({"gap": timedelta(hours=3)}, 30, id="a gap that is not over"),
        pytest.param({"category": Patterns(("serverless",))}, 0, id="another category"),
        pytest.param({"owner": Patterns(("!gpu-1",))}, 0, id="an owner that is left out"),
    ],
)
def test_run_when_keys_say_what_counts_then_only_that(parts: dict[str, object], value: int) -> None:
    """The same owner, by other rules."""
    sample = one(held(30, ended=2 if "gap" in parts else 0), rule(**parts))
    assert sample is not None
    assert sample.value == value


def test_owners_when_two_run_then_one_alert_each_and_none_of_what_has_no_owner() -> None:
    """Always one alert per account and owner."""
    rows = [row(EDGE - back, "1", owner=name) for back in range(1, 31) for name in ("a", "b", "")]
    samples = rule().evaluate(desk_with(*rows).facts(), [])
    assert [dict(sample.group)["owner"] for sample in samples] == ["a", "b"]


def test_category_when_not_written_then_gpu_alone() -> None:
    """An LLM key that is used each hour does not run."""
    rows = [row(EDGE - back, "1", category="llm") for back in range(1, 31)]
    assert rule().evaluate(desk_with(*rows).facts(), []) == []


def test_keys_when_read_then_neither_group_by_nor_metric() -> None:
    """A run is of one owner, whatever else a rule would group by."""
    assert not {"group_by", "metric", "view"} & key_table(RunningRule).keys()


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"thresholds": {WARNING: timedelta(minutes=90)}}, "whole number of hours"),
        ({"thresholds": {WARNING: 30 * HOUR, CRITICAL: 24 * HOUR}}, "must be above"),
        ({"gap": timedelta(minutes=30)}, "whole number of hours"),
    ],
)
def test_rule_when_it_makes_no_sense_then_says_so(parts: dict[str, object], problem: str) -> None:
    """Before it ever runs."""
    judging: Rule = rule(**parts)
    (found,) = judging.problems()
    assert problem in found[1]
