"""The message that told an alert's beginning shows its present state, where a receiver can change messages."""

from dataclasses import replace

import pytest

from alertd.core.alert import Address, Alert
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.due import notified
from alertd.core.alerts.lifecycle import Move, end
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.muted import Muted, MuteKind
from tests.core.builders import CRITICAL, DAY, HOUR, NOW, WARNING, dispatcher, firing, move, rolling

SLACK, MAIL = Address("slack", "#finops"), Address("mail", "a@x.io")
OFFICE = Audience(
    default=("slack", "mail"),
    recipients={"slack": ("#finops",), "mail": ("a@x.io",)},
    editors=frozenset({"slack"}),
)
TOLD = notified(firing(), NotifyReason.FIRST, (SLACK, MAIL), NOW)


def decided(change: Move, *waiting: OutboxEntry) -> list[OutboxEntry]:
    known = {TOLD.fingerprint: TOLD}
    later = dispatcher(OFFICE, NOW + HOUR)
    decisions = later.decide([change], alerts=known, silences=(), waiting=waiting, is_first_cycle=False)
    return list(decisions.entries)


def updates(entries: list[OutboxEntry]) -> list[OutboxEntry]:
    return [entry for entry in entries if entry.message.reason is NotifyReason.UPDATED]


@pytest.mark.parametrize(
    ("after", "word"),
    [
        pytest.param(replace(TOLD, severity=CRITICAL), "critical", id="a rise"),
        pytest.param(end(TOLD, reason="", now=NOW + HOUR), "resolved", id="an end"),
    ],
)
def test_root_when_something_is_notified_then_shows_it_after_that(after: Alert, word: str) -> None:
    """The reply rings; what stands above it must not contradict it, and mail cannot be changed."""
    entries = decided(move(TOLD, after))
    assert [(e.receiver, e.message.reason is NotifyReason.UPDATED) for e in entries if e.receiver == "slack"] == [
        ("slack", False),
        ("slack", True),
    ]
    (root,) = updates(entries)
    assert root.message.is_resolved == (word == "resolved")
    assert root.message.severity is (CRITICAL if word == "critical" else WARNING)
    assert root.not_before == NOW + HOUR


def test_root_when_the_severity_falls_then_shows_it_and_nobody_is_notified() -> None:
    """A lower severity is no news, but what stands there should be true."""
    high = notified(firing("120"), NotifyReason.FIRST, (SLACK, MAIL), NOW)
    entries = decided(move(high, replace(high, severity=WARNING, notified_severity=WARNING)))
    assert [(entry.receiver, entry.message.reason) for entry in entries] == [("slack", NotifyReason.UPDATED)]


def test_root_when_only_the_value_moves_then_left_alone() -> None:
    """A message that is edited every ten minutes costs calls and says nothing."""
    assert decided(move(TOLD, replace(TOLD, value=TOLD.value + 1))) == []


def test_root_when_a_repeat_is_notified_then_shows_the_new_value() -> None:
    """Whoever looks at the channel and not at the thread sees how much it is by now."""
    rule = rolling(repeat_interval=HOUR)
    after = replace(TOLD, value=TOLD.value + 5)
    (root,) = updates(decided(move(TOLD, after, rule)))
    assert root.message.fields[0].text == "$65.00"


def test_root_when_never_notified_then_none() -> None:
    """Where nothing was notified there is nothing to change."""
    assert updates(decided(move(None, firing()))) == []


def test_root_when_an_update_waits_already_then_the_newer_one_takes_its_place() -> None:
    """Slack was down for a day: one edit is enough, and no history is notified of edits."""
    (first,) = updates(decided(move(TOLD, replace(TOLD, severity=CRITICAL))))
    risen = replace(TOLD, severity=CRITICAL, notified_severity=CRITICAL)
    (second,) = updates(decided(move(risen, replace(risen, severity=WARNING, notified_severity=WARNING)), first))
    assert second.message.history == ()
    assert second.message.severity is WARNING


