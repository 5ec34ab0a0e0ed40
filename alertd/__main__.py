"""The program's entry point: answers `--version` at once, and hands everything else to the command line."""

import contextlib
import sys

from alertd import __version__

INTERRUPTED = 130
"""The exit code of a program that SIGINT ended, as shells count it."""


def main() -> None:
    """Run the command line and exit with its code."""
    # The one question that monitoring asks often is answered before anything heavy is imported.
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:
        try:
            sys.stdout.write(f"alertd {__version__}\n")
            sys.stdout.flush()
        except OSError as error:
            _leave_unwritten(error)
        return
    try:
        if _is_service(sys.argv[1:]):
            _end_well_until_it_serves()
        from alertd.cli.root import run  # noqa: PLC0415

        code = run()
    except KeyboardInterrupt:
        # While the rest is imported, too.
        code = INTERRUPTED
    sys.exit(code)


def _leave_unwritten(error: OSError) -> None:
    """End the program, whose answer cannot be written; in words unless it is only that nobody reads it."""
    import os  # noqa: PLC0415

    is_unread = isinstance(error, BrokenPipeError)
    if not is_unread and sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"alertd: standard output cannot be written: {error.strerror}\n")
            sys.stderr.flush()
    # Without the interpreter's own flush, which would fail again and complain.
    os._exit(0 if is_unread else 1)


def _is_service(arguments: list[str]) -> bool:
    """Return whether a command line starts the service, which SIGTERM ends well from the first moment on."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    return command == "run" and not {"--once", "--dry-run"} & set(arguments)


def _end_well_until_it_serves() -> None:
    import os  # noqa: PLC0415 -- Ctrl-C may come while they are imported
    import signal  # noqa: PLC0415

    # Until the service obeys signals by itself nothing has begun that would have to be ended.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


if __name__ == "__main__":
    main()
