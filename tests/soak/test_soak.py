"""A month of the whole daemon, and what a soak would say of one that grows."""

import asyncio
from dataclasses import replace

import pytest

from tests.soak.loop import HastyLoop
from tests.soak.measure import Day
from tests.soak.run import Outcome

_DAY = Day(number=1, resident_bytes=100 << 20, descriptors=20, threads=4, tasks=12, store_bytes=1 << 20)


@pytest.mark.parametrize(
    ("what", "grown"),
    [
        ("memory", {"resident_bytes": 1 << 20}),
        ("descriptors", {"descriptors": 1}),
        ("threads", {"threads": 1}),
        ("tasks", {"tasks": 1}),
    ],
)
def test_soak_when_something_grows_by_a_little_each_day_then_a_fault(what: str, grown: dict[str, int]) -> None:
    """A soak that finds nothing looks like a daemon that keeps nothing."""

    def grows(number: int) -> Day:
        more = {name: getattr(_DAY, name) + by * number for name, by in grown.items()}
        return replace(_DAY, number=number, **more)

    assert Outcome(days=[_DAY] * 60).faults() == []
    (fault,) = Outcome(days=[grows(number) for number in range(60)]).faults()
    assert what in fault


def test_hasty_loop_when_a_thread_works_then_time_stands_still_and_else_does_not_wait() -> None:
    """A deadline that ends because a thread got no processor would be a fault of the test."""
    loop = HastyLoop()

    async def lived() -> float:
        async with asyncio.timeout(1):
            await asyncio.to_thread(sum, range(300_000))
        assert loop.time() < 1
        await asyncio.sleep(86_400)
        return loop.time()

    try:
        assert loop.run_until_complete(lived()) >= 86_400
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
