"""What counts as stuck, and what only takes its time."""

from datetime import timedelta

import pytest

from alertd.daemon.watchdog import (
    CYCLE_DEADLINE,
    CYCLE_SLACK,
    SENDING_PATIENCE,
    STORE_PATIENCE,
    Signs,
    stuck,
)

POLL = timedelta(minutes=10)
SECOND = timedelta(seconds=1)
ENDLESS, UNRUNG = ("polling: a cycle does not end",), ("polling: no cycle begins",)
MUTE, UNTRIED = ("store: it does not answer",), ("sending: what is due is not tried",)
TWO_POLLS = 2 * POLL + CYCLE_SLACK


def signs(
    since_cycle: timedelta = SECOND,
    *,
    runs: bool = False,
    silent: timedelta = timedelta(),
    due: timedelta = timedelta(),
) -> Signs:
    return Signs(since_cycle=since_cycle, cycle_runs=runs, store_silent=silent, longest_due=due)


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        pytest.param(signs(), (), id="all moves"),
        pytest.param(signs(CYCLE_DEADLINE + CYCLE_SLACK, runs=True), (), id="a cycle may wait for its turn"),
        pytest.param(signs(CYCLE_DEADLINE + CYCLE_SLACK + SECOND, runs=True), ENDLESS, id="a cycle past its deadline"),
        pytest.param(signs(TWO_POLLS, runs=True), (), id="a cycle longer than its interval"),
        pytest.param(signs(TWO_POLLS), (), id="two intervals without a cycle may be a clock that was set"),
        pytest.param(signs(TWO_POLLS + SECOND), UNRUNG, id="more is a scheduler that stands"),
        pytest.param(signs(silent=STORE_PATIENCE), (), id="pruning takes its time"),
        pytest.param(signs(silent=STORE_PATIENCE + SECOND), MUTE, id="a store that never answers"),
        pytest.param(signs(due=SENDING_PATIENCE), (), id="due, and waiting for its lane"),
        pytest.param(signs(due=SENDING_PATIENCE + SECOND), UNTRIED, id="due for long and not tried"),
        pytest.param(
            signs(10 * POLL, runs=True, silent=10 * POLL, due=10 * POLL), ENDLESS + MUTE + UNTRIED, id="everything"
        ),
    ],
)
def test_stuck_when_signs_are_seen_then_only_what_moves_no_more(seen: Signs, found: tuple[str, ...]) -> None:
    """A restart for what only takes its time would do harm; none for what never ends would too."""
    assert stuck(seen, poll_interval=POLL) == found
