"""What an open alert takes over from each evaluation, and what it forgets then: field by field."""

from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from alertd.core.alert import Alert, AlertState, Contributor, Lag, Sample, Unit
from alertd.core.alerts.lifecycle import Move, moved, numbered_from, step
from tests.core.builders import CRITICAL, HOUR, NOW, WARNING, firing, rolling, sample, usd

NEXT = NOW + timedelta(minutes=10)


def other(**parts: object) -> Sample:
    """A sample of the same group in which everything that an alert shows is another thing."""
    seen = replace(
        sample("70"),
        labels=(("owner", "gpu-1"), ("team", "lab")),
        account="prod",
        headline="gpu-1 spent otherwise",
        expected=Decimal(80),
        lagging=(Lag(stream="llm", through=NOW - HOUR, is_by_day=False),),
        is_window=False,
        as_of=NOW + HOUR,
        top=(Contributor(owner="gpu-1", product="H100", category="gpu", amount=usd("70"), before=None),),
        table_note="of all owners",
        caveats=("llm is late",),
        facts=(("Budget", "$100"),),
        url="https://alertd.example.com/x",
        period_start=None,
    )
    return replace(seen, **parts)  # type: ignore[arg-type]


SHARED = sorted({field.name for field in fields(Sample)} & {field.name for field in fields(Alert)})
"""What both have by the same name."""


def test_alert_when_evaluated_again_then_shows_what_is_so_now() -> None:
    """Whatever a message or page shows is of the last evaluation, and taken away with the one that said it."""
    rule = rolling(keep_firing_for=HOUR)
    alert: Alert | None = firing(rule=rule)
    for number, seen in enumerate((other(), replace(sample("60"), value=Decimal(61)), other(value=Decimal(72)))):
        alert = step(alert, seen, rule, NEXT + number * HOUR)
        assert alert is not None
        assert {name: getattr(alert, name) for name in SHARED} == {name: getattr(seen, name) for name in SHARED}


def test_pending_when_evaluated_again_then_shows_what_is_so_now() -> None:
    """Those who look at it before it fires see the same."""
    rule = rolling(for_=5 * HOUR)
    pending = step(None, sample("60", rule), rule, NOW)
    assert pending is not None
    seen = other()
    after = step(pending, seen, rule, NEXT)
    assert after is not None
    assert after.state is AlertState.PENDING
    assert {name: getattr(after, name) for name in SHARED} == {name: getattr(seen, name) for name in SHARED}


def test_rise_when_it_was_acknowledged_then_nobody_has_it_and_the_threshold_is_the_new_one() -> None:
    """Neither the name nor the time of an acknowledgement stays without the other."""
    alert = replace(firing("60"), acknowledged_by="dana", acknowledged_at=NOW)
    after = step(alert, sample("120"), rolling(), NEXT)
    assert after is not None
    assert (after.severity, after.threshold) == (CRITICAL, Decimal(100))
    assert (after.acknowledged_by, after.acknowledged_at) == (None, None)
    again = step(replace(after, acknowledged_by="kim", acknowledged_at=NEXT), sample("60"), rolling(), NEXT + HOUR)
    assert again is not None
    assert (again.severity, again.threshold, again.acknowledged_by) == (WARNING, Decimal(50), "kim")


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(sample("120"), id="a rise"),
        pytest.param(sample("60"), id="the same severity"),
        pytest.param(sample("60", complete=False), id="data that lacks something, and holds it all the same"),
    ],
)
def test_end_of_a_condition_when_it_held_again_meanwhile_then_the_wait_begins_anew(between: Sample) -> None:
    """The second time counts from the second end."""
    rule = rolling(keep_firing_for=2 * HOUR)
    alert: Alert | None = firing(rule=rule)
    seen = [sample("1"), between, sample("1"), sample("1")]
    states = []
    for number, one in enumerate(seen, 1):
        alert = step(alert, one, rule, NOW + number * timedelta(minutes=70))
        assert alert is not None
        states.append((alert.state, alert.condition_ended_at is not None))
    firing_ = AlertState.FIRING
    assert states == [(firing_, True), (firing_, False), (firing_, True), (firing_, True)]


