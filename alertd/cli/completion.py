"""`alertd completion`: the script for shell completion of commands, options and names."""

import click

_EPILOG = """\b
Examples:
  alertd completion bash > ~/.local/share/bash-completion/completions/alertd
  alertd completion zsh > "${fpath[1]}/_alertd"
  alertd completion fish > ~/.config/fish/completions/alertd.fish
  source <(alertd completion bash)      in this shell only
"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """
    Print the script that makes SHELL complete alertd's commands and options.

    It also completes receivers, reports and rules by the names in the rules file.
    """
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f'there is no completion for "{shell}"')
    click.echo(completion(ctx.find_root().command, {}, "alertd", "_ALERTD_COMPLETE").source())
    return 0
