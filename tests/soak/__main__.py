"""`python -m tests.soak --days N`: exit code 1 where memory, descriptors, threads, tasks or the store grew."""

import argparse
import sys
import time

from tests.soak.measure import HEADING, Day
from tests.soak.run import soaked


def main() -> int:
    """Soak, print every twentieth day and the verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--days", type=int, default=400)
    days: int = parser.parse_args().days

    def show(day: Day) -> None:
        if day.number % max(1, days // 20) == 0:
            sys.stdout.write(day.line() + "\n")
            sys.stdout.flush()

    began_s = time.monotonic()
    sys.stdout.write(HEADING + "\n")
    outcome = soaked(days, on_day=show)
    sys.stdout.write(
        f"{days} days in {time.monotonic() - began_s:.0f} s: {outcome.polls} polls, {outcome.restarts} restarts, "
        f"{outcome.delivered} messages\n"
    )
    faults = outcome.faults()
    sys.stdout.write("".join(f"fault: {fault}\n" for fault in faults) or "nothing grew, nothing is kept too long\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
