"""Quiet hours: when they end, in whichever zone, and what becomes of messages that they hold."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction

import pytest

from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.quiet_hours import QuietHours, is_always_quiet, quiet_until
from alertd.core.alerts.reason import NotifyReason
from alertd.core.severity import Severity
from tests.core.builders import DAY, HOUR, rolling
from tests.core.stage import TEAM, Stage, match

EVERY_DAY = frozenset(range(7))
NIGHT = QuietHours(days=EVERY_DAY, start=time(22), end=time(7))
WEEKEND = QuietHours(days=frozenset({5, 6}))
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def quiet(days: str = "mtwhfsu", hours: str = "00:00-00:00", timezone: str = "UTC") -> QuietHours:
    start, end = (time.fromisoformat(part) for part in hours.split("-"))
    return QuietHours(days=frozenset("mtwhfsu".index(day) for day in days), start=start, end=end, timezone=timezone)


# 2026-01-12 is a Monday.
@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        pytest.param([NIGHT], "2026-01-12 12:00", None, id="by day"),
        pytest.param([NIGHT], "2026-01-12 21:59:59", None, id="a second before"),
        pytest.param([NIGHT], "2026-01-12 22:00", "2026-01-13 07:00", id="from its first second"),
        pytest.param([NIGHT], "2026-01-13 03:00", "2026-01-13 07:00", id="after midnight"),
        pytest.param([NIGHT], "2026-01-13 06:59:59", "2026-01-13 07:00", id="to its last second"),
        pytest.param([NIGHT], "2026-01-13 07:00", None, id="not at its end"),
        pytest.param([quiet("f", "22:00-07:00")], "2026-01-17 03:00", "2026-01-17 07:00", id="Friday's into Saturday"),
        pytest.param([quiet("f", "22:00-07:00")], "2026-01-16 03:00", None, id="not Thursday's into Friday"),
        pytest.param([quiet("m", "09:00-17:00")], "2026-01-12 10:00", "2026-01-12 17:00", id="within a day"),
        pytest.param([quiet("m", "09:00-00:00")], "2026-01-12 23:59", "2026-01-13 00:00", id="to the day's end"),
        pytest.param([WEEKEND], "2026-01-16 23:59", None, id="before the weekend"),
        pytest.param([WEEKEND], "2026-01-17 00:00", "2026-01-19 00:00", id="both days at once"),
        pytest.param([WEEKEND, NIGHT], "2026-01-16 23:00", "2026-01-19 07:00", id="adjoining: night, weekend, night"),
        pytest.param([NIGHT, WEEKEND], "2026-01-16 23:00", "2026-01-19 07:00", id="in any order"),
        pytest.param(
            [quiet("m", "10:00-12:00"), quiet("m", "12:00-13:00")],
            "2026-01-12 11:00",
            "2026-01-12 13:00",
            id="touching",
        ),
        pytest.param(
            [quiet("m", "10:00-12:00"), quiet("m", "12:01-13:00")], "2026-01-12 11:00", "2026-01-12 12:00", id="a gap"
        ),
        pytest.param(
            [quiet("m", "10:00-18:00"), quiet("m", "11:00-12:00")], "2026-01-12 11:30", "2026-01-12 18:00", id="nested"
        ),
        pytest.param([quiet(timezone=BERLIN, hours="22:00-07:00")], "2026-01-12 21:30", "2026-01-13 06:00", id="CET"),
        pytest.param([quiet(timezone=BERLIN, hours="22:00-07:00")], "2026-01-12 20:30", None, id="CET: 21:30 there"),
        pytest.param([quiet("m", timezone="Pacific/Kiritimati")], "2026-01-11 10:00", "2026-01-12 10:00", id="UTC+14"),
        # Samoa had no 30th of December 2011, a Friday.
        pytest.param(
            [quiet("h", "22:00-07:00", "Pacific/Apia")],
            "2011-12-30 13:00",
            "2011-12-30 17:00",
            id="from Thursday's night into a Saturday",
        ),
        pytest.param([quiet("f", "09:00-17:00", "Pacific/Apia")], "2011-12-30 20:00", None, id="a day that was not"),
        pytest.param([quiet("m", timezone="America/Los_Angeles")], "2026-01-13 07:59", "2026-01-13 08:00", id="UTC-8"),
        # Clocks go forward in Berlin on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00.
        pytest.param(
            [quiet(timezone=BERLIN, hours="22:00-07:00")], "2026-03-28 21:30", "2026-03-29 05:00", id="a short night"
        ),
        pytest.param(
            [quiet(timezone=BERLIN, hours="22:00-07:00")], "2026-10-24 20:30", "2026-10-25 06:00", id="a long night"
        ),
        pytest.param([quiet("u", timezone=BERLIN)], "2026-03-29 10:00", "2026-03-29 22:00", id="a day of 23 hours"),
        pytest.param([quiet("u", timezone=BERLIN)], "2026-10-25 22:30", "2026-10-25 23:00", id="a day of 25 hours"),
        pytest.param(
            [quiet("u", timezone=BERLIN, hours="01:30-02:30")],
            "2026-03-29 00:45",
            "2026-03-29 01:30",
            id="an end that the clock skips is an hour later by the clock",
        ),
        pytest.param([], "2026-01-12 23:00", None, id="no quiet hours"),
    ],
)
def test_quiet_when_asked_then_ends_or_is_not(hours: list[QuietHours], now: str, until: str | None) -> None:
    """By the clock on the wall there, and what adjoins is one."""
    assert quiet_until(hours, at(now)) == (at(until) if until is not None else None)


def test_quiet_when_all_week_then_is_an_instant_all_the_same() -> None:
    """What is held must be sent some day."""
    until = quiet_until([quiet()], at("2026-01-12 12:00"))
    assert until is not None
    assert timedelta(days=7) < until - at("2026-01-12 12:00") <= timedelta(days=8)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        pytest.param([], False, id="none"),
        pytest.param([NIGHT], False, id="nights"),
        pytest.param([quiet()], True, id="every day, whole"),
        pytest.param([quiet("mtwhf"), WEEKEND], True, id="in two parts"),
        pytest.param([quiet("mtwhfs")], False, id="all but Sunday"),
        pytest.param([quiet("mtwhfs"), quiet("u", "00:00-23:59")], False, id="all but a minute"),
        pytest.param([quiet(timezone="Asia/Kolkata")], True, id="elsewhere"),
        pytest.param([quiet(hours="08:00-20:00"), quiet(hours="20:00-08:00")], True, id="day and night"),
    ],
)
def test_always_quiet_when_there_is_no_gap_then_says_so(hours: list[QuietHours], expected: bool) -> None:
    """A receiver that is never notified in time is a mistake."""
    assert is_always_quiet(hours) is expected


# --- what is notified -------------------------------------------------------------------------------------------------

QUIET = replace(TEAM, quiet_hours={"finops": (NIGHT,)})
EVENING, MORNING = at("2026-01-12 21:00"), at("2026-01-13 07:00")


def evening(**parts: object) -> Stage:
    """An hour before the quiet."""
    return replace(Stage(audience=QUIET, now=EVENING), **parts)  # type: ignore[arg-type]


def until_morning(stage: Stage, values: str = "") -> list[str]:
    """What arrives from now to eight in the morning, cycles of an hour going on with the last value."""
    begin, given = len(stage.notified), values.split()
    last = given[-1] if given else f"{stage.of().value}"
    while stage.now < MORNING + HOUR:
        stage.cycle({"gpu-1": given.pop(0) if given else last})
    return [f"{one.at:%H:%M} {one.word}" for one in stage.notified[begin:]]


def test_held_when_the_night_ends_then_sent_once() -> None:
    """Held, not lost."""
    stage = evening()
    assert until_morning(stage, "60") == ["07:00 firing warning"]
    assert stage.notified[0].entry.message.history == ()


def test_critical_when_it_is_night_then_passes() -> None:
    """That is what critical means."""
    assert until_morning(evening(), "120") == ["22:00 firing critical"]


def test_held_when_it_rises_to_critical_then_notified_at_once_with_what_waited() -> None:
    """Its reader hears of it for the first time, so it is a beginning."""
    stage = evening()
    assert until_morning(stage, "60 60 120") == ["00:00 firing critical"]
    assert stage.notified[0].entry.message.history == ("Delivered late: firing (warning) 2026-01-12 22:00 UTC.",)


def test_held_when_it_ends_in_the_night_then_one_message_reports_both() -> None:
    """Nothing is lost, and nobody is notified in the morning of what is over as if it were not."""
    stage = evening()
    assert until_morning(stage, "60 60 44") == ["07:00 resolved warning"]
    assert stage.notified[0].entry.message.history == ("Delivered late: firing (warning) 2026-01-12 22:00 UTC.",)


def test_end_when_the_beginning_was_notified_by_day_then_held_too() -> None:
    """An end is no reason to wake anybody."""
    stage = evening(now=EVENING - HOUR)
    assert stage.cycle({"gpu-1": "60"}) == ["firing warning"]
    assert until_morning(stage, "44") == ["07:00 resolved warning"]


def test_end_of_a_critical_one_when_it_is_night_then_notified() -> None:
    """Whoever was woken may go to sleep again."""
    assert until_morning(evening(), "120 44") == ["22:00 firing critical", "23:00 resolved critical"]


def test_repeats_when_held_then_one_in_the_morning() -> None:
    """A night of reminders is one reminder."""
    stage = evening(rule=rolling(repeat_interval=3 * HOUR, repeat_backoff=Fraction(1)), now=EVENING - HOUR)
    assert stage.cycle({"gpu-1": "60"}) == ["firing warning"]
    assert until_morning(stage, "60") == ["07:00 still firing warning"]
    assert stage.notified[1].entry.message.history == (
        "Delivered late: still firing (warning) 2026-01-13 00:00 UTC.",
        "Delivered late: still firing (warning) 2026-01-13 03:00 UTC.",
    )


def test_receivers_when_only_one_is_quiet_then_the_other_is_notified() -> None:
    """Quiet is the receiver's own."""
    stage = evening(audience=replace(QUIET, default=("finops", "oncall")))
    stage.cycle({"gpu-1": "60"})
    stage.cycle({"gpu-1": "44"})
    assert [(one.to.receiver, one.word) for one in stage.notified] == [
        ("oncall", "firing warning"),
        ("oncall", "resolved warning"),
    ]
    stage.cycle(after=DAY)
    assert [(one.to.receiver, one.word) for one in stage.notified[2:]] == [("finops", "resolved warning")]


