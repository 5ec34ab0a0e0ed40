"""Suggestions for an option that does not exist: an option of the other level, or a setting."""

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
"""Options of other programs that are settings here."""
_WITHOUT_SETTINGS = {"demo", "init", "simulate", "schema", "help", "completion"}
"""Commands that read no settings."""
_MOST = 3
"""If more settings match, the option's name is too vague for a suggestion."""


def explained(error: click.NoSuchOption) -> click.NoSuchOption:
    """Return an error that also suggests a remedy; unchanged if click knows a similar option."""
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
    """Return the settings that an option's name probably means: an exact match, or those with all its words."""
    name = option.lstrip("-").lower().replace("-", "_")
    name = _OTHER_NAMES.get(name, name)
    if name in FORMS:
        return [name]
    found = [known for known in FORMS if set(name.split("_")) <= set(known.split("_"))]
    return found if len(found) <= _MOST else []
