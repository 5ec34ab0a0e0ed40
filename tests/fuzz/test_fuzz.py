"""Every entrance takes what is right, what once broke it, and a little that is nearly right."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from alertd.log import get_logger
from tests.fuzz.engine import CORPUS, Entrance, Finding, corpus, fuzz, learnt, saved, tried, watching
from tests.fuzz.entrances import opened
from tests.fuzz.mutate import mutated


@pytest.fixture
async def entrances(tmp_path: Path) -> AsyncIterator[list[Entrance]]:
    async with opened(tmp_path) as found:
        yield found


@pytest.mark.slow
async def test_entrances_when_given_what_is_right_or_nearly_then_answer_and_leave_no_trace(
    entrances: list[Entrance],
) -> None:
    """`python -m tests.fuzz` looks for longer; what it finds is kept in `corpus` and tried here."""
    rng = random.Random(13)
    with watching() as watch:
        for entrance in entrances:
            nearly = [mutated(rng.choice(entrance.seeds), rng, entrance.seeds) for _ in range(entrance.few)]
            led_on = learnt(entrance.name)[: entrance.few]
            for data in (*entrance.seeds, *corpus(entrance), *led_on, *nearly):
                _, finding = await tried(entrance, data, watch)
                assert finding is None, f"{entrance.name}: {finding.kind} at {data[:200]!r}\n{finding.trace}"


async def test_corpus_when_listed_then_each_folder_and_file_belongs_to_an_entrance(entrances: list[Entrance]) -> None:
    """What once failed is tried no more when its entrance is renamed without it."""
    kept = {path.name for path in CORPUS.iterdir() if path.name != "learnt"}
    kept |= {path.stem for path in (CORPUS / "learnt").glob("*")}
    assert kept <= {entrance.name for entrance in entrances}


async def _broken(_: bytes) -> str:
    raise ValueError("no")


async def _sloppy(_: bytes) -> str:
    try:
        return str(1 // 0)
    except ZeroDivisionError:
        get_logger().exception("page failed")
    return "ok"


async def _late(_: bytes) -> str:
    """Answer, and fail at what is left to do: only a library's log has it."""
    asyncio.get_running_loop().call_soon(lambda: 1 // 0)
    return "ok"


@pytest.mark.parametrize(
    ("take", "kind", "words"),
    [(_broken, "crash", "ValueError: no"), (_sloppy, "traceback", "page failed"), (_late, "traceback", "ZeroDivision")],
)
async def test_fuzzer_when_an_entrance_is_broken_then_input_trace_and_those_before_are_kept(
    take: Callable[[bytes], Awaitable[str]], kind: str, words: str, tmp_path: Path
) -> None:
    """A net that catches nothing looks like a program without mistakes; a line without its input cannot be followed."""
    findings: list[Finding] = []
    entrance = Entrance(name="broken", seeds=[b"x"], take=take)
    await fuzz([entrance], seconds=0.02, seed=1, found=lambda _, finding: findings.append(finding))
    assert [finding.kind for finding in findings] == [kind]
    path = saved("broken", findings[0], tmp_path)
    assert path.read_bytes() == findings[0].data
    assert words in path.with_suffix(".trace").read_text()
    assert path.with_suffix(".before.json").exists()
