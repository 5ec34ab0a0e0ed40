"""What is read by a time that nobody has confirmed: nothing of it is filed, of no kind, until the time is right."""

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

import pytest

from alertd.core.hours import HourRange
from alertd.core.spend.bill import BillRows
from alertd.daemon.poll import poll
from alertd.daemon.state import DaemonState
from alertd.daemon.timekeeper import Verdict
from alertd.errors import ApiUnavailable
from tests.daemon.test_memory_and_store import Life, World, living

NOT_READ = {"is_fresh", "calm", "dated", "_opened", "keys", "table", "edges", "alerts", "silences", "marks"}
"""What is not read from the API, and what is compared by its parts."""


@dataclass(slots=True, kw_only=True)
class Doubted(World):
    """An account of which one category cannot be read by then, and whose time may turn out wrong at the very last."""

    fails: bool = False
    verdict: Verdict = Verdict.CHECKED
    then: Verdict | None = None
    """The verdict once utilisation was asked for."""

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        if self.fails and category == "llm":
            raise ApiUnavailable("down", account="default", what="llm")
        return await World.read_bills(self, category, span)

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        self.verdict = self.then or self.verdict
        return await World.read_utilization(self, owner, start, end)


async def stored(life: Life) -> dict[str, object]:
    state = await life.app.gateway.load()
    assert state.keys is not None
    read = {one.name: getattr(state, one.name) for one in fields(DaemonState) if one.name not in NOT_READ}
    return read | {"books by API key": state.keys.books}


@pytest.mark.parametrize("verdict", [Verdict.UNCHECKED, Verdict.WRONG])
async def test_poll_when_the_time_is_not_confirmed_then_files_nothing_and_says_that_it_left_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    """Rows filed by a wrong time move the data edge, and a balance or an instance would be of another day."""
    world = Doubted(step=4)
    async with living(tmp_path, world) as life:
        monkeypatch.setattr(life.app.time, "verdict", lambda: world.verdict)
        await poll(life.app)
        before = await stored(life)
        world.step, world.verdict, world.fails = 20, verdict, True
        await poll(life.app)
        after = await stored(life)
        assert [name for name, value in before.items() if after[name] != value] == []
        await life.compare("unconfirmed")
        assert life.found == []
        world.verdict = Verdict.CHECKED
        await poll(life.app)
        confirmed = await stored(life)
        moved = {name for name, value in before.items() if confirmed[name] != value}
        assert moved >= {"books", "bills", "balances", "resources", "utilization", "terms", "key_names"}
        assert "books by API key" in moved


async def test_poll_when_the_time_turns_out_wrong_at_the_last_answer_then_that_is_not_filed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Utilisation is asked for after all else: what was right before may be wrong by then."""
    world = Doubted(step=4)
    async with living(tmp_path, world) as life:
        monkeypatch.setattr(life.app.time, "verdict", lambda: world.verdict)
        await poll(life.app)
        before = await stored(life)
        world.step, world.then = 20, Verdict.WRONG
        await poll(life.app)
        assert world.verdict is Verdict.WRONG
        after = await stored(life)
        assert after["utilization"] == before["utilization"]
        assert after["resources"] != before["resources"]
