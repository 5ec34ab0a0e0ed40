"""What `alertd backtest` prints: tables for people, JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from alertd.cli.tables import table
from alertd.core.alert import Unit
from alertd.core.replay.replay import Episode, Replay
from alertd.core.replay.rule_edit import Comparison
from alertd.core.replay.suggest import Level, Suggestion
from alertd.core.severity import Severity
from alertd.core.times import iso_instant_or_none
from alertd.core.values import exact_text, format_value
from alertd.core.words import format_age, format_count, format_instant

_LISTED = 20
"""Number of episodes listed, the largest first; `--all` lists the others too."""


def replay_text(replay: Replay, *, show_all: bool) -> str:
    """Return the firing alerts by rule and by episode, and the messages."""
    parts = [_period(replay), _rule_table(replay), f"Messages a day: {_per_day(replay) or 'none'}."]
    if replay.episodes:
        parts.append(_episode_table(replay.episodes, replay.until, show_all=show_all))
    return "\n\n".join(parts)


def _period(replay: Replay) -> str:
    since, until = format_instant(replay.since), format_instant(replay.until)
    count = format_count(len(replay.rules), "rule")
    return (
        f"Replayed hour by hour: {count}, {since} to {until} ({replay.days:.1f} days).\n"
        "By the bills as they are known now: what came late then counts as if it had come in time."
    )


def _rule_table(replay: Replay) -> str:
    rows = [("RULE", "TYPE", "BEGUN", "HOURS FIRING", "LONGEST", "PEAK", "OF", "MESSAGES")]
    for rule in replay.rules:
        episodes = replay.of(rule.name)
        longest = max((episode.lasted(replay.until) for episode in episodes), default=None)
        peak = max(episodes, key=lambda episode: episode.peak, default=None)
        rows.append(
            (
                rule.name,
                rule.TYPE,
                str(len(episodes)),
                str(replay.firing_hours.get(rule.name, 0)),
                format_age(longest) if longest is not None else "",
                format_value(peak.peak, peak.unit) if peak is not None else "",
                _group(peak) if peak is not None else "",
                _counted(replay.messages(rule.name)),
            )
        )
    return table(rows, right={2, 3, 5}, optional=(1, 4, 3))


def _group(episode: Episode) -> str:
    """Return a group's name: its owner's if it has one, else the values of its labels."""
    labels = dict(episode.labels)
    return labels.get("owner_name") or labels.get("owner") or labels.get("team") or labels.get("category") or "-"


def _counted(messages: Mapping[str, int]) -> str:
    return ", ".join(f"{receiver} {count}" for receiver, count in messages.items())


def _per_day(replay: Replay) -> str:
    return ", ".join(f"{receiver} {count / replay.days:.1f}" for receiver, count in replay.messages().items())


def _size(episode: Episode) -> tuple[object, ...]:
    return -episode.severity, episode.unit is not Unit.USD, -episode.peak, episode.started_at


def _episode_table(episodes: Iterable[Episode], until: datetime, *, show_all: bool) -> str:
    """List episodes, the worst and largest first."""
    ordered = sorted(episodes, key=_size)
    shown = ordered if show_all else ordered[:_LISTED]
    rows = [("SINCE (UTC)", "LASTED", "SEVERITY", "PEAK", "RULE", "AT ITS PEAK")]
    rows += [
        (
            f"{episode.started_at:%Y-%m-%d %H:%M}",
            format_age(episode.lasted(until)) + ("" if episode.ended_at else ", still fires"),
            episode.severity.label,
            format_value(episode.peak, episode.unit),
            episode.rule,
            episode.headline,
        )
        for episode in shown
    ]
    left = len(ordered) - len(shown)
    more = f"\n… and {left} smaller; --all lists them." if left else ""
    return table(rows, right={3}, whole={0}, optional=(2, 1)) + more


def comparison_text(before: Replay, after: Replay, changes: Comparison, *, names: Sequence[str], show_all: bool) -> str:
    """Return what the second rules change compared with the first."""
    first, second = names
    both = ((first, before), (second, after))
    alone = f"{len(changes.only_before)} are of {first} alone, {len(changes.only_after)} of {second} alone"
    parts = [
        _period(before),
        "\n".join(f"Messages a day, {name}: {_per_day(replay) or 'none'}." for name, replay in both),
        f"{changes.same} episodes are the same, {len(changes.changed)} change, {alone}.",
    ]
    for name, episodes in ((first, changes.only_before), (second, changes.only_after)):
        if episodes:
            parts.append(f"Only with {name}:\n" + _episode_table(episodes, before.until, show_all=show_all))
    if changes.changed:
        parts.append("Changed:\n" + _change_table(changes, before.until, show_all=show_all))
    return "\n\n".join(parts)


def _change_table(changes: Comparison, until: datetime, *, show_all: bool) -> str:
    ordered = sorted(changes.changed, key=lambda change: _size(change.after))
    shown = ordered if show_all else ordered[:_LISTED]
    rows = [("SINCE (UTC)", "LASTED", "SEVERITY", "RULE", "AT ITS PEAK")]
    for change in shown:
        one, other = change.before, change.after
        pairs = (
            (f"{one.started_at:%Y-%m-%d %H:%M}", f"{other.started_at:%Y-%m-%d %H:%M}"),
            (format_age(one.lasted(until)), format_age(other.lasted(until))),
            (one.severity.label, other.severity.label),
        )
        since, lasted, severity = (old if old == new else f"{old} -> {new}" for old, new in pairs)
        rows.append((since, lasted, severity, other.rule, other.headline))
    left = len(ordered) - len(shown)
    return table(rows) + (f"\n… and {left} smaller; --all lists them." if left else "")


def suggestion_text(found: Sequence[Suggestion]) -> str:
    """Return current and suggested thresholds, and how often each would have fired."""
    if not found:
        return "No rule has thresholds on spend: nothing is suggested."
    rows = [("RULE", "NOW", "AT MOST ONCE A WEEK", "AT MOST ONCE A MONTH")]
    rows += [
        (each.rule, _present(each), _level(each.weekly, each.unit), _level(each.monthly, each.unit))
        for each in found
        if not each.why_not
    ]
    lines = [f"{each.rule}: nothing is suggested: {each.why_not}." for each in found if each.why_not]
    days = max(each.days for each in found)
    drawn = [f"Thresholds by {days:.0f} days of values; in brackets how often each would have fired.", table(rows)]
    return "\n\n".join([*(drawn if len(rows) > 1 else []), *(["\n".join(lines)] if lines else [])])


def _present(suggestion: Suggestion) -> str:
    levels: list[tuple[Severity, Level]] = sorted(suggestion.present.items())
    return ", ".join(f"{severity.label} {_level(level, suggestion.unit)}" for severity, level in levels)


def _level(level: Level | None, unit: Unit) -> str:
    return f"{format_value(level.threshold, unit)} ({level.episodes})" if level is not None else "-"


# --- for programs ---------------------------------------------------------------------------------------------------


def replay_json(replay: Replay) -> dict[str, object]:
    """Return the result for `--json`; values are decimal strings, instants ISO 8601."""
    return {
        "since": iso_instant_or_none(replay.since),
        "until": iso_instant_or_none(replay.until),
        "rules": [
            {
                "name": rule.name,
                "type": rule.TYPE,
                "firing_hours": replay.firing_hours.get(rule.name, 0),
                "episodes": [_episode_json(episode) for episode in replay.of(rule.name)],
                "messages": replay.messages(rule.name),
            }
            for rule in replay.rules
        ],
        "messages_per_day": {name: round(count / replay.days, 2) for name, count in replay.messages().items()},
    }


def comparison_json(before: Replay, after: Replay, changes: Comparison) -> dict[str, object]:
    """Return both replays and their differences."""
    return {
        "before": replay_json(before),
        "after": replay_json(after),
        "only_before": [_episode_json(episode) for episode in changes.only_before],
        "only_after": [_episode_json(episode) for episode in changes.only_after],
        "changed": [
            {"before": _episode_json(change.before), "after": _episode_json(change.after)} for change in changes.changed
        ],
    }


def _episode_json(episode: Episode) -> dict[str, object]:
    return {
        "rule": episode.rule,
        "fingerprint": episode.fingerprint,
        "account": episode.account,
        "labels": dict(episode.labels),
        "severity": episode.severity.label,
        "started_at": iso_instant_or_none(episode.started_at),
        "ended_at": iso_instant_or_none(episode.ended_at),
        "peak": exact_text(episode.peak, episode.unit),
        "peak_at": iso_instant_or_none(episode.peak_at),
        "unit": episode.unit.value,
        "summary": episode.headline,
    }