def test_peak_when_less_is_worse_then_the_least_and_of_one_unit() -> None:
    """A balance that recovered was as low as it was; dollars are no peak of days."""
    low = replace(sample("60"), is_below=True)
    alert = step(None, low, rolling(), NOW)
    for value in ("55", "58"):
        assert alert is not None
        alert = step(alert, replace(low, value=Decimal(value)), rolling(), NEXT)
    assert alert is not None
    assert alert.peak == Decimal(55)
    for value in ("3", "2"):
        alert = step(alert, replace(sample("60"), value=Decimal(value), unit=Unit.DAYS), rolling(), NEXT)
        assert alert is not None
    assert alert.peak == Decimal(3)


def test_history_when_the_threshold_is_not_reached_then_it_is_not_named() -> None:
    """`$49 of $50` would look like a mistake: it holds by `resolve_below`."""
    alert = firing("60")
    assert moved(None, alert).threshold == Decimal(50)
    assert moved(None, replace(alert, value=Decimal(49))).threshold is None


def test_moves_when_some_were_never_stored_then_those_alone_are_numbered_from_above_what_was_deleted() -> None:
    """An episode's number is part of delivery keys: none comes twice."""
    new, known = firing(owner="gpu-1"), replace(firing(owner="gpu-2"), episode=3)
    moves = [Move(before=None, after=new, rule=rolling()), Move(before=known, after=known, rule=rolling())]
    assert [one.after.episode for one in numbered_from(moves, 7)] == [7, 3]


@pytest.mark.parametrize(
    ("before", "after", "is_rise"),
    [
        pytest.param(None, firing(), True, id="it begins"),
        pytest.param(replace(firing(), state=AlertState.RESOLVED), firing(), True, id="it begins again"),
        pytest.param(
            replace(firing("120"), state=AlertState.RESOLVED), firing("60"), True, id="again, and less severe"
        ),
        pytest.param(replace(firing(), state=AlertState.PENDING), firing(), True, id="it fires"),
        pytest.param(firing("60"), firing("120"), True, id="it is more severe"),
        pytest.param(firing("120"), firing("60"), False, id="it is less severe"),
        pytest.param(firing(), firing(), False, id="it goes on"),
        pytest.param(firing(), replace(firing(), state=AlertState.RESOLVED), False, id="it ends"),
        pytest.param(
            replace(firing(), state=AlertState.PENDING),
            replace(firing(), state=AlertState.RESOLVED),
            False,
            id="it ends before it fired",
        ),
    ],
)
def test_move_when_it_is_a_rise_then_it_may_be_decided_before_all_is_read(
    before: Alert | None, after: Alert, *, is_rise: bool
) -> None:
    assert Move(before=before, after=after, rule=rolling()).is_rise is is_rise


@pytest.mark.parametrize(
    ("old", "new", "is_below", "reason"),
    [
        pytest.param("50", "80", False, "threshold raised by edit", id="raised above what is spent"),
        pytest.param("50", "40", True, "threshold lowered by edit", id="lowered below what is left"),
        pytest.param("50", "40", False, "", id="lowered: it ended by itself"),
        pytest.param("50", "80", True, "", id="raised, where less is worse: it ended by itself"),
    ],
)
def test_end_when_the_threshold_was_edited_then_named_where_that_explains_it(
    old: str, new: str, reason: str, *, is_below: bool
) -> None:
    """A floor is eased by lowering it."""
    before = rolling(old, None)
    alert = step(None, replace(sample("60", before), is_below=is_below), before, NOW)
    assert alert is not None
    after_edit = rolling(new, None)
    ended = replace(sample("60", after_edit), reached=None, held=None, is_below=is_below)
    after = step(alert, ended, after_edit, NEXT)
    assert after is not None
    assert (after.state, after.reason) == (AlertState.RESOLVED, reason)
