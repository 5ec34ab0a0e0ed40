"""`alertd send-test`: one marked message through a receiver."""

import asyncio

import click

from alertd.cli.common import prepare_to_connect, print_sent
from alertd.cli.completing import names_in
from alertd.core.nearest import nearest

_EPILOG = """\b
Example:
  alertd send-test finops
"""


@click.command("send-test", epilog=_EPILOG)
@click.argument("receiver", shell_complete=names_in("receivers"))
@click.pass_context
def command(ctx: click.Context, receiver: str) -> int:
    """Send one test message through RECEIVER, to each of its recipients; exit code 1 if any was not delivered."""
    from alertd.clock import utc_now
    from alertd.core.messages.compose import compose_test
    from alertd.daemon.receivers import chosen_notifiers, send_now
    from alertd.errors import UserError
    from alertd.rules_file.load import load_rules

    settings = prepare_to_connect(ctx)
    rules = load_rules(settings.rules_path())
    names = [spec.name for spec in rules.receivers]
    if receiver not in names:
        near = nearest(receiver, names)
        hint = f'did you mean "{near}"?' if near else f"it has {', '.join(names) or 'none'}"
        raise UserError(f'{settings.rules_path()}: there is no receiver "{receiver}"; {hint}')
    message = compose_test(receiver, now=utc_now())
    return print_sent(asyncio.run(send_now(chosen_notifiers([receiver], rules, settings), message)))
