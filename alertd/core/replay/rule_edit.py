"""The effects of an edit of the rules: compares the episodes of two replays of the same past."""

from collections.abc import Sequence

from alertd.core.dataclass import dataclass
from alertd.core.replay.replay import Episode, Replay


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """An episode in both replays, with different severity or times."""

    before: Episode
    after: Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Episodes in chronological order."""

    only_before: tuple[Episode, ...]
    only_after: tuple[Episode, ...]
    changed: tuple[RuleChange, ...]
    same: int


def compare(before: Replay, after: Replay) -> Comparison:
    """Match overlapping episodes of the same alert (rule name and group), each with at most one other."""
    only_before: list[Episode] = []
    only_after: list[Episode] = []
    changed: list[RuleChange] = []
    same = 0
    old, new = _by_alert(before), _by_alert(after)
    for name in {**old, **new}:
        pairs, left, right = _matched(old.get(name, []), new.get(name, []))
        only_before += left
        only_after += right
        for one, other in pairs:
            if (one.severity, one.started_at, one.ended_at) == (other.severity, other.started_at, other.ended_at):
                same += 1
            else:
                changed.append(RuleChange(before=one, after=other))
    return Comparison(
        only_before=tuple(sorted(only_before, key=_order)),
        only_after=tuple(sorted(only_after, key=_order)),
        changed=tuple(sorted(changed, key=lambda change: _order(change.after))),
        same=same,
    )


def _by_alert(replay: Replay) -> dict[str, list[Episode]]:
    found: dict[str, list[Episode]] = {}
    for episode in replay.episodes:
        found.setdefault(episode.fingerprint, []).append(episode)
    return found


def _matched(
    old: Sequence[Episode], new: Sequence[Episode]
) -> tuple[list[tuple[Episode, Episode]], list[Episode], list[Episode]]:
    """Return the overlapping pairs, and the unmatched ones of both; episodes of one alert never overlap each other."""
    pairs, left, right = [], [], []
    waiting, coming = list(reversed(old)), list(reversed(new))
    while waiting and coming:
        one, other = waiting[-1], coming[-1]
        if _is_over_before(one, other):
            left.append(waiting.pop())
        elif _is_over_before(other, one):
            right.append(coming.pop())
        else:
            pairs.append((waiting.pop(), coming.pop()))
    return pairs, [*left, *reversed(waiting)], [*right, *reversed(coming)]


def _is_over_before(one: Episode, other: Episode) -> bool:
    return one.ended_at is not None and one.ended_at <= other.started_at


def _order(episode: Episode) -> tuple[object, ...]:
    return episode.started_at, episode.rule, episode.fingerprint
