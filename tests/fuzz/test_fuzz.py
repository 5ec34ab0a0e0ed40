"""Every entrance takes what is right, what once broke it, and a little that is nearly right."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fuzz.engine import Entrance, corpus, tried
from tests.fuzz.entrances import opened
from tests.fuzz.mutate import mutated

_A_FEW = 15


@pytest.fixture
async def entrances(tmp_path: Path) -> AsyncIterator[list[Entrance]]:
    async with opened(tmp_path) as found:
        yield found


async def test_entrances_when_given_what_is_right_or_nearly_then_answer_and_leave_no_trace(
    entrances: list[Entrance],
) -> None:
    """`python -m tests.fuzz` looks for longer; what it finds is kept in `corpus` and tried here."""
    rng = random.Random(13)
    for entrance in entrances:
        nearly = [mutated(rng.choice(entrance.seeds), rng, entrance.seeds) for _ in range(_A_FEW)]
        for data in (*entrance.seeds, *corpus(entrance), *nearly):
            _, finding = await tried(entrance, data)
            assert finding is None, f"{entrance.name}: {finding.kind} at {data[:200]!r}\n{finding.trace}"


async def test_fuzzer_when_an_entrance_is_broken_then_says_so() -> None:
    """A net that catches nothing looks like a program without mistakes."""

    async def take(data: bytes) -> str:
        raise ValueError(data)

    _, finding = await tried(Entrance(name="broken", seeds=[b""], take=take), b"x")
    assert finding is not None
    assert finding.kind == "crash"
