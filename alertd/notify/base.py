"""
The notifier protocol: what a receiver type must offer, and the outcomes that an attempt may have.

Plugins import everything they need from here: the protocol, the message and its parts, plain and
safe texts of them, `ReceiverConfig` and `ONE_OR_MORE` for their keys, and `resolve_secret` for their secrets.

A notifier file keeps one order: `Config`, pure `payload()` functions, thin `send()`. It never retries, never waits and
never raises for a failed send: it reports what happened, and the outbox decides.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from alertd.core.alerts.reason import NotifyReason
from alertd.core.dataclass import dataclass
from alertd.core.http_url import split_http_url
from alertd.core.messages.message import AlertFacts, Message, plain_text
from alertd.core.network_place import OFF_LIMITS, PLAIN_HTTP, is_off_limits, sends_in_clear
from alertd.core.printable import one_line
from alertd.core.severity import Severity
from alertd.errors import UserError
from alertd.notify.secret import SecretError, SecretPlaces
from alertd.notify.text import headline, printable, readable
from alertd.settings.outgoing.connections import Outgoing

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.notify.config import ONE_OR_MORE, ReceiverConfig

__all__ = [
    "ONE_OR_MORE",
    "AlertFacts",
    "CannotLook",
    "ConfigurationRefused",
    "Contact",
    "ContentRefused",
    "Delivered",
    "Editor",
    "Envelope",
    "Lookup",
    "Message",
    "Mirror",
    "NotFound",
    "NotSent",
    "Notifier",
    "NotifierContext",
    "NotifyReason",
    "Outcome",
    "ReceiverConfig",
    "ReceiverError",
    "Severity",
    "Unknown",
    "can_edit",
    "contact_kind",
    "headline",
    "one_line",
    "plain_text",
    "printable",
    "readable",
    "resolve_secret",
]


def __getattr__(name: str) -> object:
    """Import the base of configurations when a receiver type uses it: most of alertd runs without pydantic."""
    if name in {"ONE_OR_MORE", "ReceiverConfig"}:
        from alertd.notify import config  # noqa: PLC0415 # see above

        return getattr(config, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True, slots=True)
class Delivered:
    """It arrived. `ref` finds the message again (Slack `channel/ts`, mail Message-ID)."""

    ref: str = ""


@dataclass(frozen=True, slots=True)
class NotSent:
    """It certainly did not arrive, and a later attempt may succeed."""

    reason: str
    retry_after: timedelta | None = None
    """The minimum wait that the server requested."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost after the first byte was sent: the message may have arrived."""

    reason: str


@dataclass(frozen=True, slots=True)
class ConfigurationRefused:
    """Nothing will arrive until somebody fixes the receiver; `reason` says what to do."""

    reason: str


@dataclass(frozen=True, slots=True)
class ContentRefused:
    """The message is not accepted in this form; the plain form may be."""

    reason: str


Outcome = Delivered | NotSent | Unknown | ConfigurationRefused | ContentRefused


@dataclass(frozen=True, slots=True)
class NotFound:
    """The lookup worked and did not find the message: the attempt did not arrive."""


@dataclass(frozen=True, slots=True)
class CannotLook:
    """The lookup itself failed or is not allowed."""

    reason: str


Lookup = Delivered | NotFound | CannotLook


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One attempt's task."""

    message: Message
    key: str
    """The delivery key: Slack metadata and block_id, mail Message-ID, `Idempotency-Key`."""
    recipient: str
    thread_ref: str = ""
    """The `ref` of the message that this one continues as a thread."""
    edits: str = ""
    """The `ref` of the message that this one replaces; only set for notifiers that can edit."""
    notified: tuple[AlertFacts, ...] = ()
    """The message's alerts as last notified while firing; only set for mirrors."""
    is_plain: bool = False
    """Whether to send plain text of at most 3,000 characters, because the full layout was refused."""


