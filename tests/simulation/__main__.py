"""`python -m tests.simulation`: many seeds, or one again; the exit code is 1 where a promise was broken."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence

if os.environ.get("PYTHONHASHSEED") != "0":
    # A run is the same in every process: the order of sets is a part of it.
    os.execve(
        sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"}
    )

from tests.simulation.planted import PLANTED, find_each, live
from tests.simulation.run import run_plan
from tests.simulation.shrink import shrink
from tests.simulation.violation import Violation
from tests.simulation.worlds import make_plan

FIGURES_EACH = 100


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="how many seeds")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="K", help="the first of them")
    parser.add_argument("--days", type=int, default=14, metavar="D", help="simulated days of each")
    parser.add_argument(
        "--replay", type=int, metavar="SEED", help="one seed twice, and what is left of its plan when it fails"
    )
    parser.add_argument("--until-found", action="store_true", help="stop at the first violation")
    parser.add_argument(
        "--planted",
        nargs="*",
        metavar="NAME",
        help="plant bugs, all or some, and say which seed finds each; with --replay replay a seed with one of them",
    )
    asked = parser.parse_args()
    if asked.planted and asked.replay is not None:
        done = live(PLANTED[asked.planted[0]], "--replay", str(asked.replay), "--days", str(asked.days))
        say(done.stdout)
        return done.returncode
    if asked.planted is not None:
        return find_planted(asked.planted, seeds=asked.seeds, first=asked.first, days=asked.days)
    if asked.replay is not None:
        return replay(asked.replay, asked.days)
    return live_through(range(asked.first, asked.first + asked.seeds), asked.days, is_until_found=asked.until_found)


def live_through(seeds: range, days: int, *, is_until_found: bool) -> int:
    """Live through seeds; say what fails at once, and the figures now and then and at the end."""
    began, failed, lives, polls, taken = time.process_time(), list[int](), 0, 0, 0
    for number, seed in enumerate(seeds, start=1):
        outcome = run_plan(make_plan(seed, days), until=_any if is_until_found else None)
        trace, found = outcome.trace, outcome.violations
        lives, polls, taken = lives + trace.lives, polls + trace.polls, taken + trace.taken
        if found:
            failed.append(seed)
            say(f"seed {seed}: {len(found)} violations, trace {trace.digest()}, the first: {found[0]}")
        if number % FIGURES_EACH == 0 or number == len(seeds):
            spent_s = time.process_time() - began
            say(
                f"{number} seeds of {days} days: {len(failed)} failed {failed[:20]}; {lives} processes, "
                f"{polls} checks, {taken} notifications; "
                f"{spent_s:.1f} CPU-seconds, {number * days / spent_s:.1f} days a CPU-second"
            )
        if found and is_until_found:
            break
    return 1 if failed else 0


def _any(_violation: Violation) -> bool:
    return True


def find_planted(names: list[str], *, seeds: int, first: int, days: int) -> int:
    """Plant bugs one at a time, and say what finds each."""
    missed = 0
    for found in find_each(names, seeds=seeds, first=first, days=days):
        missed += found.seeds is None
        taken = f"found after {found.seeds} seeds: {found.violation}" if found.seeds else f"NOT found by {seeds} seeds"
        say(f"{found.mutant.name}: {taken}")
    return 1 if missed else 0


def replay(seed: int, days: int) -> int:
    """Run a seed twice, say whether both runs are the same, and shrink its plan where it fails."""
    plan = make_plan(seed, days)
    outcomes = [run_plan(plan) for _ in range(2)]
    digests = [outcome.trace.digest() for outcome in outcomes]
    say(f"traces {digests[0]} and {digests[1]}: {'the same' if digests[0] == digests[1] else 'NOT the same'}")
    if not outcomes[0].violations:
        say("no violation")
        return 0
    first = outcomes[0].violations[0]
    say_each(outcomes[0].violations)
    shortest = shrink(plan, first)
    say(shortest.text())
    say_each(run_plan(shortest, until=first.is_like).violations)
    return 1


def say_each(violations: Sequence[Violation]) -> None:
    """Say the first of each kind of violation, and how many more there are."""
    kinds = Counter(violation.shape for violation in violations)
    for violation in {violation.shape: violation for violation in reversed(violations)}.values():
        more = kinds[violation.shape] - 1
        say(f"  {violation}{f' (and {more} more like it)' if more else ''}")


if __name__ == "__main__":
    sys.exit(main())
