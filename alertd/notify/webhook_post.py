"""One POST per attempt, to a webhook or an Alertmanager, and its outcome; it neither renders nor retries."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx

from alertd import __version__
from alertd.core.masking import Mask, secrets_of
from alertd.core.network_place import OFF_LIMITS_PLACE, is_off_limits
from alertd.notify.base import ConfigurationRefused, NotSent, Outcome, Unknown
from alertd.notify.http_answer import WEBHOOK, Endpoint, outcome_of_answer
from alertd.notify.text import quoted
from alertd.settings.outgoing.connections import Outgoing
from alertd.settings.outgoing.unpacking import PIECE_BYTES, Unpacker, UnpackingError

ANSWER_LIMIT_BYTES = PIECE_BYTES
_ANSWER_TIMEOUT_S = 2.0
"""Maximum bytes read of an answer's body, since mainly the status matters."""
_TIMEOUT = httpx.Timeout(20.0, connect=10.0)
_TOTAL_S = 28.0
"""Seconds for the whole exchange, less than any notifier's deadline: a server that drips bytes hits no other limit."""

# Raised before the first byte of the request is sent.
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class WebhookPost:
    """
    Posts to one URL, each time over a fresh connection: a kept one that has died would look like a lost answer.

    Args:
        token: For `Authorization: Bearer`.
        login: User and password, instead of the token.
        secrets: Texts in the body that must not appear in an outcome.
        outgoing: How to connect.
        total_s: Seconds for the whole exchange.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        outgoing: Outgoing,
        login: tuple[str, str] | None = None,
        endpoint: Endpoint = WEBHOOK,
        secrets: Sequence[str] = (),
        total_s: float = _TOTAL_S,
    ) -> None:
        self._outgoing = outgoing
        self._url = url
        self._endpoint = endpoint
        self._total_s = total_s
        self._headers = {
            # Compressed answers are not requested, so that the limit on the answer holds for its content too.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"alertd/{__version__}",
        }
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        known = [*secrets_of(url, known_path=endpoint.path), token, *secrets]
        if login:
            encoded = b64encode(":".join(login).encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"
            known += [encoded, login[1]]
        self._mask = Mask(known)

    async def send(self, body: bytes, *, key: str = "") -> Outcome:
        """Post the bytes once; the key lets a receiver recognise repeats."""
        headers = {**self._headers, "Idempotency-Key": key} if key else self._headers
        # A proxy resolves names itself, and its own address is the administrator's choice.
        extensions = {} if self._outgoing.proxy_for(self._url) else {"trace": _refuse_off_limits}
        what = self._endpoint.what
        try:
            async with (
                asyncio.timeout(self._total_s),
                self._outgoing.http_client(self._url, timeout=_TIMEOUT) as client,
                client.stream("POST", self._url, content=body, headers=headers, extensions=extensions) as answer,
            ):
                text = await read_start(answer)
        except OffLimits:
            return ConfigurationRefused(f"{what}'s name leads to {OFF_LIMITS_PLACE}; check the URL")
        except _NOT_CONNECTED as error:
            return NotSent(f"cannot reach {what}: {self._why(error)}")
        except TimeoutError:
            return Unknown(f"{what} gave no complete answer within {self._total_s:.0f} s")
        except httpx.InvalidURL:
            return ConfigurationRefused(f"{what}'s URL has a host that cannot exist; check it")
        except httpx.HTTPError as error:
            return Unknown(f"{what}'s answer was lost: {self._why(error)}")
        said = self._mask(text.decode("utf-8", "replace"))
        return outcome_of_answer(status=answer.status_code, headers=answer.headers, body=said, endpoint=self._endpoint)

    def _why(self, error: Exception) -> str:
        return quoted(self._mask(str(error))) or type(error).__name__


class OffLimits(Exception):
    """A name resolved to a forbidden address."""


async def _refuse_off_limits(event: str, info: Mapping[str, Any]) -> None:
    """Check the address of a connection before the request is sent: a name can resolve to any address."""
    if event == "connection.connect_tcp.complete":
        address = info["return_value"].get_extra_info("server_addr")
        if isinstance(address, tuple) and is_off_limits(str(address[0])):
            raise OffLimits


async def read_start(answer: httpx.Response) -> bytes:
    """Read the beginning of a body; if it is cut off or slow, the status still counts."""
    text = bytearray()
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            async for chunk in answer.aiter_raw():
                text += chunk
                if len(text) >= ANSWER_LIMIT_BYTES:
                    break
    return _unpacked(bytes(text[:ANSWER_LIMIT_BYTES]), answer.headers.get("Content-Encoding", ""))


def _unpacked(data: bytes, coding: str) -> bytes:
    """Return the unpacked beginning of a body that was compressed unasked; the raw bytes if that fails."""
    try:
        return next(Unpacker(coding).feed(data), b"")
    except UnpackingError:
        return data
