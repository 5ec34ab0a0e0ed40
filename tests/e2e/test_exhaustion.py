"""What outside cannot take from alerting: descriptors, the log, and the moments in which a process starts and stops."""

import random
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.daemon import PATIENCE_S, Alertd, no_traceback, wait_for
from tests.e2e.test_once import RULES, spend
from tests.e2e.test_service import owners_told
from tests.e2e.world import BillingWorld, Hook
from tests.postgres_server import PostgresServer
from tests.store.lossy_proxy import lossy_proxy

pytestmark = [pytest.mark.slow, pytest.mark.fresh]
_DESCRIPTORS = 1024
"""What systemd and shells usually allow a process."""
_IDLE = 1100


@contextmanager
def few_descriptors() -> Iterator[None]:
    """Let programs that are started in the block have as many as usual; the tests themselves keep theirs."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_connections_when_more_than_descriptors_idle_at_page_and_socket_then_alerts_go_on(
    alertd: Alertd, world: BillingWorld, hook: Hook, unused_tcp_port: int
) -> None:
    """Whoever can reach the page could end alerting for good, and fill the disk with what is said of it."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * _IDLE + 500:
        pytest.skip("needs descriptors of its own")
    alertd.rules(RULES.format(hook=hook.url))
    alertd.env["ALERTD_HTTP_LISTEN"] = f"127.0.0.1:{unused_tcp_port}"
    with few_descriptors():
        child = alertd.start()
    wait_for(alertd.cycles, why="the first poll")
    with ExitStack() as idle:
        for _ in range(_IDLE):
            idle.enter_context(socket.create_connection(("127.0.0.1", unused_tcp_port), timeout=10))
            beside = idle.enter_context(socket.socket(socket.AF_UNIX))
            beside.connect(f"{alertd.database}.sock")
        log_before = alertd.log.stat().st_size
        spend(world, "gpu-1")
        alertd.wait_cycles(3)
        wait_for(lambda: hook.posts, why="the alert, while all connections are held")
        assert alertd.run("status").code in {0, 1}
        assert alertd.log.stat().st_size - log_before < 50_000
    alertd.stop(child)
    assert (child.returncode, owners_told(hook)) == (0, [("gpu-1", "firing")])
    assert no_traceback(alertd.log.read_text())
    assert alertd.log.stat().st_size < 200_000


def test_sigterm_when_it_comes_at_any_moment_of_the_start_then_exits_0_and_silent(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A deploy that is taken back at once, or a host that goes down while it comes up."""
    alertd.rules(RULES.format(hook=hook.url))
    rng = random.Random(8)
    # Before that it is Python that starts, and nothing of alertd's is there to hear.
    for delay_s in (0.15 + rng.random() * 1.5 for _ in range(12)):
        child = alertd.start()
        wait_for(partial(_has_begun, child.pid), why="that Python runs alertd")
        time.sleep(delay_s)
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE_S) == 0, f"after {delay_s:.2f} s\n{alertd.log.read_text()}"
    assert no_traceback(alertd.log.read_text())


def _has_begun(pid: int) -> bool:
    """Return whether a process handles SIGTERM by itself: bit 14 of the signals that it catches."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in status if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_sigterm_when_the_rules_are_being_reread_then_exits_0_without_a_trace(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Configuration management reloads and restarts in one breath."""
    alertd.rules(RULES.format(hook=hook.url))
    for number in range(1, 4):
        child = alertd.start()
        alertd.wait_cycles(1)
        for _ in range(number):
            child.send_signal(signal.SIGHUP)
            time.sleep(0.01 * number)
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE_S) == 0, alertd.log.read_text()
    assert no_traceback(alertd.log.read_text())


def test_database_when_it_answers_nothing_then_reported_and_a_stop_takes_ten_seconds_at_most(
    alertd: Alertd, world: BillingWorld, hook: Hook, postgres: PostgresServer, unused_tcp_port: int
) -> None:
    """A pooler that hangs keeps every connection open, and alertd alive and blind."""
    alertd.rules(RULES.format(hook=hook.url))
    with postgres.database() as url, lossy_proxy(postgres.folder) as proxy:
        alertd.env["ALERTD_DATABASE_URL"] = url.replace(str(postgres.folder), str(proxy.folder))
        alertd.env["ALERTD_HTTP_LISTEN"] = f"127.0.0.1:{unused_tcp_port}"
        child = alertd.start()
        wait_for(lambda: _is_ready(unused_tcp_port) == b"200", why="a first poll")
        proxy.is_silent = True
        wait_for(lambda: _is_ready(unused_tcp_port) == b"503", why="that the probe hears of it")
        proxy.is_silent = False
        wait_for(lambda: _is_ready(unused_tcp_port) == b"200", why="that it is well again by itself")
        proxy.is_silent = True
        wait_for(lambda: _is_ready(unused_tcp_port) == b"503", why="that the probe hears of it again")
        begun = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE_S) == 0
        assert time.monotonic() - begun < 10.5
    assert no_traceback(alertd.log.read_text())


def _is_ready(port: int) -> bytes:
    """Return the status of the answer to a probe."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as probe:
            probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return probe.recv(100).split(b" ")[1]
    except (OSError, IndexError):
        return b""
