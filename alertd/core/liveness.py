"""
Whether the daemon is stuck: one judgement for `/healthz`, the heartbeat and the service manager's watchdog.

It judges whether the parts still move, never whether all is well: an API that fails or a receiver that refuses is told
by `/readyz`, and a restart would mend neither. Ages are of a clock that never steps, so that setting the system clock
makes nothing stuck.
"""

from dataclasses import dataclass
from datetime import timedelta

CYCLE_DEADLINE = timedelta(minutes=30)
"""A cycle that takes longer hangs: each of its requests has a much shorter deadline of its own."""
CYCLE_SLACK = timedelta(minutes=5)
"""How long a cycle may wait for its turn, or take to be cancelled."""
STORE_PATIENCE = timedelta(minutes=5)
"""Pruning or loading more than a year of hours takes seconds, on a slow disk a minute; nothing else takes as long."""
SENDING_PATIENCE = timedelta(minutes=15)
"""What may be sent is tried within a minute; attempts have deadlines of half a minute."""
_POLLS_MISSED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What was seen of the parts that move; ages on a clock that never steps."""

    since_cycle: timedelta
    """Since the last cycle was rung for, or the service began."""
    cycle_runs: bool
    store_silent: timedelta
    """How long a question to the store has waited for its answer; zero where none waits."""
    longest_due: timedelta
    """How long the same notification has been first in its lane and due, without an attempt; zero where none is."""


def stuck(signs: Signs, *, poll_interval: timedelta) -> tuple[str, ...]:
    """Return what is stuck, in words and without figures; nothing where all parts move."""
    reasons = []
    if signs.cycle_runs and signs.since_cycle > CYCLE_DEADLINE + CYCLE_SLACK:
        reasons.append("polling: a cycle does not end")
    elif not signs.cycle_runs and signs.since_cycle > _POLLS_MISSED * poll_interval + CYCLE_SLACK:
        reasons.append("polling: no cycle begins")
    if signs.store_silent > STORE_PATIENCE:
        reasons.append("store: it does not answer")
    if signs.longest_due > SENDING_PATIENCE:
        reasons.append("sending: what is due is not tried")
    return tuple(reasons)
