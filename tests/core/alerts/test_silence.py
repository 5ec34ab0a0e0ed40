"""Silences: for which alerts and how long they hold, and what is notified when they end."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import Alert, Billed
from alertd.core.alerts.mutes import silence_text, silenced
from alertd.core.alerts.silence import Silence, expire, matchable, silence_of
from tests.core.builders import CRITICAL, DAY, HOUR, NOW, firing, rolling, silenced_by, usd, withheld
from tests.core.stage import Stage, a_silence, bound_to, match

ALERT = firing("60")
NEXT_EPISODE = replace(ALERT, episode=2)
OTHER = firing("60", owner="gpu-2")
SECOND = timedelta(seconds=1)
UNTIL_40 = a_silence(bound=(bound_to(ALERT, "20"),), further=usd("40"))


def was_billed(total: str, *, notified: str = "0") -> Alert:
    """The alert, whose group was billed so much since it began."""
    return replace(ALERT, billed=Billed(total=usd(total), notified=usd(notified), held=usd(total)))


def holds(silence: Silence, alert: Alert = ALERT, after: timedelta = HOUR) -> bool:
    return silence.holds(alert, matchable(alert), NOW + after)


@pytest.mark.parametrize(
    ("silence", "alert", "after", "expected"),
    [
        pytest.param(a_silence(), ALERT, HOUR, True, id="within its time"),
        pytest.param(a_silence(), ALERT, DAY - SECOND, True, id="to its last second"),
        pytest.param(a_silence(), ALERT, DAY, False, id="not at its end"),
        pytest.param(a_silence(), OTHER, HOUR, False, id="not for others"),
        pytest.param(a_silence(), NEXT_EPISODE, HOUR, True, id="for the next episode too where it is not bound"),
        pytest.param(a_silence(expired_at=NOW), ALERT, HOUR, False, id="not when somebody ended it"),
        pytest.param(a_silence(ends_at=None, bound=(bound_to(ALERT),)), ALERT, 900 * DAY, True, id="bound: no time"),
        pytest.param(a_silence(bound=(bound_to(ALERT),)), NEXT_EPISODE, HOUR, False, id="bound: not the next episode"),
        pytest.param(
            a_silence(matchers=match(rule="gpu-24h"), bound=(bound_to(ALERT),)),
            OTHER,
            HOUR,
            False,
            id="bound: no other",
        ),
        pytest.param(
            a_silence(matchers=match(rule="gpu-24h"), bound=(bound_to(OTHER), bound_to(ALERT))),
            ALERT,
            HOUR,
            True,
            id="bound to several",
        ),
        pytest.param(a_silence(bound=(bound_to(ALERT),)), ALERT, DAY, False, id="bound and a time: whichever is first"),
        pytest.param(UNTIL_40, was_billed("59.99"), HOUR, True, id="below the amount"),
        pytest.param(UNTIL_40, was_billed("60"), HOUR, False, id="the amount is reached"),
        pytest.param(
            UNTIL_40,
            replace(was_billed("50", notified="60"), notified_at=NOW + HOUR),
            2 * HOUR,
            False,
            id="notified of the amount since: over, though some is credited again",
        ),
        pytest.param(
            UNTIL_40,
            replace(was_billed("50", notified="60"), notified_at=NOW - HOUR),
            2 * HOUR,
            True,
            id="a notification before it does not end it",
        ),
        pytest.param(UNTIL_40, ALERT, HOUR, True, id="kept by an earlier version, which counted nothing"),
        pytest.param(a_silence(matchers=match(owner="gpu-*")), OTHER, HOUR, True, id="a glob"),
        pytest.param(a_silence(matchers=match(owner="gpu-1,gpu-2")), OTHER, HOUR, True, id="a list"),
        pytest.param(a_silence(matchers=match(owner="!gpu-1")), ALERT, HOUR, False, id="an exclusion"),
        pytest.param(a_silence(matchers=match(owner="gpu-*,!gpu-2")), OTHER, HOUR, False, id="a glob but for one"),
        pytest.param(a_silence(matchers=match(owner="GPU-1")), ALERT, HOUR, False, id="case counts"),
        pytest.param(
            a_silence(matchers=match(owner="gpu-1", severity="critical")), ALERT, HOUR, False, id="all of them"
        ),
        pytest.param(
            a_silence(matchers=match(fingerprint=f"{ALERT.fingerprint[:4]}*")), ALERT, HOUR, True, id="by name"
        ),
        pytest.param(
            a_silence(matchers=match(rule="gpu-*", type="rolling_spend", account="default", severity="warning,info")),
            ALERT,
            HOUR,
            True,
            id="rule, type, account and severity",
        ),
        pytest.param(
            a_silence(matchers=match(team="research")), ALERT, HOUR, False, id="a label that it does not have"
        ),
        pytest.param(a_silence(matchers=match(team="!research")), ALERT, HOUR, True, id="not in a team: it is in none"),
    ],
)
def test_silence_when_asked_then_holds_or_not(silence: Silence, alert: Alert, after: timedelta, expected: bool) -> None:
    """Time, matchers and what it is bound to must all agree."""
    assert holds(silence, alert, after) is expected


def test_matchable_when_a_label_has_a_built_in_name_then_the_built_in_counts() -> None:
    """An owner cannot escape a silence by a label of its own."""
    alert = replace(ALERT, labels=(("rule", "another"), ("severity", "info"), ("owner", "gpu-1")))
    assert {k: v for k, v in matchable(alert).items() if k in {"rule", "severity"}} == {
        "rule": "gpu-24h",
        "severity": "warning",
    }


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        pytest.param({}, "51133ce0 by dana until 2026-01-11 12:05 UTC", id="a time"),
        pytest.param({"comment": "run 12"}, "51133ce0 by dana until 2026-01-11 12:05 UTC (run 12)", id="with why"),
        pytest.param(
            {"ends_at": None, "bound": (bound_to(ALERT),)}, "51133ce0 by dana until the alert ends", id="the end"
        ),
        pytest.param(
            {"ends_at": None, "bound": (bound_to(ALERT, "260"),), "further": usd("200")},
            "51133ce0 by dana until $200.00 more are spent",
            id="an amount",
        ),
        pytest.param(
            {"bound": (bound_to(ALERT, "260"),), "further": usd("200")},
            "51133ce0 by dana until 2026-01-11 12:05 UTC or until $200.00 more are spent",
            id="whichever is first",
        ),
    ],
)
def test_silence_when_shown_then_says_who_until_when_and_why(parts: dict[str, object], text: str) -> None:
    """Whoever misses a notification finds the person to ask."""
    assert silence_text(silenced(a_silence(**parts))) == text


def test_silence_of_when_several_hold_then_the_longest_is_named() -> None:
    """The shorter one's end would promise news that does not come."""
    short, long = a_silence(id="a"), a_silence(id="b", ends_at=NOW + 9 * DAY)
    endless = a_silence(id="c", ends_at=None, bound=(bound_to(ALERT),))
    for silences, name in (((short, long), "b"), ((long, short), "b"), ((endless, long, short), "c")):
        found = silence_of(silences, ALERT, matchable(ALERT), NOW)
        assert found is not None
        assert found.id == name
    assert silence_of([a_silence(expired_at=NOW)], ALERT, matchable(ALERT), NOW) is None


