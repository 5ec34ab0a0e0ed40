"""`alertd send-test`: one marked message through a receiver."""

import asyncio
import difflib
from typing import TYPE_CHECKING

import click

from alertd.cli.common import prepare_to_connect
from alertd.cli.completing import names_in

if TYPE_CHECKING:
    from alertd.notify.base import Notifier

_EPILOG = """\b
Example:
  alertd send-test finops
"""


@click.command("send-test", epilog=_EPILOG)
@click.argument("receiver", shell_complete=names_in("receivers"))
@click.pass_context
def command(ctx: click.Context, receiver: str) -> int:
    """Send one test message through RECEIVER, to each of its recipients; exit code 1 if any was not delivered."""
    from alertd.daemon.receivers import build_notifiers
    from alertd.errors import RulesError, UserError
    from alertd.rules_file.load import load_rules

    settings = prepare_to_connect(ctx)
    rules = load_rules(settings.rules_path())
    names = [spec.name for spec in rules.receivers]
    if receiver not in names:
        near = difflib.get_close_matches(receiver, names, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"it has {', '.join(names) or 'none'}"
        raise UserError(f'{settings.rules_path()}: there is no receiver "{receiver}"; {hint}')
    notifiers, problems = build_notifiers(rules, settings)
    if receiver not in notifiers:
        raise RulesError([problem for problem in problems if f'receiver "{receiver}"' in problem.text])
    return asyncio.run(_send(receiver, notifiers[receiver]))


async def _send(receiver: str, notifier: "Notifier") -> int:
    from alertd.daemon.receivers import send_test

    results = await send_test(receiver, notifier)
    for recipient, text, is_delivered in results:
        to = f"{receiver} ({recipient})" if recipient else receiver
        click.echo(f"{to}: {text}", err=not is_delivered)
    return 0 if all(is_delivered for _, _, is_delivered in results) else 1
