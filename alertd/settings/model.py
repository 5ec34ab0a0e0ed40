"""Every setting with its default and description; errors name the variable and the value."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from alertd.errors import SettingsError
from alertd.settings.asked import AskedSettings, SettingsInUse
from alertd.settings.forms import formed
from alertd.settings.sources import Sources, fault, read_sources

Secret = SecretStr | None

_DEFAULTS = AskedSettings()


class Settings(SettingsInUse, BaseSettings):
    """Every setting with its default; field names are the variables without `ALERTD_`, in lower case."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- pydantic's own sources are not used
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the arguments as the only source: `read_sources` finds them, with places, encodings and owners."""
        return (init_settings,)

    _source_warnings: tuple[str, ...] = PrivateAttr(())

    allow_plain_http: bool = Field(False, description="true: keys and tokens may be sent to other hosts without TLS")
    rules: Path | None = Field(
        None, description="Rules file or directory; default ./rules.yaml, else /etc/alertd/rules.yaml"
    )
    # It may contain a password, but usually is not secret.
    database_url: str = Field(
        "",
        description="Default sqlite:///./alertd.db, or in $STATE_DIRECTORY when that is set; or postgresql://…",
        repr=False,
    )
    novita_api_key: Secret = Field(None, description="API key of the account, if the rules file names none")
    novita_base_url: str = Field(_DEFAULTS.novita_base_url, description="Where the billing API is")
    poll_interval: timedelta = Field(_DEFAULTS.poll_interval, description="How often bills are read")
    settle_delay: timedelta = Field(_DEFAULTS.settle_delay, description="How late bills usually arrive at the most")
    clock: Literal["checked", "system"] = Field(
        "checked",
        description="checked: the system clock is used once the billing API's Date header agrees with"
        " it; system: it is trusted as it is, for hosts where NTP keeps it and a proxy "
        "removes or falsifies that header",
    )
    slack_bot_token: Secret = Field(None, description="xoxb-…: bot token, for receivers that name a channel")
    slack_app_token: Secret = Field(None, description="xapp-…: buttons and /alertd in Slack, over Socket Mode")
    slack_users: str | None = Field(
        None, description="Member ids, U…,U…, that may use them; default everyone in the workspace"
    )
    slack_webhook_url: Secret = Field(None, description="Incoming webhook, for a receiver that names no channel")
    slack_base_url: str = Field("https://slack.com/api/", description="Slack's Web API")
    smtp_host: str | None = Field(None, description="Mail server")
    smtp_port: int = Field(587, description="Its port")
    smtp_username: str | None = Field(None, description="Login, if the server requires one")
    smtp_password: Secret = Field(None, description="Password of that login")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls or none")
    smtp_from: str | None = Field(None, description="Sender's address")
    smtp_ehlo: str | None = Field(
        None, description="How this host greets the mail server; default its full name, else its address in brackets"
    )
    external_url: str | None = Field(
        None, description="Where people reach the status page, e.g. https://alertd.example.com; messages link to it"
    )
    http_listen: str = Field(
        _DEFAULTS.http_listen,
        description="Address that serves the status page, health, metrics and JSON; off to serve none",
    )
    http_token: Secret = Field(
        None,
        description="Signs people in on the status page, and programs as a bearer token; required for"
        " changes, and for every request from other hosts except health probes",
    )
    http_public_read: bool = Field(
        False, description="true: reading the status page, metrics and JSON needs no token even if one is set"
    )
    heartbeat_url: Secret = Field(None, description="Pinged after each good cycle: a dead man's switch")
    log_format: Literal["console", "json"] | None = Field(
        None, description="console or json; default console on a terminal, else json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe level that is logged: debug, info, warning or error"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _formed(cls, value: object, info: ValidationInfo) -> object:
        """Parse a setting by its form; some checks depend on `allow_plain_http`, a field before the others."""
        if not isinstance(value, str | SecretStr) or info.field_name is None:
            return value
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return formed(info.field_name, text, allows_plain_http=bool(info.data.get("allow_plain_http")))

    def plain(self, name: str) -> str | None:
        """Return a setting or its default as text, even a secret, to build on; None without one."""
        value: Any = getattr(self, name)
        if isinstance(value, SecretStr):
            return value.get_secret_value().strip() or None
        return str(value) if value is not None else None

    def secrets(self) -> tuple[str, ...]:
        """Return every secret that is set, so that logs can mask them."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))


def load_settings() -> Settings:
    """
    Read all settings.

    Raises:
        SettingsError: All errors, one per line: the variable with its place and, unless it may be secret, its value.
    """
    sources = read_sources(os.environ, frozenset(Settings.model_fields))
    try:
        settings = _made_of(sources)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        sources.problems += [fault(str(found["loc"][0]), found["msg"], sources) for found in faults]
    if sources.problems:
        raise SettingsError("\n".join(sources.problems))
    settings._source_warnings = tuple(sources.warnings)  # noqa: SLF001 -- a private attribute of pydantic's
    return settings


def _made_of(sources: Sources) -> Settings:
    texts: dict[str, Any] = {name: given.text for name, given in sources.values.items()}
    return Settings(**texts)
