"""Which read reached which hour last, by which a row's delay is known."""

from datetime import timedelta

import pytest

from alertd.core.hours import HourRange
from alertd.core.spend.arrival import ReadSpan, with_read
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
