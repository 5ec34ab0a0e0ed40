"""Every setting with its form and default; what is wrong with one is said by its variable, with the value."""

import os
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from alertd.core.network_place import PLAIN_HTTP, sends_in_clear
from alertd.errors import SettingsError
from alertd.outgoing.connections import Outgoing
from alertd.settings import asked, forms, plain_forms
from alertd.settings.asked import AskedSettings
from alertd.settings.faults import fault
from alertd.settings.listen import Listen, parse_listen
from alertd.settings.sources import Sources, read_sources

Secret = SecretStr | None
YesOrNo = Annotated[bool, BeforeValidator(plain_forms.yes_or_no)]
PollInterval = Annotated[timedelta, BeforeValidator(asked.poll_interval)]
SettleDelay = Annotated[timedelta, BeforeValidator(asked.settle_delay)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(asked.log_level)]
ClockSource = Annotated[Literal["checked", "system"], BeforeValidator(plain_forms.one_of("checked", "system"))]
LogFormat = Annotated[Literal["console", "json"], BeforeValidator(asked.log_format)]
Security = Annotated[Literal["starttls", "tls", "none"], BeforeValidator(plain_forms.one_of("starttls", "tls", "none"))]


_DEFAULTS = AskedSettings()


class Settings(BaseSettings):
    """Every setting with its default; field names are the variables without `ALERTD_`, in lower case."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- the library's own sources are not used
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return what counts: arguments, which are what `read_sources` found: it knows places, encodings and owners."""
        return (init_settings,)

    _warnings: tuple[str, ...] = PrivateAttr(())

    # First of all: the checks of other settings ask for it.
    allow_plain_http: YesOrNo = Field(False, description="true: keys and tokens may be sent to other hosts without TLS")
    rules: Path | None = Field(
        None, description="Rules file or directory; default ./rules.yaml, else /etc/alertd/rules.yaml"
    )
    # It may hold a password, and most often is no secret.
    database_url: str = Field(
        "",
        description="Default sqlite:///./alertd.db, or in $STATE_DIRECTORY when that is set; or postgresql://…",
        repr=False,
    )
    novita_api_key: Annotated[Secret, AfterValidator(forms.quoted_key)] = Field(
        None, description="API key of the account, if the rules file names none"
    )
    novita_base_url: Annotated[str, AfterValidator(forms.base_url("https://api.novita.ai"))] = Field(
        "https://api.novita.ai", description="Where the billing API is"
    )
    poll_interval: PollInterval = Field(_DEFAULTS.poll_interval, description="How often bills are read")
    settle_delay: SettleDelay = Field(_DEFAULTS.settle_delay, description="How late bills usually arrive at the most")
    clock: ClockSource = Field(
        "checked",
        description="checked: the system clock is used once the billing API's Date header agrees with"
        " it; system: it is trusted as it is, for hosts where NTP keeps it and a proxy "
        "removes or falsifies that header",
    )
    slack_bot_token: Annotated[Secret, AfterValidator(forms.bot_token)] = Field(
        None, description="xoxb-…: bot token, for receivers that name a channel"
    )
    slack_app_token: Annotated[
        Secret, AfterValidator(forms.token("xapp-", other="xoxb-", variable="ALERTD_SLACK_BOT_TOKEN"))
    ] = Field(None, description="xapp-…: buttons and /alertd in Slack, over Socket Mode")
    slack_users: Annotated[str | None, AfterValidator(forms.members)] = Field(
        None, description="Member ids, U…,U…, that may use them; default everyone in the workspace"
    )
    slack_webhook_url: Annotated[Secret, AfterValidator(forms.slack_webhook_url)] = Field(
        None, description="Incoming webhook, for a receiver that names no channel"
    )
    slack_base_url: Annotated[str, AfterValidator(forms.base_url("https://slack.com/api/"))] = Field(
        "https://slack.com/api/", description="Slack's Web API"
    )
    smtp_host: Annotated[str | None, AfterValidator(forms.host)] = Field(None, description="Mail server")
    smtp_port: Annotated[int, BeforeValidator(forms.port)] = Field(587, description="Its port")
    smtp_username: Annotated[str | None, AfterValidator(forms.login)] = Field(
        None, description="Login, if the server requires one"
    )
    smtp_password: Annotated[Secret, AfterValidator(forms.login)] = Field(None, description="Password of that login")
    smtp_security: Security = Field("starttls", description="starttls, tls or none")
    smtp_from: Annotated[str | None, AfterValidator(forms.sender)] = Field(None, description="Sender's address")
    smtp_ehlo: Annotated[str | None, AfterValidator(forms.greeting)] = Field(
        None, description="How this host greets the mail server; default its full name, else its address in brackets"
    )
    external_url: Annotated[str | None, AfterValidator(forms.page_url)] = Field(
        None, description="Where people reach the status page, e.g. https://alertd.example.com; messages link to it"
    )
    http_listen: str = Field(
        "127.0.0.1:9464", description="Address that serves the status page, health, metrics and JSON; off to serve none"
    )
    http_token: Annotated[Secret, AfterValidator(forms.header_token)] = Field(
        None,
        description="Signs people in on the status page, and programs as a bearer token; required for"
        " changes, and for every request from other hosts except health probes",
    )
    http_public_read: YesOrNo = Field(
        False, description="true: reading the status page, metrics and JSON needs no token even if one is set"
    )
    heartbeat_url: Annotated[Secret, AfterValidator(forms.secret_url("https://hc-ping.com/…"))] = Field(
        None, description="Pinged after each good cycle: a dead man's switch"
    )
    log_format: LogFormat | None = Field(None, description="console or json; default console on a terminal, else json")
    log_level: LogLevel = Field(
        "info", description="The least severe level that is logged: debug, info, warning or error"
    )

    @field_validator("novita_base_url", "slack_base_url", "slack_webhook_url", "heartbeat_url")
    @classmethod
    def _encrypted(cls, value: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        """Refuse an address to which a secret would go in clear."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text and not info.data.get("allow_plain_http") and sends_in_clear(text.strip()):
            raise ValueError(f"{PLAIN_HTTP}, or set ALERTD_ALLOW_PLAIN_HTTP=true")
        return value

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what works and is still worth a word: names that are none, files that others may change."""
        return self._warnings + self.outgoing.warnings

    @cached_property
    def outgoing(self) -> Outgoing:
        """
        How clients connect to others, by the system's variables for proxies and certificates; read once.

        Raises:
            SettingsError: One of them cannot be used.
        """
        return Outgoing.from_environment(os.environ)

    def listen(self) -> Listen | None:
        """
        Return where the status page is served, and to whom; None where it is not.

        Raises:
            SettingsError: It is no such address, reaches beyond loopback without a token, or the token is too short.
        """
        return parse_listen(
            self.http_listen,
            token=self.plain("http_token") or "",
            external_url=self.external_url or "",
            public_read=self.http_public_read,
        )

    def plain(self, name: str) -> str | None:
        """Return a setting as text, secrets included, None when it is not set; only for what is built from settings."""
        value: Any = getattr(self, name)
        if isinstance(value, SecretStr):
            return value.get_secret_value().strip() or None
        return str(value) if value is not None else None

    def secrets(self) -> tuple[str, ...]:
        """Return every secret that is set, so that logs can mask them."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))

    def rules_path(self) -> Path:
        """Return where the rules are; the first default that exists, else the one in this folder."""
        return asked.rules_path(self.rules)

    def store_url(self) -> str:
        """Return the database URL, with systemd's state directory as the default place."""
        return asked.store_url(self.database_url)


def load_settings() -> Settings:
    """
    Read all settings.

    Raises:
        SettingsError: Everything that is wrong, one a line, by the variable's name with its place and, where it is no
            secret, its value.
    """
    sources = read_sources(os.environ, frozenset(Settings.model_fields))
    try:
        settings = _made_of(sources)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        sources.problems += [fault(str(found["loc"][0]), found["msg"], sources) for found in faults]
    if sources.problems:
        raise SettingsError("\n".join(sources.problems))
    settings._warnings = tuple(sources.warnings)  # noqa: SLF001 -- pydantic's way to a value that is no field
    return settings


def load_usable_settings() -> Settings:
    """Read all settings but those that are wrong, which get their defaults: so that `check` can check what is left."""
    sources = read_sources(os.environ, frozenset(Settings.model_fields))
    while True:
        try:
            return _made_of(sources)
        except ValidationError as error:
            for wrong in error.errors(include_input=False, include_url=False):
                del sources.values[str(wrong["loc"][0])]


def _made_of(sources: Sources) -> Settings:
    texts: dict[str, Any] = {name: given.text for name, given in sources.values.items()}
    return Settings(**texts)
