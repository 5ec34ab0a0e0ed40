"""Whose answer is read next: the first account first, and none waits for one that is silent."""

import asyncio

from alertd.settings.outgoing.turns import PATIENCE_S, Turn, Turns
from tests.soak.loop import HastyLoop


def test_turns_when_some_wait_then_the_account_that_joined_first_goes_first() -> None:
    """Read in rounds, three hundred accounts connected anew for each request: nobody keeps a connection so long."""

    async def life() -> list[str]:
        turns, came = Turns(1), list[str]()
        first, second = turns.join(), turns.join()

        async def read(name: str, rank: int) -> None:
            async with Turn(turns, rank):
                came.append(name)
                await asyncio.sleep(0)

        async with Turn(turns, second), asyncio.TaskGroup() as group:
            for name, rank in (("c", second), ("a", first), ("d", second), ("b", first)):
                group.create_task(read(name, rank))
                await asyncio.sleep(0)
            gone = asyncio.ensure_future(read("gone", first))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
            turns.give()
            await turns.take(second)
        return came

    assert asyncio.run(life())[:2] == ["a", "b"]


def test_turn_when_nothing_comes_then_another_has_it_and_it_goes_on_in_turn() -> None:
    """Sixteen silent accounts held every turn for half a minute, and nobody else's bills were read."""
    loop = HastyLoop()

    async def life() -> list[tuple[str, float]]:
        turns, came = Turns(1), list[tuple[str, float]]()
        answer = asyncio.Event()

        async def silent() -> None:
            async with Turn(turns, 0) as turn:
                turn.lend()
                await answer.wait()
                await turn.take()
                came.append(("silent", loop.time()))

        async def quick() -> None:
            async with Turn(turns, 1):
                came.append(("quick", loop.time()))
                answer.set()
                await asyncio.sleep(5)

        await asyncio.gather(silent(), quick())
        return came

    try:
        assert loop.run_until_complete(life()) == [("quick", PATIENCE_S), ("silent", PATIENCE_S + 5)]
    finally:
        loop.close()