class NotifierContext(Protocol):
    """What a notifier may use while it is built; secrets come from here, never from the rules file."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables, for keys ending `_env`."""

    @property
    def base_dir(self) -> Path:
        """Base folder for relative paths in keys ending `_file`."""

    @property
    def outgoing(self) -> Outgoing:
        """How to connect to other hosts: proxies and certificates from the system's variables."""

    def setting(self, name: str) -> str | None:
        """
        Return an alertd setting in plain text; None if it is not set.

        Args:
            name: Without prefix, lower case: `slack_bot_token`, `smtp_host`.
        """


class ReceiverError(UserError):
    """
    A receiver cannot be built from its configuration.

    Args:
        text: What is missing and what to do, without the receiver's name.
        key: The configuration key at fault, for its place in the file.
    """

    def __init__(self, text: str, *, key: str | None = None) -> None:
        self.key = key
        super().__init__(text)


class Notifier(Protocol):
    """
    A receiver of messages, built once per receiver of the rules file and closed at reload or stop.

    Plugins register the class under the entry point group `alertd.notifiers` with the receiver type as its name.
    """

    Config: ClassVar["type[BaseModel]"]
    """The receiver's own keys, validated with `extra="forbid"`, without `name` and `type`."""
    deadline: ClassVar[timedelta]
    """Seconds after which an attempt is cancelled and counts as unknown."""
    pace: ClassVar[timedelta]
    """Minimum seconds between two messages to one recipient."""
    can_look_up: bool
    """Whether `find` can determine if a message arrived."""

    def __init__(self, name: str, config: "BaseModel", context: NotifierContext) -> None:
        """
        Build without connecting.

        Raises:
            ReceiverError: A secret or setting is missing.
        """

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everyone who gets a separate copy with its own outcome; `("",)` if there is only the receiver itself."""

    async def send(self, envelope: Envelope) -> Outcome:
        """
        Make one attempt. Any exception, and a cancellation at the deadline, counts as `Unknown`.

        Sending the same envelope again uses the same key, so that receivers can recognise a repeat.
        """

    async def find(self, key: str, *, recipient: str, since: datetime, thread_ref: str = "") -> Lookup:
        """
        Look for a message by its delivery key among those sent since an instant; only called if `can_look_up`.

        Args:
            thread_ref: The envelope's own: a reply in a thread is not among the channel's messages.
        """

    async def close(self) -> None:
        """Close connections; may be called repeatedly."""


class SendsOnly:
    """What most receivers are: one recipient, a connection of its own for each attempt, and nothing to look up in."""

    pace: ClassVar[timedelta] = timedelta()
    can_look_up = False

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the one recipient, which has no name here."""
        return ("",)

    async def find(self, key: str, *, recipient: str, since: datetime, thread_ref: str = "") -> Lookup:  # noqa: ARG002
        """Say that what was sent cannot be looked up."""
        return CannotLook("this receiver can only be sent to")

    async def close(self) -> None:
        """Do nothing: each attempt closes its own connection."""


@runtime_checkable
class Editor(Protocol):
    """A notifier that can edit delivered messages."""

    can_edit: bool
    """Whether this receiver can, as configured."""

    async def edit(self, envelope: Envelope) -> Outcome:
        """Replace the delivered message that the envelope `edits`; repeating it is harmless."""


@runtime_checkable
class Contact(Protocol):
    """A notifier that can also write to the person or channel of an owner."""

    contact: str
    """The owner's key that holds the address: `slack` or `email`; empty if this receiver cannot."""


@runtime_checkable
class Mirror(Protocol):
    """
    A notifier whose receiver keeps the alerts itself and forgets what is not sent again, as Alertmanager does.

    Repeating is harmless, so an attempt without an answer is retried like one that was not sent.
    """

    async def mirror(self, alerts: Sequence[AlertFacts], *, recipient: str) -> Outcome:
        """Repeat the alerts that fire or ended recently, with the labels of their notifications."""


