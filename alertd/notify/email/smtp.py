"""
Sends a mail through an SMTP server, and interprets its replies.

The commands are sent one by one, because the limit on copies depends on one fact that a single call would hide:
whether the final dot was sent. Before it nothing can have been accepted; after it, without a reply, it is unknown.

Source: RFC 5321, sections 4.2.1 (4yz transient, 5yz permanent) and 4.5.3.2.6 (the wait after the dot).
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import field
from typing import cast

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from alertd.core.dataclass import dataclass
from alertd.core.greeting import address_literal, is_greeting
from alertd.core.masking import Mask
from alertd.notify.base import ConfigurationRefused, Delivered, NotSent, Outcome, Unknown
from alertd.notify.email.replies import Parties, Stage, outcome_of_reply
from alertd.notify.text import quoted
from alertd.settings.outgoing.connections import Outgoing

# Together with QUIT less than the notifier's deadline of 120 s, so that slow does not count as lost.
BEFORE_DOT_S = 55.0
AFTER_DOT_S = 58.0
_COMMAND_S = 30.0
_QUIT_S = 2.0
_LEADING_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpAccount:
    """A mail server and login; opens a connection for each mail."""

    host: str
    port: int
    security: str
    """`starttls` (required, not merely tried), `tls` or `none`."""
    username: str | None
    password: str | None = field(repr=False)
    outgoing: Outgoing
    """The trusted certificates."""
    ehlo: str | None = None
    """The name for EHLO; None for this host's full name, else its address."""

    async def send(self, content: bytes, *, sender: str, recipient: str, ref: str) -> Outcome:
        """
        Send the mail once.

        Args:
            content: The whole mail with CRLF line ends.
            ref: Identifies the mail, for the outcome.
        """
        client = self._client()
        handover = _Handover(client=client, account=self, sender=sender, recipient=recipient)
        return await self._outcome(handover, handover.run(content)) or Delivered(ref)

    async def check(self) -> str:
        """Connect, encrypt and log in, without sending; return the failure, empty on success."""
        client = self._client()
        handover = _Handover(client=client, account=self, sender="", recipient="")
        outcome = await self._outcome(handover, handover.knock())
        return "" if outcome is None or isinstance(outcome, Delivered) else outcome.reason

    def _client(self) -> SMTP:
        return SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.security == "tls",
            start_tls=False,
            tls_context=self.outgoing.mail_tls if self.security != "none" else None,
            timeout=_COMMAND_S,
            # aiosmtplib would use the resolver, and on many hosts greet as localhost.
            local_hostname=self.ehlo or "[127.0.0.1]",
        )

    async def _outcome(self, handover: "_Handover", exchange: Awaitable[Outcome | None]) -> Outcome | None:
        """Return the failure of an exchange; None if the server accepted everything."""
        client = handover.client
        try:
            return await exchange
        except SMTPResponseException as error:
            return outcome_of_reply(
                handover.stage,
                error.code,
                Mask([self.password])(error.message),
                parties=Parties(
                    sender=handover.sender, recipient=handover.recipient, greeting=client.local_hostname or ""
                ),
                # A server that refuses a login may echo it.
                is_shown=not isinstance(error, SMTPAuthenticationError),
            )
        except (SMTPException, OSError, ValueError) as error:
            return self._failure(handover.stage, error)
        finally:
            client.close()

    def _failure(self, stage: Stage, error: Exception) -> Outcome:
        """Return the outcome of an interrupted exchange."""
        why = quoted(Mask([self.password])(str(error))) or "time-out"
        if stage is Stage.DOT:
            return Unknown(f"the mail server's answer to the message was lost: {why}")
        if problem := _certificate_problem(error):
            return ConfigurationRefused(
                f"the certificate of {self.host} is not trusted ({quoted(problem)}); set ALERTD_SMTP_HOST to the name "
                "in the certificate, or add its authority to the system's (SSL_CERT_FILE)"
            )
        return NotSent(f"the mail server {self.host}:{self.port} failed at {stage.value}: {why}")


