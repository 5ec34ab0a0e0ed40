"""
`python -m tests.mutants [NAME…] [--list] [--file FILE] [--random N --seed S --over FOLDER…] [--stages N] [--jobs N]`.

Plants one bug at a time and says which test finds it: one that fails with the bug and passes without it. Exit code 1
where a bug survives.
"""

import argparse
import os
import runpy
import sys

from tests.mutants.draw import draw
from tests.mutants.mutant import Mutant
from tests.mutants.run import Verdict, plant_all
from tests.mutants.stages import ROOT
from tests.mutants.table import TABLE

OVER = (
    "alertd/daemon",
    "alertd/notify",
    "alertd/web",
    "alertd/queries",
    "alertd/store",
    "alertd/core/alerts",
    "alertd/core/messages",
    "alertd/cli",
)


def main() -> int:
    """Plant the bugs that are asked for, the whole table where none is."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="of the table; all where none is given")
    parser.add_argument("--list", action="store_true", help="print the table and plant nothing")
    parser.add_argument("--file", help="plant the bugs of a Python file that sets BUGS instead")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="plant N drawn mutations instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--over", nargs="+", default=OVER, metavar="FOLDER", help="folders or files to draw from")
    parser.add_argument("--stages", type=int, default=3, help="1: tests that name the module; 2: its room; 3: wider")
    parser.add_argument("--seconds", type=float, default=900, help="of the processor that each stage may take")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    given = parser.parse_args()
    table = {bug.name: bug for bug in runpy.run_path(given.file)["BUGS"]} if given.file else TABLE
    unknown = [name for name in given.names if name not in table]
    if unknown:
        parser.error(f"no planted bug is called {', '.join(unknown)}; see --list")
    if given.list:
        for mutant in table.values():
            sys.stdout.write(f"{mutant.name:<46} {mutant.module:<34} {mutant.breaks}\n")
        return 0
    if given.random:
        chosen = draw(_modules(given.over), given.random, given.seed)
    else:
        chosen = [table[name] for name in given.names or table]
    return _planted(chosen, given.stages, given.seconds, given.jobs)


def _planted(chosen: list[Mutant], stages: int, most_s: float, jobs: int) -> int:
    survived: list[str] = []
    red: set[str] = set()

    def report(one: Verdict) -> None:
        red.update(one.red)
        how = f"found by {one.found_by}"
        if not one.found_by:
            survived.append(one.mutant.name)
            how = f"SURVIVED: {_short(one.mutant.before)} -> {_short(one.mutant.after)}"
        sys.stdout.write(f"{one.mutant.name} ({one.seconds:.0f} s): {how}\n")
        sys.stdout.flush()

    plant_all(chosen, stages=stages, most_s=most_s, jobs=jobs, report=report)
    for test in sorted(red):
        sys.stdout.write(f"{test} fails without any bug: it was left out\n")
    sys.stdout.write(f"{len(chosen) - len(survived)} of {len(chosen)} found\n")
    return 1 if survived or red else 0


def _short(text: str) -> str:
    return " ".join(text.split())[:160]


def _modules(folders: list[str]) -> list[str]:
    found = set()
    for folder in folders:
        path = ROOT / folder
        found |= {path} if path.suffix == ".py" else set(path.rglob("*.py"))
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found if path.stem != "__init__")


if __name__ == "__main__":
    sys.exit(main())
