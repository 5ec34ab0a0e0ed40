"""Acknowledging and escalating: who hears further, and who need not."""

from dataclasses import replace
from fractions import Fraction

import pytest

from alertd.core.alert import Address
from alertd.core.rules.base import Escalation
from tests.core.builders import HOUR, rolling
from tests.core.stage import TEAM, Stage, match

FINOPS, ONCALL = Address("finops", ""), Address("oncall", "")
HOURLY = rolling(repeat_interval=2 * HOUR, repeat_backoff=Fraction(1))
ESCALATING = rolling(repeat_interval=None, escalate=Escalation(after=3 * HOUR, notify=("oncall",)))


# --- acknowledged ---------------------------------------------------------------------------------------------------


def test_acknowledged_when_it_goes_on_then_not_repeated_and_its_end_is_notified() -> None:
    """Somebody looks after it; everybody else hears when it is over."""
    stage = Stage(rule=HOURLY)
    stage.lives("60")
    stage.ack()
    assert stage.lives("60 60 60 60 44") == [[], [], [], [], ["resolved warning"]]


def test_acknowledged_when_its_severity_rises_then_notified_and_repeated_again() -> None:
    """The acknowledgement was of the milder alert."""
    stage = Stage(rule=HOURLY)
    stage.lives("60")
    stage.ack()
    assert stage.lives("60 120 120 120") == [[], ["severity raised critical"], [], ["still firing critical"]]
    assert stage.of().acknowledged_by is None


def test_acknowledged_when_taken_back_then_repeated_again() -> None:
    """A wrong button is no reason for silence."""
    stage = Stage(rule=HOURLY)
    stage.lives("60")
    stage.ack()
    stage.lives("60 60 60")
    stage.ack(undo=True)
    assert stage.lives("60") == [["still firing warning"]]


def test_acknowledged_when_it_comes_again_then_a_new_episode_is_nobodys() -> None:
    """Who looked after the last one need not know of this one."""
    stage = Stage(rule=HOURLY)
    stage.lives("60")
    stage.ack()
    assert stage.lives("44 60 60 60")[1:] == [["firing warning"], [], ["still firing warning"]]


def test_acknowledged_when_the_severity_is_lowered_and_rises_again_then_notified() -> None:
    """What comes again is news again."""
    stage = Stage(rule=HOURLY)
    stage.lives("120")
    stage.ack()
    assert stage.lives("60 60 60 120") == [[], [], [], ["severity raised critical"]]


def test_acknowledged_before_it_was_notified_when_its_silence_ends_then_notified_once() -> None:
    """One person knows of it; the others were never notified."""
    stage = Stage(rule=HOURLY)
    stage.silence(ends_at=stage.now + 2 * HOUR)
    stage.lives("60")
    stage.ack()
    assert stage.lives("60 60 60 60") == [["firing warning"], [], [], []]


def test_rise_when_a_silence_withholds_it_then_what_was_acknowledged_is_nobodys_again() -> None:
    """Nobody has said yet that they look after the more severe alert."""
    stage = Stage(rule=HOURLY)
    stage.lives("60")
    stage.ack()
    stage.silence(ends_at=stage.now + 3 * HOUR)
    assert stage.lives("120") == [[]]
    assert stage.of().acknowledged_by is None
    assert stage.lives("120 120 120 120") == [[], ["severity raised critical"], [], ["still firing critical"]]


@pytest.mark.parametrize("is_known", [True, False], ids=["acknowledged before as well", "acknowledged then alone"])
def test_rise_when_acknowledged_while_a_silence_withholds_it_then_notified_once_and_not_repeated(
    is_known: bool,
) -> None:
    """Whoever acknowledged saw how severe it is; the others have not heard of it yet."""
    stage = Stage(rule=HOURLY)
    stage.lives("60")
    if is_known:
        stage.ack()
    stage.silence(ends_at=stage.now + 3 * HOUR)
    assert stage.lives("120") == [[]]
    stage.ack()
    assert stage.lives("120 120 120 120 120") == [[], ["severity raised critical"], [], [], []]
    assert stage.of().acknowledged_by == "dana"


def test_rise_when_it_was_acknowledged_before_anybody_was_notified_then_repeated() -> None:
    """The acknowledgement was of a warning; the first notification is of a critical alert."""
    stage = Stage(rule=HOURLY)
    stage.silence(ends_at=stage.now + 3 * HOUR)
    stage.lives("60")
    stage.ack()
    assert stage.lives("120 120 120 120") == [[], ["firing critical"], [], ["still firing critical"]]


# --- escalated ------------------------------------------------------------------------------------------------------


