"""Calls a notifier within its deadline; whatever goes wrong in it, or in a plugin's code, gives an outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from alertd.log import get_logger
from alertd.notify.base import Editor, Envelope, Lookup, Mirror, Notifier, Outcome, Unknown

_Answer = TypeVar("_Answer", Outcome, Lookup)


async def attempt(notifier: Notifier, envelope: Envelope) -> Outcome:
    """Make one attempt within the notifier's deadline; without an answer it may have arrived."""

    async def send() -> Outcome:
        if envelope.edits and isinstance(notifier, Editor):
            return await notifier.edit(envelope)
        return await notifier.send(envelope)

    return await answered(notifier, send, Outcome, otherwise=Unknown, key=envelope.key)


async def answered(
    notifier: Notifier | Mirror,
    ask: Callable[[], Awaitable[_Answer]],
    kinds: object,
    *,
    otherwise: Callable[[str], _Answer],
    **facts: str,
) -> _Answer:
    """
    Call a notifier.

    A plugin's code may do anything: exit, cancel its own task, return an invalid answer. None of it goes
    further than this, but for a cancellation that somebody else asked for.

    Args:
        kinds: The valid types of an answer.
        otherwise: Makes an answer from the reason why there is none.
        facts: For the log.
    """
    deadline_s = cast("Notifier", notifier).deadline.total_seconds()
    try:
        async with asyncio.timeout(deadline_s):
            found = await ask()
    except TimeoutError:
        return otherwise(f"no answer within {deadline_s:.0f} s")
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        get_logger().exception("notifier failed", **facts)
        return otherwise(f"{type(error).__name__} in the notifier")
    if not isinstance(found, kinds):  # type: ignore[arg-type] # a union of classes, which Python takes
        get_logger().error("notifier returned no outcome", returned=type(found).__name__, **facts)
        return otherwise(f"the notifier returned {type(found).__name__}, which is not an outcome")
    return found
