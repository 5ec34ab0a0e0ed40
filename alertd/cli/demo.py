"""`alertd demo`: alertd at work on a simulated month."""

import asyncio

import click

_EPILOG = """\b
Example:
  alertd demo
"""


@click.command("demo", epilog=_EPILOG)
@click.option("--seed", default=7, show_default=True, help="The same seed tells the same story.")
@click.pass_context
def command(ctx: click.Context, seed: int) -> int:
    """Show alertd at work on a simulated month: spend, alerts and messages as they happen; no key, no network."""
    from alertd.demo import run_demo
    from alertd.log import configure_logging

    # Faults of the simulated API are part of the show, not of the log.
    configure_logging(style="console", level="debug" if ctx.obj else "error", secrets=())
    return 0 if asyncio.run(run_demo(click.echo, seed=seed)) else 1