@dataclass(slots=True, kw_only=True)
class _Handover:
    """The exchange for one mail, with its last command."""

    client: SMTP
    account: SmtpAccount
    sender: str
    recipient: str
    stage: Stage = Stage.CONNECT
    writer: asyncio.StreamWriter | None = None
    """Kept until the end: garbage collection would close the connection."""

    async def knock(self) -> Outcome | None:
        """Return a refusal by alertd itself; None if the server would accept a mail."""
        async with asyncio.timeout(BEFORE_DOT_S):
            refusal = await self._open()
        with suppress(SMTPException, OSError):
            await self.client.quit(timeout=_QUIT_S)
        return refusal

    async def run(self, content: bytes) -> Outcome | None:
        """Return a refusal by alertd itself; None if the server accepted the mail."""
        async with asyncio.timeout(BEFORE_DOT_S):
            refusal = await self._open()
            if refusal:
                return refusal
            await self._address()
            await self._transmit(content)
        self.stage = Stage.DOT
        async with asyncio.timeout(AFTER_DOT_S):
            code, said = await self.client.execute_command(b".", timeout=AFTER_DOT_S)
        if code != 250:
            raise SMTPResponseException(code, said)
        # The mail is accepted, whatever happens to QUIT.
        with suppress(SMTPException, OSError):
            await self.client.quit(timeout=_QUIT_S)
        return None

    async def _open(self) -> Outcome | None:
        """Connect, encrypt and log in; never a password before the connection is encrypted."""
        client, account = self.client, self.account
        await client.connect()
        client.local_hostname = await greeting(account.ehlo, _local_address(client))
        await client.ehlo()
        if account.security == "starttls":
            if not client.supports_extension("starttls"):
                return ConfigurationRefused(
                    f"the mail server {account.host}:{account.port} does not offer STARTTLS, or something between "
                    "takes it away; nothing was sent in clear; "
                    "use ALERTD_SMTP_SECURITY=tls (port 465) or another server"
                )
            self.stage = Stage.STARTTLS
            await client.starttls()
            await client.ehlo()
        if account.username:
            self.stage = Stage.LOGIN
            if not client.supports_extension("auth"):
                return ConfigurationRefused(
                    f"the mail server {account.host}:{account.port} takes no login; "
                    "take ALERTD_SMTP_USERNAME and ALERTD_SMTP_PASSWORD away, or use its port for submission"
                )
            await client.login(account.username, account.password or "")
        return None

    async def _address(self) -> None:
        self.stage = Stage.SENDER
        await self.client.mail(self.sender)
        self.stage = Stage.RECIPIENT
        await self.client.rcpt(self.recipient)

    async def _transmit(self, content: bytes) -> None:
        """Send the mail without the final dot, and wait until the operating system has it."""
        self.stage = Stage.DATA
        code, said = await self.client.execute_command(b"DATA")
        if code != 354:
            raise SMTPResponseException(code, said)
        protocol, transport = self.client.protocol, self.client.transport
        if protocol is None or transport is None:
            raise SMTPServerDisconnected("Connection lost")
        writable = cast("asyncio.WriteTransport", transport)
        # With our own buffer empty, later losses are after the dot.
        writable.set_write_buffer_limits(high=0)
        self.writer = asyncio.StreamWriter(writable, protocol, None, asyncio.get_running_loop())
        self.writer.write(_LEADING_DOT.sub(b"..", content))
        await self.writer.drain()
        await asyncio.sleep(0)
        if not self.client.is_connected:
            raise SMTPServerDisconnected("Connection lost")


def _local_address(client: SMTP) -> str:
    """Return the local address of a connection."""
    name = client.transport.get_extra_info("sockname") if client.transport is not None else None
    return str(name[0]) if isinstance(name, tuple) else "127.0.0.1"


def _certificate_problem(error: BaseException | None) -> str:
    """Return why a certificate was refused, from the chain of causes; empty if that is not the cause."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""


_PATIENCE_S = 5.0
"""Seconds to wait for the resolver, so that it does not delay the mail."""


async def greeting(chosen: str | None, local_address: str) -> str:
    """
    Return the name to greet with.

    Args:
        chosen: The setting, which takes precedence.
        local_address: The local address of the connection.
    """
    if chosen:
        return chosen
    try:
        async with asyncio.timeout(_PATIENCE_S):
            name = (await asyncio.to_thread(socket.getfqdn)).rstrip(".")
    except (TimeoutError, OSError, UnicodeError):
        name = ""
    return name if is_greeting(name) else address_literal(local_address)
