"""The shortest plan that still goes wrong in the same way: leave things out, in halves, then one by one."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.simulation.plan import DAY_S, Event, Plan
from tests.simulation.run import run_plan

MOST_RUNS = 250


def shrink(plan: Plan, kind: str) -> Plan:
    """Return a plan from which nothing more can be left out without its violation of a kind."""
    first = min((one.at_s for one in run_plan(plan).violations if one.kind == kind), default=plan.days * DAY_S)
    runs = 0

    def fails(candidate: Plan) -> bool:
        nonlocal runs
        runs += 1
        return runs <= MOST_RUNS and any(one.kind == kind for one in run_plan(candidate).violations)

    shorter = replace(plan, days=min(plan.days, int(first // DAY_S) + 1))
    plan = shorter if fails(shorter) else plan

    def fails_with(events: Sequence[Event]) -> bool:
        return fails(replace(plan, events=tuple(events)))

    return replace(plan, events=tuple(shortest(list(plan.events), fails_with)))


def shortest(events: list[Event], fails: Callable[[Sequence[Event]], bool]) -> list[Event]:
    """Leave out ever smaller parts of a list for as long as the rest fails."""
    size = max(1, len(events) // 2)
    while True:
        start, is_less = 0, False
        while start < len(events):
            candidate = events[:start] + events[start + size :]
            if fails(candidate):
                events, is_less = candidate, True
            else:
                start += size
        if size == 1 and not is_less:
            return events
        size = max(1, size // 2)