def test_escalation_when_nobody_acknowledges_then_further_receivers_are_notified_once() -> None:
    """After that long, and never again; they hear the end as well."""
    stage = Stage(rule=ESCALATING)
    stage.cycle({"gpu-1": "60"})
    for _ in range(6):
        stage.cycle({"gpu-1": "60"})
    stage.cycle({"gpu-1": "44"})
    assert stage.reached() == [
        (FINOPS, "firing warning"),
        (ONCALL, "escalated warning"),
        (FINOPS, "resolved warning"),
        (ONCALL, "resolved warning"),
    ]
    assert stage.notified[1].at - stage.notified[0].at == 3 * HOUR


def test_escalation_when_notified_then_later_rises_and_repeats_go_to_both() -> None:
    """Whoever was called in is part of it from then on."""
    stage = Stage(rule=replace(ESCALATING, repeat_interval=5 * HOUR))
    stage.lives("60 60 60 60 60 60 60 120")
    assert stage.reached() == [
        (FINOPS, "firing warning"),
        (ONCALL, "escalated warning"),
        (FINOPS, "still firing warning"),
        (ONCALL, "still firing warning"),
        (FINOPS, "severity raised critical"),
        (ONCALL, "severity raised critical"),
    ]


def test_escalation_when_notified_then_repeats_keep_their_own_time() -> None:
    """It is no repeat for those who were notified before."""
    stage = Stage(rule=replace(ESCALATING, repeat_interval=4 * HOUR))
    notified = stage.lives("60 60 60 60 60")
    assert notified == [["firing warning"], [], [], ["escalated warning"], ["still firing warning"] * 2]


def test_escalation_when_acknowledged_in_time_then_nobody_further_is_notified() -> None:
    """That is what the acknowledgement is for."""
    stage = Stage(rule=ESCALATING)
    stage.lives("60")
    stage.ack()
    assert stage.lives("60 60 60 60 44") == [[], [], [], [], ["resolved warning"]]


def test_escalation_when_the_acknowledgement_ends_by_a_rise_then_notified_after_all() -> None:
    """It fires long, and nobody has acknowledged what it is now."""
    stage = Stage(rule=ESCALATING)
    stage.lives("60")
    stage.ack()
    assert stage.lives("60 60 60 60 120 120")[4:] == [["severity raised critical"], ["escalated critical"]]


def test_escalation_when_silenced_then_withheld_and_notified_after_it() -> None:
    """First what was withheld, then that nobody acknowledged it."""
    stage = Stage(rule=ESCALATING)
    stage.silence(ends_at=stage.now + 6 * HOUR)
    assert stage.lives("60 60 60 60 60 60 60 60")[5:] == [["firing warning"], ["escalated warning"], []]


def test_escalation_when_an_episode_ends_then_the_next_one_has_its_own() -> None:
    """The clock begins anew."""
    stage = Stage(rule=ESCALATING)
    stage.lives("60 60 60 60 44 60 60 60")
    assert [word for _, word in stage.reached()].count("escalated warning") == 1
    assert stage.lives("60") == [["escalated warning"]]


def test_escalation_when_pending_long_then_counts_from_the_firing() -> None:
    """How long it must have fired, not been seen."""
    stage = Stage(rule=replace(ESCALATING, for_=3 * HOUR))
    assert stage.lives("60 60 60 60 60 60 60") == [[], [], [], ["firing warning"], [], [], ["escalated warning"]]


@pytest.mark.parametrize("more", [5, 6])
def test_escalation_when_many_are_due_then_a_storm_like_any_other(more: int) -> None:
    """Six calls at once are one."""
    stage = Stage(rule=ESCALATING)
    values: dict[str, str | None] = {f"gpu-{n}": "60" for n in range(more)}
    for _ in range(3):
        stage.cycle(values)
    assert stage.cycle(values) == (["escalated warning"] * 5 if more == 5 else ["many alerts warning"])


def test_quiet_hours_of_alerts_when_all_is_withheld_then_nothing_is_notified_but_ends() -> None:
    """Silence, acknowledgement and escalation together."""
    stage = Stage(rule=replace(ESCALATING, repeat_interval=HOUR), audience=TEAM)
    stage.lives("60")
    stage.ack()
    stage.silence(matchers=match(rule="gpu-*"))
    assert stage.lives("60 120 120 120 60 44") == [[], [], [], [], [], ["resolved warning"]]


def test_escalation_when_a_repeat_is_due_with_it_then_nobody_hears_twice() -> None:
    """A day to escalate and a day to repeat are what most people write."""
    rule = rolling(repeat_interval=3 * HOUR, escalate=Escalation(after=3 * HOUR, notify=("oncall",)))
    stage = Stage(rule=rule, audience=TEAM)
    stage.lives("60 60 60 60 60 60")
    assert [notified.word for notified in stage.notified if notified.to == ONCALL] == ["escalated warning"]
    assert [notified.word for notified in stage.notified if notified.to == FINOPS] == [
        "firing warning",
        "still firing warning",
    ]
