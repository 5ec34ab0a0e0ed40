"""The demo is the first thing people see: it must count what was billed, to the last digit."""

from datetime import timedelta

import pytest

from alertd import demo


async def test_demo_when_shortened_then_counts_exactly_what_was_billed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days with late, revised and vanishing bills and faults; the whole month is CI's own step."""
    monkeypatch.setattr(demo, "LENGTH", timedelta(days=3))
    said: list[str] = []

    is_equal = await demo.run_demo(said.append, seed=7)

    assert is_equal
    assert ": equal" in said[-1]
