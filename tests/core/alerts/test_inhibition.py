"""Inhibitions: which firing alert mutes which, and what is notified around it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.inhibition import Inhibition, Inhibitors
from alertd.core.alerts.silence import matchable
from tests.core.builders import CRITICAL, firing, rolling, silenced_by, withheld
from tests.core.stage import TEAM, Stage, match

BUDGET = rolling(name="budget")
BLIND = rolling(name="alertd-blind")


def labelled(alert: Alert, **labels: str) -> Alert:
    return replace(alert, labels=(*alert.labels, *labels.items()))


def budget(owner: str = "gpu-1", value: str = "120", **labels: str) -> Alert:
    return labelled(firing(value, owner=owner, rule=BUDGET), **labels)


def spend(owner: str = "gpu-1", value: str = "60", **labels: str) -> Alert:
    return labelled(firing(value, owner=owner), **labels)


def muting(when: dict[str, str], mute: dict[str, str], *equal: str) -> Inhibition:
    return Inhibition(when=match(**when), mute=match(**mute), equal=equal)


BUDGET_MUTES = muting({"rule": "budget"}, {"rule": "gpu-24h"}, "owner")
WORST_MUTES = muting({"severity": "critical"}, {"severity": "warning,info"}, "owner")
ANY_MUTES = muting({"type": "rolling_spend"}, {"type": "rolling_spend"})


@pytest.mark.parametrize(
    ("inhibition", "others", "alert", "is_muted"),
    [
        pytest.param(BUDGET_MUTES, [budget()], spend(), True, id="the same owner"),
        pytest.param(BUDGET_MUTES, [budget("gpu-2")], spend(), False, id="another owner"),
        pytest.param(BUDGET_MUTES, [], spend(), False, id="nothing fires"),
        pytest.param(BUDGET_MUTES, [replace(budget(), state=AlertState.RESOLVED)], spend(), False, id="it ended"),
        pytest.param(BUDGET_MUTES, [replace(budget(), state=AlertState.PENDING)], spend(), False, id="only pending"),
        pytest.param(BUDGET_MUTES, [spend()], budget(), False, id="not the other way round"),
        pytest.param(WORST_MUTES, [budget()], spend(), True, id="by severity"),
        pytest.param(WORST_MUTES, [budget(value="60")], spend(), False, id="of the same severity"),
        pytest.param(
            muting({"rule": "budget"}, {"rule": "gpu-24h"}, "team"),
            [budget("x")],
            spend(),
            True,
            id="neither has a team",
        ),
        pytest.param(
            muting({"rule": "budget"}, {"rule": "gpu-24h"}, "team"),
            [budget("x", team="research")],
            spend(),
            False,
            id="only one has a team",
        ),
        pytest.param(
            muting({"rule": "budget"}, {"rule": "gpu-24h"}, "team", "owner"),
            [budget(team="research")],
            spend(team="research"),
            True,
            id="all of equal",
        ),
        pytest.param(
            muting({"rule": "budget"}, {"rule": "gpu-*"}), [budget("x")], spend(), True, id="equal in nothing"
        ),
        pytest.param(ANY_MUTES, [spend()], spend(), False, id="not by itself"),
        pytest.param(ANY_MUTES, [budget()], spend(), False, id="two that match both sides leave each other alone"),
        pytest.param(
            muting({"rule": "budget"}, {"account": "default"}),
            [budget()],
            budget("gpu-2"),
            False,
            id="a source that could be muted by its like is not",
        ),
        pytest.param(
            muting({"rule": "alertd-blind"}, {"rule": "!alertd-blind"}),
            [firing(rule=BLIND, owner="x")],
            spend(),
            True,
            id="everything but itself",
        ),
    ],
)
def test_inhibition_when_another_fires_then_mutes_or_not(
    inhibition: Inhibition, others: Sequence[Alert], alert: Alert, is_muted: bool
) -> None:
    """As in Alertmanager, whose words they are."""
    inhibitors = Inhibitors([inhibition], [*others, alert])
    assert (inhibitors.of(alert, matchable(alert)) is not None) is is_muted


def test_inhibition_when_several_mute_then_the_worst_is_named() -> None:
    """People look at the worst first."""
    inhibitors = Inhibitors(
        [muting({"rule": "budget"}, {"rule": "gpu-24h"})], [budget("a", "60"), budget("b"), spend()]
    )
    found = inhibitors.of(spend(), matchable(spend()))
    assert found is not None
    assert (dict(found.labels)["owner"], found.severity) == ("b", CRITICAL)


def test_inhibitions_when_several_then_each_counts() -> None:
    """They add up."""
    never = muting({"rule": "gone"}, {"rule": "gpu-24h"})
    inhibitors = Inhibitors([never, BUDGET_MUTES], [budget(), spend()])
    assert inhibitors.of(spend(), matchable(spend())) is not None


# --- what is notified -------------------------------------------------------------------------------------------------

BIG_MUTES_SMALL = replace(
    TEAM, inhibitions=(muting({"severity": "critical"}, {"severity": "warning,info"}), BUDGET_MUTES)
)


def notified(stage: Stage, **values: str) -> list[tuple[str, str]]:
    """What one cycle told of whom, in the order of names."""
    begin = len(stage.notified)
    stage.cycle(values)
    return sorted((one.owners[0], one.word) for one in stage.notified[begin:])


def test_muted_when_its_source_ends_then_notified() -> None:
    """What was withheld comes when nothing withholds it."""
    stage = Stage(audience=BIG_MUTES_SMALL)
    assert notified(stage, big="150", small="60") == [("big", "firing critical")]
    assert withheld(stage.of("small")) == (f"inhibited by gpu-24h ({stage.of('big').fingerprint}): big spent $150")
    assert silenced_by(stage.of("small")) is None
    assert notified(stage, big="150", small="60") == []
    assert notified(stage, big="44", small="60") == [("big", "resolved critical"), ("small", "firing warning")]
    assert withheld(stage.of("small")) == ""


def test_muted_when_the_source_costs_more_then_shown_and_no_edit_is_made() -> None:
    """The value of another alert is no change of this one: its message in Slack is left alone."""
    audience = replace(BIG_MUTES_SMALL, editors=frozenset({"finops"}))
    stage = Stage(audience=audience)
    notified(stage, small="60")
    notified(stage, big="150", small="60")
    edits = len(stage.decided)
    notified(stage, big="180", small="60")
    assert withheld(stage.of("small")).endswith("): big spent $180")
    assert stage.decided[edits:] == []


def test_muted_when_both_begin_in_one_cycle_then_the_source_alone_is_notified() -> None:
    """The order within a cycle must not matter."""
    for values in ({"small": "60", "big": "150"}, {"big": "150", "small": "60"}):
        stage = Stage(audience=BIG_MUTES_SMALL)
        assert notified(stage, **values) == [("big", "firing critical")]


def test_muted_when_it_ends_while_muted_then_its_end_is_notified_only_if_it_was() -> None:
    """As with a silence."""
    stage = Stage(audience=BIG_MUTES_SMALL)
    assert notified(stage, early="60") == [("early", "firing warning")]
    assert notified(stage, big="150", early="60", late="60") == [("big", "firing critical")]
    assert notified(stage, big="150", early="44", late="44") == [("early", "resolved warning")]


def test_muted_when_it_becomes_a_source_itself_then_notified() -> None:
    """A rise takes it out of what is muted."""
    stage = Stage(audience=BIG_MUTES_SMALL)
    notified(stage, big="150", small="60")
    assert notified(stage, big="150", small="150") == [("small", "firing critical")]


@pytest.mark.parametrize("request_kind", ["silence", "ack"])
def test_muted_when_its_source_is_silenced_or_acknowledged_then_still_muted(request_kind: str) -> None:
    """Both are about telling; the source fires all the same."""
    stage = Stage(audience=BIG_MUTES_SMALL)
    notified(stage, big="150", small="60")
    stage.silence(matchers=match(owner="big")) if request_kind == "silence" else stage.ack("big")
    assert notified(stage, big="150", small="60") == []


def test_muted_when_its_source_is_muted_too_then_still_muted() -> None:
    """A chain needs no special case: what fires counts, whether it is notified or not."""
    chain = (muting({"owner": "a"}, {"owner": "b"}), muting({"owner": "b"}, {"owner": "c"}))
    stage = Stage(audience=replace(TEAM, inhibitions=chain))
    assert notified(stage, a="60", b="60", c="60") == [("a", "firing warning")]
    assert notified(stage, a="44", b="60", c="60") == [("a", "resolved warning"), ("b", "firing warning")]


def test_muted_when_its_source_was_not_judged_in_this_cycle_then_still_muted() -> None:
    """A category that cannot be read ends no alert, so it ends no inhibition either."""
    stage = Stage(audience=BIG_MUTES_SMALL)
    notified(stage, big="150", small="60")
    assert notified(stage, small="60") == []


def test_muted_and_silenced_when_asked_then_the_silence_is_named() -> None:
    """A person's wish explains more than a rule's."""
    stage = Stage(audience=BIG_MUTES_SMALL)
    notified(stage, big="150", small="60")
    stage.silence(matchers=match(owner="small"))
    assert withheld(stage.of("small")).startswith("silenced by dana")
    stage.expire()
    assert withheld(stage.of("small")).startswith("inhibited by gpu-24h")
