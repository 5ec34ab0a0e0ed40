"""What waits because nobody wants to hear of it by now: with all that waits for it, or not at all."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.outbox import OutboxEntry
from alertd.notify.delivery.order import behind
from alertd.notify.delivery.withholding import is_withheld
from tests.core.builders import HOUR, NOW, entry
from tests.outbox_double import outbox_of


def about(number: int, *alerts: str, reason: NotifyReason = NotifyReason.FIRST, lane: str = "slack") -> OutboxEntry:
    plain = entry(number, fingerprints=alerts, group=alerts[0] if alerts else "report", receiver=lane)
    return replace(plain, message=replace(plain.message, reason=reason))


ENTRIES = (
    about(1, "a"),
    about(2, "b"),
    about(3, "a", "c"),
    about(4, "c"),
    about(5, "a", reason=NotifyReason.UPDATED),
    about(6, "a", lane="mail"),
    about(7, "d"),
    about(8, "d", reason=NotifyReason.CORRECTED),
)


@pytest.mark.parametrize(
    ("number", "waiting"),
    [
        pytest.param(1, [3, 4], id="about it, and about what that is about; no edit, no other lane"),
        pytest.param(3, [4], id="nothing that is earlier"),
        pytest.param(2, [], id="nothing about other alerts"),
        pytest.param(7, [], id="no edit"),
    ],
)
def test_entries_behind_one_then_those_that_wait_for_it_however_indirectly(number: int, waiting: list[int]) -> None:
    """One of them may be urgent, and would pull forward what is held."""
    assert [one.id for one in behind(ENTRIES[number - 1], ENTRIES)] == waiting


@pytest.mark.parametrize(
    ("wanted", "is_held"),
    [
        pytest.param(set(), True, id="nobody wants any"),
        pytest.param({4}, False, id="one that waits for it is wanted: both are sent"),
        pytest.param({1}, False, id="it is wanted itself"),
        pytest.param({2, 6}, True, id="others are of no account"),
    ],
)
def test_entry_when_it_is_withheld_then_with_all_that_wait_for_it_or_not_at_all(
    wanted: set[int], *, is_held: bool
) -> None:
    later = NOW + HOUR
    outbox = outbox_of(*ENTRIES)

    async def withhold(entries: Sequence[OutboxEntry], now: datetime) -> Sequence[OutboxEntry]:
        assert now == NOW
        return () if wanted & {one.id for one in entries} else [replace(one, not_before=later) for one in entries]

    assert asyncio.run(is_withheld(ENTRIES[0], outbox, withhold, lambda: NOW)) is is_held
    held = [number for number, one in outbox.entries.items() if one.not_before == later]
    assert held == ([1, 3, 4] if is_held else [])


def test_report_when_it_is_due_then_nobody_is_asked() -> None:
    """It is about no alert that could be silenced."""

    async def withhold(entries: Sequence[OutboxEntry], now: datetime) -> Sequence[OutboxEntry]:
        return [replace(one, not_before=NOW + HOUR) for one in entries]

    report = about(1, reason=NotifyReason.REPORT)
    outbox = outbox_of(report)
    assert not asyncio.run(is_withheld(report, outbox, withhold, lambda: NOW))
    assert outbox[1] == report
