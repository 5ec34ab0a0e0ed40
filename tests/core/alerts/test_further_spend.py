"""Further spend is money that was billed: whatever the window's value does meanwhile."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from alertd.core.alert import Address, Alert, AlertState
from alertd.core.alerts.due import notified, notify_reason
from alertd.core.alerts.judge import judge
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.silence import Bound, Silence, matchable
from alertd.core.hours import HourRange, start_of
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from tests.core.builders import HOUR, RUNNING, Desk, Row, rolling, row, usd

REPEAT = NotifyReason.REPEAT
FINOPS = (Address("finops", ""),)


@dataclass(slots=True, kw_only=True)
class Life:
    """One alert judged each hour; what the spend view holds is built anew each time, as after a restart."""

    rule: Rule
    reach: int = 5 * 24
    """How many hours back the view begins; the daemon's begins weeks back, by its rules."""
    alert: Alert | None = None
    told: list[NotifyReason] = field(default_factory=list)
    desk: Desk = field(default_factory=Desk)

    def hour(self, hour: int, *rows: Row) -> None:
        """Let the bills bring rows, and judge at the beginning of an hour."""
        now = start_of(hour) + timedelta(minutes=5)
        hours = sorted(each.hour for each in rows)
        if hours and hours[-1] - hours[0] < len(hours):
            self.desk.read(rows, HourRange(hours[0], hours[-1] + 1), now)
        else:
            for each in rows:
                self.desk.read([each], HourRange(each.hour, each.hour + 1), now)
        self.desk.read([], HourRange(hour, hour + 1), now)
        self.judge(self.desk.facts(now, view=self.desk.view(HourRange(hour - self.reach, hour + 24))))

    def judge(self, facts: Facts) -> None:
        """Judge once and note what is due."""
        alerts = {self.alert.fingerprint: self.alert} if self.alert is not None else {}
        moves, faults = judge([self.rule], facts, alerts, {"default"})
        assert not faults
        for move in moves:
            reason = notify_reason(move, facts.now)
            self.alert = move.after if reason is None else notified(move.after, reason, FINOPS, facts.now)
            self.told += [reason] if reason is not None else []


@pytest.mark.parametrize("window", [HOUR, 24 * HOUR], ids=["1h", "24h"])
def test_repeat_every_when_spend_is_steady_then_once_for_each_amount_billed(window: timedelta) -> None:
    """$4,000 in steps of $500 are 8 repeats, though the value stops growing once the window is full."""
    life = Life(rule=replace(rolling("50", "100000", repeat_interval=None, repeat_every=usd("500")), window=window))
    for hour in range(RUNNING, RUNNING + 41):
        life.hour(hour, row(hour - 1, "100"))
    assert life.told == [NotifyReason.FIRST, *[REPEAT] * 8]


def test_repeat_every_when_rows_come_late_then_count_when_they_come() -> None:
    """They lie in hours that were billed before, and outside the window; they are money all the same."""
    life = Life(rule=rolling("50", "100000", repeat_interval=None, repeat_every=usd("500")), reach=33 * 24)
    for hour in range(RUNNING, RUNNING + 4):
        life.hour(hour, row(hour - 1, "60"))
    assert life.told == [NotifyReason.FIRST]
    life.hour(RUNNING + 4, row(RUNNING + 3, "60"), row(RUNNING - 72, "260"))
    assert life.told == [NotifyReason.FIRST, REPEAT]


def test_repeat_every_when_the_rule_is_edited_then_what_it_never_counted_is_no_further_spend() -> None:
    """Another filter sums other bills; nobody was billed the difference."""
    life = Life(rule=rolling("50", "100000", repeat_interval=None, repeat_every=usd("500")))
    life.hour(RUNNING, row(RUNNING - 1, "60"), row(RUNNING - 2, "5000", owner="gpu-2"))
    assert life.alert is not None
    life.alert = replace(life.alert, group=(), fingerprint=life.alert.fingerprint)
    before = life.alert.billed
    edited = replace(rolling("50", "100000"), window=2 * HOUR)
    after = edited.counted(life.desk.facts(), life.alert)
    assert before is not None
    assert after is not None
    assert after.total == before.total == 0


@pytest.mark.parametrize("days", [1, 7], ids=["young", "older than the view reaches"])
@pytest.mark.parametrize("down", [1, 2 * 24, 7 * 24], ids=["running", "down for two days", "down for a week"])
def test_silence_until_spend_when_spend_is_steady_then_over_after_the_amount(days: int, down: int) -> None:
    """$5 at $1/h are five hours; after an outage longer than the view at least what the view holds counts."""
    life = Life(rule=replace(rolling("1", "100000", repeat_interval=None), window=24 * HOUR))
    begun = RUNNING + 24 * days
    for hour in range(RUNNING, begun + 1, 24 * days // 8):
        life.hour(hour, *(row(hour - back, "1") for back in range(1, 24 * days // 8 + 1)))
    alert = life.alert
    assert alert is not None
    assert alert.billed is not None
    assert alert.billed.total == usd(str(24 * days))
    silence = Silence(
        id="51133ce0",
        matchers=(),
        author="dana",
        created_at=start_of(begun) + HOUR / 2,
        bound=(Bound(fingerprint=alert.fingerprint, episode=alert.episode, billed=alert.billed.total),),
        further=usd("5"),
    )

    def holds() -> bool:
        assert life.alert is not None
        return silence.holds(life.alert, matchable(life.alert), start_of(begun) + HOUR)

    if down == 1:
        for hour in range(begun + 1, begun + 5):
            life.hour(hour, row(hour - 1, "1"))
            assert holds()
        life.hour(begun + 5, row(begun + 4, "1"))
    else:
        life.hour(begun + down, *(row(hour, "1") for hour in range(begun, begun + down)))
    assert not holds()


def test_credit_when_it_comes_then_takes_off_what_was_billed() -> None:
    """What is given back is no further spend."""
    life = Life(rule=rolling("50", "100000", repeat_interval=None, repeat_every=usd("100")))
    life.hour(RUNNING, row(RUNNING - 1, "60"))
    life.hour(RUNNING + 1, row(RUNNING, "90"))
    life.hour(RUNNING + 2, row(RUNNING + 1, "-50"))
    life.hour(RUNNING + 3, row(RUNNING + 2, "50"))
    assert life.told == [NotifyReason.FIRST]
    life.hour(RUNNING + 4, row(RUNNING + 3, "10"))
    assert life.told == [NotifyReason.FIRST, REPEAT]
    assert life.alert is not None
    assert life.alert.state is AlertState.FIRING
