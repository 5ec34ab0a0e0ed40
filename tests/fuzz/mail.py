"""What a mail server replies, command by command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import mock

from alertd.notify.base import Delivered
from alertd.notify.email import smtp
from alertd.notify.email.notifier import EmailConfig, EmailNotifier
from tests.builders import FakeContext, envelope
from tests.fuzz.engine import Entrance

_PATIENCE_S = 0.5
"""A server that waits for more while the notifier waits for it is no find."""
_SEEDS = [
    b"220 mail.test\n250-mail.test\r\n250-SIZE 1000000\r\n250 8BITMIME\n250 OK\n250 OK\n354 go\n250 queued\n221 bye",
    b"220 mail.test\n250 OK\n250 OK\n550 5.1.1 no such user\n503 no\n221 bye",
    b"421 4.3.2 try later",
    b"220 mail.test\n502 no\n250 mail.test\n250 OK\n450 4.2.0 greylisted\n250 OK",
    b"220 mail.test\n250 OK\n250 OK\n250 OK\n354 go\n552 5.3.4 too big",
]


@asynccontextmanager
async def mail_answers() -> AsyncIterator[Entrance]:
    """
    Open a server that replies with the input's lines in turn, and a notifier that writes to it.

    A line without a carriage return is a whole reply; with one, more of the same reply follows. After the last it cuts.
    """
    replies: list[bytes] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            is_data = False
            for reply in replies:
                writer.write(reply + b"\r\n")
                await writer.drain()
                is_data = reply.startswith(b"354")
                while (line := await reader.readline()) and is_data and line != b".\r\n":
                    pass
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = {"smtp_host": "127.0.0.1", "smtp_port": str(port), "smtp_security": "none", "smtp_from": "a@example.com"}
    notifier = EmailNotifier("mail", EmailConfig(to=("dana@example.com",)), FakeContext(settings=settings))

    async def take(data: bytes) -> str:
        replies[:] = _replies(data)
        outcome = await notifier.send(envelope(recipient="dana@example.com"))
        assert not isinstance(outcome, Delivered) or any(b"250" in reply for reply in replies), outcome
        return f"{type(outcome).__name__} {getattr(outcome, 'reason', '')}"

    async with server:
        with mock.patch.multiple(smtp, BEFORE_DOT_S=_PATIENCE_S, AFTER_DOT_S=_PATIENCE_S):
            yield Entrance(name="mail-answers", seeds=_SEEDS, take=take, few=3)
        await notifier.close()


def _replies(data: bytes) -> list[bytes]:
    whole: list[bytes] = []
    for line in data.split(b"\n"):
        if whole and whole[-1].endswith(b"\r"):
            whole[-1] += b"\n" + line
        else:
            whole.append(line)
    return whole