def test_root_when_an_update_of_the_episode_before_waits_then_both_are_made() -> None:
    """Slack was down as the alert ended and began again: its first message of then must not show it firing for ever."""
    stored = updates(decided(move(TOLD, end(TOLD, reason="", now=NOW + HOUR))))
    ended = [replace(entry, id=number) for number, entry in enumerate(stored, start=1)]
    again = replace(TOLD, episode=TOLD.episode + 1)
    change = move(again, replace(again, severity=CRITICAL))
    decisions = dispatcher(OFFICE, NOW + DAY).decide(
        [change], alerts={again.fingerprint: again}, silences=(), waiting=ended, is_first_cycle=False
    )
    assert len(updates(list(decisions.entries))) == 1
    assert [number for numbers in decisions.folded.values() for number in numbers] == []


def test_root_when_acknowledged_then_shows_it_and_the_thread_is_notified() -> None:
    """Everybody in the channel sees that somebody is at it; mail is not written for that."""
    after = replace(TOLD, acknowledged_by="dana", acknowledged_at=NOW + HOUR)
    change = Move(before=TOLD, after=after, rule=rolling())
    entries = dispatcher(OFFICE, NOW + HOUR).entries_of_request([change])
    assert [(entry.receiver, entry.message.reason) for entry in entries] == [
        ("slack", NotifyReason.ACKNOWLEDGED),
        ("slack", NotifyReason.UPDATED),
    ]
    assert entries[0].message.title.startswith("Acknowledged by dana: gpu-1 spent $60")
    assert "Acknowledged by dana, 2026-01-10 13:05 UTC." in entries[1].message.lines
    assert len({entry.key for entry in entries}) == 2


def test_root_when_silenced_then_shows_by_whom_and_says_nothing_else() -> None:
    """A silence that announces itself would not be one."""
    after = replace(TOLD, muted=Muted(kind=MuteKind.SILENCE, id="1234abcd", by="dana"))
    change = Move(before=TOLD, after=after, rule=rolling())
    entries = dispatcher(OFFICE, NOW + DAY).entries_of_request([change])
    (root,) = entries
    assert root.message.reason is NotifyReason.UPDATED
    assert "Notifications suppressed: silenced by dana until the alert ends." in root.message.lines


def test_root_when_the_alert_comes_again_then_that_of_its_earlier_life_is_left_as_it_ended() -> None:
    """The next episode has a message of its own."""
    over = end(TOLD, reason="", now=NOW)
    again = replace(firing(), episode=2)
    assert [entry.message.reason for entry in decided(move(over, again))] == [NotifyReason.FIRST] * 2


def test_messages_when_composed_then_each_is_of_the_zone_of_the_rules() -> None:
    """Alone, in a storm and in a change of either: receivers show its instants by it."""
    berlin = dispatcher(replace(OFFICE, timezone="Europe/Berlin"), NOW + HOUR)
    for count in (1, 6):
        moves = [move(None, firing("60", owner=f"gpu-{number}")) for number in range(count)]
        sent = berlin.decide(moves, alerts={}, silences=(), waiting=(), is_first_cycle=False).entries
        assert {entry.message.timezone for entry in sent} == {"Europe/Berlin"}
        assert len(sent) == 2
    changed = berlin.entries_of_request([move(TOLD, replace(TOLD, acknowledged_by="dana"))])
    assert {entry.message.timezone for entry in changed} == {"Europe/Berlin"}


def test_beginning_when_a_storm_of_it_was_filed_since_then_is_not_taken_over_past_that() -> None:
    """It would be sent after the storm that speaks of it."""
    (single, _), (storm, _) = (
        dispatcher(OFFICE).decide(moves, alerts={}, silences=(), waiting=(), is_first_cycle=False).entries
        for moves in (
            [move(None, firing())],
            [move(None, firing("60", owner=f"gpu-{number}")) for number in range(1, 7)],
        )
    )
    raised = move(TOLD, replace(TOLD, severity=CRITICAL))
    for waiting, taken in (
        ([replace(single, id=1)], [1]),
        ([replace(single, id=1), replace(storm, id=2)], []),
        ([replace(storm, id=1), replace(single, id=2)], [2]),
    ):
        later = dispatcher(OFFICE, NOW + HOUR)
        found = later.decide(
            [raised], alerts={TOLD.fingerprint: TOLD}, silences=(), waiting=waiting, is_first_cycle=False
        )
        assert [number for numbers in found.folded.values() for number in numbers] == taken
