"""The program's entry point: answers `--version` at once, and hands everything else to the command line."""

import sys

from alertd import __version__

INTERRUPTED = 130
"""The exit code of a program that SIGINT ended, as shells count it."""


def main() -> None:
    """Run the command line and exit with its code."""
    # The one question that monitoring asks often is answered before anything heavy is imported.
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"alertd {__version__}\n")
        return
    try:
        from alertd.cli.root import run  # noqa: PLC0415

        code = run()
    except KeyboardInterrupt:
        # While the rest is imported, too.
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
