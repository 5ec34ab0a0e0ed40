"""The demo is the first thing people see: it must count what was billed, to the last digit."""

import re
from datetime import timedelta

import pytest

from alertd.demo import demo
from tests.help.documents import README, ROOT, blocks, text_of


async def test_demo_when_shortened_then_counts_exactly_what_was_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days with late, revised and vanishing bills and faults; the whole month is CI's own step."""
    monkeypatch.setattr(demo, "LENGTH", timedelta(days=3))
    said: list[str] = []

    is_equal = await demo.run_demo(said.append, seed=7)

    assert is_equal
    assert ": equal" in said[-1]


async def test_demo_when_run_whole_then_costs_as_many_messages_as_the_help_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever changes how often or how alertd notifies sees it here: the count, and the message in the README."""
    (stated,) = re.findall(r"costs its channel (\d+) messages", text_of(ROOT / "alertd" / "help" / "slack.md"))
    said: list[str] = []

    await demo.run_demo(said.append, seed=7)

    assert f"; {stated} messages\n" in said[-1]
    (shown,) = blocks(README, "text")
    assert set(shown.splitlines()) <= set(capsys.readouterr().out.splitlines())
