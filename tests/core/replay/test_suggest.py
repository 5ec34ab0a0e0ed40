"""Suggested thresholds against a slow count of the same values."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alerts.audience import Audience
from alertd.core.hours import HourRange
from alertd.core.replay.past import History
from alertd.core.replay.replay import Replayer, Watch
from alertd.core.replay.suggest import Suggestion, suggestions
from alertd.core.rules.base import Rule
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.spike import Spike
from alertd.core.spend.rises import Compare
from tests.core.builders import RUNNING, SETTLE, WARNING, Desk, Row, a_series, usd
from tests.examples import examples

DAYS = 28
FIRST = RUNNING - DAYS * 24


def suggested(rule: Rule, amounts: dict[str, dict[int, int]], *, before_days: int = 10) -> Suggestion:
    """What is suggested for one rule over four weeks; amounts by owner and by hours since their beginning, in USD."""
    desk = Desk()
    rows = [
        Row(series=a_series(owner), hour=FIRST + hour, amount=usd(str(amount)))
        for owner, of_owner in amounts.items()
        for hour, amount in of_owner.items()
        if amount
    ]
    desk.read(rows, HourRange(FIRST - before_days * 24, RUNNING + 1))
    blocks = [(hour, held) for (_, _, hour), held in desk.blocks.items()]
    history = History(table=desk.table, books=desk.books, blocks=lambda _: blocks)
    watch = Watch(
        rules=(rule,),
        accounts=("default",),
        audience=Audience(),
        headline_of=lambda alert, _: alert.headline,
        settle_delay=SETTLE,
    )
    (found,) = suggestions(Replayer(history, watch, HourRange(FIRST, RUNNING + 1)))
    return found


def rolling(hours: int = 1) -> RollingSpend:
    return RollingSpend(name="r", group_by=("owner",), window=timedelta(hours=hours), thresholds={WARNING: usd("5")})


def counted(values: list[int], limit: Fraction) -> int:
    """How often a value begins to fire, hour by hour as the life of an alert has it."""
    begun, fires = 0, False
    for value in values:
        if not fires and value >= limit:
            begun, fires = begun + 1, True
        elif fires and value < limit * Fraction(9, 10):
            fires = False
    return begun


@examples(4, thorough=20)
@given(
    st.dictionaries(
        st.sampled_from(["gpu-1", "gpu-2", "gpu-3"]),
        st.dictionaries(st.integers(0, DAYS * 24 - 1), st.integers(1, 30), max_size=40),
        min_size=1,
    )
)
def test_levels_when_counted_slowly_then_each_fires_as_often_as_it_says(amounts: dict[str, dict[int, int]]) -> None:
    """A count that is off by the hysteresis would suggest what nags."""
    found = suggested(rolling(), amounts)

    # A value at an hour is what was spent in the hour before.
    series = [[0, *(of_owner.get(hour, 0) for hour in range(DAYS * 24))] for of_owner in amounts.values()]
    levels = [*found.present.values(), *(level for level in (found.weekly, found.monthly) if level is not None)]
    for level in levels:
        assert level.episodes == sum(counted(values, Fraction(level.threshold)) for values in series)
    if found.weekly is not None:
        # Where even the highest value comes more often, it is the best there is.
        highest = max(value for values in series for value in values)
        assert found.weekly.episodes <= 4 or found.weekly.threshold == highest


@pytest.mark.parametrize(
    ("peaks", "weekly", "monthly"),
    [
        pytest.param([90, 70, 50, 30, 10, 10], "30", "90", id="four peaks of six in four weeks, and one"),
        pytest.param([20, 20, 20, 20, 20, 20], "20", "20", id="all alike: nothing between is less often"),
        pytest.param([93.5, 71, 52, 33], "33", "94", id="rounded up to two digits"),
    ],
)
def test_suggestions_when_there_are_peaks_then_as_many_as_weeks_reach_them(
    peaks: list[float], weekly: str, monthly: str
) -> None:
    """About once a week is what people read; about once a month is what they act on."""
    found = suggested(rolling(), {"gpu-1": {50 + 60 * n: peak for n, peak in enumerate(peaks)}})  # type: ignore[misc]

    assert found.weekly is not None
    assert found.monthly is not None
    assert (f"{found.weekly.threshold:f}", f"{found.monthly.threshold:f}") == (weekly, monthly)


def test_suggestions_when_spend_is_steady_then_no_threshold_below_it() -> None:
    """A threshold that fires once and for ever would be rare by the count alone."""
    found = suggested(rolling(), {"gpu-1": {hour: 40 if hour % 300 == 7 else 10 for hour in range(DAYS * 24)}})

    assert found.weekly is not None
    assert found.weekly.threshold > 10


def test_suggestions_when_a_spike_rises_then_by_how_many_times() -> None:
    """Ratios are suggested as ratios."""
    rule = Spike(
        name="s",
        group_by=("owner",),
        window=timedelta(hours=24),
        compare=Compare.PREVIOUS,
        baseline=timedelta(days=7),
        thresholds={WARNING: Fraction(2)},
    )
    hours = {hour: 3 if 400 <= hour < 424 else 1 for hour in range(-24 * 9, DAYS * 24)}

    found = suggested(rule, {"gpu-1": hours})

    assert {level.episodes for level in found.present.values()} == {1}
    assert found.monthly is not None
    assert Fraction(1) < found.monthly.threshold <= 3


def test_suggestions_when_an_owner_is_new_then_its_spend_counts_and_that_of_others_does_not() -> None:
    """The old owner spends ten times as much, and is none of this rule's business."""
    rule = FirstSpend(name="n", lookback_=timedelta(days=7))
    amounts = {
        "old": dict.fromkeys(range(-24 * 9, DAYS * 24), 10),
        "new": dict.fromkeys(range(200, 260), 1),
        "": dict.fromkeys(range(300, 350), 7),
    }

    found = suggested(rule, amounts)

    assert found.monthly is not None
    assert 0 < found.monthly.threshold <= 24
    assert {level.episodes for level in found.present.values()} == {1}


def test_suggestions_when_too_little_is_known_then_says_why() -> None:
    """A spike needs its baseline before it says anything."""
    rule = Spike(name="s", window=timedelta(hours=24), baseline=timedelta(days=21), thresholds={WARNING: Fraction(2)})

    found = suggested(rule, {"gpu-1": {1: 1}}, before_days=1)

    assert found.weekly is None
    assert "it takes 14" in found.why_not
