"""Answers of `/alertd` in Slack about budgets, bills, balances, what runs, and the daemon, as of the last poll."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from alertd.core.messages.message import section_line
from alertd.core.money import format_usd
from alertd.core.reports.overview import Overview
from alertd.core.reports.running import Running
from alertd.core.reports.words import budgets_section
from alertd.core.spend.bill import TrackedBill
from alertd.core.words import format_age, format_count, with_more
from alertd.daemon.app import App
from alertd.notify.slack.commands import Topic
from alertd.queries.status import read_status

_LISTED = 20
_TOO_EARLY = "No poll has finished yet; ask again in a minute."
T = TypeVar("T")


def topics(app: App) -> dict[str, Topic]:
    """Return the topics by their words."""
    answers = _Answers(app)
    return {
        "running": Topic(help="what runs now and what it costs an hour", answer=answers.running),
        "budgets": Topic(help="how budgets stand", answer=answers.budgets),
        "bills": Topic(help="monthly bills and what is owed", answer=answers.bills),
        "balance": Topic(help="balances, and how long they last", answer=answers.balance),
        "status": Topic(help="whether alertd itself is well", answer=answers.status),
    }


class _Answers:
    def __init__(self, app: App) -> None:
        self._app = app

    async def running(self) -> str:
        overview = self._overview
        if overview is None:
            return _TOO_EARLY
        if not overview.running:
            return "Nothing runs, as far as it is billed."
        now = self._app.time.now()
        return _listed(overview.running, lambda row: _running_line(row, self._name(row.owner), now))

    async def budgets(self) -> str:
        overview = self._overview
        if overview is None:
            return _TOO_EARLY
        section = budgets_section(overview.budgets, overview.undecided, self._app.cycle.plan.audience.owners)
        lines = [*map(section_line, section.rows), *([section.note] if section.note else [])]
        return "\n".join(lines) or "There are no budgets in the rules."

    async def bills(self) -> str:
        overview = self._overview
        if overview is None:
            return _TOO_EARLY
        if not overview.bills:
            return "No monthly bill was read yet."
        several = len({tracked.bill.account for tracked in overview.bills}) > 1
        owed = sum(tracked.bill.owed for tracked in overview.bills)
        total = f"{format_usd(owed)} owed in all" if owed else "Nothing is owed"
        return f"{total}\n{_listed(overview.bills, lambda tracked: _bill_line(tracked, is_named=several))}"

    async def balance(self) -> str:
        held = await self._app.cycle.held()
        runways = self._overview.runways if self._overview is not None else ()
        lasting = {runway.balance.account: runway.headline for _, runway in runways}
        lines = [
            lasting.get(account) or f"Balance of {account} is {format_usd(balance.available)}"
            for account, balance in sorted(held.balances.items())
        ]
        return "\n".join(lines) or "No balance is read: only a `balance` rule asks for it."

    async def status(self) -> str:
        settings = self._app.settings
        status = await self._app.gateway.call(
            read_status,
            now=self._app.time.now(),
            poll_interval=settings.poll_interval,
            settle_delay=settings.settle_delay,
        )
        problems = [f"- {problem}" for problem in status.problems]
        word = "well" if status.is_healthy else f"not well, {format_count(len(problems), 'problem')}"
        return "\n".join(
            [
                f"alertd {status.version} is {word}",
                *problems,
                f"{status.firing} firing, {status.pending} pending",
                f"Last poll {status.last_cycle_text}, next {status.next_poll_text}",
                f"Clock {status.clock_text}",
            ]
        )

    @property
    def _overview(self) -> Overview | None:
        return self._app.figures.overview

    def _name(self, owner: str) -> str:
        return self._app.cycle.plan.audience.owners.display(owner)


def _running_line(row: Running, name: str, now: datetime) -> str:
    rate = f"{format_usd(row.rate)} an hour" if row.rate is not None else "not billed yet"
    since = f"for {format_age(now - row.since)}" if row.since is not None else "for longer than is known"
    return f"{name}: {rate}, {row.status} {since}{f', {row.product}' if row.product else ''}"


def _bill_line(tracked: TrackedBill, *, is_named: bool) -> str:
    bill = tracked.bill
    of_account = f" · {bill.account}" if is_named else ""
    owed = f", {format_usd(bill.owed)} owed" if bill.owed else ""
    return f"{bill.month}{of_account}: {format_usd(bill.total)}, {tracked.state}{owed}"


def _listed(things: Sequence[T], line: Callable[[T], str]) -> str:
    return "\n".join(with_more(map(line, things[:_LISTED]), len(things) - _LISTED, lead="… "))
