"""The shortest plan that still goes wrong in the same way: leave things out, in halves, then one by one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.plan import DAY_S, Plan
from tests.simulation.run import run_plan
from tests.simulation.violation import Violation

MOST_RUNS = 250
ItemT = TypeVar("ItemT")


def shrink(plan: Plan, violation: Violation) -> Plan:
    """
    Return a plan from which nothing more can be left out without what was violated.

    Args:
        plan: What it happens in.
        violation: The first of the kind: what comes after its day is left out at once.
    """
    runs = 0

    def fails(candidate: Plan) -> bool:
        nonlocal runs
        runs += 1
        return runs <= MOST_RUNS and any(
            map(violation.is_like, run_plan(candidate, until=violation.is_like).violations)
        )

    simpler: tuple[Callable[[Plan], Plan], ...] = (
        lambda plan: replace(plan, days=min(plan.days, int(violation.at_s // DAY_S) + 1)),
        lambda plan: replace(plan, has_second=False),
        lambda plan: replace(plan, zone="UTC"),
    )
    for simplify in simpler:
        candidate = simplify(plan)
        if candidate != plan and fails(candidate):
            plan = candidate
    plan = replace(plan, events=_least(plan.events, lambda events: fails(replace(plan, events=events))))
    plan = replace(plan, others=_least(plan.others, lambda names: fails(replace(plan, others=names))))
    # A file without rules is none.
    rolling = _least(plan.rolling, lambda names: bool(names) and fails(replace(plan, rolling=names)))
    return replace(plan, rolling=rolling)


def _least(items: tuple[ItemT, ...], fails: Callable[[tuple[ItemT, ...]], bool]) -> tuple[ItemT, ...]:
    return tuple(shortest(list(items), lambda left: fails(tuple(left))))


def shortest(items: list[ItemT], fails: Callable[[Sequence[ItemT]], bool]) -> list[ItemT]:
    """Leave out ever smaller parts of a list for as long as the rest fails."""
    size = max(1, len(items) // 2)
    while items:
        start, is_less = 0, False
        while start < len(items):
            candidate = items[:start] + items[start + size :]
            if fails(candidate):
                items, is_less = candidate, True
            else:
                start += size
        if size == 1 and not is_less:
            break
        size = max(1, size // 2)
    return items
