"""What a replay reads like where there is much of it: the worst first, the rest counted, and everything on demand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from alertd.cli.backtest_text import comparison_text, replay_text
from alertd.core.alert import Unit
from alertd.core.replay.replay import Episode, Replay
from alertd.core.replay.rule_edit import Comparison, RuleChange
from alertd.core.severity import Severity
from tests.core.builders import HOUR, NOW, rolling

LISTED = 20


def an_episode(number: int) -> Episode:
    return Episode(
        rule="gpu-24h",
        fingerprint=f"{number:016x}",
        account="default",
        labels=(),
        severity=Severity.WARNING,
        started_at=NOW,
        ended_at=NOW + HOUR,
        peak=Decimal(100 + number),
        peak_at=NOW,
        unit=Unit.USD,
        headline=f"episode {number:02}",
    )


def a_replay(*episodes: Episode) -> Replay:
    return Replay(
        since=NOW - timedelta(days=4),
        until=NOW,
        rules=(rolling(),),
        episodes=episodes,
        firing_hours={},
        sent=(),
        faults={},
    )


def replayed(count: int, *, show_all: bool) -> str:
    return replay_text(a_replay(*map(an_episode, range(count))), show_all=show_all)


def lost(count: int, *, show_all: bool) -> str:
    found = Comparison(only_before=tuple(map(an_episode, range(count))), only_after=(), changed=(), same=0)
    return comparison_text(a_replay(), a_replay(), found, names=["a", "b"], show_all=show_all)


def changed(count: int, *, show_all: bool) -> str:
    episodes = map(an_episode, range(count))
    pairs = tuple(RuleChange(before=one, after=replace(one, severity=Severity.CRITICAL)) for one in episodes)
    found = Comparison(only_before=(), only_after=(), changed=pairs, same=0)
    return comparison_text(a_replay(), a_replay(), found, names=["a", "b"], show_all=show_all)


@pytest.mark.parametrize("shown", [replayed, lost, changed])
def test_episodes_when_there_are_many_then_the_worst_are_listed_and_the_rest_counted(
    shown: Callable[..., str],
) -> None:
    """A busy month fills no screen, unless somebody asks for all of it."""
    assert "smaller" not in shown(LISTED, show_all=False)
    text = shown(LISTED + 3, show_all=False)
    assert "… and 3 smaller; --all lists them." in text
    assert [f"episode {number:02}" in text for number in range(LISTED + 3)] == [False] * 3 + [True] * LISTED
    text = shown(LISTED + 3, show_all=True)
    assert text.index(f"episode {LISTED + 2:02}") < text.index("episode 00")
    assert "smaller" not in text


def test_messages_when_counted_then_by_the_day() -> None:
    """Four days of replay."""
    assert "Messages a day: none." in replayed(1, show_all=False)
    assert "(4.0 days)" in replayed(1, show_all=False)
