"""The demo is the first thing people see: it must count what was billed, to the last digit."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from alertd.demo import demo


async def test_demo_when_shortened_then_counts_exactly_what_was_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days with late, revised and vanishing bills and faults; the whole month is CI's own step."""
    monkeypatch.setattr(demo, "LENGTH", timedelta(days=3))
    said: list[str] = []

    is_equal = await demo.run_demo(said.append, seed=7)

    assert is_equal
    assert ": equal" in said[-1]


async def test_demo_when_run_whole_then_costs_as_many_messages_as_the_readme_says() -> None:
    """A channel that is told too much is muted; who changes how often alertd speaks should see it here."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (stated,) = re.findall(r"costs its channel (\d+) messages", readme)
    said: list[str] = []

    await demo.run_demo(said.append, seed=7)

    assert f"; {stated} messages\n" in said[-1]
