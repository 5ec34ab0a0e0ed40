"""A fake mail server on loopback: aiosmtpd with TLS, logins and faults on demand."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USERNAME = "alertd"
PASSWORD = "canary-smtp-password"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """One accepted mail."""

    recipients: tuple[str, ...]
    content: bytes
    is_encrypted: bool

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass(slots=True, kw_only=True)
class MailDouble:
    """The server; use `async with MailDouble() as mail`. `replies` override the normal ones."""

    tls: ssl.SSLContext | None = None
    is_implicit_tls: bool = False
    needs_login: bool = False
    replies: dict[str, str] = field(default_factory=dict)
    """RCPT, MAIL or DATA (the reply after the final dot) to a reply, or to "cut" or "hang"."""
    received: list[ReceivedMail] = field(default_factory=list)
    logins: list[bool] = field(default_factory=list)
    """For each attempted login, whether the connection was encrypted."""
    _server: asyncio.Server | None = None
    _connections: list[SMTP] = field(default_factory=list)
    _hanging: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        def protocol() -> SMTP:
            with warnings.catch_warnings():
                # It warns of logins without STARTTLS, because it does not know that the listener is encrypted.
                warnings.simplefilter("ignore", UserWarning)
                connection = SMTP(
                    self,
                    hostname="mail.test",
                    tls_context=None if self.is_implicit_tls else self.tls,
                    auth_required=self.needs_login,
                    auth_require_tls=not self.is_implicit_tls,
                    authenticator=self._authenticate,
                    loop=asyncio.get_running_loop(),
                )
            self._connections.append(connection)
            return connection

        self._server = await asyncio.get_running_loop().create_server(
            protocol, "127.0.0.1", 0, ssl=self.tls if self.is_implicit_tls else None
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._hanging.set()
        self._server.close()
        for connection in self._connections:
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()
        # Aborted transports notify their protocols in the loop's next iterations.
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: Any
    ) -> AuthResult:
        self.logins.append(_is_encrypted(server))
        is_right = isinstance(auth_data, LoginPassword) and auth_data.password == PASSWORD.encode()
        return AuthResult(success=is_right, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._reply("MAIL", server, "250 OK")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self._reply("RCPT", server, "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.content
        assert isinstance(content, bytes)
        mail = ReceivedMail(recipients=tuple(envelope.rcpt_tos), content=content, is_encrypted=_is_encrypted(server))
        reply = self.replies.get("DATA", "250 OK")
        if reply in {"cut", "hang"} or reply.startswith("250"):
            self.received.append(mail)
        return await self._reply("DATA", server, reply)

    async def _reply(self, command: str, server: SMTP, ordinary: str) -> str:
        reply = self.replies.get(command, ordinary)
        if reply == "hang":
            await self._hanging.wait()
        if reply == "cut":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 OK"
        return reply


def _is_encrypted(server: SMTP) -> bool:
    transport = server.transport
    return transport is not None and transport.get_extra_info("ssl_object") is not None


@asynccontextmanager
async def scripted_server(replies: dict[str, str], *, greeting: str = "220 mail.test") -> AsyncIterator[int]:
    """
    Run a server that answers each command by its first word, even in violation of SMTP; yield its port.

    Args:
        replies: Command ("." for the final dot) to reply; "cut" closes the connection. Other commands get "250 OK".
    """
    conversations: list[asyncio.Task[None]] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting.encode() + b"\r\n")
        is_data = False
        try:
            while line := await reader.readline():
                command = line.split()[0].decode().upper() if line.split() else ""
                if is_data and line != b".\r\n":
                    continue
                reply = replies.get("." if is_data else command, "250 OK")
                is_data = command == "DATA" and reply.startswith("354")
                if reply == "cut":
                    break
                writer.write(reply.encode() + b"\r\n")
        except OSError:
            pass
        finally:
            writer.transport.abort()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.create_task(converse(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
    for conversation in conversations:
        conversation.cancel()
    await asyncio.gather(*conversations, return_exceptions=True)
