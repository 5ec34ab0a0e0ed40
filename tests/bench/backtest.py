"""
Measure a backtest of 50 rules over 31 days and 500 owners, a tenth of them billed by the day.

Run by hand: `python -m tests.bench.backtest`. It measures processor time, which does not depend on other processes.
"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np

from alertd.core.alert import AlertState
from alertd.core.alerts.audience import Audience
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.money import Usd
from alertd.core.replay.past import History
from alertd.core.replay.replay import Replayer, Watch
from alertd.core.replay.suggest import suggestions
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.spike import Spike
from alertd.core.severity import Severity
from alertd.core.spend.bill import Series
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, SeriesTable

OWNERS, DAYS, RULES = 500, 31, 50
STORED_DAYS = 100
USD = 10**10
CATEGORIES = ("gpu", "llm", "serverless", "gen_api", "cloud_storage")
UNTIL = hour_of(datetime(2026, 3, 1, 12, tzinfo=UTC))


def main() -> None:
    """Print how long the replay and the suggestions take, and the sizes of their results."""
    begun = time.process_time()
    replayer = Replayer(history(), watch(), HourRange(UNTIL - DAYS * 24, UNTIL + 1))
    fill_s = time.process_time() - begun
    begun, firing = time.process_time(), 0
    for hour in range(replayer.hours.start, replayer.hours.end):
        replayer.step(hour)
        firing += sum(alert.state is AlertState.FIRING for alert in replayer.alerts.values())
    replay_s = time.process_time() - begun
    begun = time.process_time()
    found = suggestions(replayer)
    suggest_s = time.process_time() - begun
    replay = replayer.result()
    sys.stdout.write(
        f"{RULES} rules, {OWNERS} owners, {len(replayer.hours)} hours: {len(replay.episodes)} episodes, "
        f"{firing // len(replayer.hours)} alerts firing at a time, {len(replay.sent)} messages\n"
        f"fill    {fill_s:6.2f} s\n"
        f"replay  {replay_s:6.2f} s, {replay_s / len(replayer.hours) * 1e3:.1f} ms an hour\n"
        f"suggest {suggest_s:6.2f} s, {len(found)} rules\n"
    )


def history() -> History:
    """Return the history of a hundred days of bills."""
    rng = np.random.default_rng(1)
    table = SeriesTable(
        Series("default", CATEGORIES[n * 5 // OWNERS], "x", f"owner-{n}", f"product-{n % 40}", "", "on-demand")
        for n in range(OWNERS)
    )
    span = HourRange(UNTIL - STORED_DAYS * 24, UNTIL + 1)
    usual = rng.lognormal(-2, 1, OWNERS) * USD
    books = {
        ("default", name): CategoryBook(account="default", category=name, covered=HourSet.of([span]))
        for name in CATEGORIES
    }

    def blocks(from_hour: int) -> Iterator[tuple[int, HourBlock]]:
        per = OWNERS // len(CATEGORIES)
        for number, name in enumerate(CATEGORIES):
            ids = np.arange(number * per, (number + 1) * per, dtype=np.int32)
            length = 24 if name == "cloud_storage" else 1
            for hour in range(max(from_hour, span.start), span.end, length):
                # Occasionally something is left running: ten times the usual spend for 30 hours.
                burst = np.where((hour // 30 + ids * 7) % 400 == 0, 10, 1)
                amount = (usual[ids] * burst * rng.uniform(0.5, 1.5, per)).astype(np.int64)
                ones = np.full(per, length, np.int32)
                yield hour, HourBlock(series=ids, span=ones, amount=amount, voucher=amount * 0, pay=amount)

    return History(table=table, books=books, blocks=blocks)


def watch() -> Watch:
    """Return the rules and settings of the replay."""
    return Watch(
        rules=tuple(map(_rule, range(RULES))),
        accounts=("default",),
        audience=Audience(default=("finops",), recipients={"finops": ("",)}),
        headline_of=lambda alert, _: alert.headline,
        settle_delay=timedelta(hours=2),
    )


def _rule(n: int) -> Rule:
    """Return rule *n*: three of five are rolling sums, others spikes, new owners and budgets, some with a forecast."""
    warning, name = Severity.WARNING, f"rule-{n}"
    group = (("owner",), ("category",), ("product",))[n % 3]
    hours = (1, 6, 24, 168)[n % 4]
    match n % 5:
        case 0:
            return Spike(name=name, group_by=group, window=timedelta(hours=24), thresholds={warning: Fraction(4)})
        case 1 if n % 2:
            return BudgetRule(
                name=name,
                group_by=group,
                period=Period.MONTH,
                amount=Usd(1000 * USD),
                thresholds={warning: Share(Fraction(9, 10))},
                forecast={warning: Share(Fraction(3, 2))} if n % 4 == 1 else {},
            )
        case 1:
            return FirstSpend(name=name, min_spend=Usd((n + 1) * USD))
        case _:
            limit = Usd(hours * 5 * (1 if group == ("owner",) else 15 if group == ("product",) else 100) * USD)
            return RollingSpend(name=name, group_by=group, window=timedelta(hours=hours), thresholds={warning: limit})


if __name__ == "__main__":
    main()
