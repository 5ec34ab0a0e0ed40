"""The dead man's switch: pinged while all is well, silent as soon as it is not."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.plugin import PLUGIN_RULES, install_notifier
from tests.e2e.test_once import RULES, spend
from tests.e2e.test_web import ask
from tests.e2e.world import BillingWorld, Fault, Hook, serve, stop
from tests.ports import free_port

STUCK = Path(__file__).with_name("stuck.py")
STUBBORN_SEND = """
        while not self._gate.exists():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
"""
"""It does not end when it is notified to; until the test opens its gate."""


@pytest.fixture
def pings(alertd: Alertd) -> Iterator[list[str]]:
    """The paths that were asked for at the dead man's switch."""
    asked: list[str] = []

    class Switch(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = serve(lambda: Switch)
    alertd.env["ALERTD_HEARTBEAT_URL"] = f"http://127.0.0.1:{server.server_address[1]}/ping/canary"
    yield asked
    stop(server)
    assert set(asked) == {"/ping/canary"}
    assert "canary" not in alertd.log.read_text()


@pytest.mark.slow
def test_heartbeat_when_a_category_fails_then_falls_silent_until_all_is_well_again(
    alertd: Alertd, world: BillingWorld, hook: Hook, pings: list[str]
) -> None:
    """What watches alertd must hear of a blind spot by hearing nothing."""
    alertd.rules(RULES.format(hook=hook.url))
    with alertd.running():
        wait_for(lambda: len(pings) > 1, why="the heartbeat")
        world.broken["llm"] = Fault(status=500)
        alertd.wait_cycles()
        silent_at = len(pings)
        alertd.wait_cycles()
        assert len(pings) == silent_at
        del world.broken["llm"]
        wait_for(lambda: len(pings) > silent_at, why="the heartbeat again")


@pytest.mark.fresh
@pytest.mark.slow
def test_heartbeat_when_a_lane_stands_still_then_falls_silent_until_it_moves(
    alertd: Alertd, world: BillingWorld, hook: Hook, pings: list[str]
) -> None:
    """Bills are read and judged, and yet nobody hears of them."""
    port, gate = free_port(), alertd.folder / "gate"
    alertd.program = (str(STUCK),)
    alertd.env |= {"ALERTD_HTTP_LISTEN": f"127.0.0.1:{port}", "E2E_HANG": str(alertd.folder / "never")}
    install_notifier(alertd, body=STUBBORN_SEND)
    alertd.rules(PLUGIN_RULES.format(hook=hook.url, gate=gate))
    with alertd.running():
        wait_for(lambda: pings, why="the heartbeat")
        spend(world, "gpu-1")
        wait_for(lambda: hook.posts, why="the first alert")
        # The first one never ends, and this one waits behind it.
        spend(world, "gpu-2")
        wait_for(lambda: ask(port, "/healthz") == (503, "stuck: sending: what is due is not tried\n"), why="stuck")
        alertd.wait_cycles()
        silent_at = len(pings)
        alertd.wait_cycles()
        assert len(pings) == silent_at
        gate.touch()
        wait_for(lambda: ask(port, "/healthz")[0] == 200, why="that the lane moves")
        wait_for(lambda: len(pings) > silent_at, why="the heartbeat again")
