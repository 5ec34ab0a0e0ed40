"""What each status and reason of the API means, and how long is waited before a request is made again."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from alertd.errors import (
    ApiCategoryUnknown,
    ApiError,
    ApiKeyRefused,
    ApiRequestRefused,
    ApiThrottled,
    ApiUnavailable,
)
from alertd.novita.refusal import RangeRefused, Refusal, error_of, read_refusal
from alertd.novita.retry import BASE_WAIT_S, FAILURE_ATTEMPTS, MAX_WAIT_S, THROTTLE_ATTEMPTS, jittered_s, retry

BY_STATUS: dict[int, type[ApiError]] = {
    300: ApiRequestRefused,
    308: ApiRequestRefused,
    399: ApiRequestRefused,
    400: RangeRefused,
    401: ApiKeyRefused,
    402: ApiRequestRefused,
    403: ApiKeyRefused,
    404: ApiRequestRefused,
    408: ApiUnavailable,
    409: ApiRequestRefused,
    425: ApiUnavailable,
    429: ApiThrottled,
    499: ApiRequestRefused,
    500: ApiUnavailable,
    503: ApiUnavailable,
    599: ApiUnavailable,
}
"""What a status means where no reason says more."""
BY_REASON: dict[str, type[ApiError]] = {
    "FAILED_TO_AUTH": ApiKeyRefused,
    "INVALID_API_KEY": ApiKeyRefused,
    "ACCESS_DENY": ApiKeyRefused,
    "LIST_BILL_TOO_FAST": ApiThrottled,
    "RATE_LIMIT_EXCEEDED": ApiThrottled,
    "INVALID_PRODUCT_CATEGORY": ApiCategoryUnknown,
    "LIST_BILL_ERROR": ApiUnavailable,
}
"""What a reason means, whatever the status: proxies and brands change that more readily."""


def error(status: int, reason: str = "", *, retry_after: timedelta | None = None) -> ApiError:
    return error_of(
        Refusal(status=status, reason=reason, message="words"),
        account="prod",
        what="gpu bills",
        parameters="cycleType=Hour",
        key_source="NOVITA_KEY",
        retry_after=retry_after,
    )


@pytest.mark.parametrize("status", BY_STATUS)
def test_refusal_when_only_its_status_says_something_then_one_kind_of_error(status: int) -> None:
    """The kind decides whether it is tried again, read in shorter pieces, or shown to who has to fix it."""
    assert type(error(status)) is BY_STATUS[status]


@pytest.mark.parametrize("reason", BY_REASON)
@pytest.mark.parametrize("status", [400, 418, 302])
def test_refusal_when_it_has_a_reason_then_that_counts_before_the_status(reason: str, status: int) -> None:
    """A key that is refused with a 400 is no range that is too long."""
    assert type(error(status, reason)) is BY_REASON[reason]


def test_refusal_when_it_is_of_the_cycle_then_no_shorter_range_is_tried() -> None:
    """The same request with another range would be refused alike, piece by piece."""
    assert type(error(400, "INVALID_BILL_CYCLE")) is ApiRequestRefused


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        pytest.param(403, "", "key refused (403 words); set NOVITA_KEY to a valid key", id="a key, in a proxy's words"),
        pytest.param(401, "ACCESS_DENY", "key refused (401 ACCESS_DENY); set NOVITA_KEY to a valid key", id="a key"),
        pytest.param(404, "", "request refused (404: words); asked cycleType=Hour; is base_url right?", id="no page"),
        pytest.param(409, "X", "request refused (409 X: words); asked cycleType=Hour", id="anything else"),
        pytest.param(500, "", "the API failed (500: words)", id="a failure"),
    ],
)
def test_refusal_then_its_text_says_what_to_do(status: int, reason: str, text: str) -> None:
    """Each names what its reader can change."""
    assert error(status, reason).brief == text


def test_refusal_when_it_asks_to_wait_then_the_wait_is_kept_and_said() -> None:
    """Whoever waits goes by it."""
    found = error(429, retry_after=timedelta(seconds=7))
    assert isinstance(found, ApiThrottled)
    assert (found.retry_after, found.brief) == (timedelta(seconds=7), "too many requests (429: words), wait 7 s")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b'{"message": "first", "error": "second"}', "first", id="both: the message is for people"),
        pytest.param(b'{"message": "", "error": "second"}', "second", id="an empty message says nothing"),
        pytest.param(b'{"error": "second"}', "second", id="an error alone"),
        pytest.param(b'{"detail": "third"}', "", id="neither"),
        pytest.param(b"<h1>502 Bad Gateway</h1>\n<hr>nginx", "502 Bad Gateway nginx", id="a proxy's page"),
        pytest.param(
            b"<STYLE type='a'>\n b { color: red }\n</STYLE >Sorry<script>\nvar a = '<b>';\n</script\n>!",
            "Sorry !",
            id="a page with styles and scripts over several lines, which say nothing",
        ),
        pytest.param(b"<p\nclass='x'>one<br\n/>two", "one two", id="tags over several lines"),
        pytest.param(b"\xff\xfe bad \n\n gateway", "\ufffd\ufffd bad gateway", id="no UTF-8"),
        pytest.param(b"", "", id="nothing"),
    ],
)
def test_refusal_when_read_then_the_message_comes_first(body: bytes, message: str) -> None:
    assert read_refusal(400, body).message == message


# --- waits -----------------------------------------------------------------------------------------------------------


class Longest(random.Random):
    """Draws the longest wait that may be drawn."""

    def uniform(self, a: float, b: float) -> float:
        assert a == 0
        return b


@pytest.mark.parametrize(
    ("failures", "longest"),
    [(1, BASE_WAIT_S), (2, 2 * BASE_WAIT_S), (3, 4 * BASE_WAIT_S), (4, 8 * BASE_WAIT_S), (5, MAX_WAIT_S), (9, 8.0)],
)
def test_wait_when_failures_go_on_then_it_doubles_up_to_a_bound(failures: int, longest: float) -> None:
    """Clients that come back at once keep down what is about to recover."""
    assert jittered_s(failures, Longest()) == longest


def throttled(*waits: float | None) -> Iterator[ApiError]:
    for wait in waits:
        after = timedelta(seconds=wait) if wait is not None else None
        yield ApiThrottled("slow", account="prod", what="gpu", retry_after=after)


async def attempts(*errors: ApiError) -> tuple[str, list[float]]:
    """How a call ends whose attempts fail so and then succeed, and how long was waited before each further one."""
    waits: list[float] = []
    left = list(errors)

    async def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    try:
        return await retry(attempt, sleep=sleep, rng=Longest()), waits
    except ApiError as error:
        return type(error).__name__, waits


FAILED = ApiUnavailable("502", account="prod", what="gpu")


@pytest.mark.parametrize(
    ("errors", "outcome", "waits"),
    [
        pytest.param([FAILED] * (FAILURE_ATTEMPTS - 1), "done", [0.5, 1.0], id="failures that pass"),
        pytest.param([FAILED] * FAILURE_ATTEMPTS, "ApiUnavailable", [0.5, 1.0], id="failures that go on"),
        pytest.param(
            [*throttled(*[None] * (THROTTLE_ATTEMPTS - 1))], "done", [0.5, 1.0, 2.0, 4.0], id="throttled, and let in"
        ),
        pytest.param(
            [*throttled(*[None] * THROTTLE_ATTEMPTS)], "ApiThrottled", [0.5, 1.0, 2.0, 4.0], id="throttled for good"
        ),
        pytest.param([*throttled(30, 30)], "done", [30, 30], id="as long as it asks, a minute in all"),
        pytest.param([*throttled(30, 31)], "ApiThrottled", [30], id="all waits together count, not each"),
        pytest.param([*throttled(61)], "ApiThrottled", [], id="what would take too long is not begun"),
        pytest.param(
            [FAILED, *throttled(None, 5), FAILED], "done", [0.5, 0.5, 5, 1.0], id="each kind counts for itself"
        ),
        pytest.param([ApiKeyRefused("403", account="prod", what="gpu")], "ApiKeyRefused", [], id="what no wait cures"),
    ],
)
async def test_request_when_it_fails_then_made_again_after_such_waits(
    errors: list[ApiError], outcome: str, waits: list[float]
) -> None:
    """A poll must neither give up at a hiccup nor hold up the other categories."""
    assert await attempts(*errors) == (outcome, waits)
