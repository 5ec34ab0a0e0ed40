"""A few seeds lived through, the same twice, and bugs that are planted and found; `.ci/run` lives through more."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.mutant import Mutant
from tests.simulation import check_seed
from tests.simulation.oracle_asked import NEVER_S, Asked, People
from tests.simulation.oracle_bills import Belief, Group
from tests.simulation.oracle_mutes import Inhibited
from tests.simulation.oracle_seen import Seen
from tests.simulation.plan import (
    DAY_S,
    HOUR_S,
    POLL_S,
    ApiTrouble,
    Ask,
    Event,
    Kill,
    Plan,
    ReceiverTrouble,
    Run,
)
from tests.simulation.planted import FOUND_BY, PLANTED, find, live
from tests.simulation.run import Outcome, Trace, run_plan
from tests.simulation.shrink import shortest, shrink
from tests.simulation.violation import Violation
from tests.simulation.world import Answer, World
from tests.simulation.worlds import KINDS, make_plan

FIXED_SEEDS = range(len(KINDS) + 1)
"""One of each kind of world."""
SAMPLE = (
    "send an end before its beginning",
    "keep the episode",
    "call stop twice after a crash",
    "resolve on empty data",
    "end at the threshold",
    "quiet hours without daylight saving",
    "wait for the slowest category",
    "end what cannot be read",
)
"""A few bugs, of different kinds of world."""
FAILED_ONCE = (
    *(300044, 300080, 300111, 300113, 300161, 300164, 300168, 310022),
    *(320012, 320121, 320336, 321014, 321359, 321409, 321414, 320539, 321443, 321446, 321494),
    *(700007, 700060, 700121, 700164, 800017, 800037),
)
"""Seeds of long runs: each was broken by a mistake of alertd or of the oracle that nothing else had shown."""
REPLAYED = ("resolve on empty data", "send an end before its beginning")
MOST_LINES = 8
"""Of a shrunk plan: who is billed, and what goes wrong."""


def test_short_plan_when_lived_through_twice_then_is_kept_and_the_same() -> None:
    """What cannot be replayed cannot be understood: it is killed, and wakes to an answer that was lost."""
    events: list[Event] = [
        Run(owner="gpu-1", category="gpu", first=-6, last=24, rate=3 * 10**10),
        ReceiverTrouble(receiver="pager", at_s=0, until_s=5 * HOUR_S, kind="swallowing"),
        Kill(at_s=POLL_S, steps=300, back_after_s=5),
    ]
    plan = replace(_plan(events), days=1)
    first, second = run_plan(plan), run_plan(plan)
    assert first.violations == []
    assert first.trace.lines == second.trace.lines
    assert first.trace.lives > 1
    assert first.trace.taken > 0


@pytest.mark.parametrize(
    "owners", [pytest.param([], id="nothing was billed"), pytest.param(["gpu-1"], id="bills known")]
)
def test_answer_without_a_list_when_lived_through_then_is_believed_where_nothing_is_known(owners: list[str]) -> None:
    """The API may write an empty list so; where bills are known it is none, and alertd is blind."""
    events: list[Event] = [
        *(Run(owner=owner, category="gpu", first=-6, last=24, rate=10**10) for owner in owners),
        ApiTrouble(at_s=4 * HOUR_S + 600, until_s=20 * HOUR_S, kind="unlisted", category="gpu"),
    ]
    assert run_plan(replace(_plan(events), days=1)).violations == []


def test_alert_when_it_began_fell_and_rose_between_checks_that_see_nothing_then_its_repeat_is_excused() -> None:
    """Back three minutes before each check, no cycle is seen for hours: what began meanwhile may have fallen too."""
    events: list[Event] = [
        Run(owner="gpu-00", category="gpu", first=8, last=14, rate=7 * 10**10),
        Run(owner="gpu-00", category="gpu", first=20, last=30, rate=9 * 10**10),
        Kill(at_s=8 * HOUR_S, back_after_s=2 * HOUR_S - 185),
    ]
    assert run_plan(replace(_plan(events), rolling=("gpu-tiers",))).violations == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", FIXED_SEEDS)
def test_plan_when_lived_through_then_every_promise_is_kept(seed: int) -> None:
    """Kills, outages, edits and wrong clocks in virtual time; what is found is printed with its seed."""
    assert check_seed(seed, 3) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", FAILED_ONCE)
def test_plan_when_it_failed_once_then_is_kept_ever_after(seed: int) -> None:
    """Fourteen days each, as in the run that found it."""
    assert check_seed(seed, 14) == []


@pytest.mark.slow
def test_seed_when_run_twice_then_both_traces_are_the_same() -> None:
    """What cannot be replayed cannot be understood."""
    plan = make_plan(5, 2)
    assert run_plan(plan).trace.lines == run_plan(plan).trace.lines


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_planted_bug_when_a_plan_is_lived_through_then_is_found(name: str) -> None:
    """What finds none of these proves nothing by finding nothing; `--planted` plants all of them."""
    assert find(PLANTED[name], seeds=1, first=FOUND_BY[name], days=3).seeds == 1


def test_planted_bugs_when_named_with_a_seed_then_can_be_planted() -> None:
    """A bug that is gone would count as found for ever."""
    assert FOUND_BY.keys() <= PLANTED.keys()


@pytest.mark.parametrize("mutant", PLANTED.values(), ids=lambda mutant: mutant.name)
def test_planted_bug_when_its_module_is_as_it_was_then_can_be_planted(mutant: Mutant) -> None:
    """A bug that changes nothing would count as found by chance."""
    compile(mutant.planted(), mutant.module, "exec")


def test_oracle_when_it_judges_then_shares_no_code_with_alertd() -> None:
    """What both got wrong alike would stay unseen."""
    for path in sorted(Path(__file__).parent.glob("oracle*.py")):
        names = [
            line for line in path.read_text(encoding="utf-8").splitlines() if re.match(r"\s*(from|import) alertd", line)
        ]
        assert names == [], path.name


def test_plan_when_it_fails_then_what_has_no_part_in_it_is_left_out() -> None:
    """It fails where two of its events come together."""
    events: list[Event] = [Ask(at_s=at_s, kind="silence", number=0) for at_s in range(40)]
    wanted = {events[7], events[31]}

    def fails(candidate: Sequence[Event]) -> bool:
        return wanted <= set(candidate)

    assert set(shortest(events, fails)) == wanted


@pytest.mark.parametrize(
    ("one", "other", "is_like"),
    [
        pytest.param("pager ended $1,204.50 late", "night ended $3 late", True, id="another receiver and amount"),
        pytest.param("gpu-04 fires after 1.5 h", "gpu-11 fires after 12 h", True, id="another owner and time"),
        pytest.param("91042240ff864d52 ended", "78f18bb509600f4e ended", True, id="another alert"),
        pytest.param("gpu-04 fires late", "gpu-04 ends late", False, id="another fault"),
    ],
)
def test_violation_when_only_its_particulars_differ_then_is_the_same(one: str, other: str, is_like: bool) -> None:
    """A plan that is shortened until something else goes wrong explains nothing."""
    assert Violation(1.0, "notified", one).is_like(Violation(2.0, "notified", other)) is is_like
    assert not Violation(1.0, "notified", one).is_like(Violation(1.0, "messages", one))


def test_plan_when_shrunk_then_days_rules_and_events_without_a_part_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second fault of another kind must not take the place of the first."""
    asks = tuple(Ask(at_s=at_s, kind="silence", number=0) for at_s in range(20))
    late = Violation(1.5 * DAY_S, "notified", "gpu-04 fires late")
    other = Violation(100.0, "notified", "gpu-04 ends late")

    def lived(plan: Plan, *, until: Callable[[Violation], bool]) -> Outcome:
        fails = {asks[3], asks[9]} <= set(plan.events) and "gpu-day" in plan.rolling and plan.days >= 2
        found = [other, *([late] if fails and plan.has_second else [])]
        return Outcome(violations=found, trace=Trace())

    monkeypatch.setattr("tests.simulation.shrink.run_plan", lived)
    plan = replace(_plan([]), days=14, events=asks, others=("month", "daily"), has_second=True, zone="Europe/Berlin")
    shrunk = shrink(plan, late)
    assert (shrunk.days, shrunk.events, shrunk.rolling, shrunk.others) == (2, (asks[3], asks[9]), ("gpu-day",), ())
    assert (shrunk.has_second, shrunk.zone) == (True, "UTC")


