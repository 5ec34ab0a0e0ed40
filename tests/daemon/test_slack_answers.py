"""What `/alertd` says of budgets, bills, balances, what runs and the daemon: after a poll, and before the first."""

from pathlib import Path

from alertd.daemon.poll import renew_overview
from alertd.daemon.slack_answers import topics
from tests.daemon.clock_life import RULES, Life, living
from tests.daemon.test_clock_life import billing
from tests.virtual_clock import VirtualClock

BUDGET = RULES + "  - {name: month, type: budget, period: month, amount: 1000, thresholds: {warning: 80%}}\n"


async def answers(life: Life) -> dict[str, str]:
    return {word: await topic.answer() for word, topic in topics(life.app).items()}


async def test_answers_when_no_poll_has_finished_then_each_says_so(tmp_path: Path) -> None:
    """Nothing known is not nothing spent."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock), rules=BUDGET) as life:
        said = await answers(life)
    assert {said[word] for word in ("running", "budgets", "bills")} == {
        "No poll has finished yet; ask again in a minute."
    }
    assert "is not well" in said["status"]


async def test_answers_when_polled_then_figures_with_names(tmp_path: Path) -> None:
    """What a person asks at three in the morning, from a phone."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock), rules=BUDGET) as life:
        await life.poll(2)
        await renew_overview(life.app, life.app.time.now())
        said = await answers(life)
    assert "runs: $4.00 an hour" in said["running"]
    assert said["budgets"].startswith("month: $")
    assert said["bills"] == "No monthly bill was read yet."
    assert "`balance` rule" in said["balance"]
    assert "Clock checked 2026-01-12 09:10 UTC" in said["status"]
    assert "firing" in said["status"]
