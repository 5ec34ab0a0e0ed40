"""
The simulation's own power: bugs that are planted one at a time, each found by some of its first seeds.

`python -m tests.simulation --planted [NAME ...]` lives through seeds with each of them until an oracle objects.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.planting import VARIABLE
from tests.mutants.table import TABLE

ROOT = Path(__file__).parents[2]
_FAILED = re.compile(r"^seed (\d+): \d+ violations, trace \w+, the first: (.+)$", re.MULTILINE)


def _own(name: str, module: str, before: str, after: str, breaks: str) -> Mutant:
    return Mutant(name=name, module=f"alertd.{module}", before=before, after=after, breaks=breaks)


_OWN = (
    _own(
        "lose the last hour of a period",
        "core.rules.budget_scene",
        "edge = min(edges.latest, period.hours.end)",
        "edge = min(edges.latest, period.hours.end - 1)",
        "a budget's period has all its hours",
    ),
    _own(
        "count summary",
        "core.spend.bill",
        '    "bare_metal",\n)\n"""Every productCategory',
        '    "bare_metal",\n    "summary",\n)\n"""Every productCategory',
        "the control total is no spend of its own",
    ),
    _own(
        "count expected money as known",
        "core.rules.rolling_spend",
        "value, about, window, planned = ends.at_least,",
        "value, about, window, planned = ends.about,",
        "an alert fires and rises by what is billed at least",
    ),
    _own(
        "one hour more in each window",
        "core.rules.rolling_spend",
        "    def _hours(self) -> int:\n        return whole_hours(self.window)",
        "    def _hours(self) -> int:\n        return whole_hours(self.window) + 1",
        "a window is as long as the rule says",
    ),
    _own(
        "end at the threshold",
        "core.rules.rolling_spend",
        "held = highest(self._leave, ends.lasting - planned)",
        "held = highest(self.thresholds, ends.lasting - planned)",
        "a severity is left below `resolve_below`",
    ),
    _own(
        "believe what vanishes at once",
        "core.spend.ledger",
        "return (held.total > 0 and block.total * 2 < held.total) or (held.total != 0 and len(block) == 0)",
        "return False",
        "money that vanishes is believed when a later read says the same",
    ),
    _own(
        "never believe what vanishes",
        "core.spend.ledger",
        "if earlier is None or earlier.digest != mark or read_at - earlier.since < confirm_after:",
        "if True:",
        "money that a later read does not show either is gone",
    ),
    _own(
        "forget what waits for its time at a restart",
        "store.alerts",
        'return self._read("ORDER BY fingerprint")',
        'return tuple(alert for alert in self._read("ORDER BY fingerprint") if alert.state != "pending")',
        "`for` goes on over a restart",
    ),
    _own(
        "wall clock in the outbox",
        "daemon.app",
        "            now=time.now,\n            jitter",
        "            now=clock.wall,\n            jitter",
        "what is due is sent while the wall clock is wrong",
    ),
    _own(
        "fold a fresh alert away",
        "core.messages.folding",
        "        if old.fingerprints == entry.fingerprints:\n",
        "        if True:\n",
        "what is folded is in the message that takes it over",
    ),
    _own(
        "send an end before its beginning",
        "notify.delivery.order",
        "is_free = ahead.isdisjoint(places) and not",
        "is_free = not",
        "an end is never announced before its beginning (D4)",
    ),
    _own(
        "notify in quiet hours",
        "core.messages.dispatch",
        "if held_until is not None and not entry.message.reason.is_edit:",
        "if held_until is not None and held_until < self.now and not entry.message.reason.is_edit:",
        "quiet hours hold what is not critical",
    ),
    _own(
        "never say that bills cannot be read",
        "core.rules.own.unread_bills",
        "is_blind = refused is not None or age >= self.limit",
        "is_blind = refused is not None",
        "blindness is reported (D6)",
    ),
    _own(
        "never say that the clock is wrong",
        "core.rules.own.wrong_clock",
        "reached = Severity.INFO if fault.is_decided else Severity.CRITICAL",
        "reached = None",
        "a clock that is wrong is reported",
    ),
    _own(
        "keep the alerts of a removed rule",
        "core.alerts.lifecycle",
        "if reason := _orphaned(alert, rules.get(alert.rule), accounts):",
        "if (reason := _orphaned(alert, rules.get(alert.rule), accounts)) not in {'', 'rule removed'}:",
        "what nothing judges any more ends",
    ),
    _own(
        "forget that an end is due",
        "core.alerts.due",
        "return NotifyReason.RESOLVED if was_firing and",
        "return NotifyReason.RESOLVED if not was_firing and",
        "whoever was notified of a beginning is notified of the end",
    ),
    _own(
        "withhold the end of what is silenced",
        "core.alerts.mutes",
        "muted = self._of(alert) if alert.state is AlertState.FIRING else None",
        "muted = self._of(alert)",
        "an end is never withheld",
    ),
    _own(
        "raise without a word",
        "core.alerts.due",
        "after.severity > after.notified_severity:",
        "after.severity < after.notified_severity:",
        "a higher severity is notified",
    ),
)
_SHARED = (
    "resolve on empty data",
    "keep the episode",
    "repeat what is acknowledged",
    "forget decisions in memory",
    "conclude after the clock moved",
    "drop a category that was known",
    "release nothing from quiet hours",
    "send before commit",
    "leave a cut attempt as it was",
    "no fallback at a wrong configuration",
    "send for ever without an answer",
    "count any 2xx as success",
    "give up at 429",
    "call stop twice after a crash",
)
FOUND_BY = {
    "send an end before its beginning": 1,
    "fold a fresh alert away": 1,
    "raise without a word": 1,
    "forget decisions in memory": 1,
    "forget what waits for its time at a restart": 2,
    "release nothing from quiet hours": 3,
    "notify in quiet hours": 3,
    "wall clock in the outbox": 4,
    "never say that the clock is wrong": 4,
    "leave a cut attempt as it was": 5,
    "no fallback at a wrong configuration": 5,
    "count any 2xx as success": 5,
    "keep the episode": 6,
    "call stop twice after a crash": 8,
    "resolve on empty data": 9,
    "never say that bills cannot be read": 9,
    "drop a category that was known": 9,
    "count summary": 0,
    "one hour more in each window": 1,
    "forget that an end is due": 1,
    "send for ever without an answer": 5,
    "count expected money as known": 7,
    "repeat what is acknowledged": 11,
    "withhold the end of what is silenced": 12,
    "end at the threshold": 13,
    "never believe what vanishes": 14,
    "lose the last hour of a period": 15,
    "give up at 429": 16,
    "keep the alerts of a removed rule": 22,
}
"""A seed of three days that finds each of these: so many seeds from 0 on, and one, are enough."""
PLANTED: dict[str, Mutant] = {mutant.name: mutant for mutant in (*_OWN, *(TABLE[name] for name in _SHARED))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of a planted bug."""

    mutant: Mutant
    seeds: int | None
    """How many were lived through until it was found; None where it was not."""
    violation: str


def live(mutant: Mutant, *asked: str) -> subprocess.CompletedProcess[str]:
    """
    Run this program with a bug; *asked* are its arguments.

    Raises:
        ValueError: The text that the bug changes is not there.
        RuntimeError: The simulation itself failed.
    """
    with tempfile.TemporaryDirectory(prefix="alertd-planted-") as folder:
        given = Path(folder) / "planted.json"
        given.write_text(json.dumps({"module": mutant.module, "source": mutant.planted()}), encoding="utf-8")
        environment = {**os.environ, VARIABLE: str(given), "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-m", "tests.simulation", *asked]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1} or (done.returncode and done.stderr):
        raise RuntimeError(f"{mutant.name}: {done.stderr[-2000:]}")
    return done


def find(mutant: Mutant, *, seeds: int, first: int, days: int) -> Found:
    """
    Live through seeds with a bug until a promise is broken.

    Raises:
        ValueError: The text that the bug changes is not there.
        RuntimeError: The simulation itself failed.
    """
    asked = ("--seeds", str(seeds), "--from", str(first), "--days", str(days))
    failed = _FAILED.search(live(mutant, "--until-found", *asked).stdout)
    if failed is None:
        return Found(mutant=mutant, seeds=None, violation="")
    return Found(mutant=mutant, seeds=int(failed[1]) - first + 1, violation=failed[2])


def find_each(names: list[str], *, seeds: int, first: int, days: int) -> Iterator[Found]:
    """Yield what becomes of each of some bugs, or of all."""
    for name in names or PLANTED:
        yield find(PLANTED[name], seeds=seeds, first=first, days=days)
