"""
The demo's status page: the month of the demo, frozen at its worst hour, to explore.

A forgotten GPU, a leaked key and an unpaid bill fire at the same time. The simulated clock is stopped, so that what is
shown stays; acknowledging, silencing and stopping work.
"""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.hand_clock import HandClock
from alertd.core.rules.records import ReloadOutcome
from alertd.core.words import format_instant
from alertd.daemon.poll import renew_overview
from alertd.daemon.status_page import serve_page
from alertd.demo.demo import API_KEY, RULES, SCENARIO, START, Tally, carry_out, demo_daemon, heading, live_until
from alertd.settings.listen import Listen
from alertd.simulator.faults import demo_faults
from alertd.simulator.scenarios import SCENARIOS
from alertd.simulator.server import BillingSimulator

WORST_HOUR = START + timedelta(days=12, hours=16)


async def serve_demo(say: Callable[[str], None], *, seed: int, port: int, stop: asyncio.Event | None = None) -> None:
    """
    Run the month up to its worst hour and serve the status page until Ctrl-C.

    Args:
        say: Prints one text.
        seed: The same seed gives the same month.
        port: On 127.0.0.1; 0 for a free one.
        stop: Ends it like Ctrl-C.
    """
    stop = stop or asyncio.Event()
    clock, tally = HandClock(START), Tally()
    world = SCENARIOS[SCENARIO](seed, START)
    say(heading(world.summary))
    async with (
        BillingSimulator(world, now=clock, api_key=API_KEY, faults=demo_faults(seed, START)) as simulator,
        demo_daemon(simulator.base_url, clock, rules=(*RULES, "serve.yaml")) as app,
    ):
        await live_until(WORST_HOUR, app, clock, tally, say)
        rules = ReloadOutcome(loaded_at=START, rules=app.cycle.rule_count)
        await app.gateway.call(lambda store: store.meta.put_rules_file(rules))
        await renew_overview(app, clock.now)

        async def asked(request: Request) -> RequestOutcome:
            return await carry_out(app, request, clock)

        token = secrets.token_urlsafe(12)
        listen = Listen(host="127.0.0.1", port=port, token=token, public_read=True)
        async with serve_page(app, listen, carry_out=asked, stuck=tuple, now=clock) as bound, _until_asked(stop):
            say(_invitation(bound, token))
            await stop.wait()


@asynccontextmanager
async def _until_asked(stop: asyncio.Event) -> AsyncIterator[None]:
    """Let Ctrl-C end the block cleanly; before the block it ends the demo like any command."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _invitation(port: int, token: str) -> str:
    return (
        f"\nThe clock stands still at {format_instant(WORST_HOUR)}. The status page:\n\n"
        f"  http://127.0.0.1:{port}/\n\n"
        f"To acknowledge, silence or stop there, sign in with the token {token}\n"
        "Ctrl-C ends it; nothing is left behind."
    )
