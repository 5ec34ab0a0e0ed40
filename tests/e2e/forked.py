"""
A process of the program, forked from one that imported everything: imports cost most of the time that a start takes.

It has its own memory, environment, folder, streams and exit code, and takes signals, as one that is started afresh.
What it cannot show is how Python starts and imports: `Alertd.is_fresh` is for the tests of that.
"""

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from multiprocessing import forkserver, get_context
from pathlib import Path

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["__main__", "tests.e2e.preloaded", "tests.e2e.forked"])


def share_server() -> None:
    """Start the process that the others are forked from for this process and those that are forked from it."""
    forkserver.ensure_running()
    # They would wait for its end, as only its parent can.
    os.register_at_fork(after_in_child=lambda: setattr(forkserver._forkserver, "ensure_running", lambda: None))


class Forked:
    """A running process; it has what tests use of `subprocess.Popen`."""

    def __init__(self, arguments: tuple[str, ...], *, folder: Path, env: Mapping[str, str], out: Path, err: Path):
        self.arguments = arguments
        self._process = _CONTEXT.Process(target=_become, args=(arguments, folder, dict(env), out, err), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code once the process ended, negative for a signal."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """
        Wait for the end; return the exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs after *timeout* seconds.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.arguments, timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()


def _become(arguments: tuple[str, ...], folder: Path, env: dict[str, str], out: Path, err: Path) -> None:
    """Be the program, in a process that was just forked."""
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["alertd", *arguments]
    sys.path[:0] = env.get("PYTHONPATH", "").split(os.pathsep)
    for number, (path, flags) in enumerate(
        (
            (Path(os.devnull), os.O_RDONLY),
            (out, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
            (err, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        )
    ):
        opened = os.open(path, flags, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- for the life of the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    if "E2E_CLOCK" in env:
        from tests.e2e.stepped import move_clock  # noqa: PLC0415 -- it reads the environment

        move_clock()
    from alertd.__main__ import main  # noqa: PLC0415 -- as a start does

    try:
        main()
    finally:
        atexit._run_exitfuncs()