def test_expire_when_ended_then_kept_with_who_and_when() -> None:
    """The history must tell why alerts came again."""
    ended = expire(a_silence(), by="kim", now=NOW + HOUR)
    assert (ended.expired_by, ended.expired_at, ended.is_active(NOW + HOUR)) == ("kim", NOW + HOUR, False)


# --- what is notified, and when ---------------------------------------------------------------------------------------


def test_silence_when_it_came_first_then_the_beginning_is_notified_at_its_end() -> None:
    """What still fires when a silence ends is news: nobody heard of it."""
    stage = Stage()
    stage.cycle({"gpu-2": "60"})
    stage.silence(matchers=match(owner="gpu-1"), ends_at=stage.now + 3 * HOUR)
    assert stage.lives("60 60 60 60") == [[], [], ["firing warning"], []]


def test_silence_when_the_severity_rose_under_it_then_one_message_reports_the_present() -> None:
    """A rise that was withheld, and repeats that were, are one message: how it is now."""
    stage = Stage(rule=rolling(repeat_interval=HOUR, repeat_backoff=Fraction(1)))
    assert stage.lives("60") == [["firing warning"]]
    stage.silence(ends_at=stage.now + 5 * HOUR)
    assert stage.lives("60 100 100 100 100 100") == [
        [],
        [],
        [],
        [],
        ["severity raised critical"],
        ["still firing critical"],
    ]


def test_silence_when_only_repeats_were_withheld_then_one_is_notified_at_the_end() -> None:
    """Twenty reminders at once would be the noise that the silence was for."""
    stage = Stage(rule=rolling(repeat_interval=HOUR, repeat_backoff=Fraction(1)))
    stage.lives("60")
    stage.silence(ends_at=stage.now + 20 * HOUR)
    notified = stage.lives("60 " * 22)
    assert notified[:19] == [[]] * 19
    assert notified[19:] == [["still firing warning"]] * 3
    assert len(stage.notified) == 4


