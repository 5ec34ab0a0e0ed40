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
from tests.simulation.planted_bugs import OWN
from tests.simulation.planted_further import FURTHER
from tests.simulation.planted_others import OTHERS
from tests.simulation.planted_people import PEOPLE

ROOT = Path(__file__).parents[2]
_FAILED = re.compile(r"^seed (\d+): \d+ violations, trace \w+, the first: (.+)$", re.MULTILINE)


_SHARED = (
    "resolve on empty data",
    "keep the episode",
    "repeat what is acknowledged",
    "forget decisions in memory",
    "conclude after the clock moved",
    "drop a category that was known",
    "release nothing from quiet hours",
    "withhold the end of a muted alert",
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
    "withhold the end of a muted alert": 12,
    "end at the threshold": 13,
    "believe what vanishes at once": 14,
    "never believe what vanishes": 14,
    "lose the last hour of a period": 15,
    "give up at 429": 16,
    "keep the alerts of a removed rule": 22,
    "leave the last of a storm out": 1,
    "never change the first message": 6,
    "post without a pause": 6,
    "lower on incomplete data": 9,
    "one delivery key for all repeats": 11,
    "escalate at each poll": 11,
    "escalate to nobody": 11,
    "never escalate": 11,
    "escalate at once": 11,
    "repeat twice as often": 11,
    "end what is silenced": 12,
    "fire above the line alone": 13,
    "the lowest severity for all": 13,
    "leave late": 13,
    "ignore what is revised": 14,
    "a month that ends a day early": 15,
    "forget what was tried at a restart": 16,
    "ask again too soon": 16,
    "ignore a rule's category": 18,
    "wait for the slowest category": 18,
    "read the first account for all": 19,
    "blind to the second account": 19,
    "keep an alert anew at each poll": 20,
    "ignore a rule's team": 21,
    "quiet hours by UTC": 23,
    "quiet hours without daylight saving": 23,
    "prune the messages of what fires": 6,
    "send before commit": 6,
    "end while bills are awaited": 18,
    "wait an hour longer": 2,
    "forget who acknowledged at a restart": 8,
    "count an hour that costs too little": 8,
    "forget silences at a restart": 12,
    "end silences an hour early": 12,
    "budgets by UTC": 23,
    "repeat without backoff": 24,
    "inhibit nobody": 25,
    "inhibit other owners": 25,
    "count what vouchers pay": 26,
    "a week from Sunday": 91,
    "acknowledge without a word": 65,
    "never read older hours again": 68,
    "what vanished is paid": 81,
    "what vanished grows older": 81,
    "owe what was repaid": 81,
    "owe what is paid": 27,
    "believe that a short page is the last": 27,
    "end what cannot be read": 27,
    "ignore min_debt": 81,
    "a balance at its limit is enough": 27,
    "a balance ends at its limit": 81,
    "ignore min_spend": 27,
}
"""A seed of three days that finds each of these: so many seeds from 0 on, and one, are enough."""
PLANTED: dict[str, Mutant] = {
    mutant.name: mutant for mutant in (*OWN, *FURTHER, *PEOPLE, *OTHERS, *(TABLE[name] for name in _SHARED))
}


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
