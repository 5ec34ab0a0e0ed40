"""What an answer may grow to is bounded, however often it was compressed; over a real socket."""

import asyncio
import gzip
import random

import pytest

from alertd.clock import utc_now
from alertd.errors import ApiError
from alertd.novita.transport import ApiRequest, Bounds, Transport
from alertd.settings.outgoing.connections import Outgoing


@pytest.mark.parametrize("coding", ["Content-Encoding: gzip, gzip", "Content-Encoding: gzip\r\nContent-Encoding: gzip"])
async def test_answer_when_compressed_twice_then_refused_before_it_is_unpacked(coding: str) -> None:
    """Each layer grows a thousandfold: the bound on the size would be asked when the memory is full."""
    body = gzip.compress(gzip.compress(b"{}"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\n{coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    transport = Transport(
        account="prod",
        api_key="canary-key",
        key_source="ALERTD_NOVITA_API_KEY",
        base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        transport=None,
        outgoing=Outgoing.from_environment({}),
        sleep=at_once,
        rng=random.Random(1),
        now=utc_now,
        hear=lambda *_: None,
        elapsed=lambda: 0.0,
        bounds=Bounds(),
    )
    request = ApiRequest(path="/bills", parameters={}, what="bills")
    try:
        with pytest.raises(ApiError, match="compressed more than once"):
            await transport.read_whole(request, bytes)
        with pytest.raises(ApiError, match="DecodingError"):
            await transport.read_beside(request, bytes)
        with pytest.raises(ApiError, match="DecodingError"):
            await transport.once("POST", "/stop", parameters={}, content=b"", limit=1 << 20)
    finally:
        await transport.close()
        server.close()
        await server.wait_closed()
