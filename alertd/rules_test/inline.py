"""
An executor that does each task at once in the caller's thread.

The daemon hands work to threads so that its loop stays free; a test has nothing else to do meanwhile, and a hand-over
costs more than the work.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(ThreadPoolExecutor):
    """Takes the place of a pool of threads, and never starts one."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the task now; its outcome is in the future that is returned."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 -- whoever awaits it gets it, as from a thread
            future.set_exception(error)
        return future
