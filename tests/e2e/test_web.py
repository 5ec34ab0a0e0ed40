"""Health, metrics and JSON over HTTP, from the real daemon; who may ask, and what is refused at start."""

import json
import shutil
import socket
import subprocess
from http.client import HTTPConnection

import pytest

from tests.e2e.daemon import Alertd, no_traceback, wait_for
from tests.e2e.test_once import RULES, spend
from tests.e2e.world import BillingWorld, Fault, Hook
from tests.ports import free_port

TOKEN = "canary-http-token"


def ask(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def is_up(port: int) -> bool:
    try:
        return ask(port, "/healthz")[0] == 200
    except OSError:
        return False


@pytest.fixture
def port(alertd: Alertd) -> int:
    found = free_port()
    alertd.env["ALERTD_HTTP_LISTEN"] = f"127.0.0.1:{found}"
    return found


def value(text: str, name: str) -> float:
    """The value of one sample, by its name with labels."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


def test_pages_when_asked_then_report_what_the_commands_report(
    alertd: Alertd, world: BillingWorld, hook: Hook, port: int
) -> None:
    """Dashboards, probes and scripts see the same as a person at the terminal."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1", "gpu-2")
    with alertd.running():
        wait_for(lambda: len(hook.posts) == 2, why="the alerts")
        wait_for(lambda: ask(port, "/readyz") == (200, "ok\n"), why="ready")
        status, text = ask(port, "/metrics")
        assert status == 200
        assert value(text, 'alertd_alerts{rule="gpu",severity="warning",state="firing"}') == 2
        assert value(text, 'alertd_notification_attempts_total{receiver="bridge",result="delivered"}') == 2
        assert value(text, 'alertd_cycles_total{result="failed"}') == 0
        assert value(text, "alertd_rows_read_total") >= 2
        assert value(text, "alertd_rules_file_valid") == value(text, "alertd_healthy") == 1
        assert value(text, "alertd_store_bytes") > 0
        assert 'alertd_data_edge_timestamp_seconds{account="default",category="gpu",view="usage"}' in text
        assert "gpu-1" not in text
        by_http, by_command = json.loads(ask(port, "/api/v1/alerts")[1]), alertd.alerts()
        assert [alert["fingerprint"] for alert in by_http] == sorted(alert["fingerprint"] for alert in by_command)
        assert by_http[0].keys() == by_command[0].keys()
        assert json.loads(ask(port, "/api/v1/status")[1])["healthy"] is True
        assert ask(port, "/nothing")[0] == 404
    if promtool := shutil.which("promtool"):
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr + checked.stdout) == (0, "")


def test_page_when_an_alert_is_acknowledged_there_then_every_other_interface_shows_it(
    alertd: Alertd, world: BillingWorld, hook: Hook, port: int
) -> None:
    """The page of the real service: what it says is what the commands tell, and so is what it changes."""
    alertd.env["ALERTD_HTTP_TOKEN"] = TOKEN
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    with alertd.running():
        wait_for(lambda: len(hook.posts) == 1, why="the alert")
        (alert,) = alertd.alerts()
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        status, text = ask(port, f"/alerts/{alert['fingerprint']}", Accept="text/html", **bearer)
        assert (status, str(alert["summary"]) in text) == (200, True)
        assert "1 firing" in ask(port, "/", Accept="text/html", **bearer)[1]
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", f"/alerts/{alert['fingerprint']}/acknowledge", "by=dana", headers)
        assert connection.getresponse().status == 200
        connection.close()
        (after,) = alertd.alerts()
        assert after["acknowledged_by"] == "dana (HTTP)"
        assert "acknowledged by dana (HTTP)" in alertd.run("explain", str(alert["fingerprint"])).out
    assert TOKEN not in alertd.log.read_text()


@pytest.mark.slow
def test_readyz_when_bills_cannot_be_read_then_not_ready_but_alive(
    alertd: Alertd, world: BillingWorld, hook: Hook, port: int
) -> None:
    """A restart would mend nothing: only readiness tells of it, and no figures."""
    alertd.rules(RULES.format(hook=hook.url))
    world.broken["gpu"] = Fault(status=500)
    with alertd.running():
        wait_for(lambda: is_up(port), why="listening")
        wait_for(lambda: alertd.events("cycle done"), why="a cycle")
        status, text = ask(port, "/readyz")
        assert (status, ask(port, "/healthz")[0]) == (503, 200)
        assert text.endswith("problems; see `alertd status`\n")
        metrics = ask(port, "/metrics")[1]
        assert value(metrics, 'alertd_read_failing{account="default",category="gpu",view="usage"}') == 1
        assert value(metrics, "alertd_healthy") == 0


