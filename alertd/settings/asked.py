"""
The settings of commands that only read or only check.

They are read from the same sources with the same forms as in `load_settings`, but without pydantic, which takes longer
to import than such a command may run. Commands that only read need few settings: a wrong mail server port does not
stop them.
"""

import os
from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alertd.core.dataclass import dataclass
from alertd.errors import SettingsError
from alertd.settings.plain_forms import Form, log_format, log_level, poll_interval, settle_delay
from alertd.settings.sources import SECRETS, fault, read_sources

if TYPE_CHECKING:
    from alertd.settings.listen import Listen
    from alertd.settings.outgoing.connections import Outgoing

SYSTEM_RULES = Path("/etc/alertd/rules.yaml")

_FORMS: Mapping[str, Form] = {
    "rules": Path,
    "database_url": str,
    "poll_interval": poll_interval,
    "settle_delay": settle_delay,
    "log_format": log_format,
    "log_level": log_level,
}


_OTHER_DEFAULTS: Mapping[str, object] = {
    "clock": "checked",
    "slack_base_url": "https://slack.com/api/",
    "smtp_port": 587,
    "smtp_security": "starttls",
    "http_public_read": False,
}


class SettingsInUse:
    """What is derived from the settings, for both ways of reading them."""

    if TYPE_CHECKING:
        rules: Path | None
        database_url: str
        poll_interval: timedelta
        settle_delay: timedelta
        log_format: str | None
        log_level: str
        allow_plain_http: bool
        novita_base_url: str
        http_listen: str
        _source_warnings: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what does not prevent a start but should be corrected: unknown names, files that others may change."""
        return self._source_warnings + self.outgoing.warnings

    @cached_property
    def outgoing(self) -> "Outgoing":
        """
        How clients connect to other hosts, from the system's variables for proxies and certificates; read once.

        Raises:
            SettingsError: One of them cannot be used.
        """
        from alertd.settings.outgoing.connections import Outgoing  # noqa: PLC0415 -- commands that only read never connect

        return Outgoing.from_environment(os.environ)

    def listen(self) -> "Listen | None":
        """
        Return where the status page is served, and to whom; None if it is not served.

        Raises:
            SettingsError: It is not a valid address, is not loopback and has no token, or the token is too short.
        """
        from alertd.settings.listen import parse_listen  # noqa: PLC0415 -- nor do they serve the page

        return parse_listen(
            self.http_listen,
            token=self.plain("http_token") or "",
            external_url=self.plain("external_url") or "",
            public_read=self.plain("http_public_read") == str(True),
        )

    def plain(self, name: str) -> str | None:
        """Return a setting or its default as text, even a secret, to build on; None without one."""
        raise NotImplementedError

    def secrets(self) -> tuple[str, ...]:
        """Return every secret that is set, so that logs can mask them."""
        raise NotImplementedError

    def rules_path(self) -> Path:
        """Return the rules' path: the setting, else the first default that exists, else `rules.yaml` in this folder."""
        if self.rules is not None:
            return self.rules
        local = Path("rules.yaml")
        return SYSTEM_RULES if not local.exists() and SYSTEM_RULES.exists() else local

    def store_url(self) -> str:
        """Return the database URL; by default SQLite in systemd's state directory, else in this folder."""
        if self.database_url:
            return self.database_url
        state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
        return f"sqlite:///{state}/alertd.db" if state else "sqlite:///./alertd.db"


@dataclass(frozen=True, kw_only=True)
class AskedSettings(SettingsInUse):
    """The settings of a command that only reads or checks; the defaults are those of all commands."""

    rules: Path | None = None
    database_url: str = field(default="", repr=False)
    poll_interval: timedelta = timedelta(minutes=10)
    settle_delay: timedelta = timedelta(hours=2)
    log_format: str | None = None
    log_level: str = "info"
    allow_plain_http: bool = False
    novita_base_url: str = "https://api.novita.ai"
    http_listen: str = "127.0.0.1:9464"
    others: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The other settings that are set, by name; only filled for a command that checks."""
    held: tuple[str, ...] = field(default=(), repr=False)
    """The secrets that are set; for a command that checks, only valid ones."""
    _source_warnings: tuple[str, ...] = ()
    """Warnings about where settings come from; only filled for a command that checks."""

    def plain(self, name: str) -> str | None:
        """Return a setting or its default as text, even a secret, to build on; None without one."""
        value = self.others.get(name, _OTHER_DEFAULTS.get(name)) if name not in _FIELDS else getattr(self, name)
        return str(value) if value is not None else None

    def secrets(self) -> tuple[str, ...]:
        """Return every secret that is set, so that logs can mask them."""
        return self.held


_FIELDS = frozenset(AskedSettings.__annotations__)


def load_asked_settings() -> AskedSettings:
    """
    Read the settings of a command that only reads.

    Raises:
        SettingsError: As in `load_settings`, but only for these settings and the files that hold settings.
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


def load_checked_settings() -> tuple[AskedSettings, tuple[str, ...]]:
    """
    Read all settings.

    Returns:
        The settings, with defaults for those that are wrong, and the errors that `load_settings` would raise for them.
    """
    from alertd.settings.forms import FORMS, formed  # noqa: PLC0415 -- commands that only read need few forms

    sources = read_sources(os.environ, frozenset(FORMS))
    values: dict[str, Any] = {}
    for name in FORMS:
        if (given := sources.values.get(name)) is not None:
            try:
                allows = bool(values.get("allow_plain_http"))
                values[name] = formed(name, given.text, allows_plain_http=allows)
            except ValueError as error:
                sources.problems.append(fault(name, str(error), sources))
    found = AskedSettings(
        **{name: value for name, value in values.items() if name in _FIELDS},
        others={name: value for name, value in values.items() if name not in _FIELDS},
        held=tuple(str(value) for name, value in values.items() if name in SECRETS),
        _source_warnings=tuple(sources.warnings),
    )
    return found, tuple(sources.problems)
