"""
What commands that only ask go by: where the store and the rules are, how late a bill may be, how to log.

They read the same sources by the same forms as `load_settings`, without the library that checks every setting, which
takes longer to import than such a command may take: a mail server's wrong port keeps nobody from the alerts.
"""

import os
from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Any

from alertd.core.dataclass import dataclass
from alertd.errors import SettingsError
from alertd.settings.faults import fault
from alertd.settings.plain_forms import Form, duration, one_of
from alertd.settings.sources import SECRETS, read_sources

SYSTEM_RULES = Path("/etc/alertd/rules.yaml")

poll_interval = duration(timedelta(seconds=1), timedelta(days=1))
settle_delay = duration(timedelta(), timedelta(days=7))
log_level = one_of("debug", "info", "warning", "error", also={"warn": "warning"})
log_format = one_of("console", "json")

_FORMS: Mapping[str, Form] = {
    "rules": lambda value: Path(str(value)),
    "database_url": lambda value: value,
    "poll_interval": poll_interval,
    "settle_delay": settle_delay,
    "log_format": log_format,
    "log_level": log_level,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSettings:
    """The settings of a command that only asks, with the defaults of all commands."""

    rules: Path | None = None
    database_url: str = field(default="", repr=False)
    poll_interval: timedelta = timedelta(minutes=10)
    settle_delay: timedelta = timedelta(hours=2)
    log_format: str | None = None
    log_level: str = "info"
    held: tuple[str, ...] = field(default=(), repr=False)
    """Every secret that is set."""

    def secrets(self) -> tuple[str, ...]:
        """Return every secret that is set, so that logs can mask them."""
        return self.held

    def rules_path(self) -> Path:
        """Return where the rules are; the first default that exists, else the one in this folder."""
        return rules_path(self.rules)

    def store_url(self) -> str:
        """Return the database URL, with systemd's state directory as the default place."""
        return store_url(self.database_url)


def rules_path(rules: Path | None) -> Path:
    """Return where the rules are; the first default that exists, else the one in this folder."""
    if rules is not None:
        return rules
    local = Path("rules.yaml")
    return SYSTEM_RULES if not local.exists() and SYSTEM_RULES.exists() else local


def store_url(database_url: str) -> str:
    """Return the database URL, with systemd's state directory as the default place."""
    if database_url:
        return database_url
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    return f"sqlite:///{state}/alertd.db" if state else "sqlite:///./alertd.db"


def load_asked_settings() -> AskedSettings:
    """
    Read the settings of a command that only asks.

    Raises:
        SettingsError: As `load_settings`, of these settings and of the files that hold settings.
    """
    sources = read_sources(os.environ, frozenset(_FORMS) | SECRETS)
    values: dict[str, Any] = {}
    for name, form in _FORMS.items():
        if (given := sources.values.get(name)) is not None:
            try:
                values[name] = form(given.text)
            except ValueError as error:
                sources.problems.append(fault(name, str(error), sources))
    if sources.problems:
        raise SettingsError("\n".join(sources.problems))
    return AskedSettings(held=tuple(given.text for name, given in sources.values.items() if name in SECRETS), **values)
