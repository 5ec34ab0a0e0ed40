"""What the service manager is notified, read from a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alertd.clock import monotonic_s
from alertd.daemon.systemd import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager_socket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The address as the environment spells it, and the socket bound there."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@alertd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        bound.settimeout(5)
        yield name, bound


def notified(bound: socket.socket) -> list[str]:
    return bound.recv(4096).decode().split("\n")


def test_manager_when_shown_then_datagrams_as_the_protocol_wants_them(
    manager_socket: tuple[str, socket.socket],
) -> None:
    """One line too many or a wrong unit, and systemd kills a service that is well."""
    address, bound = manager_socket
    manager = ServiceManager.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000000"})
    manager.ready()
    assert notified(bound) == ["READY=1"]
    before = int(monotonic_s() * 1e6)
    manager.reloading()
    reloading, at = notified(bound)
    assert reloading == "RELOADING=1"
    name, _, usec = at.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(usec) <= int(monotonic_s() * 1e6)
    manager.status("3 firing")
    assert notified(bound) == ["STATUS=3 firing"]
    manager.judged(())
    assert notified(bound) == ["WATCHDOG=1"]
    manager.judged(("store: it does not answer", "sending: x"))
    assert notified(bound) == ["STATUS=stuck: store: it does not answer; sending: x"]
    manager.stopping()
    assert notified(bound) == ["STOPPING=1"]
    assert manager.alive_every_s == 5


@pytest.mark.parametrize(
    ("variables", "every_s"),
    [
        pytest.param({"WATCHDOG_USEC": "8000000"}, 2, id="for whoever reads it"),
        pytest.param({"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "own"}, 2, id="for this process"),
        pytest.param({"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"}, None, id="for another process"),
        pytest.param({}, None, id="nobody watches"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="not a number"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="zero is off"),
    ],
)
def test_watchdog_when_the_environment_asks_for_it_then_only_if_it_means_this_process(
    variables: dict[str, str], every_s: float | None, tmp_path: Path
) -> None:
    """A wrapper's watchdog is not ours to feed; and children must not feed ours."""
    environment = {"NOTIFY_SOCKET": str(tmp_path / "gone"), "PATH": "/bin", **variables}
    if environment.get("WATCHDOG_PID") == "own":
        environment["WATCHDOG_PID"] = str(os.getpid())
    assert ServiceManager.from_environment(environment).alive_every_s == every_s
    assert environment == {"PATH": "/bin"}


def test_manager_when_there_is_none_then_nothing_is_done() -> None:
    """At a terminal or in a container nobody listens, and nothing is logged of it."""
    with capture_logs() as logs:
        manager = ServiceManager.from_environment({"WATCHDOG_USEC": "1000000"})
        manager.ready()
        manager.judged(())
    assert manager.alive_every_s is None
    assert logs == []


def test_manager_when_its_socket_is_gone_or_full_then_logged_and_nothing_waits(tmp_path: Path) -> None:
    """Telling must never stop or hold up what it reports."""
    with capture_logs() as logs:
        ServiceManager(str(tmp_path / "gone")).ready()
        ServiceManager("vsock:2:1234").ready()
    assert [(line["event"], line["what"]) for line in logs] == [("service manager not notified", "READY=1")] * 2
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound, capture_logs() as logs:
        bound.bind(str(tmp_path / "full"))
        manager = ServiceManager(str(tmp_path / "full"))
        for _ in range(2000):
            manager.ready()
            if logs:
                break
    assert len(logs) == 1
