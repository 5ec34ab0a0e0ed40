"""
The demo: the real daemon against the simulator for one simulated month, on a clock that is advanced by hand.

Nothing is staged: the bills come over HTTP, late, revised and with faults; the store is a file, the outbox is real.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from alertd.core.actions import Act, ActionRequest, ActionState
from alertd.core.alerts.acting import parse_action
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.dataclass import dataclass
from alertd.core.hand_clock import HandClock
from alertd.core.hours import HourRange, hour_of
from alertd.core.money import UNITS_PER_USD, Usd, format_usd, to_decimal
from alertd.core.spend.bill import CATEGORIES, PRODUCT_CATEGORIES, SUBSCRIPTION
from alertd.core.spend.reading import Cadence
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.view import SpendView
from alertd.core.words import format_count, format_instant
from alertd.daemon.app import App, open_app
from alertd.daemon.poll import run_cycle
from alertd.novita.client import NovitaClient
from alertd.novita.instances import InstanceClient
from alertd.novita.transport import Transport
from alertd.rules_file.load import load_rules
from alertd.settings.model import Settings
from alertd.simulator.faults import demo_faults
from alertd.simulator.meters import to_usd
from alertd.simulator.scenarios import SCENARIOS
from alertd.simulator.server import BillingSimulator
from alertd.simulator.world import World

START = datetime(2026, 3, 1, tzinfo=UTC)
LENGTH = timedelta(days=31)
STEP = timedelta(hours=4)
CADENCE = Cadence(deep_every=timedelta(days=1), full_every=timedelta(days=14))
"""Less often than hourly and daily, because the steps are longer than ten minutes; late rows are still found."""
SETTLING = timedelta(days=5)
"""Time after the end of the month, until its last late bill has arrived."""
SCENARIO = "busy-month"
RULES = ("demo.yaml",)
_LAST_READS = 2
"""Reads at the end: money that vanished is believed only after two of them agree."""
API_KEY = "sim-key"
ACTION_KEY = "sim-stop-key"
FORGOTTEN = "gpu-notebook-9"
STOPPED_AT = START + timedelta(days=11, hours=8)
"""The morning after the alert became critical. Without alertd, somebody would find the instance on March 21 at 9:00."""


@dataclass(slots=True)
class Tally:
    """Counts of what happened, for the summary at the end."""

    cycles: int = 0
    rows: int = 0
    failed_cycles: int = 0
    doubted: int = 0
    moves: Counter[str] = field(default_factory=Counter)
    messages: int = 0


async def run_demo(say: Callable[[str], None], *, seed: int) -> bool:
    """
    Run the month and print its events as they happen.

    Args:
        say: Prints one text.
        seed: The same seed gives the same month.

    Returns:
        Whether the ledger equals what the simulator billed, to the last digit.
    """
    clock = HandClock(START)
    world = SCENARIOS[SCENARIO](seed, START)
    tally = Tally()
    say(heading(world.summary))
    async with BillingSimulator(world, now=clock, api_key=API_KEY, faults=demo_faults(seed, START)) as simulator:
        async with demo_daemon(simulator.base_url, clock, rules=RULES) as app:
            await live_until(STOPPED_AT, app, clock, tally, say)
            stopped = await stop_instance(app, clock, FORGOTTEN)
            if stopped is not None:
                say(_stop_lines(stopped))
            await live_until(START + LENGTH, app, clock, tally, say)
            say(f"  {clock.now:%b %d}  the month is over; waiting for its last late bills")
            for _ in range(_LAST_READS):
                await _turn(app, clock, tally, step=SETTLING / _LAST_READS, everything=True)
            counted = await _counted(app)
            firing = [alert.headline for alert in app.cycle.open_alerts()]
        requests, spoilt = len(simulator.requests), sum(bool(record.fault) for record in simulator.requests)
        lived = simulator.world
    billed = {category: lived.final_spend(START, START + LENGTH, category=category) for category in PRODUCT_CATEGORIES}
    billed[SUBSCRIPTION] = to_usd(lived.subscribed(START, START + LENGTH).amount)
    is_equal = all(to_decimal(counted[category]) == billed[category] for category in billed)
    say(_summary(counted, sum(billed.values(), Decimal(0)), tally, firing, requests, spoilt, is_equal=is_equal))
    if stopped is not None:
        say(_saved_line(stopped, *(_cost(each, FORGOTTEN) for each in (world, lived))))
    say(_ENDING)
    return is_equal


async def live_until(end: datetime, app: App, clock: HandClock, tally: Tally, say: Callable[[str], None]) -> None:
    """Advance the clock to an instant, and print each day."""
    while clock.now < end:
        await _turn(app, clock, tally)
        if clock.now.hour == 0:
            say(_day_line(app, clock.now))


@asynccontextmanager
async def demo_daemon(base_url: str, clock: HandClock, *, rules: tuple[str, ...]) -> AsyncIterator[App]:
    """
    Build the daemon as `alertd run` does, with a temporary store and no delay between retries.

    Args:
        rules: Files of this package that together form the rules.
    """
    with TemporaryDirectory(prefix="alertd-demo-") as folder:
        rules_path = Path(folder) / "rules"
        rules_path.mkdir()
        for name in rules:
            (rules_path / name).write_bytes((files("alertd.demo") / name).read_bytes())
        # Ignores the environment: the demo is the same everywhere.
        settings = Settings.model_construct(
            rules=rules_path,
            database_url=f"sqlite:///{Path(folder) / 'demo.db'}",
            novita_api_key=SecretStr(API_KEY),
            novita_base_url=base_url,
        )
        loaded, loop = load_rules(rules_path), asyncio.get_running_loop()
        switch = InstanceClient(
            Transport(
                account="default",
                api_key=ACTION_KEY,
                key_source="the demo",
                base_url=base_url,
                now=clock,
                elapsed=loop.time,
            )
        )
        reading = Transport(
            account="default", api_key=API_KEY, base_url=base_url, sleep=_no_wait, now=clock, elapsed=loop.time
        )
        async with (
            NovitaClient(reading) as client,
            open_app(
                settings,
                loaded,
                sources={"default": client},
                instances={("stop", "default"): switch},
                cadence=CADENCE,
                now=clock,
            ) as app,
        ):
            app.connections.push_async_callback(switch.close)
            yield app


async def _no_wait(_seconds: float) -> None:
    """Retry without delay, because the simulator's time does not advance meanwhile."""
    await asyncio.sleep(0)


