"""
An executor that runs each task immediately in the caller's thread.

The daemon hands work to threads to keep its loop free; a test has nothing else to do meanwhile, and handing it over
costs more than the work itself.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(ThreadPoolExecutor):
    """Replaces a thread pool, and never starts a thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the task now; the returned future has its outcome."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 -- whoever awaits it gets it, as from a thread
            future.set_exception(error)
        return future
