"""What must hold of spend: it is equal to the last digit, for each owner of whom all is known."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.oracle_bills import Group
from tests.simulation.plan import HOUR_S
from tests.simulation.rules import BY_TEAM, PAID


def check_spend(life: Any, groups: Mapping[tuple[str, str | None], Group], start_s: float) -> Iterator[str]:
    """
    Yield what is wrong after a cycle.

    Args:
        start_s: When the plan starts, as a timestamp.
    """
    found = life.spend()
    if found is None:
        # Everything was forgotten after the cycle, to be read from the store at the next one.
        return
    first, said = found
    first -= int(start_s) // HOUR_S
    for category, owner in sorted(said.keys() - groups.keys()):
        yield f"{category} of {owner}: nobody billed it"
    for (category, owner), group in groups.items():
        if (
            owner is None
            or category.endswith((BY_TEAM, PAID))
            or not group.is_known
            or any(hour < first < hour + span for hour, span, _ in group.rows)
        ):
            continue
        exact = sum(amount for hour, _, amount in group.rows if hour >= first)
        found_sum = said.get((category, owner), 0)
        if found_sum != exact:
            yield f"{category} of {owner}: {found_sum} in place of {exact} (1e-10 USD) from hour {first} on"