def owners(count: int, value: str) -> dict[str, str | None]:
    return {f"gpu-{n}": value for n in range(1, count + 1)}


def test_storm_when_held_and_one_rises_to_critical_then_both_are_notified_at_once() -> None:
    """The storm must go first, so it may not keep the critical one until the morning."""
    stage = evening()
    stage.cycle(owners(6, "60"))
    assert stage.notified == []
    assert stage.cycle({**owners(6, "60"), "gpu-3": "120"}) == ["many alerts warning", "severity raised critical"]
    assert stage.notified[-1].owners == ("gpu-3",)


def test_storm_when_held_and_one_ends_then_both_in_the_morning_in_order() -> None:
    """The end after its beginning."""
    stage = evening()
    stage.cycle(owners(6, "60"))
    stage.cycle({"gpu-3": "44"})
    assert stage.notified == []
    stage.cycle(after=DAY)
    assert [(f"{one.at:%H:%M}", one.word) for one in stage.notified] == [
        ("07:00", "many alerts warning"),
        ("07:00", "resolved warning"),
    ]


def test_held_when_it_is_silenced_before_the_morning_then_waits_for_the_silence() -> None:
    """Who silences it at eleven does not want to hear of it at seven."""
    stage = evening()
    stage.cycle({"gpu-1": "60"})
    stage.silence(ends_at=MORNING + timedelta(hours=5))
    assert until_morning(stage) == []
    notified = [stage.cycle({"gpu-1": "60"}) for _ in range(6)]
    assert [words for words in notified if words] == [["firing warning"]]
    assert stage.notified[0].at == MORNING + timedelta(hours=5)


