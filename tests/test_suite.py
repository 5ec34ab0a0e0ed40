"""What the suite says of itself: how long tests take, also where a test stops the clock."""

import time

from _pytest import timing
from freezegun import freeze_time


def test_frozen_clock_when_pytest_measures_then_it_sees_the_true_one() -> None:
    """Setups that froze the clock were listed as lasting 1,769,869,613 seconds."""
    at, ticks = time.time(), time.perf_counter()  # noqa: TID251 -- the clock itself is tested
    with freeze_time("2020-02-02"):
        assert time.time() < at  # noqa: TID251
        assert timing.time() >= at
        assert timing.perf_counter() >= ticks
