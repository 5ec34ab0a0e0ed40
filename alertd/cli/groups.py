"""A group of commands that answers a name it does not know with the nearest one it has."""

import click

from alertd.core.nearest import nearest


class CommandGroup(click.Group):
    """The commands of `alertd`, or of one of its commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant, as click does; wrong usage where there is none of that name."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            near = nearest(name, known)
            hint = f'Did you mean "{near}"?' if near else f"`{ctx.command_path} --help` lists all."
            ctx.fail(f'There is no command "{name}". {hint}')
        return super().resolve_command(ctx, args)
