"""Two replays side by side: which episodes are whose."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alertd.core.alert import Unit
from alertd.core.replay.replay import Episode, Replay
from alertd.core.replay.rule_edit import compare
from alertd.core.severity import Severity
from tests.core.builders import CRITICAL, HOUR, NOW, WARNING

Span = tuple[int, int | None]


def episode(span: Span, severity: Severity = WARNING, name: str = "a") -> Episode:
    start, end = span
    return Episode(
        rule="r",
        fingerprint=name,
        account="default",
        labels=(),
        severity=severity,
        started_at=NOW + start * HOUR,
        ended_at=NOW + end * HOUR if end is not None else None,
        peak=Decimal(1),
        peak_at=NOW,
        unit=Unit.USD,
        headline="",
    )


def replay(*episodes: Episode) -> Replay:
    until = NOW + timedelta(days=3)
    return Replay(since=NOW, until=until, rules=(), episodes=episodes, firing_hours={}, sent=(), faults={})


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        pytest.param([(1, 5)], [(1, 5)], (0, 0, 0, 1), id="the same"),
        pytest.param([(1, 5)], [], (1, 0, 0, 0), id="gone"),
        pytest.param([], [(1, None)], (0, 1, 0, 0), id="new"),
        pytest.param([(1, 5)], [(2, 4)], (0, 0, 1, 0), id="shorter"),
        pytest.param([(1, 5)], [(5, 9)], (1, 1, 0, 0), id="one after the other is another one"),
        pytest.param([(1, None)], [(1, 5), (7, None)], (0, 1, 1, 0), id="in two: the first is its like"),
        pytest.param([(1, 3), (4, 6)], [(2, None)], (1, 0, 1, 0), id="joined: the second is gone"),
        pytest.param([(1, 3), (10, 12)], [(5, 6), (10, 12)], (1, 1, 0, 1), id="out of step"),
    ],
)
def test_compare_when_episodes_of_one_alert_differ_then_distinguished(
    before: list[Span], after: list[Span], counts: tuple[int, int, int, int]
) -> None:
    """(only before, only after, changed, same)."""
    found = compare(replay(*map(episode, before)), replay(*map(episode, after)))

    assert (len(found.only_before), len(found.only_after), len(found.changed), found.same) == counts


def test_compare_when_the_severity_differs_then_it_changed() -> None:
    """A raised threshold may leave the times as they were."""
    found = compare(replay(episode((1, 5))), replay(episode((1, 5), CRITICAL)))

    assert [(c.before.severity, c.after.severity) for c in found.changed] == [(WARNING, CRITICAL)]


def test_compare_when_alerts_differ_then_they_are_not_matched() -> None:
    """Another owner's alert at the same time is another alert."""
    found = compare(replay(episode((1, 5))), replay(episode((1, 5), name="b")))

    assert (len(found.only_before), len(found.only_after)) == (1, 1)