def test_held_when_the_silence_ends_in_the_night_then_notified_in_the_morning() -> None:
    """The quiet hours hold it still."""
    stage = evening()
    stage.cycle({"gpu-1": "60"})
    stage.silence()
    stage.cycle({"gpu-1": "60"})
    stage.expire()
    assert until_morning(stage) == ["07:00 firing warning"]


def test_held_when_silenced_for_weeks_then_stays_held() -> None:
    """Nobody knows when an alert ends: it waits as long as it takes."""
    stage = evening()
    stage.cycle({"gpu-1": "60"})
    stage.silence(until_resolved=True)
    for _ in range(60):
        assert stage.cycle({"gpu-1": "60"}, after=7 * HOUR) == []


def test_held_when_inhibited_in_the_night_then_waits_for_its_source() -> None:
    """The cause is notified; its symptom need not follow it in the morning."""
    inhibitions = (Inhibition(when=match(severity="critical"), mute=match(severity="warning")),)
    stage = evening(audience=replace(QUIET, inhibitions=inhibitions))
    stage.cycle({"gpu-1": "60"})
    while stage.now < MORNING + HOUR:
        stage.cycle({"gpu-1": "60", "cause": "150"})
    assert [one.owners for one in stage.notified] == [("cause",)]
    stage.cycle({"gpu-1": "60", "cause": "44"})
    assert [(one.owners[0], one.word) for one in stage.notified[1:]] == [
        ("gpu-1", "firing warning"),
        ("cause", "resolved critical"),
    ]


