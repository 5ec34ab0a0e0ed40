"""`alertd simulate`: the billing API simulator by itself."""

import asyncio
from datetime import UTC, datetime, timedelta

import click

from alertd.cli.common import check_outgoing

_EPILOG = """\b
Examples:
  alertd simulate --port 8090 --scenario leaking-key
  ALERTD_NOVITA_BASE_URL=http://127.0.0.1:8090 ALERTD_NOVITA_API_KEY=sim-key alertd run --once
"""
_STOP_TAKES = timedelta(seconds=20)
"""How long an instance takes to stop, like real ones."""
_SCENARIOS = ("quiet-month", "forgotten-gpu", "leaking-key", "unpaid-bill", "busy-month", "large")


@click.command("simulate", epilog=_EPILOG)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option("--seed", default=1, show_default=True, help="Seed: the same seed gives the same bills and faults.")
@click.option(
    "--scenario",
    default="busy-month",
    show_default=True,
    type=click.Choice(_SCENARIOS),
    help="What happens in the simulated account.",
)
@click.option(
    "--faults/--no-faults", default=True, show_default=True, help="Answer some requests badly, as the real API does."
)
def command(host: str, port: int, seed: int, scenario: str, *, faults: bool) -> int:
    """Serve a simulated billing API until interrupted; the API key is `sim-key`, the key for actions `sim-stop-key`."""
    check_outgoing()
    return asyncio.run(_serve(host, port, seed, scenario, faults=faults))


async def _serve(host: str, port: int, seed: int, scenario: str, *, faults: bool) -> int:
    from alertd.clock import utc_now
    from alertd.simulator.faults import NO_FAULTS, mild_faults
    from alertd.simulator.scenarios import SCENARIOS
    from alertd.simulator.server import BillingSimulator

    world = SCENARIOS[scenario](seed, _month_start(utc_now()))
    plan = mild_faults(seed) if faults else NO_FAULTS
    try:
        async with BillingSimulator(
            world, now=utc_now, host=host, port=port, faults=plan, stop_takes=_STOP_TAKES
        ) as simulator:
            click.echo(f"Serving {scenario} at {simulator.base_url}. Stop with Ctrl-C.")
            click.echo("Keys: sim-key reads, sim-stop-key stops and starts instances.")
            click.echo(world.summary)
            await asyncio.Event().wait()
    except OSError as error:
        click.echo(
            f"alertd: cannot listen on {host}:{port}: {error.strerror or error}; choose another --port", err=True
        )
        return 1
    return 0


def _month_start(now: datetime) -> datetime:
    """Return the first midnight of the month that was current three weeks ago: the scenario's events are then past."""
    then = now - timedelta(days=21)
    return datetime(then.year, then.month, 1, tzinfo=UTC)