@pytest.mark.slow
def test_pages_when_asked_under_a_foreign_name_then_refused(
    alertd: Alertd, world: BillingWorld, hook: Hook, port: int
) -> None:
    """A page in somebody's browser can make it ask this host under a name of its own."""
    alertd.rules(RULES.format(hook=hook.url))
    with alertd.running():
        wait_for(lambda: is_up(port), why="listening")
        assert ask(port, "/metrics", Host="evil.example")[0] == 421
        assert ask(port, "/metrics", Host=f"evil.example:{port}")[0] == 421
        assert ask(port, "/metrics", Host=f"localhost:{port}")[0] == 200
        assert ask(port, "/metrics", Host="[::1]")[0] == 200


@pytest.mark.slow
def test_pages_when_listening_beyond_loopback_then_the_token_is_needed_but_for_probes(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """What an account spends is not for everybody on the network."""
    port = free_port()
    alertd.env |= {"ALERTD_HTTP_LISTEN": f"0.0.0.0:{port}", "ALERTD_HTTP_TOKEN": TOKEN}
    alertd.rules(RULES.format(hook=hook.url))
    with alertd.running():
        wait_for(lambda: is_up(port), why="listening")
        assert ask(port, "/metrics")[0] == 401
        assert ask(port, "/api/v1/alerts", Authorization="Bearer wrong")[0] == 401
        assert ask(port, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
        assert ask(port, "/readyz")[0] in {200, 503}
    assert TOKEN not in alertd.log.read_text()


@pytest.mark.slow
def test_healthcheck_then_reports_alive_from_ready_and_from_gone(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A container is judged from within, where it listens on every address and the probe has no token to send."""
    port = free_port()
    alertd.env |= {"ALERTD_HTTP_LISTEN": f"0.0.0.0:{port}", "ALERTD_HTTP_TOKEN": TOKEN}
    alertd.rules(RULES.format(hook=hook.url))
    world.broken["gpu"] = Fault(status=500)
    with alertd.running():
        wait_for(lambda: is_up(port), why="listening")
        wait_for(lambda: alertd.events("cycle done"), why="a cycle")
        alive, ready = alertd.run("healthcheck"), alertd.run("healthcheck", "--ready")
        assert (alive.code, alive.out, alive.err) == (0, "ok\n", "")
        assert (ready.code, ready.out) == (1, "")
        assert ready.err.endswith("problems; see `alertd status`\n")
    gone = alertd.run("healthcheck")
    assert gone.code == 1
    assert gone.err == f"no answer from 0.0.0.0:{port}/healthz: Connection refused; is `alertd run` running?\n"
    alertd.env["ALERTD_HTTP_LISTEN"] = "off"
    off = alertd.run("healthcheck")
    assert off.code == 1
    assert "ALERTD_HTTP_LISTEN is off" in off.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listen", "said"),
    [
        pytest.param("0.0.0.0:9464", "can be reached from other hosts; set ALERTD_HTTP_TOKEN too", id="no token"),
        pytest.param("everywhere", 'ALERTD_HTTP_LISTEN: "everywhere" is not host:port', id="no address"),
        pytest.param("127.0.0.1:99999", "is not host:port; write 127.0.0.1:9464, or off", id="no port"),
    ],
)
def test_listen_when_it_makes_no_sense_then_refused_at_start_and_by_check(
    alertd: Alertd, world: BillingWorld, hook: Hook, listen: str, said: str
) -> None:
    """Whoever opens it to the network must mean it."""
    alertd.env["ALERTD_HTTP_LISTEN"] = listen
    alertd.rules(RULES.format(hook=hook.url))
    for command in (("run",), ("check",)):
        found = alertd.run(*command)
        assert (found.code, said in found.err, no_traceback(found.err)) == (1, True, True), found.err


@pytest.mark.slow
def test_listen_when_the_port_is_taken_then_says_so(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """Two daemons on one host is what people try first."""
    alertd.rules(RULES.format(hook=hook.url))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        alertd.env["ALERTD_HTTP_LISTEN"] = f"127.0.0.1:{port}"
        found = alertd.run("run")
    said = f"ALERTD_HTTP_LISTEN: cannot listen on 127.0.0.1:{port}: Address already in use; " in found.err
    assert (found.code, said, no_traceback(found.err)) == (1, True, True), found.err


@pytest.mark.slow
def test_readyz_when_the_store_cannot_be_written_then_not_ready_at_the_next_poll(
    alertd: Alertd, world: BillingWorld, hook: Hook, port: int
) -> None:
    """The store cannot say of itself that nothing can be stored."""
    alertd.rules(RULES.format(hook=hook.url))
    with alertd.running():
        wait_for(lambda: is_up(port), why="listening")
        wait_for(lambda: ask(port, "/readyz") == (200, "ok\n"), why="ready")
        moved = alertd.database.with_name("moved.db")
        alertd.database.rename(moved)
        wait_for(lambda: ask(port, "/readyz") == (503, "the last poll failed; see alertd's log\n"), why="not ready")
        assert len(alertd.events("cycle failed")) <= 2
        moved.rename(alertd.database)
        wait_for(lambda: ask(port, "/readyz") == (200, "ok\n"), why="ready again")
