"""
Every setting with its meaning and default; errors name the variable and the value.

Commands that only read need few settings: a wrong mail server port does not stop them.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from alertd.core.dataclass import dataclass
from alertd.errors import SettingsError
from alertd.settings.plain_forms import Form, log_format, log_level, poll_interval, settle_delay
from alertd.settings.sources import SECRETS, Sources, fault, read_sources

if TYPE_CHECKING:
    from alertd.settings.listen import Listen
    from alertd.settings.outgoing.connections import Outgoing

SYSTEM_RULES = Path("/etc/alertd/rules.yaml")

_TO_READ: Mapping[str, Form] = {
    "rules": Path,
    "database_url": str,
    "poll_interval": poll_interval,
    "settle_delay": settle_delay,
    "log_format": log_format,
    "log_level": log_level,
}
"""The settings of commands that only read, with their forms; the module of all forms takes longer to import."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, in the order of `FORMS`; field names are the variables without `ALERTD_`, in lower case."""

    allow_plain_http: Annotated[bool, "true: keys and tokens may be sent to other hosts without TLS"] = False
    rules: Annotated[Path | None, "Rules file or directory; default ./rules.yaml, else /etc/alertd/rules.yaml"] = None
    # It may contain a password, but usually is not secret.
    database_url: Annotated[
        str, "Default sqlite:///./alertd.db, or in $STATE_DIRECTORY when that is set; or postgresql://…"
    ] = field(default="", repr=False)
    novita_api_key: Annotated[str | None, "API key of the account, if the rules file names none"] = field(
        default=None, repr=False
    )
    novita_base_url: Annotated[str, "Where the billing API is"] = "https://api.novita.ai"
    poll_interval: Annotated[timedelta, "How often bills are read"] = timedelta(minutes=10)
    settle_delay: Annotated[timedelta, "How late bills usually arrive at the most"] = timedelta(hours=2)
    clock: Annotated[
        str,
        (
            "checked: the system clock is used once the billing API's Date header agrees with it; system: it is "
            "trusted as it is, for hosts where NTP keeps it and a proxy removes or falsifies that header"
        ),
    ] = "checked"
    slack_bot_token: Annotated[str | None, "xoxb-…: bot token, for receivers that name a channel"] = field(
        default=None, repr=False
    )
    slack_app_token: Annotated[str | None, "xapp-…: buttons and /alertd in Slack, over Socket Mode"] = field(
        default=None, repr=False
    )
    slack_users: Annotated[str | None, "Member ids, U…,U…, that may use them; default everyone in the workspace"] = None
    slack_webhook_url: Annotated[str | None, "Incoming webhook, for a receiver that names no channel"] = field(
        default=None, repr=False
    )
    slack_base_url: Annotated[str, "Slack's Web API"] = "https://slack.com/api/"
    smtp_host: Annotated[str | None, "Mail server"] = None
    smtp_port: Annotated[int, "Its port"] = 587
    smtp_username: Annotated[str | None, "Login, if the server requires one"] = None
    smtp_password: Annotated[str | None, "Password of that login"] = field(default=None, repr=False)
    smtp_security: Annotated[str, "starttls, tls or none"] = "starttls"
    smtp_from: Annotated[str | None, "Sender's address"] = None
    smtp_ehlo: Annotated[
        str | None, "How this host greets the mail server; default its full name, else its address in brackets"
    ] = None
    external_url: Annotated[
        str | None, "Where people reach the status page, e.g. https://alertd.example.com; messages link to it"
    ] = None
    http_listen: Annotated[str, "Address that serves the status page, health, metrics and JSON; off to serve none"] = (
        "127.0.0.1:9464"
    )
    http_token: Annotated[
        str | None,
        (
            "Signs people in on the status page, and programs as a bearer token; required for changes, and for "
            "every request from other hosts except health probes"
        ),
    ] = field(default=None, repr=False)
    http_public_read: Annotated[
        bool, "true: reading the status page, metrics and JSON needs no token even if one is set"
    ] = False
    heartbeat_url: Annotated[str | None, "Pinged after each good cycle: a dead man's switch"] = field(
        default=None, repr=False
    )
    log_format: Annotated[str | None, "console or json; default console on a terminal, else json"] = None
    log_level: Annotated[str, "The least severe level that is logged: debug, info, warning or error"] = "info"
    source_warnings: tuple[str, ...] = ()
    """Not a setting: what should be corrected where settings come from; empty for a command that only reads."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what does not prevent a start but should be corrected: unknown names, files that others may change."""
        return self.source_warnings + self.outgoing.warnings

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
            token=self.http_token or "",
            external_url=self.external_url or "",
            public_read=self.http_public_read,
        )

    def plain(self, name: str) -> str | None:
        """Return a setting or its default as text, even a secret, to build on; None without one."""
        value = getattr(self, name)
        return str(value) if value is not None else None

    def secrets(self) -> tuple[str, ...]:
        """Return every secret that is set, so that logs can mask them."""
        return tuple(filter(None, map(self.plain, sorted(SECRETS))))

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


def load_settings() -> Settings:
    """
    Read all settings.

    Raises:
        SettingsError: All errors, one per line: the variable with its place and, unless it may be secret, its value.
    """
    found, problems = load_checked_settings()
    if problems:
        raise SettingsError("\n".join(problems))
    return found


def load_checked_settings() -> tuple[Settings, tuple[str, ...]]:
    """
    Read all settings.

    Returns:
        The settings, with defaults for those that are wrong, and the errors that `load_settings` would raise for them.
    """
    from alertd.settings.forms import FORMS, formed  # noqa: PLC0415 -- commands that only read need few forms

    sources = read_sources(os.environ, frozenset(FORMS))

    def read(name: str, text: str, before: Mapping[str, object]) -> object:
        return formed(name, text, allows_plain_http=bool(before.get("allow_plain_http")))

    values = _values(sources, FORMS, read)
    return Settings(**values, source_warnings=tuple(sources.warnings)), tuple(sources.problems)


def load_asked_settings() -> Settings:
    """
    Read the settings of a command that only reads, and the secrets as they are, to mask them.

    Raises:
        SettingsError: As in `load_settings`, but only for these settings and the files that hold settings.
    """
    names = (*_TO_READ, *SECRETS)
    sources = read_sources(os.environ, frozenset(names))
    values = _values(sources, names, lambda name, text, _: _TO_READ.get(name, str)(text))
    if sources.problems:
        raise SettingsError("\n".join(sources.problems))
    return Settings(**values)


def _values(
    sources: Sources, names: Iterable[str], read: Callable[[str, str, Mapping[str, object]], object]
) -> dict[str, Any]:
    """Return the values of those settings that are set and valid; note the others' problems."""
    values: dict[str, Any] = {}
    for name in names:
        if (given := sources.values.get(name)) is not None:
            try:
                values[name] = read(name, given.text, values)
            except ValueError as error:
                sources.problems.append(fault(name, str(error), sources))
    return values