@runtime_checkable
class Dated(Protocol):
    """A notifier that dates its messages, by the daemon's time, which does not step with the wall clock."""

    now: Callable[[], datetime]
    """Return the time; by the system's clock until another is set."""


@runtime_checkable
class Checkable(Protocol):
    """A notifier that can check, without sending, whether messages would arrive."""

    async def check(self) -> Sequence[str]:
        """
        Return what would prevent messages from arriving, with the remedy, as far as it is known; empty if nothing.

        Never raises: an unreachable server is one of the answers.
        """


def is_mirror(notifier: Notifier | None) -> bool:
    """Return whether a notifier is a `Mirror`; it is asked at each attempt, and `isinstance` takes 0.1 ms to say."""
    return hasattr(notifier, "mirror")


def can_edit(notifier: Notifier) -> bool:
    """Return whether a receiver can edit its messages."""
    return isinstance(notifier, Editor) and notifier.can_edit


def contact_kind(notifier: Notifier) -> str:
    """Return the key of the owner's address that a receiver can write to; empty if none."""
    return notifier.contact if isinstance(notifier, Contact) else ""


def resolve_secret(
    config: Mapping[str, str | None], key: str, context: NotifierContext, *, setting: str | None = None
) -> str | None:
    """
    Return the value of `key`, `key_env` or `key_file`, else of the setting; None if none is given.

    Args:
        config: The receiver's own keys.
        setting: An alertd setting used if the receiver has none of the keys.

    Raises:
        ReceiverError: The named variable or file is missing, empty or one of alertd's own; the text names it, not
            its content.
    """
    if direct := config.get(key):
        return direct
    places = SecretPlaces(environment=context.environment, folder=context.base_dir, setting=context.setting)
    try:
        found = places.read(
            variable=config.get(f"{key}_env"), file=config.get(f"{key}_file"), noun=key.replace("_", " "), own=setting
        )
    except SecretError as error:
        refused = ReceiverError(str(error), key=f"{key}_{'file' if error.is_file else 'env'}")
        refused.is_absence = error.is_absence
        raise refused from None
    return found or (context.setting(setting) if setting else None)


def secret_of(
    config: "BaseModel",
    key: str,
    context: NotifierContext,
    *,
    setting: str | None = None,
    form: Callable[[str], object] | None = None,
) -> str | None:
    """
    Return what `resolve_secret` does for a receiver's configuration, in the form in which a setting would hold it.

    Args:
        form: One of `alertd.settings.forms`.

    Raises:
        ReceiverError: As `resolve_secret`; or the secret has another form, and its value is never said.
    """
    keys: dict[str, str | None] = {name: getattr(config, name) for name in (f"{key}_env", f"{key}_file")}
    secret = resolve_secret(keys, key, context, setting=setting)
    if secret and form is not None:
        given = next((name for name, value in keys.items() if value), None)
        try:
            form(secret)
        except ValueError as error:
            what = f"what {given} names" if given else f"ALERTD_{(setting or '').upper()}"
            raise ReceiverError(f"{what} {error}", key=given) from None
    return secret


def require_safe_url(url: str, *, key: str | None, has_secret: bool, context: NotifierContext) -> None:
    """
    Check the destination of a receiver, as far as the URL shows it.

    Args:
        has_secret: Whether a token is sent, or the URL itself is secret.

    Raises:
        ReceiverError: The host is off limits, or the secret would be sent in clear text.
    """
    parts = split_http_url(url)
    if parts is not None and is_off_limits(parts.hostname or ""):
        raise ReceiverError(OFF_LIMITS, key=key)
    if has_secret and sends_in_clear(url) and (context.setting("allow_plain_http") or "").casefold() != "true":
        raise ReceiverError(f"{PLAIN_HTTP}, or set ALERTD_ALLOW_PLAIN_HTTP=true", key=key)


def stands_in(notifier: object) -> bool:
    """Return whether a notifier only prints what another would send, for a dry run."""
    return bool(getattr(notifier, "stands_in", False))