@pytest.mark.slow
@pytest.mark.parametrize("name", REPLAYED)
def test_planted_bug_when_its_seed_is_replayed_then_is_the_same_and_short(name: str) -> None:
    """Whoever finds a failing seed is to read in a few lines what happens in it."""
    said = live(PLANTED[name], "--replay", str(FOUND_BY[name]), "--days", "3").stdout
    assert ": the same" in said
    account = said.partition("\nSeed ")[2]
    plan = [line for line in account.splitlines()[1:] if not line.startswith("  [")]
    assert 0 < len(plan) <= MOST_LINES
    assert "\n  [" in account, "and it fails still"


def test_belief_when_money_vanishes_then_waits_for_a_second_answer() -> None:
    """Half of it gone is doubted as all of it is; a sixth is believed."""
    belief = Belief()

    def say(at_h: float, amount: int) -> list[tuple[int, int, int]]:
        rows = ((0, 1, "a", amount),) if amount else ()
        belief.take(Answer(at_h * HOUR_S, "gpu", 0, 24, rows), at_h * HOUR_S, is_sure=True)
        return belief.groups().get(("gpu", "a"), Group()).rows

    said = [say(at_h, amount) for at_h, amount in ((1, 60), (5, 50), (9, 20), (10, 20), (14, 20), (18, 0), (22, 0))]
    assert said == [[(0, 1, 60)], [(0, 1, 50)], [(0, 1, 50)], [(0, 1, 50)], [(0, 1, 20)], [(0, 1, 20)], []]


