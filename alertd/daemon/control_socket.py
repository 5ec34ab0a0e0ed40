"""
The socket for requests from commands to a running daemon: a Unix socket beside the database file.

One process writes the store, so acknowledgements and silences go through it. Access to the socket is controlled by
file permissions: the daemon's own user and root. A connection has one request and one answer, each a line of JSON.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from alertd.core.actions import Act
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Acknowledge, AddSilence, ExpireSilence, Request, RequestError
from alertd.errors import AlertdError, StoreError, UserError
from alertd.log import Repeats, get_logger
from alertd.web.connection_limit import ConnectionLimit, connections_allowed

_KINDS: dict[str, type[Acknowledge | AddSilence | ExpireSilence | Act]] = {
    "acknowledge": Acknowledge,
    "add_silence": AddSilence,
    "expire_silence": ExpireSilence,
    "act": Act,
}
_LONGEST_LINE = 1 << 16
_LONGEST_PATH = 107
"""The kernel's limit for the path of a Unix socket, in bytes."""
_READ_S = 10
_ANSWER_S = 60
_SHARE = 4
"""Divides the page's limit of connections; still more than any script of acknowledgements opens at once."""
_FULL = b'{"error": "alertd is answering too many requests at once; nothing was done, try again"}\n'
_TOO_LONG = b'{"error": "a request to alertd has at most 65,536 bytes; nothing was done"}\n'
_OWNER_ONLY = 0o600

Handler = Callable[[Request], Awaitable[RequestOutcome]]


def socket_path(database: Path) -> Path:
    """Return the socket's path for a database."""
    return Path(f"{os.path.realpath(database)}.sock")


@asynccontextmanager
async def listen(path: Path, handle: Handler) -> AsyncIterator[None]:
    """
    Serve requests while the block runs. Call it only with the database's lock held: whatever is at the path is stale.

    A socket that cannot be opened is logged and left closed: watching goes on without it.
    """
    server, sockets = None, _Connections(handle)
    try:
        _clear(path)
        # Permissions before the first connection: the socket is made closed to others.
        before = os.umask(~_OWNER_ONLY & 0o777)
        try:
            server = await asyncio.start_unix_server(sockets.serve, path, limit=_LONGEST_LINE)
        finally:
            os.umask(before)
    except OSError as error:
        get_logger().warning("control socket not opened", path=str(path), error=_why(path, error))
    try:
        yield
    finally:
        if server is not None:
            server.close()
            with suppress(OSError):
                _clear(path)


def _clear(path: Path) -> None:
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def _why(path: Path, error: OSError) -> str:
    if len(os.fsencode(path)) > _LONGEST_PATH:
        return f"the path is longer than {_LONGEST_PATH} bytes; put the database into a folder with a shorter name"
    return error.strerror or str(error)


class _Connections:
    """Serves the connections of a socket within limits of time, length and number."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._limit = ConnectionLimit(max(1, connections_allowed() // _SHARE))
        self._trouble = Repeats()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, answer it and close the connection; an idle connection makes room for the next."""
        place = self._limit.admit(writer.transport.abort)
        try:
            if place is None:
                self._trouble.warning("too many control requests")
                writer.write(_FULL)
                return
            async with asyncio.timeout(_READ_S):
                try:
                    line = await reader.readline()
                except ValueError:
                    writer.write(_TOO_LONG)
                    raise
            self._limit.answer(place)
            writer.write(await answer(line, self._handle) + b"\n")
            async with asyncio.timeout(_READ_S):
                await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            # The client is gone, or is not ours. A complete request is carried out anyway.
            self._trouble.warning("control request dropped", error=str(error) or type(error).__name__)
        finally:
            if place is not None:
                self._limit.leave(place)
            writer.close()


async def answer(line: bytes, handle: Handler) -> bytes:
    """Carry out a request and return the answer, both in JSON; a refusal is an answer too."""
    return msgspec.json.encode(await _answer(line, handle))


async def _answer(line: bytes, handle: Handler) -> dict[str, str]:
    try:
        found = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        kind = _KINDS[msgspec.json.decode(found.pop("kind"), type=str)]
        request = msgspec.json.decode(found.pop("request"), type=kind)
    except (msgspec.MsgspecError, KeyError, ValueError, RecursionError):
        return {"error": "this daemon does not know that request; restart it with the same version of alertd"}
    try:
        outcome = await handle(request)
    except (RequestError, AlertdError) as error:
        return {"error": str(error)}
    except Exception:  # noqa: BLE001 -- the boundary of a request: an internal error must not leave it unanswered
        get_logger().exception("request failed", kind=type(request).__name__)
        return {"error": "alertd failed at it; its log says why. See `alertd alerts` whether it was done"}
    return {"text": outcome.text}


def encode(request: Request) -> bytes:
    """Return a request in JSON, for `answer`."""
    kind = next(name for name, known in _KINDS.items() if isinstance(request, known))
    return msgspec.json.encode({"kind": kind, "request": request})


def decode_answer(text: bytes) -> str:
    """
    Return the daemon's answer.

    Raises:
        UserError: It cannot be done as requested.
        ValueError: It is not a valid answer.
    """
    found = msgspec.json.decode(text, type=dict[str, str])
    if "error" in found:
        raise UserError(found["error"])
    return found.get("text", "")


class NobodyListens(Exception):
    """No daemon is using this database."""


async def ask(path: Path, request: Request) -> str:
    """
    Send a request to the daemon and return its answer.

    Raises:
        NobodyListens: There is no daemon.
        UserError: It cannot be done as requested, or this user has no access.
        StoreError: The daemon did not answer.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NobodyListens from None
    except PermissionError:
        raise UserError(f"{path}: only the daemon's own user and root may ask it; run this as one of them") from None
    except OSError as error:
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise NobodyListens from None
        raise StoreError(f"{path}: cannot be reached: {error.strerror}") from None
    try:
        writer.write(encode(request) + b"\n")
        async with asyncio.timeout(_ANSWER_S):
            await writer.drain()
            return decode_answer(await reader.readline())
    except (OSError, TimeoutError, ValueError, RecursionError, msgspec.MsgspecError):
        raise StoreError(
            f"{path}: the daemon gave no answer; see its log and `alertd alerts` whether it was done"
        ) from None
    finally:
        writer.close()
