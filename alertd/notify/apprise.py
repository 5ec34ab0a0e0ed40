"""
The Apprise notifier: more than a hundred services, each by a URL of https://appriseit.com/services/.

Apprise reports only success or failure, without a reason, and a failed message may have arrived nevertheless. So a
failure is an unknown outcome, with its limit on copies.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from alertd.core.messages.message import Message, plain_text
from alertd.core.severity import Severity
from alertd.log import get_logger
from alertd.notify.base import (
    ConfigurationRefused,
    Delivered,
    Envelope,
    NotifierContext,
    Outcome,
    ReceiverError,
    SendsOnly,
    Unknown,
    require_safe_url,
    resolve_secret,
)
from alertd.notify.config import ONE_OR_MORE, File, Name, ReceiverConfig, one_or_more_schema, without_repeats
from alertd.notify.text import PLAIN_LIMIT, headline, readable

if TYPE_CHECKING:
    from apprise import Apprise

_LOGGERS = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")
"""Loggers of Apprise and its libraries, which print URLs, which are secrets here."""
# Services find mentions in plain text. A zero-width space breaks the word that they search for.
_PING = re.compile(r"(?<=[@<])(?=[\w!@#&])")


_GENERIC = {
    name: scheme for form in ("form", "json", "xml") for name, scheme in ((form, "http"), (f"{form}s", "https"))
}
"""Apprise's schemes for posting to any address; other services have fixed addresses."""


class AppriseConfig(ReceiverConfig):
    """Where to find the URLs, never the URLs themselves, which hold passwords and tokens."""

    url_env: Annotated[
        tuple[Name, ...], ONE_OR_MORE, AfterValidator(without_repeats), one_or_more_schema(r"^[A-Za-z_][A-Za-z0-9_]*$")
    ] = Field(
        default=(),
        description="Environment variable that holds an Apprise URL, or a list of them. Each gets its own copy.",
        examples=["TELEGRAM_URL", ["TELEGRAM_URL", "MATRIX_URL"]],
    )
    url_file: Annotated[tuple[File, ...], ONE_OR_MORE, AfterValidator(without_repeats), one_or_more_schema(r"^.+$")] = (
        Field(
            default=(),
            description="File that holds an Apprise URL, or a list of them.",
            examples=["/run/secrets/telegram_url"],
        )
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if find_spec("apprise") is None:
            raise ValueError("receivers of type apprise need another package: pip install 'alertd[apprise]'")
        if not self.url_env and not self.url_file:
            raise ValueError("an apprise receiver needs url_env or url_file")
        return self


def title_and_body(message: Message) -> tuple[str, str]:
    """Return the message as plain text without mentions; Apprise escapes it for each service."""
    message = readable(message)
    text = plain_text(replace(message, title=""), limit=PLAIN_LIMIT).strip("\n")
    return _PING.sub("\u200b", headline(message)), _PING.sub("\u200b", text)


def kind_of(message: Message) -> str:
    """Return Apprise's type for a severity, by which services choose a colour, priority or action."""
    if message.is_resolved:
        return "success"
    return {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}[message.severity]


class AppriseNotifier(SendsOnly):
    """Sends through each of its URLs separately, in a thread, because Apprise blocks."""

    Config: ClassVar[type[BaseModel]] = AppriseConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=60)
    pace: ClassVar[timedelta] = timedelta(seconds=1)

    def __init__(self, name: str, config: BaseModel, context: NotifierContext) -> None:
        self.name = name
        apprise = AppriseConfig.model_validate(config)
        self._services = {
            place: _service(url, key)
            for key, places in (("url_env", apprise.url_env), ("url_file", apprise.url_file))
            for place in places
            for url in (resolve_secret({key: place}, "url", context) or "",)
            if _is_safe(url, key, context)
        }

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the variables and files that hold the URLs, as names of the recipients."""
        return tuple(self._services)

    async def send(self, envelope: Envelope) -> Outcome:
        """Send once; a thread abandoned here may still send, which the outcome allows for."""
        service = self._services.get(envelope.recipient)
        if service is None:
            return ConfigurationRefused(f"{envelope.recipient} is not among this receiver's URLs any more")
        message = envelope.message
        title, body = title_and_body(message)
        # `body_format` declares the input: Apprise converts it to a service's HTML or Markdown.
        send = partial(service.notify, body=body, title=title, notify_type=kind_of(message), body_format="text")
        if await _in_thread(lambda: bool(send())):
            return Delivered()
        return Unknown(
            f"Apprise could not send it, and does not say why; `apprise -v -b test` with the URL in "
            f"{envelope.recipient} shows it"
        )


def _is_safe(url: str, key: str, context: NotifierContext) -> bool:
    """
    Return True.

    Raises:
        ReceiverError: Apprise would connect to a host that is off limits, or send the URL's secrets in clear text.
    """
    scheme, _, place = url.partition("://")
    secure = _GENERIC.get(scheme.casefold())
    require_safe_url(f"{secure or 'https'}://{place}", key=key, has_secret=secure == "http", context=context)
    return True


def _service(url: str, key: str) -> "Apprise":
    """
    Return the Apprise object for one URL.

    Raises:
        ReceiverError: Apprise cannot use it; the text does not show it.
    """
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 -- optional, and half a second to import

    if len(url.split()) != 1:
        raise ReceiverError(
            f"what {key} names holds blanks or several URLs; give each URL its own, blanks as %20", key=key
        )
    # Nothing is written to disk, redirects are not followed, and the deadline is ours.
    asset = AppriseAsset(
        app_id="alertd", storage_mode="memory", http_redirects=False, service_timeout=0, async_mode=False
    )
    found = Apprise.instantiate(url, asset=asset)
    if found is None:
        raise ReceiverError(
            f"what {key} names is not a URL that Apprise knows; compare it with https://appriseit.com/services/",
            key=key,
        )
    service = Apprise(asset=asset)
    service.add(found)
    return service


async def _in_thread(send: Callable[[], bool]) -> bool:
    """Call in a thread for which neither a stop nor other work waits; False if it raises."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[bool] = loop.create_future()

    def settle(answer: bool) -> None:  # noqa: FBT001 -- called by the loop
        if not said.done():
            said.set_result(answer)

    def work() -> None:
        try:
            answer = send()
        except Exception as error:  # noqa: BLE001 -- a service's failure; its text may hold the URL
            get_logger().error("apprise failed", error=type(error).__name__)
            answer = False
        # The waiter may be gone, and the loop with it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, answer)

    threading.Thread(target=work, name="apprise", daemon=True).start()
    return await said
