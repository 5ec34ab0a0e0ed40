"""What `/alertd` says of budgets, bills, balances, what runs and the daemon: after a poll, and before the first."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from alertd.core.money import format_usd
from alertd.daemon.app import App
from alertd.daemon.poll import renew_overview
from alertd.daemon.slack_answers import topics
from alertd.notify.slack.commands import Topic
from tests.core.builders import HOUR, NOW, monthly_bill, tracked, usd
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


def answering(**overview: object) -> dict[str, Topic]:
    """Return the answers of a daemon whose last poll found this."""
    owners = SimpleNamespace(display=lambda owner: f"{owner} (named)")
    plan = SimpleNamespace(audience=SimpleNamespace(owners=owners))
    app = SimpleNamespace(
        figures=SimpleNamespace(overview=SimpleNamespace(**overview)),
        cycle=SimpleNamespace(plan=plan),
        time=SimpleNamespace(now=lambda: NOW),
    )
    return topics(cast("App", app))


async def test_bills_when_several_accounts_owe_then_what_is_owed_and_each_bill_by_its_account() -> None:
    """What is owed is not what was billed, and of a long list the rest is counted."""
    owed = monthly_bill(total=usd("100"), debt=usd("100"), repaid=usd("30"))
    paid = monthly_bill(account="dev", month="2025-11", status="paid", total=usd("7"), debt=usd("0"), repaid=usd("0"))
    bills = (tracked((NOW, owed)), tracked((NOW, paid)))
    text = await answering(bills=bills)["bills"].answer()
    assert text.split("\n") == [
        f"{format_usd(bills[0].bill.owed)} owed in all",
        f"2025-12 · default: $100.00, {bills[0].state}, {format_usd(bills[0].bill.owed)} owed",
        f"2025-11 · dev: $7.00, {bills[1].state}",
    ]
    assert bills[0].bill.owed != bills[0].bill.total
    text = await answering(bills=(bills[1],) * 22)["bills"].answer()
    first, second, *_, last = text.split("\n")
    assert (first, second, last) == ("Nothing is owed", f"2025-11: $7.00, {bills[1].state}", "… and 2 more")


async def test_running_when_little_is_known_then_each_line_says_what_is_not() -> None:
    """Neither a rate nor a beginning is made up."""
    row = SimpleNamespace(owner="gpu-1", rate=usd("3.5"), status="running", since=NOW - 2 * HOUR, product="H100")
    bare = SimpleNamespace(owner="gpu-2", rate=None, status="pulling", since=None, product="")
    text = await answering(running=(row, bare))["running"].answer()
    assert text.split("\n") == [
        "gpu-1 (named): $3.50 an hour, running for 2 h, H100",
        "gpu-2 (named): not billed yet, pulling for longer than is known",
    ]
    assert await answering(running=())["running"].answer() == "Nothing runs, as far as it is billed."
