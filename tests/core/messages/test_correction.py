"""Corrections: a notified value that later data changes is put right in its place, and nobody is notified anew."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from alertd.core.alert import Address
from alertd.core.alerts.judge import judge
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, start_of
from alertd.core.labels import Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.first_spend import FirstSpend
from tests.core.builders import (
    CRITICAL,
    HOUR,
    NOW,
    RUNNING,
    WARNING,
    Desk,
    Row,
    desk_with,
    rolling,
    row,
    usd,
)
from tests.core.stage import TEAM, Stage

EDITING = replace(TEAM, default=("finops", "mail"), editors=frozenset({"finops"}))
NEVER = rolling(repeat_interval=None)
WARNING_ONLY = rolling("50", None, repeat_interval=None)


def notified(value: str = "60") -> Stage:
    """Finops and mail were notified."""
    stage = Stage(audience=EDITING)
    stage.cycle({"gpu-1": value})
    return stage


@pytest.mark.parametrize(
    ("restated", "is_corrected"),
    [
        pytest.param("66", False, id="exactly 10 % more"),
        pytest.param("66.0000000001", True, id="more than 10 % more"),
        pytest.param("54", False, id="exactly 10 % less"),
        pytest.param("53.9999999999", True, id="more than 10 % less"),
        pytest.param("60", False, id="the same"),
        pytest.param("0", True, id="nothing is left of it"),
        pytest.param("-5", True, id="a credit"),
        pytest.param(None, False, id="nobody can say"),
    ],
)
def test_notified_value_when_later_data_changes_it_then_corrected_or_not(
    restated: str | None, is_corrected: bool
) -> None:
    """More than a tenth: less would be noise."""
    assert notified().cycle({"gpu-1": "60"}, restated=restated) == (["corrected warning"] if is_corrected else [])


def test_correction_when_made_then_only_editors_get_it_and_it_says_both_values() -> None:
    """A mail cannot be taken back; a second one would be a second alert."""
    stage = notified()
    stage.cycle({"gpu-1": "70"}, restated="80")
    (correction,) = stage.notified[-1:]
    assert correction.to == Address("finops", "")
    message = correction.entry.message
    assert message.reason is NotifyReason.CORRECTED
    assert message.lines[0] == (
        "Corrected 2026-01-10 14:05 UTC: was $60.00, now $80.00 for the same hours, "
        "billed through 2026-01-10 12:00 UTC."
    )
    assert message.title == "gpu-1 spent $70 (warning from $50.00)"


def test_correction_when_made_then_not_made_again_until_it_changes_again() -> None:
    """It counts from what the message says now."""
    stage = notified()
    told_words = [stage.cycle({"gpu-1": "60"}, restated=value) for value in ("70", "70", "76", "78", "90")]
    assert told_words == [["corrected warning"], [], [], ["corrected warning"], ["corrected warning"]]


def test_correction_when_the_alert_rises_at_once_then_the_rise_reports_it() -> None:
    """News has the value of now; the message before it is put right after."""
    stage = notified()
    assert stage.cycle({"gpu-1": "120"}, restated="90") == ["severity raised critical"] * 3


def test_correction_when_acknowledged_then_made() -> None:
    """Whoever looks after it should see the right figure."""
    stage = notified()
    stage.ack()
    assert stage.cycle({"gpu-1": "60"}, restated="90") == ["corrected warning"]
    assert stage.of().acknowledged_by == "dana"


def test_correction_when_silenced_then_made_after_it() -> None:
    """Nothing of it is notified meanwhile, and nothing is forgotten."""
    stage = notified()
    stage.silence(ends_at=stage.now + 2 * HOUR)
    assert stage.cycle({"gpu-1": "60"}, restated="90") == []
    assert stage.cycle({"gpu-1": "60"}, restated="90") == ["corrected warning"]


def test_correction_when_nobody_can_edit_then_what_was_notified_stays_notified() -> None:
    """Further spend counts from what people read, not from what they should have read."""
    stage = Stage(
        rule=rolling(repeat_interval=None, repeat_every=usd("10")), audience=replace(EDITING, editors=frozenset())
    )
    stage.cycle({"gpu-1": "60"})
    assert stage.cycle({"gpu-1": "67"}, restated="67") == []
    assert stage.of().notified_value == Decimal(60)
    assert stage.of().muted is None, "whoever was notified is notified on; only nobody can change what was sent"
    assert stage.cycle({"gpu-1": "70"}, restated="67") == ["still firing warning"] * 3


def test_correction_when_the_alert_ends_then_the_end_is_all() -> None:
    """It says what it came to."""
    assert notified().cycle({"gpu-1": "44"}, restated="90") == ["resolved warning"] * 3


def test_correction_when_never_notified_then_nothing() -> None:
    """There is no message."""
    stage = Stage(audience=EDITING)
    stage.silence()
    assert stage.cycle({"gpu-1": "60"}, restated="90") == []
    assert stage.cycle({"gpu-1": "60"}, restated="90") == []


def test_corrections_when_many_then_each_by_itself() -> None:
    """Each changes its own message: there is no storm of them."""
    stage = Stage(audience=EDITING)
    for number in range(6):
        stage.cycle({f"gpu-{number}": "60"})
    words = stage.cycle({f"gpu-{number}": "60" for number in range(6)}, restated="90")
    assert words == ["corrected warning"] * 6


def test_rise_when_a_correction_waits_then_it_is_not_folded_into_it() -> None:
    """The told message would stay wrong."""
    stage = notified()
    stage.cycle({"gpu-1": "60"}, restated="90")
    stage.waiting.append(stage.notified[-1].entry)
    before = stage.of()
    decisions = stage.decide([Move(before=before, after=replace(before, severity=CRITICAL), rule=NEVER)])
    reasons = [entry.message.reason for entry in decisions.entries if not entry.message.reason.is_edit]
    assert reasons == [NotifyReason.RAISED] * 3
    assert decisions.folded == {}


def test_correction_when_a_rise_waits_behind_another_correction_then_the_rise_is_still_notified_as_one() -> None:
    """What people were to hear must not vanish into an edit."""
    stage = notified()
    raised, corrected = stage.notified[0].entry, stage.notified[0].entry
    raised = replace(raised, id=7, message=replace(raised.message, reason=NotifyReason.RAISED))
    corrected = replace(corrected, id=8, message=replace(corrected.message, reason=NotifyReason.CORRECTED))
    stage.waiting = [raised, corrected]
    before = stage.of()
    decisions = stage.decide([Move(before=before, after=before, rule=NEVER, restated=Decimal(90))])
    (entry,) = decisions.entries
    assert entry.message.reason is NotifyReason.RAISED
    assert decisions.folded == {entry.key: (7, 8)}
    assert not any("Corrected" in line for line in entry.message.lines)


# --- what rules can say of a told value -----------------------------------------------------------------------------

LATER = NOW + timedelta(hours=3)


def restated_by(rule: Rule, first: Desk, then: Desk, *, owners: OwnerDirectory | None = None) -> Decimal | None:
    """Judge twice, the first time told; return what the second says of the told value."""
    moves, faults = judge([rule], first.facts(owners=owners), {}, {"default"})
    assert not faults
    stage = Stage(audience=EDITING)
    stage.decide(moves)
    (alert,) = stage.alerts.values()
    moves, faults = judge([rule], then.facts(LATER, owners=owners), {alert.fingerprint: alert}, {"default"})
    assert not faults
    (after,) = moves
    return after.restated


def desk(*rows: Row) -> Desk:
    """Everything read three hours later."""
    return desk_with(*rows, now=LATER)


def budget(**parts: object) -> BudgetRule:
    rule = BudgetRule(
        name="budget",
        period=Period.MONTH,
        amount=usd("100"),
        thresholds={WARNING: Share(Fraction(1, 2))},
        group_by=("owner",),
    )
    return replace(rule, **parts)  # type: ignore[arg-type]


FIRST = row(RUNNING - 2, "60")
LATE = row(RUNNING - 5, "20")
MOVED_ON = row(RUNNING + 2, "30")
CREDIT = row(RUNNING - 6, "-10")


@pytest.mark.parametrize(
    ("rule", "rows", "expected"),
    [
        pytest.param(NEVER, [FIRST], "60", id="rolling: the same"),
        pytest.param(NEVER, [FIRST, MOVED_ON], "60", id="rolling: the window moved, the told hours did not"),
        pytest.param(NEVER, [FIRST, LATE], "80", id="rolling: a late row"),
        pytest.param(NEVER, [row(RUNNING - 2, "40"), MOVED_ON], "40", id="rolling: revised downwards"),
        pytest.param(NEVER, [FIRST, CREDIT], "50", id="rolling: a credit"),
        pytest.param(budget(), [FIRST, MOVED_ON], "0.6", id="budget: the period went on"),
        pytest.param(budget(), [FIRST, LATE], "0.8", id="budget: a late row"),
        pytest.param(budget(amounts={"gpu-1": usd("50")}), [FIRST, LATE], "1.6", id="budget: of its own amount"),
        pytest.param(budget(amounts={"trainer": usd("50")}), [FIRST, LATE], "1.6", id="budget: by the owner's name"),
        pytest.param(FirstSpend(name="new"), [FIRST, LATE], "80", id="new owner: a late row"),
        pytest.param(FirstSpend(name="new"), [FIRST, MOVED_ON], "60", id="new owner: the window moved"),
    ],
)
def test_notified_value_when_bills_change_then_rules_restate_the_same_hours(
    rule: Rule, rows: list[Row], expected: str
) -> None:
    """What is compared is the told hours then and now: a window that moved on is no correction."""
    owners = OwnerDirectory((Owner(match=Patterns(("gpu-1",)), name="trainer"),))
    assert restated_by(rule, desk_with(FIRST), desk(*rows), owners=owners) == Decimal(expected)


def unread(*rows: Row) -> Desk:
    """As read three hours later, but the last hours before what was notified could not be."""
    found = desk(*rows)
    found.fail(HourRange(RUNNING - 8, RUNNING - 3), at=LATER)
    return found


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([row(RUNNING - 2, "40"), row(RUNNING + 2, "30")], None, id="never lower while data lacks"),
        pytest.param([FIRST, row(RUNNING - 20, "20")], "80", id="higher all the same"),
        pytest.param([FIRST, row(RUNNING - 20, "20"), row(RUNNING - 400, "-1")], None, id="not if a credit may lack"),
    ],
)
def test_notified_value_when_data_is_missing_then_restated_only_upwards(rows: list[Row], expected: str | None) -> None:
    """Missing data can hide spend but never invent it."""
    found = restated_by(NEVER, desk_with(FIRST), unread(*rows))
    assert found == (Decimal(expected) if expected is not None else None)


def test_notified_value_when_its_hours_are_not_held_any_more_then_nobody_can_say() -> None:
    """Old hours are dropped in time."""
    facts = desk(FIRST).facts(LATER)
    oldest = facts.spend.span.start + 24
    assert NEVER.restated(facts, notified().of(), start_of(oldest - 1)) is None
    assert NEVER.restated(facts, notified().of(), start_of(RUNNING)) == Decimal(60)


def test_notified_value_when_the_rule_is_edited_then_is_no_correction() -> None:
    """A longer window costs more, and what was notified was right by the old text."""
    rows = (FIRST, row(RUNNING - 30, "60"))
    stage = Stage(audience=EDITING)
    moves, _ = judge([WARNING_ONLY], desk_with(*rows).facts(), {}, {"default"})
    stage.decide(moves)
    stage.cycle(after=timedelta())
    assert stage.waiting == []
    longer = replace(WARNING_ONLY, window=timedelta(hours=48))
    for hours in (1, 2):
        facts = desk_with(*rows, now=NOW + hours * HOUR).facts(NOW + hours * HOUR)
        moves, _ = judge([longer], facts, dict(stage.alerts), {"default"})
        stage.now = NOW + hours * HOUR
        entries = stage.decide(moves).entries
        assert [entry.message.reason for entry in entries if entry.message.reason is NotifyReason.CORRECTED] == []
    assert stage.of().value == Decimal(120)
