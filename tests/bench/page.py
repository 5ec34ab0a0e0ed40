"""How long the status page takes to answer while the daemon polls and evaluates."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import numpy as np

from alertd.clock import monotonic_s
from tests.bench import page_weight
from tests.bench.measure import Row
from tests.web.house import RULES, House, house

BUDGETS, DAYS = 50, 45
ANSWERS = 100
PAUSE_S = 0.5
_BUDGET = page_weight.BUDGETS.replace("name: team-budgets", "name: budget-{n}").replace(
    "amount: 300", "amount: {amount}"
)
FLOOR = "/healthz"


class Month(page_weight.Year):
    """The same for the days that a forecast knows."""

    days = DAYS


def answers() -> Iterator[Row]:
    """The overview of 500 owners and 50 budgets with forecasts, asked for over and over while polls go on."""
    slow, floor = asyncio.run(_measured())
    what = f"500 owners x {BUDGETS} budgets with forecasts, p99 of {ANSWERS} answers while polls go on; floor: {FLOOR}"
    yield Row(name="page, p99", what=what, floor_ms=floor, alertd_ms=slow, target="60 ms")


async def _measured() -> tuple[float, float]:
    budgets = "".join(_BUDGET.replace("{n}", str(n)).replace("{amount}", str(100 + 20 * n)) for n in range(BUDGETS))
    with tempfile.TemporaryDirectory() as folder:
        async with house(Path(folder), account=Month(), rules=f"{RULES}{budgets}", polls=0) as home:
            await page_weight.fill(home, DAYS)
            polls = asyncio.create_task(_poll(home))
            async with aiohttp.ClientSession() as session:
                await _took(session, f"{home.url}/")
                took = [[await _took(session, f"{home.url}{path}") for path in ("/", FLOOR)] for _ in range(ANSWERS)]
            polls.cancel()
            await asyncio.gather(polls, return_exceptions=True)
    slow, floor = np.quantile(np.array(took), 0.99, axis=0)
    return float(slow), float(floor)


async def _poll(home: House) -> None:
    while True:
        await home.poll()
        await asyncio.sleep(PAUSE_S)


async def _took(session: aiohttp.ClientSession, url: str) -> float:
    """Return for how many milliseconds an answer was waited for."""
    started = monotonic_s()
    async with session.get(url, headers={"Accept": "text/html"}) as answer:
        await answer.read()
    return (monotonic_s() - started) * 1000
