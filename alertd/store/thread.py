"""The thread that owns the store: all calls run there, one after another, outside the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from alertd.store.store import Store

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class StoreThread:
    """A store that is opened, used and closed in its own thread."""

    def __init__(self, executor: ThreadPoolExecutor, store: Store) -> None:
        self._executor = executor
        self._store = store

    @classmethod
    async def start(cls, opener: Callable[[], Store]) -> "StoreThread":
        """
        Start the thread and open the store in it.

        Raises:
            StoreError: As the opener; the thread has ended then.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        opening = executor.submit(opener)
        try:
            store = await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            # The opening cannot be interrupted: close the store afterwards, in its own thread.
            executor.submit(lambda: opening.result().close())
            executor.shutdown(wait=False)
            raise
        except BaseException:
            executor.shutdown()
            raise
        return cls(executor, store)

    async def call(
        self, function: Callable[Concatenate[Store, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """
        Run `function(store, *args)` in the thread and return what it returns.

        A caller that is cancelled while it waits in line takes its call back; one that has begun runs to its end, so a
        transaction is never cut. What comes back must not read the store later: return lists, not iterators.
        """
        task = partial(function, self._store, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, task)

    async def close(self) -> None:
        """Finish queued calls, close the store, end the thread; later calls raise RuntimeError."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._store.close)
        self._executor.shutdown()
