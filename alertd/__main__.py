"""The program's entry point: answers `--version` at once, and hands everything else to the command line."""

# The built-in part of `signal`: Ctrl-C right at the start must not hit a half-imported module.
import _signal  # type: ignore[import-not-found] # typeshed has no stub for it
import gc
import os
import sys

from alertd import __version__

INTERRUPTED = 130
"""The exit code of a program that SIGINT ended, as shells count it."""
_OBJECTS = 50_000
"""Between collections of garbage in a command; imports make twice as many objects, all of which stay."""


def main() -> None:
    """Run the command line and exit with its code."""
    has_obeyed = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
    if has_obeyed:
        # Nothing has started yet, so a traceback, or what importers print instead of one, would be noise.
        _signal.signal(_signal.SIGINT, lambda _number, _frame: os._exit(INTERRUPTED))
    # alertd multiplies no matrices, for which numpy's library would start a thread per processor.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if not _is_service(sys.argv[1:]):
        gc.set_threshold(_OBJECTS)
    else:
        # Until the service installs its own handlers, nothing has started that needs a clean stop.
        _signal.signal(_signal.SIGTERM, lambda _number, _frame: os._exit(0))
        _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)
    # The one question that monitoring asks often is answered before anything heavy is imported.
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:
        try:
            sys.stdout.write(f"alertd {__version__}\n")
            sys.stdout.flush()
        except OSError as error:
            _leave_unwritten(error)
        return
    from alertd.cli.root import run  # noqa: PLC0415

    try:
        if has_obeyed:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    # Otherwise the interpreter searches all of it for garbage three times before it ends: a fifth of a command's time.
    gc.freeze()
    sys.exit(code)


def _leave_unwritten(error: OSError) -> None:
    """Exit because the output cannot be written; with a message, unless the reader merely closed the pipe."""
    is_unread = isinstance(error, BrokenPipeError)
    if not is_unread and sys.stderr is not None:
        try:
            sys.stderr.write(f"alertd: standard output cannot be written: {error.strerror}\n")
            sys.stderr.flush()
        except OSError:
            # stderr cannot be written either.
            pass
    # Without the interpreter's own flush, which would fail again and complain.
    os._exit(0 if is_unread else 1)


def _is_service(arguments: list[str]) -> bool:
    """Return whether a command line starts the service, for which SIGTERM is a clean stop from the first moment."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    return command == "run" and not {"--once", "--dry-run"} & set(arguments)


if __name__ == "__main__":
    main()