def test_silence_when_it_ends_with_nothing_new_then_nothing_is_notified() -> None:
    """Everybody knew it before and knows it still; the next reminder comes when it is due."""
    stage = Stage()
    stage.lives("60")
    stage.silence(ends_at=stage.now + 2 * HOUR)
    assert stage.lives("60 60 60") == [[], [], []]


def test_silence_when_the_rise_is_over_before_its_end_then_the_rise_is_not_notified() -> None:
    """It would say what is not so any more."""
    stage = Stage()
    stage.lives("60")
    stage.silence(ends_at=stage.now + 3 * HOUR)
    assert stage.lives("100 60 60 60") == [[], [], [], []]


def test_end_when_the_beginning_was_notified_then_passes_through_a_silence() -> None:
    """Who heard that it fires must hear that it does not."""
    stage = Stage()
    stage.lives("60")
    stage.silence()
    assert stage.lives("60 44") == [[], ["resolved warning"]]


def test_end_when_the_beginning_was_withheld_then_is_not_notified() -> None:
    """An end without a beginning puzzles its reader."""
    stage = Stage()
    stage.silence()
    assert stage.lives("60 44 44") == [[], [], []]


def test_rise_when_it_was_notified_and_silenced_then_only_the_end_is_heard() -> None:
    """A severity that a matcher does not name is not silenced."""
    stage = Stage()
    stage.silence(matchers=match(owner="gpu-1", severity="warning,info"))
    assert stage.lives("60 100 60 44") == [[], ["firing critical"], [], ["resolved warning"]]


def test_silence_when_somebody_ends_it_then_notified_at_the_next_cycle() -> None:
    """A person who asks for news gets it now."""
    stage = Stage()
    stage.silence()
    stage.lives("60 60")
    stage.expire()
    assert withheld(stage.of()) == ""
    assert stage.lives("60 60") == [["firing warning"], []]


def test_silence_when_bound_to_an_episode_then_the_next_one_is_notified() -> None:
    """Until resolved is no longer than that."""
    stage = Stage()
    stage.lives("60")
    stage.silence(until_resolved=True)
    assert stage.lives("60 100 44 60") == [[], [], ["resolved critical"], ["firing warning"]]


def test_amount_when_reached_then_notified_once_and_the_silence_is_over_for_good() -> None:
    """Who wants to hear of $40 more is to hear of it, whether or not a reminder is due; and after that as usual."""
    stage = Stage(rule=rolling("50", "1000", repeat_interval=None))
    stage.lives("60")
    stage.silence(until_spend=usd("40"))
    assert stage.lives("99.99 100 100 90 99 105") == [[], ["still firing warning"], [], [], [], []]
    assert withheld(stage.of()) == ""


def test_amount_when_reached_under_another_silence_then_notified_when_that_ends() -> None:
    """The other one withholds it; the amount stays worth telling."""
    stage = Stage(rule=rolling("50", "1000", repeat_interval=None))
    stage.lives("60")
    stage.silence(until_spend=usd("40"))
    stage.silence("0ther000", ends_at=stage.now + 4 * HOUR)
    assert stage.lives("100 100 100 100 100") == [[], [], [], ["still firing warning"], []]


def test_amount_when_reached_and_acknowledged_then_not_notified() -> None:
    """Somebody looks after it already."""
    stage = Stage(rule=rolling("50", "1000", repeat_interval=None))
    stage.lives("60")
    stage.silence(until_spend=usd("40"))
    stage.ack()
    assert stage.lives("100 200") == [[], []]


def test_amount_when_the_severity_rises_below_it_then_still_withheld() -> None:
    """The amount was chosen by a person; the threshold between was known to it."""
    stage = Stage()
    stage.lives("60")
    stage.silence(until_spend=usd("100"))
    assert stage.lives("120 160") == [[], ["severity raised critical"]]


def test_silence_when_it_holds_then_alert_says_by_whom() -> None:
    """`alertd alerts` shows it before the next cycle, and takes it away with the silence."""
    stage = Stage()
    stage.lives("60")
    stage.silence(comment="run 12")
    assert silenced_by(stage.of()) == "51133ce0"
    assert withheld(stage.of()) == "silenced by dana until 2026-01-11 13:05 UTC (run 12)"
    stage.lives("60")
    assert stage.is_silent
    stage.lives("44")
    assert (silenced_by(stage.of()), withheld(stage.of())) == (None, "")


def test_silence_when_the_alert_is_pending_then_says_nothing_yet() -> None:
    """Nothing of it would be notified."""
    stage = Stage(rule=rolling(for_=2 * HOUR))
    stage.silence()
    stage.lives("60")
    assert silenced_by(stage.of()) is None
    assert stage.lives("60 60") == [[], []]
    assert silenced_by(stage.of()) is not None
    assert stage.of().severity < CRITICAL
