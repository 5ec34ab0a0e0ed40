"""Which read reached which hour last, by which a row's delay is known, and what the delays take in memory."""

from datetime import timedelta

import numpy as np
import pytest

from alertd.core.hours import HourRange
from alertd.core.spend.arrival import Arrivals, ReadSpan, sharing, with_read
from tests.core.builders import NOW

OLD, NEW = NOW - timedelta(hours=1), NOW


@pytest.mark.parametrize(
    ("known", "span", "found"),
    [
        pytest.param([], (100, 110), [(100, 110, NEW)], id="the first read"),
        pytest.param([(90, 100, OLD)], (100, 110), [(90, 100, OLD), (100, 110, NEW)], id="right behind another"),
        pytest.param([(90, 95, OLD)], (100, 110), [(90, 95, OLD), (100, 110, NEW)], id="behind a gap"),
        pytest.param([(120, 130, OLD)], (100, 110), [(100, 110, NEW), (120, 130, OLD)], id="before a gap"),
        pytest.param([(110, 130, OLD)], (100, 110), [(100, 110, NEW), (110, 130, OLD)], id="right before another"),
        pytest.param([(90, 105, OLD)], (100, 110), [(90, 100, OLD), (100, 110, NEW)], id="over the end of another"),
        pytest.param([(105, 120, OLD)], (100, 110), [(100, 110, NEW), (110, 120, OLD)], id="over its beginning"),
        pytest.param(
            [(90, 120, OLD)],
            (100, 110),
            [(90, 100, OLD), (100, 110, NEW), (110, 120, OLD)],
            id="in the middle of one",
        ),
        pytest.param([(100, 110, OLD)], (100, 110), [(100, 110, NEW)], id="of the same hours"),
        pytest.param([(102, 108, OLD)], (100, 110), [(100, 110, NEW)], id="of more hours"),
    ],
)
def test_hours_when_read_again_then_each_keeps_its_own_last_read(
    known: list[tuple[int, int, object]], span: tuple[int, int], found: list[tuple[int, int, object]]
) -> None:
    reads = [ReadSpan(*each) for each in known]  # type: ignore[arg-type] # three fields each
    assert [tuple(each) for each in with_read(reads, HourRange(*span), NEW)] == found


def came(series: list[int], delay: list[int]) -> Arrivals:
    return Arrivals(series=np.array(series, np.int32), delay=np.array(delay, np.int32))


def test_arrivals_when_each_hour_has_the_rows_of_the_one_before_then_they_share_memory() -> None:
    """Ten thousand owners' rows of two weeks would take 27 MiB."""
    known = {(1, 10): came([1, 2], [7, 7])}
    new = {
        (1, 11): came([1, 2], [9, 9]),
        (1, 12): came([1, 2], [9, 8]),
        (1, 13): came([1, 3], [0, 0]),
        (1, 15): came([1, 3], [0, 0]),
        (24, 12): came([1, 2], [5, 5]),
        (24, 36): came([], []),
    }
    found = sharing(known, new)
    assert found == new
    assert all(found[1, end].series is known[1, 10].series for end in (11, 12))
    at_once = {place for place, each in found.items() if len(each) and each.delay.strides == (0,)}
    assert at_once == {(1, 11), (1, 13), (1, 15), (24, 12)}
