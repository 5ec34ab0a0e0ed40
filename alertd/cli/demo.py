"""`alertd demo`: alertd at work on a simulated month."""

import asyncio

import click

from alertd.cli.common import check_outgoing

_EPILOG = """\b
Examples:
  alertd demo
  alertd demo --serve        then look at the status page
"""


@click.command("demo", epilog=_EPILOG)
@click.option("--seed", default=7, show_default=True, help="Seed of the month: the same seed gives the same month.")
@click.option("--serve", is_flag=True, help="Stop the month at its worst hour and keep the status page up.")
@click.option(
    "--port",
    default=0,
    show_default="a free one",
    type=click.IntRange(0, 65535),
    help="Port of the status page, with --serve.",
)
@click.pass_context
def command(ctx: click.Context, seed: int, port: int, *, serve: bool) -> int:
    """Show alertd at work on a simulated month: spend, alerts and messages as they happen; no key, no network."""
    check_outgoing()
    from alertd.demo.demo import run_demo
    from alertd.demo.serve import serve_demo
    from alertd.log import configure_logging

    # Faults of the simulated API are part of the demo, not of the log.
    configure_logging(style="console", level="debug" if ctx.obj else "error", secrets=())
    if serve:
        _require_free(port)
        asyncio.run(serve_demo(click.echo, seed=seed, port=port))
        return 0
    return 0 if asyncio.run(run_demo(click.echo, seed=seed)) else 1


def _require_free(port: int) -> None:
    """Fail before the month has run, not after it."""
    import socket

    from alertd.errors import UserError

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"--port: cannot listen on 127.0.0.1:{port}: {error.strerror}; "
                "choose another one, or none for a free one"
            ) from None
