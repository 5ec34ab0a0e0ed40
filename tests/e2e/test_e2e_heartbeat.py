"""The dead man's switch: pinged while all is well, silent as soon as it is not."""

from http.server import BaseHTTPRequestHandler

from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.test_e2e_once import RULES
from tests.e2e.world import BillingWorld, Fault, Hook, serve, stop


def test_heartbeat_when_a_category_fails_then_falls_silent_until_all_is_well_again(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """What watches alertd must hear of a blind spot by hearing nothing."""
    pings: list[str] = []

    class Switch(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pings.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = serve(lambda: Switch)
    alertd.env["ALERTD_HEARTBEAT_URL"] = f"http://127.0.0.1:{server.server_address[1]}/ping/canary"
    alertd.rules(RULES.format(hook=hook.url))
    try:
        with alertd.running():
            wait_for(lambda: len(pings) > 1, why="the heartbeat")
            world.broken["llm"] = Fault(status=500)
            alertd.wait_cycles(len(alertd.events("cycle done")) + 2)
            silent_at = len(pings)
            alertd.wait_cycles(len(alertd.events("cycle done")) + 2)
            assert len(pings) == silent_at
            del world.broken["llm"]
            wait_for(lambda: len(pings) > silent_at, why="the heartbeat again")
    finally:
        stop(server)
    assert set(pings) == {"/ping/canary"}
    assert "canary" not in alertd.log.read_text()
