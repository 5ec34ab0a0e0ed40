"""What to write in place of an option that does not exist: one of another level, or the setting that is meant."""

import click

from alertd.settings.forms import FORMS
from alertd.settings.sources import PREFIX

_OTHER_NAMES = {
    "config": "rules",
    "config_file": "rules",
    "rules_file": "rules",
    "db": "database_url",
    "api_key": "novita_api_key",
    "port": "http_listen",
    "host": "http_listen",
    "bind": "http_listen",
    "address": "http_listen",
}
"""What other programs call what is a setting here."""
_WITHOUT_SETTINGS = {"demo", "init", "simulate", "schema", "help", "completion"}
"""Commands that read no settings."""
_MOST = 3
"""With more settings than this an option's name says too little."""


def explained(error: click.NoSuchOption) -> click.NoSuchOption:
    """Return an error that says what to do in place of the option too; where click knows a near one, as it is."""
    remedy = "" if error.possibilities or error.ctx is None else _remedy(error.option_name, error.ctx)
    return click.NoSuchOption(error.option_name, f"{error.message} {remedy}", ctx=error.ctx) if remedy else error


def _remedy(option: str, ctx: click.Context) -> str:
    group = ctx.parent
    if group is not None and any(option in known.opts for known in group.command.params):
        return f"It stands before the command: `{group.command_path} {option} {ctx.info_name}`."
    settings = _settings_of(option)
    if settings == ["rules"] and any(known.name == "path" for known in ctx.command.params):
        return f"Write the file without an option: `{ctx.command_path} FILE`."
    if ctx.info_name in _WITHOUT_SETTINGS:
        return ""
    variables = " or ".join(f"{PREFIX}{name.upper()}" for name in settings)
    return f"Set {variables} in the environment or in .env; see `alertd help settings`." if variables else ""


def _settings_of(option: str) -> list[str]:
    """Return the settings that an option's name is likely to mean: that one, or the few that hold all of its words."""
    name = option.lstrip("-").lower().replace("-", "_")
    name = _OTHER_NAMES.get(name, name)
    if name in FORMS:
        return [name]
    found = [known for known in FORMS if set(name.split("_")) <= set(known.split("_"))]
    return found if len(found) <= _MOST else []
