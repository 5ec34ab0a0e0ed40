"""When the next attempt is due."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.notify.delivery.backoff import GIVE_UP_AFTER, is_spent, next_attempt
from tests.core.builders import HOUR, NOW

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("attempts", "longest_s"),
    [(1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 300), (20, 300), (10**6, 300)],
)
def test_next_attempt_when_repeated_then_doubled_up_to_five_minutes(attempts: int, longest_s: int) -> None:
    """A receiver that is down must not be hammered, and is tried soon after it is back."""
    nearly = next_attempt(attempts, NOW, retry_after=None, jitter=1.0) - NOW
    assert nearly == longest_s * SECOND
    assert next_attempt(attempts, NOW, retry_after=None, jitter=0.5) - NOW == longest_s * SECOND / 2
    assert next_attempt(attempts, NOW, retry_after=None, jitter=0.0) == NOW


@pytest.mark.parametrize(
    ("retry_after", "jitter", "wait"),
    [
        pytest.param(30 * SECOND, 0.0, 30 * SECOND, id="the server's wait is a floor"),
        pytest.param(1 * SECOND, 1.0, 2 * SECOND, id="our own wait where it is longer"),
        pytest.param(5 * HOUR, 0.5, HOUR, id="no server may ask for more than an hour"),
        pytest.param(-5 * SECOND, 0.0, 0 * SECOND, id="a date that is past"),
    ],
)
def test_next_attempt_when_the_server_asks_to_wait_then_not_before(
    retry_after: timedelta, jitter: float, wait: timedelta
) -> None:
    """Retry-After is honoured, within reason."""
    assert next_attempt(1, NOW, retry_after=retry_after, jitter=jitter) - NOW == wait


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True), st.none() | st.timedeltas())
def test_next_attempt_when_anything_is_asked_then_within_bounds(
    attempts: int, jitter: float, retry_after: timedelta | None
) -> None:
    """Neither in the past nor after more than an hour."""
    assert NOW <= next_attempt(attempts, NOW, retry_after=retry_after, jitter=jitter) <= NOW + HOUR


def test_is_spent_when_72_hours_have_passed_then_so() -> None:
    """The boundary itself is spent; without an attempt nothing is."""
    assert is_spent(NOW, NOW + GIVE_UP_AFTER)
    assert not is_spent(NOW, NOW + GIVE_UP_AFTER - SECOND)
    assert not is_spent(None, NOW)
    assert GIVE_UP_AFTER == 72 * HOUR
