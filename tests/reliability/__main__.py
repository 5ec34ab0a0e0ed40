"""`python -m tests.reliability N …` runs the tests of these faults of `table.md`."""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.reliability.table import faults


def main() -> int:
    """Run the tests of some faults; say why where there is none."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("numbers", nargs="+", type=int, metavar="N")
    wanted: list[int] = parser.parse_args().numbers
    chosen = [fault for fault in faults() if fault.number in wanted]
    for fault in chosen:
        sys.stdout.write(f"{fault.number} {fault.what}{f' ({fault.why})' if fault.why else ''}\n")
    sys.stdout.flush()
    names = " or ".join(dict.fromkeys(f"test_{name}" for fault in chosen for name in fault.tests))
    if not names:
        return 0
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow", "-k", names]
    return subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
