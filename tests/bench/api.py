"""
A billing API of many accounts as a process of its own: `python -m tests.bench.api OWNERS DAYS DELAY_MS`.

Its bills follow from account, owner and hour alone, so that each answer is true whenever it is asked for. The account
whose key ends `-silent` is never answered, and the one whose key ends `-refused` always with 401.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

CATEGORIES = ("gpu", "llm", "serverless", "gen_api", "bare_metal")
HOUR = 3600
_ACCOUNT = b"@@"
_PART_BYTES = 256 * 1024
"""Bytes sent at a time: a part for each hour would cost the client more than the rows do."""
_ROW = (
    '{{"userId":"u-1","startTime":"{start}","endTime":"{end}","billingMethod":"1","productName":"H100 SXM 80GB",'
    '"category":"Compute","ownerID":"{owner}","billNum0":"1","basePrice0":"25000","amount":"{whole}",'
    '"voucherAmount":"{voucher}","payAmount":"{paid}","pricePrecision":"4","productId":"prod-{product}",'
    '"amountDecimal":"{whole_usd}","voucherAmountDecimal":"{voucher_usd}","payableDecimal":"{paid_usd}"}}'
)


class Api:
    """The answers."""

    def __init__(self, owners: int, days: int, delay_s: float) -> None:
        self._owners, self._days, self._delay_s = owners, days, delay_s
        self.requests = 0
        self._rendered: dict[tuple[int, int], bytes] = {}

    def application(self) -> web.Application:
        """Return what serves them."""
        found = web.Application()
        found.router.add_get("/asked", self._asked)
        found.router.add_get("/openapi/v1/billing/bill/list", self._bills)
        found.router.add_get("/openapi/v1/billing/{rest:.*}", self._nothing)
        return found

    async def _asked(self, _: web.Request) -> web.Response:
        return web.json_response(self.requests)

    async def _wait(self, request: web.Request) -> bool:
        self.requests += 1
        key = request.headers.get("Authorization", "")
        await asyncio.sleep(3600 if key.endswith("-silent") else self._delay_s)
        return key.endswith("-refused")

    async def _nothing(self, request: web.Request) -> web.Response:
        if await self._wait(request):
            return web.json_response({"code": 401, "reason": "FAILED_TO_AUTH", "message": "no"}, status=401)
        if request.path.endswith("/monthly/bill"):
            return web.json_response({"data": []})
        return web.json_response({"code": 404, "reason": "NOT_FOUND", "message": "no"}, status=404)

    async def _bills(self, request: web.Request) -> web.StreamResponse:
        if await self._wait(request):
            return web.json_response({"code": 401, "reason": "FAILED_TO_AUTH", "message": "no"}, status=401)
        query, account = request.query, request.headers["Authorization"].rpartition("-")[2]
        now = int(time.time())  # noqa: TID251 -- the API has a clock of its own
        first = max(int(query["startTime"]), now - self._days * 24 * HOUR) // HOUR
        last = min(int(query["endTime"]), now) // HOUR
        number = CATEGORIES.index(query["productCategory"]) if query["productCategory"] in CATEGORIES else None
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        part, name = bytearray(b'{"bills":['), account.encode()
        for hour in range(first, last + 1) if number is not None else ():
            part += self._hour(number or 0, hour).replace(_ACCOUNT, name) + (b"," if hour < last else b"")
            if len(part) > _PART_BYTES:
                await answer.write(part)
                part = bytearray()
        await answer.write(part + b"]}")
        return answer

    def _hour(self, category: int, hour: int) -> bytes:
        """Return the rows of an hour, alike for each account, so that the API takes little beside alertd."""
        if (category, hour) not in self._rendered:
            rows = [_row(owner, hour) for owner in range(category, self._owners, len(CATEGORIES))]
            self._rendered[category, hour] = ",".join(rows).encode()
        return self._rendered[category, hour]


def _row(owner: int, hour: int) -> str:
    units = 10_000_000_000 + (owner * 7919 + hour * 104_729) % 30_000_000_000
    voucher = units // 3 if (owner + hour) % 5 == 0 else 0
    amounts = (units, voucher, units - voucher)
    whole, voucher_text, paid = (str(each // 10**6) for each in amounts)
    usd = [f"{each // 10**10}.{each % 10**10:010d}" for each in amounts]
    return _ROW.format(
        start=hour * HOUR,
        end=hour * HOUR + HOUR - 1,
        owner=f"{_ACCOUNT.decode()}-{owner}",
        product=owner % 40,
        whole=whole,
        voucher=voucher_text,
        paid=paid,
        whole_usd=usd[0],
        voucher_usd=usd[1],
        paid_usd=usd[2],
    )


@contextmanager
def serving(*, owners: int, days: int, delay_ms: int = 0) -> Iterator[str]:
    """Run the API for a block; yield its URL."""
    command = [sys.executable, "-m", "tests.bench.api", str(owners), str(days), str(delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip()
        finally:
            child.terminate()


async def _serve(owners: int, days: int, delay_ms: int) -> None:
    runner = web.AppRunner(Api(owners, days, delay_ms / 1000).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
