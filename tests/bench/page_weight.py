"""
Cost of the status page with 500 owners and a year of history; run by hand: `python -m tests.bench.page_weight`.

Bytes over the wire with every file that the page loads, the server's time, and the time until Chromium has drawn it.
Not collected: its figures depend on the machine.
"""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

import aiohttp
import numpy as np

from alertd.clock import monotonic_s
from alertd.core.hours import HourRange, midnight_before
from alertd.core.spend.bill import PRODUCT_CATEGORIES, BillRows, Series
from alertd.history.backfill import Backfill, plan_backfill
from tests.browser import CHROMIUM, running_chromium, tab
from tests.core.builders import NOW, RUNNING, bill_rows
from tests.web.house import RULES, Account, House, house

OWNERS = 500
DAYS = 365
PATHS = ("/", "/?by=owner", "/?window=365d&by=owner", "/?window=24h&by=product", "/spend?window=365d&by=owner")
BUDGETS = """
  - name: team-budgets
    type: budget
    period: month
    group_by: [owner]
    amount: 300
    thresholds: {warning: 80%}
    forecast: {warning: 100%}
"""


class Year(Account):
    """An API with a row for every owner and hour of a year."""

    days = DAYS

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        if category != "gpu":
            return bill_rows([])
        hours = np.arange(max(span.start, RUNNING - 24 * self.days), min(span.end, RUNNING), dtype=np.int32)
        count = len(hours) * OWNERS
        random = np.random.default_rng(len(hours))
        amount = random.integers(10**9, 10**10, count)
        return BillRows(
            names=tuple(
                Series("default", "gpu", "gpu", f"gpu-{n}", f"H{n % 7}00", "p", "on-demand") for n in range(OWNERS)
            ),
            hour=np.repeat(hours, OWNERS),
            span=np.ones(count, np.int32),
            series=np.tile(np.arange(OWNERS, dtype=np.int32), len(hours)),
            amount=amount,
            voucher=np.zeros(count, np.int64),
            pay=amount,
        )


async def _timed(home: House, path: str) -> tuple[float, float, int]:
    """Return the seconds of the first and of the second answer, and the bytes of the second."""
    took = []
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for _ in range(2):
            started = monotonic_s()
            headers = {"Accept": "text/html", "Accept-Encoding": "gzip"}
            async with session.get(f"{home.url}{path}", headers=headers) as answer:
                body = await answer.read()
            took.append(monotonic_s() - started)
    return took[0], took[1], len(body)


async def fill(home: House, days: int = DAYS) -> None:
    """Read all days into the store, as `alertd backfill` does, then let the daemon poll once."""
    state = await home.app.gateway.load()
    span = HourRange(midnight_before(RUNNING) - 24 * days, RUNNING + 1)
    keys = [("default", category) for category in PRODUCT_CATEGORIES]
    plan = plan_backfill(state.books, keys, span, now=NOW, settle_delay=timedelta(hours=2))
    accounts = {"default": home.account}
    reading = Backfill(
        store=home.app.gateway, state=state, accounts=accounts, on_read=lambda _: None, now=NOW - timedelta(hours=1)
    )
    await reading.run(plan)
    home.app.cycle.forget()
    await home.poll()


async def main() -> None:
    """Print one line per measurement."""
    with tempfile.TemporaryDirectory() as folder:
        async with house(Path(folder), account=Year(), rules=f"{RULES}{BUDGETS}", polls=0) as home:
            await fill(home)
            for path in PATHS:
                first, second, size = await _timed(home, path)
                print(f"{path:<34} {first * 1000:6.0f} ms first, {second * 1000:5.0f} ms again, {size / 1000:6.1f} kB")  # noqa: T201
            if not CHROMIUM:
                return
            with running_chromium() as chromium:
                for path in PATHS:
                    async with tab(chromium) as page:
                        await page.open(f"{home.url}{path}")
                        drawn = await page.run("performance.timing.domComplete - performance.timing.navigationStart")
                        received = page.bytes_received / 1000
                        print(f"{path:<34} {drawn:6.0f} ms to a drawn page, {received:6.1f} kB in all")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