_FIRING = Seen(
    fingerprint="f",
    rule="gpu-burst",
    rule_type="rolling_spend",
    owner="gpu-00",
    state="firing",
    severity="warning",
    value=Fraction(27),
    expected=None,
    as_of=4,
    started_at="2026-01-05T04:00:00+00:00",
    episode=1,
    pended_s=0.0,
    is_window=True,
    is_complete=True,
    is_muted=False,
    muted_by="",
    acknowledged_by=None,
    notified_at="2026-01-05T04:00:00+00:00",
    reason="",
)


@pytest.mark.parametrize(
    ("kind", "answer", "later", "found"),
    [
        pytest.param("silence", b'{"text": ""}', {}, 1, id="a silence that is forgotten"),
        pytest.param("silence", b'{"text": ""}', {"muted_by": "silence"}, 0, id="a silence in force"),
        pytest.param("silence", b'{"error": ""}', {}, 0, id="a silence that was refused"),
        pytest.param("silence", b'{"text": ""}', {"started_at": "2026-01-05T08:00:00+00:00"}, 0, id="another life"),
        pytest.param("acknowledge", b'{"text": ""}', {}, 1, id="an acknowledgement that is forgotten"),
        pytest.param("acknowledge", b'{"text": ""}', {"acknowledged_by": "dana"}, 0, id="an acknowledgement in force"),
        pytest.param("acknowledge", b'{"text": ""}', {"severity": "critical"}, 0, id="one that a rise has ended"),
        pytest.param("acknowledge", b"", {}, 0, id="one that died before its answer"),
    ],
)
def test_request_when_granted_then_is_held_against_the_daemon(
    kind: str, answer: bytes, later: dict[str, Any], found: int
) -> None:
    """The daemon's own figures cannot say what it has forgotten."""
    people = People(World(_plan([])))
    people.note(Asked(at_s=5 * HOUR_S, kind=kind, alert=_FIRING, until_s=NEVER_S, answer=lambda: answer))
    seen = {"f": replace(_FIRING, **later)}
    assert len([*people.check(seen, (), (), done_s=8 * HOUR_S, is_next=True)]) == found


def test_acknowledgement_when_the_severity_fell_and_rises_again_then_has_ended() -> None:
    """The request is compared with what the alert has become, not with what it was."""
    people = People(World(_plan([])))
    people.note(Asked(at_s=0, kind="acknowledge", alert=_FIRING, until_s=NEVER_S, answer=lambda: b'{"text": ""}'))
    fallen = replace(_FIRING, severity="info", acknowledged_by="dana")
    assert [*people.check({"f": fallen}, (), (), done_s=4 * HOUR_S, is_next=True)] == []
    assert [*people.check({"f": _FIRING}, (), (), done_s=8 * HOUR_S, is_next=True)] == []


@pytest.mark.parametrize(("died_h", "found"), [(3, 1), (5, 0)])
def test_notification_when_silenced_then_is_only_sent_if_a_copy_may_have_left(died_h: int, found: int) -> None:
    """Due in hour 4: what was on its way as the process died is sent to its end."""
    world = World(_plan([]))
    people = People(world)
    due = datetime.fromtimestamp(world.start_s + 4 * HOUR_S, UTC).isoformat()
    silenced = replace(_FIRING, notified_at=due, muted_by="silence")
    people.note(Asked(at_s=6 * HOUR_S, kind="silence", alert=silenced, until_s=NEVER_S, answer=lambda: b'{"text": ""}'))
    said = [("night", 7.0 * HOUR_S, "f")]
    assert len([*people.check({"f": silenced}, said, [died_h * HOUR_S], done_s=8 * HOUR_S, is_next=True)]) == found


def test_alert_when_another_is_critical_then_has_to_be_muted() -> None:
    """Of the same owner alone, and nobody may be notified of it from then on."""
    loud = replace(_FIRING, fingerprint="l", rule="gpu-loud", severity="critical")
    quiet = replace(_FIRING, rule="gpu-muted", muted_by="inhibition")
    other = replace(quiet, fingerprint="o", owner="gpu-01")
    oracle = Inhibited()
    assert [*oracle.check({"l": loud, "f": quiet}, (), is_next=True)] == []
    assert len([*oracle.check({"l": loud, "f": quiet}, [("pager", 1.0, "f")], is_next=True)]) == 1
    assert len([*oracle.check({"l": loud, "f": replace(quiet, muted_by=""), "o": other}, (), is_next=True)]) == 2


def _plan(events: list[Event]) -> Plan:
    return Plan(seed=1, days=2, start=make_plan(1, 1).start, events=tuple(events))
