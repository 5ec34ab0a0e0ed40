"""The two ends of a rolling sum against a slow oracle, over made worlds whose categories lag, step and have gaps."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from alertd.core.hours import hour_of, start_of
from alertd.core.spend.edges import edges_of
from alertd.core.spend.ends import two_ends
from alertd.core.spend.selection import SpendQuery
from tests.core.builders import SETTLE, rolling
from tests.core.late_bills import FIRST, LateBills, Shown, at, daily, hourly, polls
from tests.core.truth_oracle import BilledRow, Oracle, Read
from tests.examples import how_many

DAYS = range(1, 9)
HOURS = range(FIRST, FIRST + 8 * 24)


def made_world(seed: int) -> list[Shown]:
    """Rows of several owners in several categories, each with a rhythm and a lateness of its own."""
    chance = random.Random(seed)
    rows: list[Shown] = []
    for number in range(chance.randint(1, 3)):
        for category in chance.sample(["gpu", "llm", "serverless"], chance.randint(1, 2)):
            rows += hourly(
                chosen(chance), cost(chance), late=lateness(chance), category=category, owner=f"owner-{number}"
            )
        if chance.random() < 0.6:
            category = chance.choice(["cloud_storage", "gpu"])
            late = chance.uniform(0.5, 20)
            days = [day for day in DAYS if chance.random() < 0.95]
            rows += daily(days, f"{chance.randint(1, 50)}.07", late=late, category=category, owner=f"owner-{number}")
    return rows


def chosen(chance: random.Random) -> list[int]:
    """Hours with spend: all, up to a stop, or some."""
    kind = chance.random()
    if kind < 0.4:
        return list(HOURS)
    if kind < 0.7:
        return list(range(FIRST, FIRST + chance.randint(60, 150)))
    return [hour for hour in HOURS if chance.random() < 0.7]


def cost(chance: random.Random) -> Callable[[int], str]:
    """What each hour costs."""
    base, step_at, step = chance.randint(1, 100), chance.choice(HOURS), chance.randint(1, 100)
    return lambda hour: f"{base if hour < step_at else step}.{hour % 7}"


def lateness(chance: random.Random) -> Callable[[int], float]:
    """Hours after its end at which each row is shown."""
    kind, usual = chance.random(), chance.choice([0, 0.5, 1, 3, 5.5])
    if kind < 0.3:
        return lambda _: usual
    share, freak = chance.choice([0.02, 0.1, 0.3]), chance.uniform(3, 30)
    delays = {hour: freak if chance.random() < share else usual for hour in HOURS}
    return delays.__getitem__


@pytest.mark.parametrize("seed", range(how_many(2, thorough=5)))
def test_ends_when_bills_lag_and_step_then_as_the_oracle_says(seed: int) -> None:
    """For the whole and for each owner, after every poll."""
    chance = random.Random(f"polls {seed}")
    rows, length = made_world(seed), chance.choice([1, 3, 24, 30])
    world = LateBills(rows, (rolling(window=timedelta(hours=length)),))
    billed = [
        BilledRow(
            shown.row.series.owner,
            shown.row.series.category,
            shown.row.hour,
            shown.row.span,
            shown.row.amount,
            datetime.fromtimestamp(shown.shown_from, UTC),
        )
        for shown in rows
    ]
    whole, each = (Oracle(billed, length, SETTLE) for _ in range(2))
    owners = sorted({row.owner for row in billed})
    done = 0
    first = at(2, chance.randint(0, 23), chance.randint(0, 59))
    for now in polls(first, at(7), timedelta(minutes=chance.choice([127, 190]))):
        facts = world.poll(now)
        for category, span, read_at in world.reads[done:]:
            whole.note(Read(category, span.start, span.end, read_at))
            each.note(Read(category, span.start, span.end, read_at))
        done = len(world.reads)
        for oracle, group_by, groups in ((whole, (), [owners]), (each, ("owner",), [[owner] for owner in owners])):
            query = SpendQuery(group_by=group_by, accounts=facts.data.accounts)
            edges = edges_of(facts.spend, facts.data, query, facts.data.books)
            ends = two_ends(facts.spend, facts.data, "amount", edges, length=length)
            known = {tuple(group): oracle.edges(now, group) for group in groups}
            latest = max((edge for found in known.values() for edge in found.values()), default=None)
            if latest is None:
                continue
            assert edges.latest == latest, now
            for group in groups:
                labels = (("owner", group[0]),) if group_by else ()
                found = {(key.category, key.step): edge for key, edge in edges.of(labels)}
                assert found == known[tuple(group)], (now, group)
                value = ends.of(labels)
                assert (value.at_least, value.about) == oracle.ends(now, group, latest), (now, group)
                assert hour_of(start_of(value.window.end)) <= latest
