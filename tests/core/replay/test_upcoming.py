"""What a replay passes over is what would have moved nothing: it ends as one that judges every rule in every hour."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest

from alertd.core.alert import Sample
from alertd.core.alerts.audience import Audience
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd
from alertd.core.replay.past import History
from alertd.core.replay.replay import Replay, Replayer, Watch
from alertd.core.replay.upcoming import Upcoming
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.even_rate import Burn
from alertd.core.rules.facts import Facts
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.group_rule import GroupRule
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.spike import Spike
from alertd.core.severity import Severity
from alertd.core.spend.bill import Series
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, SeriesTable
from alertd.core.spend.stretch import Stretch
from tests.examples import how_many

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
END = hour_of(datetime(2026, 3, 12, 12, tzinfo=UTC))
DAYS, STORED_DAYS = 2, 60
OWNERS = 8
CATEGORIES = ("gpu", "cloud_storage")
GROUPS = ((), ("owner",), ("product",))


class World:
    """Owners by the hour and by the day, who begin, stop, burst, and now and then are given something back."""

    def __init__(self, seed: int) -> None:
        self.seed, self.random = seed, np.random.default_rng(seed)
        self.span = HourRange(END - STORED_DAYS * 24, END + 1)
        self.table = SeriesTable(
            Series("default", CATEGORIES[n >= OWNERS - 2], "x", f"owner-{n}", f"product-{n % 3}", "", "on-demand")
            for n in range(OWNERS)
        )
        count = len(self.span)
        level = self.random.integers(1, 50, OWNERS) * 10**9
        noise = self.random.integers(0, 3, (count, OWNERS)) * (10**8 if seed % 2 else 0)
        self.amounts = level[None, :] + noise
        for owner in range(OWNERS):
            for _ in range(2):
                start, length = self.random.integers(0, count), self.random.integers(1, 80)
                self.amounts[start : start + length, owner] *= self.random.choice([0, 0, 3, 12])
        # One has begun lately, and one has stepped to another level.
        self.amounts[: count - int(self.random.integers(50, 240)), 0] = 0
        self.amounts[count - int(self.random.integers(50, 240)) :, 1] *= 3
        if seed % 3 == 0:
            self.amounts[self.random.integers(0, count, 3), self.random.integers(0, OWNERS - 2, 3)] *= -4

    def blocks(self, from_hour: int) -> Iterator[tuple[int, HourBlock]]:
        """Give the rows, those of storage by the day."""
        for ids, length in ((np.arange(OWNERS - 2), 1), (np.arange(OWNERS - 2, OWNERS), 24)):
            for hour in range(self.span.start - self.span.start % length + length, self.span.end - length + 1, length):
                at = hour - self.span.start
                amount = self.amounts[at : at + length, ids].sum(axis=0)
                chosen = amount != 0
                if hour >= from_hour and chosen.any():
                    series = ids[chosen].astype(np.int32)
                    paid = amount[chosen]
                    spans = np.full(len(series), length, np.int32)
                    yield hour, HourBlock(series=series, span=spans, amount=paid, voucher=paid * 0, pay=paid)

    def history(self) -> History:
        """Return what is stored: an hour of one category could not be read."""
        hole = END - int(self.random.integers(1, DAYS * 24))
        covered = HourSet.of([self.span])
        holed = covered.remove(HourRange(hole, hole + 2))
        books = {
            ("default", name): CategoryBook(
                account="default", category=name, covered=holed if name == "gpu" else covered
            )
            for name in CATEGORIES
        }
        return History(table=self.table, books=books, blocks=self.blocks)

    def line(self, length: int, width: int) -> Usd:
        """Return what a window of some owners cost at some time, or a little more or less."""
        end = int(self.random.integers(length, len(self.span)))
        owners = self.random.choice(OWNERS, width, replace=False)
        found = int(self.amounts[end - length : end, owners].sum()) + int(self.random.choice([-1, 0, 0, 1]))
        return Usd(max(1, found))

    def rules(self) -> tuple[Rule, ...]:
        """Return rules of every kind whose lines lie among the values."""
        return tuple(self._rules(self.seed % 4))

    def _rules(self, n: int) -> Iterator[Rule]:
        group = GROUPS[n % 3]
        width = {(): OWNERS, ("owner",): 1, ("product",): 3}[group]
        hours = (1, 6, 24, 72)[n]
        line = self.line(hours, width)
        shared = {
            "resolve_below": Share(Fraction(int(self.random.integers(5, 11)), 10)),
            "for_": timedelta(hours=int(self.random.choice([0, 0, 2]))),
            "keep_firing_for": timedelta(hours=int(self.random.choice([0, 0, 3]))),
            "repeat_interval": timedelta(hours=int(self.random.choice([5, 24]))),
        }
        yield RollingSpend(
            name=f"rolling-{n}",
            group_by=group,
            category=Patterns(("gpu",)) if n == 3 else Patterns(),
            window=timedelta(hours=hours),
            thresholds={WARNING: line, CRITICAL: Usd(line + int(self.random.integers(1, line + 1)))},
            **shared,  # type: ignore[arg-type]
        )
        yield BudgetRule(
            name=f"budget-{n}",
            group_by=group,
            period=(Period.DAY, Period.WEEK, Period.MONTH, Period.WEEK)[n],
            amount=self.line((20, 100, 250, 100)[n], width),
            thresholds={WARNING: Share(Fraction(8, 10)), CRITICAL: Share(Fraction(1))},
            **shared,  # type: ignore[arg-type]
        )
        yield BudgetRule(
            name=f"rate-{n}",
            group_by=group,
            period=(Period.WEEK, Period.MONTH, Period.DAY, Period.MONTH)[n],
            amount=self.line((150, 700, 24, 500)[n], width),
            pace={WARNING: Fraction(int(self.random.integers(7, 14)), 10)},
            burn={CRITICAL: Burn(rate=Fraction(2), windows=(timedelta(hours=6), timedelta(hours=1)))},
            **shared,  # type: ignore[arg-type]
        )
        yield BudgetRule(
            name=f"forecast-{n}",
            group_by=(("owner",), ("category",), ("product",), ())[n],
            period=(Period.MONTH, Period.WEEK, Period.MONTH, Period.MONTH)[n],
            amount=self.line((700, 160, 700, 700)[n], (1, OWNERS - 2, 3, OWNERS)[n]),
            thresholds={CRITICAL: Share(Fraction(6, 10))} if n % 2 else {},
            forecast={WARNING: Share(Fraction(int(self.random.integers(7, 12)), 10))},
            min_history=timedelta(days=3 * (n % 2)),
            **shared,  # type: ignore[arg-type]
        )
        yield Spike(
            name=f"spike-{n}",
            group_by=group or ("category",),
            window=timedelta(hours=min(24, hours * 6)),
            baseline=timedelta(days=7),
            min_history=timedelta(days=2),
            min_increase=Usd(10**9),
            thresholds={WARNING: Fraction(int(self.random.integers(12, 40)), 10), CRITICAL: Fraction(5)},
            **shared,  # type: ignore[arg-type]
        )
        yield FirstSpend(
            name=f"first-{n}",
            min_spend=self.line(5, 1),
            lookback_=timedelta(days=(2, 3, 5, 9)[n]),
            **shared,  # type: ignore[arg-type]
        )


def replayed(seed: int, hours: int = DAYS * 24) -> tuple[Replay, list[list[str]]]:
    """Return the outcome of a replay of a world, and what was sent in each hour."""
    world = World(seed)
    watch = Watch(
        rules=world.rules(),
        accounts=("default",),
        audience=Audience(default=("finops",), recipients={"finops": ("",)}),
        headline_of=lambda alert, _: alert.headline,
        settle_delay=timedelta(hours=2),
    )
    replayer = Replayer(world.history(), watch, HourRange(END - hours, END + 1))
    sent = []
    for hour in range(replayer.hours.start, replayer.hours.end):
        entries = replayer.step(hour).entries
        sent.append([f"{entry.key} {entry.message}" for entry in entries])
    return replayer.result(), sent


@pytest.mark.parametrize("seed", range(how_many(1, thorough=4)))
def test_replay_when_lines_lie_among_the_values_then_passing_over_hours_changes_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line may lie an indivisible unit beside a value: neither a beginning, an end nor a peak may be passed over."""
    found = replayed(seed)
    monkeypatch.setattr(Upcoming, "passed_over", lambda *_: frozenset())
    monkeypatch.setattr(Upcoming, "steady", lambda *_: {})

    assert found == replayed(seed)
    assert found[0].episodes


