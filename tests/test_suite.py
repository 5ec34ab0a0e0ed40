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
