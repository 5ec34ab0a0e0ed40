"""What the suite says of itself: how long tests take, also where a test stops the clock."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from _pytest import timing
from freezegun import freeze_time

LONGEST_S = 600
HANGING = """
import asyncio, threading
import pytest

def test_waits():
    threading.Event().wait()

async def test_awaits():
    await asyncio.Event().wait()

def test_joins():
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    thread.join()

@pytest.fixture
def stuck():
    threading.Event().wait()

def test_is_not_reached(stuck):
    pass
"""


def test_frozen_clock_when_pytest_measures_then_it_sees_the_true_one() -> None:
    """Setups that froze the clock were listed as lasting 1,769,869,613 seconds."""
    at, ticks = time.time(), time.perf_counter()  # noqa: TID251 -- the clock itself is tested
    with freeze_time("2020-02-02"):
        assert time.time() < at  # noqa: TID251
        assert timing.time() >= at
        assert timing.perf_counter() >= ticks


def test_limit_when_any_test_hangs_then_it_has_one(request: pytest.FixtureRequest) -> None:
    """What hangs fails, and stalls nobody."""
    assert request.config.pluginmanager.hasplugin("timeout")
    assert 0 < float(request.config.getini("timeout")) <= LONGEST_S
    markers = [(item.nodeid, item.get_closest_marker("timeout")) for item in request.session.items]
    own = {name: float((marker.args or (marker.kwargs.get("timeout", 0),))[0]) for name, marker in markers if marker}
    assert {name: limit for name, limit in own.items() if not 0 < limit <= LONGEST_S} == {}


@pytest.mark.slow
def test_limit_when_a_test_a_coroutine_a_thread_or_a_fixture_hangs_then_each_fails_and_the_next_runs(
    tmp_path: Path,
) -> None:
    """Each kind of waiting is interrupted, not only the kind that the library was made for."""
    (tmp_path / "test_hanging.py").write_text(HANGING)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--timeout=0.5",
        "-o",
        "asyncio_mode=auto",
    ]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "3 failed, 1 error" in done.stdout, done.stdout


CREW = """
import os, random, signal, time, warnings
from pathlib import Path
import pytest

HERE = Path(__file__).parent
FIRST = os.getpid()

@pytest.fixture(scope="session")
def server():
    (HERE / f"begun-{os.getpid()}").touch()
    yield os.getpid()
    (HERE / f"ended-{os.getpid()}").touch()

@pytest.fixture(scope="module")
def table(server):
    yield []

@pytest.mark.parametrize("number", range(40))
def test_passes(number, table, server, tmp_path):
    table.append(number)
    assert os.getpid() == server != FIRST
    assert table == sorted(table)
    (HERE / f"folder-{number}").write_text(str(tmp_path))
    (HERE / f"random-{os.getpid()}").write_text(str(random.random()))
    time.sleep(0.005)

def test_says(server):
    print("what it said")
    warnings.warn("what it warned of")
    assert server == 0

def test_is_killed(server):
    os.kill(os.getpid(), signal.SIGKILL)

def test_leaves(server):
    os._exit(3)

def test_hangs_where_no_signal_reaches(server):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    time.sleep(600)

def test_hangs(server):
    time.sleep(600)

@pytest.mark.skip(reason="why not")
def test_skipped():
    pass

def test_afterwards(server):
    pass
"""


def run_pytest(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest with the suite's workers on a folder that is no part of the suite."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.workers", "--rootdir", str(folder)]
    return subprocess.run(
        [*command, "-c", "/dev/null", *options, str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[1],
    )


@pytest.mark.slow
def test_workers_when_tests_fail_crash_and_hang_then_each_is_reported_and_the_rest_runs(tmp_path: Path) -> None:
    """A test that takes its worker with it fails alone; the fixtures of the session end in every other."""
    (tmp_path / "test_crew.py").write_text(CREW)
    done = run_pytest(tmp_path, "-n", "3", "--timeout=2", "-ra", "--durations=3")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "5 failed, 41 passed, 1 skipped, 1 warning" in done.stdout, done.stdout
    for part in (
        "ended by SIGKILL while it ran",
        "ended with exit code 3 while it ran",
        "Timeout (>2.0s) from pytest-timeout",
        "what it said",
        "UserWarning: what it warned of",
        ": why not",
        "slowest 3 durations",
    ):
        assert part in done.stdout, part
    assert "During handling" not in done.stdout
    begun, ended = ({path.name.partition("-")[2] for path in tmp_path.glob(f"{what}-*")} for what in ("begun", "ended"))
    # Three forks, and one more for each that a test took with it, where there was something left to run.
    assert ended < begun
    assert 3 <= len(begun) <= 6
    assert len(begun - ended) == 3
    folders = [path.read_text() for path in tmp_path.glob("folder-*")]
    assert len(folders) == len(set(folders)) == 40
    numbers = [path.read_text() for path in tmp_path.glob("random-*")]
    assert len(numbers) == len(set(numbers)) > 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_workers_when_the_first_failure_is_to_end_the_run_then_it_does(tmp_path: Path, workers: str) -> None:
    """`-x` and `-k` mean the same with workers and without."""
    (tmp_path / "test_crew.py").write_text(
        "import pytest\n\ndef test_fails():\n    assert 0\n\ndef test_other(): pass\n"
    )
    rest = "import pytest, time\n@pytest.mark.parametrize('n', range(500))\ndef test_rest(n):\n    time.sleep(0.01)\n"
    (tmp_path / "test_rest.py").write_text(rest)
    done = run_pytest(tmp_path, "-n", workers, "-x", "-k", "not other")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "stopping after 1 failures" in done.stdout, done.stdout
    assert "1 failed" in done.stdout
    assert " 500 passed" not in done.stdout


@pytest.mark.slow
def test_workers_when_a_fixture_of_the_session_cannot_end_then_it_is_an_error(tmp_path: Path) -> None:
    """Nobody else would notice."""
    text = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def server():
    yield
    raise OSError("would not end")

def test_one(): pass
def test_two(): pass
"""
    (tmp_path / "test_crew.py").write_text(text)
    done = run_pytest(tmp_path, "-n", "1")
    assert "OSError: would not end" in done.stdout, done.stdout
    assert "2 passed, 1 error" in done.stdout


@pytest.mark.slow
def test_workers_when_a_thread_runs_before_the_tests_then_it_is_refused(tmp_path: Path) -> None:
    """A fork has only the thread that forked: what waits for another would hang."""
    text = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True, name='stray').start()\n"
    (tmp_path / "test_crew.py").write_text(text + "def test_one(): pass\ndef test_two(): pass\n")
    done = run_pytest(tmp_path, "-n", "2")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "stray" in done.stdout + done.stderr
