"""
`python -m tests.fuzz --minutes N [--seed N] [--keep FOLDER] [--learn] [ENTRANCE…]`.

Exit code 1 where something was found: its input, its trace and the inputs before it are in the folder from that moment.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from alertd.log import configure_logging
from tests.fuzz.engine import Finding, Tally, fuzz, learn, saved
from tests.fuzz.entrances import opened


def main() -> int:
    """Fuzz, print a line for each entrance and what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "alertd-fuzz")
    parser.add_argument("--learn", action="store_true", help="keep what led further under tests/fuzz/corpus/learnt")
    parser.add_argument("entrances", nargs="*")
    given = parser.parse_args()
    configure_logging(style="json", level="error", secrets=(), stream=sys.stderr)
    sys.stdout.write(f"seed {given.seed}\n")

    def found(name: str, finding: Finding) -> None:
        path = saved(name, finding, given.keep)
        sys.stdout.write(f"\n{name}: {finding.kind}, kept as {path}\n{finding.trace}\n")
        sys.stdout.flush()

    tallies = asyncio.run(_fuzzed(given.entrances, seconds=given.minutes * 60, seed=given.seed, found=found))
    sys.stdout.write(f"{'entrance':<14}{'inputs':>10}{'outcomes':>10}{'crashes':>9}{'hangs':>7}{'traces':>8}\n")
    for name, tally in tallies.items():
        kinds = [finding.kind for finding in tally.findings.values()]
        counts = (tally.inputs, len(tally.seen), *(kinds.count(kind) for kind in ("crash", "hang", "traceback")))
        sys.stdout.write("{:<14}{:>10}{:>10}{:>9}{:>7}{:>8}\n".format(name, *counts))
        if given.learn:
            learn(name, tally)
    return 1 if any(tally.findings for tally in tallies.values()) else 0


async def _fuzzed(
    names: list[str], *, seconds: float, seed: int, found: Callable[[str, Finding], None]
) -> dict[str, Tally]:
    with tempfile.TemporaryDirectory(prefix="alertd-fuzz-") as folder:
        async with opened(Path(folder)) as entrances:
            unknown = set(names) - {entrance.name for entrance in entrances}
            if unknown:
                raise SystemExit(f"no entrance {', '.join(sorted(unknown))}; there are {[e.name for e in entrances]}")
            chosen = [entrance for entrance in entrances if not names or entrance.name in names]
            return await fuzz(chosen, seconds=seconds, seed=seed, found=found)


if __name__ == "__main__":
    sys.exit(main())