async def _turn(app: App, clock: HandClock, tally: Tally, *, step: timedelta = STEP, everything: bool = False) -> None:
    """Advance the clock by a step, and run a cycle of the daemon."""
    clock.now += step
    report = await run_cycle(app, clock.now, everything=everything, clock=clock)
    await app.delivery.drain(patience=timedelta())
    tally.cycles += 1
    tally.rows += report.rows
    tally.failed_cycles += not report.is_ok
    tally.doubted += report.hours_doubted
    tally.messages += report.notifications
    tally.moves.update(move.rpartition(": ")[2].split(" -> ")[1].split(" ")[0] for move in report.moves)


async def _counted(app: App) -> dict[str, Usd]:
    """Sum the month by category from the stored bills."""
    month = HourRange(hour_of(START), hour_of(START + LENGTH))
    view = SpendView(app.cycle.state.table, month)
    await app.gateway.fill(view, month.start)
    sums = view.sums(SpendQuery(group_by=("category",)), "amount", month)
    return {category: sums.of((("category", category),)) for category in CATEGORIES}


def _spent(app: App, window: HourRange) -> Usd:
    return app.cycle.view.sums(SpendQuery(), "amount", window).of(())


def _day_line(app: App, now: datetime) -> str:
    day = HourRange(hour_of(now) - 24, hour_of(now))
    month = HourRange(hour_of(START), hour_of(now))
    firing = len(app.cycle.open_alerts())
    bar = "▇" * min(40, int(_spent(app, day) // (25 * 10**10)))
    return (
        f"  {now - timedelta(hours=1):%b %d}  {format_usd(_spent(app, day)):>10} that day  "
        f"{format_usd(_spent(app, month)):>10} so far  {firing} firing  {bar}"
    )


def heading(summary: str) -> str:
    """Return the introduction: what this is, and what will happen."""
    return (
        f"alertd demo: {START:%B %Y} in fast motion. The real daemon reads a simulated billing API over HTTP\n"
        f"(late, revised and vanishing bills, faults) and sends what its rules find.\n\n{summary}\n"
    )


def _summary(
    counted: dict[str, Usd],
    billed: Decimal,
    tally: Tally,
    firing: list[str],
    requests: int,
    spoilt: int,
    *,
    is_equal: bool,
) -> str:
    total = sum(counted.values())
    read = f"{tally.cycles} polls, {tally.rows} rows read; the last {requests} requests met {spoilt} faults"
    notified = f"{tally.moves['firing']} times an alert began or changed, {tally.moves['resolved']} ended"
    lines = [
        "",
        f"{START:%B %Y} as alertd counted it:",
        *(
            f"  {category:<24}{format_usd(amount):>12}"
            for category, amount in sorted(counted.items(), key=lambda item: -item[1])
            if amount
        ),
        f"  {'total':<24}{format_usd(total):>12}",
        "",
        f"  counted {to_decimal(total):f} USD, billed {billed:f} USD: {'equal' if is_equal else 'NOT EQUAL'}",
        f"  {read}; {format_count(tally.failed_cycles, 'poll')} stayed incomplete",
        f"  {notified}; {tally.messages} messages",
        f"  still firing: {'; '.join(firing) or 'nothing'}",
    ]
    return "\n".join(lines)


_ENDING = (
    f"\nSimulated time ended at {format_instant(START + LENGTH + SETTLING)}; nothing was left behind.\n"
    "Next: `alertd demo --serve` shows its status page; `alertd init` writes a rules file to start from."
)


def _stop_lines(stopped: ActionRequest) -> str:
    """Print what was done in the morning, and its outcome."""
    return (
        f"  {stopped.requested_at:%b %d %H:%M}  {stopped.by} runs `alertd stop {stopped.fingerprint}`\n"
        f"                {stopped.name} ({stopped.owner}): {stopped.state.value}, {stopped.detail}\n"
    )


def _cost(world: World, owner: str) -> Decimal:
    return world.final_spend(START, START + LENGTH, category="gpu", owner_id=owner)


def _saved_line(stopped: ActionRequest, left_on: Decimal, billed: Decimal) -> str:
    """Print what the stop saved: both sums come from the simulator, and are no forecast."""
    saved, would, did = (format_usd(int(each * UNITS_PER_USD)) for each in (left_on - billed, left_on, billed))
    return (
        f"  the stop of {stopped.name} saved {saved}: it was billed {did} in all, and would have been billed {would}\n"
        "  had it run on until somebody found it on March 21 (by the simulator's meters, with and without the stop)"
    )


_TRIES = 5
"""How often people request again: a fault may refuse a simulated call."""


async def carry_out(app: App, request: Request, clock: HandClock) -> RequestOutcome:
    """
    Carry out a request to its end, while the simulated clock does not advance.

    Raises:
        RequestError: It cannot be done as requested.
        StoreError: Nothing was stored.
    """
    outcome = await app.cycle.carry_out(request, clock.now)
    while await app.actions.turn():
        pass
    await app.delivery.drain(patience=timedelta())
    return outcome


async def stop_instance(app: App, clock: HandClock, owner: str) -> ActionRequest | None:
    """Have an owner's instance stopped through its alert; return the request, None if nothing was stopped."""
    alerts = [one for one in app.cycle.open_alerts() if dict(one.group).get("owner") == owner and one.fired_at]
    for number in range(_TRIES if alerts else 0):
        name = f"{number:08x}"
        asked = Act(id=name, fingerprint=alerts[0].fingerprint, by="dana", person="cli:dana")
        await carry_out(app, parse_action(asked), clock)
        made = await _request(app, name)
        if made is not None and made.state is ActionState.DONE:
            return made
    return None


async def _request(app: App, name: str) -> ActionRequest | None:
    return await app.gateway.call(lambda store: store.actions.request(name))