def test_replay_when_nothing_comes_near_a_line_then_judges_each_rule_once_a_stretch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hours in which nothing can happen are what nearly all of a year of nearly all rules is made of."""
    world = World(1)
    judged: list[datetime] = []
    evaluate = GroupRule.evaluate

    def counted(rule: RollingSpend, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        judged.append(facts.now)
        return evaluate(rule, facts, watched)

    monkeypatch.setattr(RollingSpend, "evaluate", counted)
    far = RollingSpend(name="far", group_by=("owner",), window=timedelta(hours=24), thresholds={WARNING: Usd(10**16)})
    watch = Watch(
        rules=(far,),
        accounts=("default",),
        audience=Audience(),
        headline_of=lambda alert, _: alert.headline,
        settle_delay=timedelta(hours=2),
    )
    replayer = Replayer(world.history(), watch, HourRange(END - DAYS * 24, END + 1))

    for hour in range(replayer.hours.start, replayer.hours.end):
        replayer.step(hour)

    assert len(judged) == 1


def test_stretch_when_a_sum_does_not_fit_then_the_rule_is_judged_every_hour_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What cannot be bounded is judged, and its own fault is what is reported."""

    def too_large(*_: object) -> None:
        raise OverflowError("too large")

    monkeypatch.setattr(Stretch, "whole_totals", too_large)

    assert replayed(1, hours=3)[0].faults == {}
