"""`alertd healthcheck`: is the daemon of this container or host alive."""

import click

from alertd.cli.common import prepare

_EPILOG = """\b
Examples:
  alertd healthcheck
  alertd healthcheck --ready
"""
_TIMEOUT_S = 5
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- an address that is asked, not listened on


@click.command("healthcheck", epilog=_EPILOG)
@click.option("--ready", is_flag=True, help="Ask /readyz, which also fails while `alertd status` reports a problem.")
@click.pass_context
def command(ctx: click.Context, *, ready: bool) -> int:
    """Ask the running daemon over ALERTD_HTTP_LISTEN whether it is alive; exit code 1 if not. For containers."""
    from http.client import HTTPConnection, HTTPException

    from alertd.errors import SettingsError

    listen = prepare(ctx).listen()
    if listen is None:
        raise SettingsError("ALERTD_HTTP_LISTEN is off, so there is nothing to ask; use `alertd status`, or set it")
    path = "/readyz" if ready else "/healthz"
    connection = HTTPConnection(_ANY_HOST.get(listen.host, listen.host), listen.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(200).decode("utf-8", "replace").strip()
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        click.echo(f"no answer from {listen.host}:{listen.port}{path}: {why}; is `alertd run` running?", err=True)
        return 1
    finally:
        connection.close()
    click.echo(text, err=answer.status != 200)
    return 0 if answer.status == 200 else 1