def test_repeat_when_held_and_acknowledged_before_the_morning_then_not_sent() -> None:
    """Somebody looks after it already; its end still tells of it."""
    stage = evening(rule=rolling(repeat_interval=HOUR, repeat_backoff=Fraction(1)), now=EVENING - HOUR)
    stage.cycle({"gpu-1": "60"})
    stage.lives("60 60 60")
    stage.ack()
    assert until_morning(stage) == []
    assert stage.cycle({"gpu-1": "44"}) == ["resolved warning"]


def test_held_when_the_receivers_quiet_hours_are_taken_away_then_sent_at_the_next_cycle() -> None:
    """An edit counts for what waits, too."""
    stage = evening()
    stage.cycle({"gpu-1": "60"})
    stage.audience = TEAM
    assert stage.cycle({"gpu-1": "60"}) == ["firing warning"]


def test_held_when_quiet_all_week_then_is_sent_after_all() -> None:
    """Held for ever would be lost."""
    stage = evening(audience=replace(QUIET, quiet_hours={"finops": (quiet(),)}))
    notified = [word for _ in range(40) for word in stage.cycle({"gpu-1": "60"}, after=6 * HOUR)]
    assert notified == ["firing warning"]


def test_correction_when_it_is_night_then_made() -> None:
    """Nobody is notified anew: no phone rings for an edit."""
    stage = evening(audience=replace(QUIET, editors=frozenset({"finops"})), now=EVENING - HOUR)
    stage.cycle({"gpu-1": "60"})
    assert stage.cycle({"gpu-1": "70"}) == []
    assert stage.cycle({"gpu-1": "70"}, restated="70") == ["corrected warning"]


def test_correction_when_the_beginning_is_held_then_the_beginning_is_notified_right() -> None:
    """Nobody was notified the wrong value, so nothing is to be put right."""
    stage = evening(audience=replace(QUIET, editors=frozenset({"finops"})))
    stage.cycle({"gpu-1": "60"})
    stage.cycle({"gpu-1": "70"}, restated="70")
    assert until_morning(stage) == ["07:00 firing warning"]
    message = stage.notified[0].entry.message
    assert message.reason is NotifyReason.FIRST
    assert message.severity is Severity.WARNING
    assert not any("Corrected" in line for line in message.lines)
    assert message.title.startswith("gpu-1 spent $70")
