"""Settings from the environment, a `.env` file and secret files, read once into one frozen object."""

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from alertd.core.http_url import split_http_url
from alertd.core.network_place import PLAIN_HTTP, sends_in_clear
from alertd.core.times import parse_duration
from alertd.errors import SettingsError
from alertd.outgoing.connections import Outgoing

PREFIX = "ALERTD_"
_NOT_IN_PAGE_URLS = frozenset("@?#\\\"<>|'")
SYSTEM_RULES = Path("/etc/alertd/rules.yaml")


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value.strip())
    except ValueError:
        # The value is not repeated: it may be the secret of the variable beside it.
        raise ValueError("not a duration; write 30s, 10m, 2h or 1d") from None


Duration = Annotated[timedelta, BeforeValidator(_duration)]


def _page_url(value: str | None) -> str | None:
    """
    Return an address that pages stand below, without a slash at its end; None for an empty one.

    Raises:
        ValueError: Nobody could open it, or it holds what must not stand in messages.
    """
    if not value:
        return None
    # A login, a query or a fragment has no place before a path.
    is_plain = value.isascii() and not _NOT_IN_PAGE_URLS & set(value)
    if not is_plain or split_http_url(value) is None:
        raise ValueError("not an address that people can open; write https://alertd.example.com")
    return value.rstrip("/")


def secret_dirs() -> list[str]:
    """Return the folders of secret files that exist: the one that is set, and systemd's."""
    named = (os.environ.get(f"{PREFIX}SECRETS_DIR", "/run/secrets"), os.environ.get("CREDENTIALS_DIRECTORY", ""))
    return [name for name in named if name and Path(name).is_dir()]


class Settings(BaseSettings):
    """Every setting with its default; field names are the variables without `ALERTD_`, in lower case."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # First of all: the checks of other settings ask for it.
    allow_plain_http: bool = Field(
        False, description="true: keys and tokens may leave without TLS, to other hosts than this one"
    )
    rules: Path | None = Field(
        None, description="Rules file or directory; default ./rules.yaml, else /etc/alertd/rules.yaml"
    )
    # It may hold a password, and most often is no secret.
    database_url: str = Field(
        "",
        description="Default sqlite:///./alertd.db, or in $STATE_DIRECTORY when that is set; or postgresql://…",
        repr=False,
    )
    novita_api_key: SecretStr | None = Field(None, description="Key of the account, where the rules file names none")
    novita_base_url: str = Field("https://api.novita.ai", description="Where the billing API is")
    poll_interval: Duration = Field(
        timedelta(minutes=10), description="How often bills are read", ge=timedelta(seconds=1), le=timedelta(days=1)
    )
    settle_delay: Duration = Field(
        timedelta(hours=2), description="How late a bill may usually be", ge=timedelta(), le=timedelta(days=7)
    )
    slack_bot_token: SecretStr | None = Field(None, description="xoxb-…: lets receivers name channels")
    slack_app_token: SecretStr | None = Field(
        None, description="xapp-…: buttons and /alertd in Slack, over Socket Mode"
    )
    slack_users: str | None = Field(
        None, description="Member ids, U…,U…, that may use them; default everyone in the workspace"
    )
    slack_webhook_url: SecretStr | None = Field(
        None, description="Incoming webhook, for a receiver that names no channel"
    )
    slack_base_url: str = Field("https://slack.com/api/", description="Slack's Web API")
    smtp_host: str | None = Field(None, description="Mail server")
    smtp_port: int = Field(587, description="Its port", ge=1, le=65535)
    smtp_username: str | None = Field(None, description="Login, where the server wants one")
    smtp_password: SecretStr | None = Field(None, description="Password to it")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls or none")
    smtp_from: str | None = Field(None, description="Sender's address")
    smtp_ehlo: str | None = Field(
        None, description="How this host greets the mail server; default its full name, else its address in brackets"
    )
    external_url: Annotated[str | None, AfterValidator(_page_url)] = Field(
        None, description="Where people reach the status page, e.g. https://alertd.example.com; messages link it"
    )
    http_listen: str = Field(
        "127.0.0.1:9464", description="Where the status page, health, metrics and JSON are served; off for nowhere"
    )
    http_token: SecretStr | None = Field(
        None,
        description="Signs people in on the status page, and programs as bearer token; needed for changes, and for "
        "every request from beyond this host but probes",
    )
    http_public_read: bool = Field(
        False, description="true: with a token set, reading the status page, metrics and JSON needs none"
    )
    heartbeat_url: SecretStr | None = Field(None, description="Pinged after each good cycle: a dead man's switch")
    log_format: Literal["console", "json"] | None = Field(None, description="Default console on a terminal, else json")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged")

    @field_validator("novita_base_url", "slack_base_url", "slack_webhook_url", "heartbeat_url")
    @classmethod
    def _encrypted(cls, value: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        """Refuse an address to which a secret would go in clear; its form is checked where it is used."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text and not info.data.get("allow_plain_http") and sends_in_clear(text.strip()):
            raise ValueError(f"{PLAIN_HTTP}, or set ALERTD_ALLOW_PLAIN_HTTP=true")
        return value

    @classmethod
    def secret_names(cls) -> tuple[str, ...]:
        """Return the settings that are secrets, in lower case without `ALERTD_`."""
        return tuple(name for name, field in cls.model_fields.items() if SecretStr in get_args(field.annotation))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- ours knows several folders
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then `.env`, then the directories of secret files."""
        secrets = SecretsSettingsSource(settings_cls, secrets_dir=secret_dirs())
        return init_settings, env_settings, dotenv_settings, secrets

    @cached_property
    def outgoing(self) -> Outgoing:
        """
        How clients connect to others, by the system's variables for proxies and certificates; read once.

        Raises:
            SettingsError: One of them cannot be used.
        """
        return Outgoing.from_environment(os.environ)

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
        if self.rules is not None:
            return self.rules
        local = Path("rules.yaml")
        return SYSTEM_RULES if not local.exists() and SYSTEM_RULES.exists() else local

    def store_url(self) -> str:
        """Return the database URL, with systemd's state directory as the default place."""
        if self.database_url:
            return self.database_url
        state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
        return f"sqlite:///{state}/alertd.db" if state else "sqlite:///./alertd.db"


def load_settings(overrides: Mapping[str, object] | None = None) -> Settings:
    """
    Read all settings.

    Args:
        overrides: From the command line; they win.

    Raises:
        SettingsError: Every setting that is wrong, one a line, by its variable's name; never its value.
    """
    try:
        return Settings(**dict(overrides or {}))  # type: ignore[arg-type]  # checked by pydantic
    except UnicodeDecodeError:
        raise SettingsError(".env, or a file of secrets, is not UTF-8 text; write it anew") from None
    except OSError as error:
        raise SettingsError(f"{error.filename or '.env'}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        lines = [
            f"{PREFIX}{'_'.join(map(str, fault['loc'])).upper()}: {_fault_text(fault['type'], fault['msg'])}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("\n".join(lines)) from None


def _fault_text(kind: str, text: str) -> str:
    return text.removeprefix("Value error, ") if kind == "value_error" else text[:1].lower() + text[1:]


def describe_settings() -> list[tuple[str, str, str]]:
    """Return (variable, default, meaning) of every setting, for the help page."""
    return [
        (f"{PREFIX}{name.upper()}", _default_text(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _default_text(default: object) -> str:
    if isinstance(default, timedelta):
        minutes = int(default.total_seconds()) // 60
        return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
    return "" if default is None else str(default)
