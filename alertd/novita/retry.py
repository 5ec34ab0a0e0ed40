"""
When a request to the API is retried, and when to give up.

Decides waits and attempts within one call; the next cycle is not its concern.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from alertd.core.retry_after import doubled_s
from alertd.errors import ApiThrottled, ApiUnavailable

FAILURE_ATTEMPTS = 3
THROTTLE_ATTEMPTS = 5
"""More attempts than for failures: throttling is the API working as designed."""

BASE_WAIT_S = 0.5
MAX_WAIT_S = 8.0
MAX_RETRY_AFTER = timedelta(seconds=60)
"""Maximum total wait; longer ones are left to the next cycle, since they would delay other categories and accounts."""

Result = TypeVar("Result")


async def retry(
    attempt: Callable[[], Awaitable[Result]], *, sleep: Callable[[float], Awaitable[None]], rng: random.Random
) -> Result:
    """
    Call *attempt* until it succeeds, with waits in between; other errors are raised at once.

    Raises:
        ApiUnavailable: It failed FAILURE_ATTEMPTS times.
        ApiThrottled: It was throttled THROTTLE_ATTEMPTS times, or asked for waits above MAX_RETRY_AFTER.
    """
    failures = throttles = 0
    waited = timedelta()
    while True:
        try:
            return await attempt()
        except ApiUnavailable:
            failures += 1
            if failures == FAILURE_ATTEMPTS:
                raise
            wait_s = jittered_s(failures, rng)
        except ApiThrottled as error:
            throttles += 1
            wait = error.retry_after
            waited += wait or timedelta()
            if throttles == THROTTLE_ATTEMPTS or waited > MAX_RETRY_AFTER:
                raise
            wait_s = jittered_s(throttles, rng) if wait is None else wait.total_seconds()
        await sleep(wait_s)


def jittered_s(failures: int, rng: random.Random) -> float:
    """Return an exponential wait with full jitter, so that clients that failed together do not retry together."""
    return rng.uniform(0, doubled_s(failures, first_s=BASE_WAIT_S, longest_s=MAX_WAIT_S))
