"""Rules that judge only what moved say the same as rules that judge everything: lives of made worlds, poll by poll."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from alertd.core.alert import Alert, AlertState, Sample
from alertd.core.alerts.due import notified
from alertd.core.alerts.judge import judge
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Labels, Patterns
from alertd.core.money import UNITS_PER_USD, Usd
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.reports.overview import overview
from alertd.core.resources import Resource, ResourceKey, ResourceKind
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.even_rate import Burn
from alertd.core.rules.facts import Facts
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.group_rule import GroupRule
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.rules.spike import Spike
from alertd.core.severity import Severity
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ends import two_ends
from alertd.core.spend.planned import PlannedSpend
from alertd.core.spend.rises import Compare
from alertd.core.spend.view import SpendView
from tests.core.builders import HOUR, rolling
from tests.core.late_bills import FIRST, LateBills, Shown, at, hourly
from tests.core.spend.test_ends import made_world
from tests.examples import rest_slow

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
KINDS = ("rolling", "rolling", "rolling", "spike", "budget", "first")
GROUPS: tuple[tuple[str, ...], ...] = ((), ("owner",), ("category",), ("owner", "category"))


def afresh(rule: Rule) -> Rule:
    """The same rule, which remembers nothing."""
    return replace(rule)


def whole_view(world: LateBills, facts: Facts) -> Facts:
    """The same facts over a view that was filled just now."""
    assert world.view is not None
    view = SpendView(world.table, world.view.span, owners=facts.owners)
    view.advance(hour_of(facts.now))
    view.fill((hour, block) for (_, _, hour), block in world.blocks.items())
    if facts.spend is world.view:
        # No edge ever moves back: what was known through is known to both.
        for query, cells in facts.spend._cells.items():
            known = dict(zip(cells.names(), cells.known_through.tolist(), strict=True))
            mine = view.cells(query)
            mine.known_through[:] = [known[name] for name in mine.names()]
    return replace(facts, spend=view, data=DataState(books=world.books, now=facts.now, settle_delay=world.settle_delay))


def limits(chance: random.Random, values: list[int]) -> dict[Severity, Usd]:
    """Thresholds at, beside and around values that occur, and where a severity is left of one."""
    value = max(chance.choice(values), 2)
    warning = chance.choice(
        [value, value + 1, value - 1, -(-value * 10 // 9), value * 10 // 9, value * 10 // 9 + 1, value // 2, value * 2]
    )
    critical = chance.choice([warning + 1, warning * 11 // 10 + 1, warning * 2])
    return {WARNING: Usd(max(warning, 1)), CRITICAL: Usd(max(critical, 2))}


def made_rules(chance: random.Random, rows: list[Shown], kinds: Sequence[str] = KINDS) -> tuple[Rule, ...]:
    """Rules of each kind, their lines near what is spent."""
    base = [shown.row.amount for shown in rows]
    mean = sum(base) // len(base)

    def common(number: int) -> dict[str, object]:
        return {
            "name": f"rule-{number}",
            "group_by": chance.choice(GROUPS),
            "for_": timedelta(hours=chance.choice([0, 0, 2])),
            "keep_firing_for": timedelta(hours=chance.choice([0, 0, 3])),
            "resolve_below": Share(chance.choice([Fraction(9, 10), Fraction(1), Fraction(1, 2)])),
        }

    def rolling(number: int) -> Rule:
        window = chance.choice([1, 3, 24])
        near = [amount * window for amount in chance.sample(base, min(5, len(base)))]
        return RollingSpend(**common(number), window=timedelta(hours=window), thresholds=limits(chance, near))  # type: ignore[arg-type]

    def spike(number: int) -> Rule:
        return Spike(
            **common(number),  # type: ignore[arg-type]
            window=timedelta(hours=chance.choice([2, 6])),
            compare=chance.choice([Compare.PREVIOUS, Compare.SAME_HOURS]),
            baseline=timedelta(hours=48),
            min_history=timedelta(hours=chance.choice([0, 24])),
            min_increase=Usd(chance.choice([0, mean])),
            above_highest=chance.choice([Fraction(0), Fraction(6, 5)]),
            thresholds={WARNING: chance.choice([Fraction(3, 2), Fraction(11, 10)]), CRITICAL: Fraction(3)},
        )

    def budget(number: int) -> Rule:
        amount = Usd(max(mean * chance.choice([6, 20, 30]), 1))
        return BudgetRule(
            **common(number),  # type: ignore[arg-type]
            period=chance.choice([Period.DAY, Period.WEEK]),
            amount=amount,
            thresholds={WARNING: Share(Fraction(chance.choice([1, 8]), 10)), CRITICAL: Share(Fraction(1))},
            pace=chance.choice([{}, {WARNING: Fraction(11, 10)}]),
            forecast=chance.choice([{}, {WARNING: Share(Fraction(1))}]),
            burn=chance.choice([{}, {CRITICAL: Burn(rate=Fraction(2), windows=(3 * HOUR, HOUR))}]),
        )

    def first(number: int) -> Rule:
        parts = common(number) | {"group_by": chance.choice([("owner",), ("category",)])}
        lookback, least = timedelta(hours=chance.choice([24, 48])), Usd(chance.choice([1, mean]))
        return FirstSpend(**parts, lookback_=lookback, min_spend=least)  # type: ignore[arg-type]

    makers = {"rolling": rolling, "spike": spike, "budget": budget, "first": first}
    return tuple(makers[chance.choice(kinds)](number) for number in range(8))


def a_resource(now: datetime, status: str) -> Resource:
    """Return an owner's instance, as it is listed."""
    return Resource(
        account="default",
        id="owner-0",
        kind=ResourceKind.INSTANCE,
        name="",
        status=status,
        product="H100",
        gpus=1,
        started_at=now,
        stopped_at=None,
    )


def moments(chance: random.Random) -> Iterator[datetime]:
    """Polls some minutes to some hours apart, so that most bring little or nothing."""
    now = at(3, chance.randint(0, 23), chance.randint(0, 59))
    for _ in range(20):
        yield now
        now += timedelta(minutes=chance.choice([1, 5, 10, 10, 10, 10, 31, 60, 300]))


@pytest.mark.parametrize("seed", rest_slow(range(40)))
def test_life_when_only_what_moved_is_judged_then_as_if_everything_were(seed: int) -> None:
    """Samples and alerts after every poll: bills come late, in steps and not at all, rules and owners are edited."""
    chance = random.Random(f"unmoved {seed}")
    rows = made_world(seed)
    rules = made_rules(chance, rows)
    down = chance.random() < 0.4
    begin = at(3 + chance.randint(0, 1), chance.randint(0, 23))
    world = LateBills(
        rows,
        rules,
        is_down=lambda now, category: down and category == "gpu" and begin <= now < begin + timedelta(hours=6),
    )
    alerts: dict[str, Alert] = {}
    slow: dict[str, Alert] = {}
    owners = OwnerDirectory()
    planned: tuple[PlannedSpend, ...] = ()
    listed: Resource | None = None
    for now in moments(chance):
        facts = world.poll(now)
        if chance.random() < 0.05:
            owners = OwnerDirectory((Owner(match=Patterns(("owner-0",)), name=f"name {now}", team="t"),))
        if chance.random() < 0.05:
            planned = (PlannedSpend(amount=Usd(UNITS_PER_USD * 50), hours=HourRange(FIRST, FIRST + 96)),)
        if chance.random() < 0.05:
            number = chance.randrange(len(rules))
            edited = replace(rules[number], resolve_below=Share(Fraction(chance.randint(1, 10), 10)))
            rules = (*rules[:number], edited, *rules[number + 1 :])
        if chance.random() < 0.2:
            status = chance.choice(["running", "exited"])
            listed = a_resource(now, status)
        resources = {listed.key: listed} if listed is not None else {}
        facts = replace(facts, owners=owners, planned=planned, is_explained=True)
        facts = replace(facts, resources=resources, resources_read={"default": now})
        moves, faults = judge(rules, facts, alerts, {"default"})
        alerts |= {move.after.fingerprint: move.after for move in moves}
        anew = whole_view(world, facts)
        others, more = judge([afresh(rule) for rule in rules], anew, slow, {"default"})
        slow |= {move.after.fingerprint: move.after for move in others}
        assert not faults
        assert not more
        assert alerts == slow, now
        assert {m.after.fingerprint: m.restated for m in moves} == {m.after.fingerprint: m.restated for m in others}
        for fingerprint, alert in alerts.items():
            if alert.state is AlertState.FIRING and chance.random() < 0.3:
                noted = notified(alert, NotifyReason.REPEAT, (), now)
                alerts[fingerprint], slow[fingerprint] = noted, replace(noted)
        for rule in rules:
            opened = [a.group for a in alerts.values() if a.rule == rule.name and a.state is not AlertState.RESOLVED]
            one = {s.group: s for s in rule.evaluate(facts, opened)}
            other = {s.group: s for s in afresh(rule).evaluate(anew, opened)}
            assert one == other, (now, rule)


@pytest.mark.parametrize("seed", rest_slow(range(40)))
def test_overview_when_only_what_moved_is_worked_out_then_as_if_everything_were(seed: int) -> None:
    """Budgets, what runs and what filters miss: bills come late, in steps and not at all, owners get other names."""
    chance = random.Random(f"overview {seed}")
    rows = made_world(seed)
    lonely = rolling("1", name="lonely", owner=Patterns(("owner-3",)), team=Patterns(("t",)), category=Patterns())
    rules = (*made_rules(chance, rows, kinds=("budget",)), lonely)
    down = chance.random() < 0.4
    begin = at(3 + chance.randint(0, 1), chance.randint(0, 23))
    world = LateBills(
        rows,
        rules,
        is_down=lambda now, category: down and category == "gpu" and begin <= now < begin + timedelta(hours=6),
    )
    planned: tuple[PlannedSpend, ...] = ()
    known, owners, listed = None, OwnerDirectory(), dict[ResourceKey, Resource]()
    for now in moments(chance):
        facts = world.poll(now)
        if chance.random() < 0.05:
            planned = (PlannedSpend(amount=Usd(UNITS_PER_USD * 50), hours=HourRange(FIRST, FIRST + 96)),)
        if chance.random() < 0.1:
            team = chance.choice(["t", "u"])
            owners = OwnerDirectory((Owner(match=Patterns(("owner-0",)), name=f"name {now}", team=team),))
        if chance.random() < 0.1:
            one = a_resource(now, chance.choice(["running", "exited"]))
            listed = {one.key: one}
        facts = replace(facts, planned=planned, is_explained=True, owners=owners)
        facts = replace(facts, resources=listed, resources_read={"default": now})
        known = overview(facts, rules, before=known)
        anew = overview(whole_view(world, facts), [afresh(rule) for rule in rules])
        assert (known.budgets.figures, known.budgets.rules) == (anew.budgets.figures, anew.budgets.rules), now
        assert known.running == anew.running, now
        assert known.unmatched == anew.unmatched, now


def at_its_own_value(rule: Rule, facts: Facts, chance: random.Random) -> Rule:
    """The rule with a line at what one of its groups has now, or a unit above or below."""
    beside = chance.choice([-1, 0, 0, 1])
    if isinstance(rule, BudgetRule):
        standings = rule.standings(facts)
        groups = standings.of(standings.largest())
        if not groups:
            return rule
        one = chance.choice(groups).standing
        way = chance.choice(["amount", "pace", "forecast", "burn"])
        if way == "pace" and one.pace is not None and one.pace > 0:
            return replace(rule, thresholds={}, pace={WARNING: one.pace + Fraction(beside, 10**12)})
        if way == "forecast" and one.forecast_share is not None and one.forecast_share > 0:
            return replace(
                rule, thresholds={}, forecast={WARNING: Share(one.forecast_share + Fraction(beside, 10**12))}
            )
        fastest = max((rate.times for rate in one.rates.windows.values()), default=Fraction(0))
        if way == "burn" and fastest > 0:
            limit = fastest + Fraction(beside, 10**12)
            return replace(rule, thresholds={}, burn={CRITICAL: Burn(rate=limit, windows=(3 * HOUR, HOUR))})
        lowest = min(rule.thresholds.values())
        return replace(rule, amount=Usd(max(int(one.spent / lowest) + beside, 1)))
    values = [sample for sample in rule.evaluate(facts, everybody(rule, facts)) if sample.value > 0]
    if not values:
        return rule
    sample = chance.choice(values)
    if isinstance(rule, Spike):
        edges = rule.edges(facts)
        ends = two_ends(facts.spend, facts.data, rule.metric, edges, length=rule.lengths.window)
        (judged,) = rule._judged(facts, edges, ends, [sample.group], (sample.group,))
        limit = (judged.lower.ratio or Fraction(1)) + Fraction(beside, 10**15)
        return replace(rule, thresholds={WARNING: limit}, min_increase=Usd(0), above_highest=Fraction(0))
    units = int(sample.value * UNITS_PER_USD) + beside
    if isinstance(rule, RollingSpend):
        return replace(rule, thresholds={WARNING: Usd(max(units, 1))})
    assert isinstance(rule, FirstSpend)
    return replace(rule, min_spend=Usd(max(units, 1)))


def everybody(rule: Rule, facts: Facts) -> tuple[Labels, ...]:
    """Every group of a rule that was ever billed."""
    assert isinstance(rule, SpendRule)
    return facts.spend.sums(rule._query(facts.data), rule.metric, HourRange(FIRST, FIRST + 1)).groups


@pytest.mark.parametrize("seed", rest_slow(range(60)))
def test_reached_when_groups_are_passed_over_in_arrays_then_as_if_each_were_judged(seed: int) -> None:
    """Whoever has an open alert is judged whatever it spent: so is everybody here, with lines at, above and below."""
    chance = random.Random(f"reached {seed}")
    rows = made_world(seed)
    rules = made_rules(chance, rows)
    world = LateBills(rows, rules)
    planned = (PlannedSpend(amount=Usd(UNITS_PER_USD * 50), hours=HourRange(FIRST, FIRST + 96)),)
    for now in [*moments(chance)][::4]:
        facts = replace(world.poll(now), planned=chance.choice([(), planned]))
        for rule in rules:
            near = at_its_own_value(afresh(rule), facts, chance)
            each = afresh(near).evaluate(facts, everybody(near, facts))
            expected = {sample.group: sample for sample in each if sample.reached is not None}
            assert {sample.group: sample for sample in afresh(near).evaluate(facts, ())} == expected, (now, near)


def test_judged_when_nothing_moved_then_no_group_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that brings nothing asks no rule anything; one that moves a group asks for its sample alone."""
    built: list[Labels] = []
    make = RollingSpend._sample

    def counted(self: RollingSpend, facts: Facts, edges: object, group: Labels, *others: object) -> object:
        built.append(group)
        return make(self, facts, edges, group, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(RollingSpend, "_sample", counted)
    late = {FIRST + 70: 0.9}
    rows = [
        shown
        for n in range(40)
        for shown in hourly(
            range(FIRST, FIRST + 71),
            str(n + 1),
            late=(lambda hour: late.get(hour, 0)) if n == 39 else 0,
            owner=f"owner-{n:02}",
        )
    ]
    line = {WARNING: Usd(24 * 31 * UNITS_PER_USD)}
    rule = RollingSpend(name="r", group_by=("owner",), window=timedelta(hours=24), thresholds=line)
    world = LateBills(rows, (rule,))
    first = at(3, 23, 40)
    assert len(world.judge(first)) == len(built) == 10
    world.judge(first + timedelta(minutes=10))
    assert len(built) == 10
    # The row of one owner comes at 23:54.
    world.judge(first + timedelta(minutes=19))
    assert [dict(group)["owner"] for group in built[10:]] == ["owner-39"]
    # What was planned of it is enough to stay below the line.
    planned = (PlannedSpend(amount=Usd(UNITS_PER_USD * 10**6), hours=HourRange(FIRST, FIRST + 96)),)
    built.clear()
    assert afresh(rule).evaluate(replace(world.poll(first + timedelta(minutes=20)), planned=planned), ()) == []
    assert not built


def test_alerts_when_nothing_moved_then_neither_rated_nor_restated(monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of alerts a poll that brings nothing asks nothing of any of them."""
    asked: list[str] = []
    for name in ("rates", "restated", "counted", "left_out"):
        method = getattr(RollingSpend, name)

        def noted(self: RollingSpend, *args: object, name: str = name, method: object = method) -> object:
            if name != "rates" or args[1]:
                asked.append(name)
            return method(self, *args)  # type: ignore[operator]

        monkeypatch.setattr(RollingSpend, name, noted)
    rows = [shown for n in range(10) for shown in hourly(range(FIRST, FIRST + 71), "1", owner=f"owner-{n}")]
    rule = RollingSpend(
        name="r", group_by=("owner",), window=timedelta(hours=24), thresholds={WARNING: Usd(UNITS_PER_USD)}
    )
    world, first = LateBills(rows, (rule,)), at(3, 23, 40)

    def poll(now: datetime, known: dict[str, Alert]) -> dict[str, Alert]:
        moves, _ = judge((rule,), replace(world.poll(now), is_explained=True), known, {"default"})
        return {move.after.fingerprint: move.after for move in moves}

    alerts = {key: notified(alert, NotifyReason.FIRST, (), first) for key, alert in poll(first, {}).items()}
    assert set(asked) == {"rates", "counted"}
    for minutes, expected in ((1, {"restated", "left_out"}), (2, set()), (3, set())):
        asked.clear()
        alerts = poll(first + timedelta(minutes=minutes), alerts)
        assert (len(alerts), set(asked)) == (10, expected), minutes


def test_alerts_when_one_group_moves_then_only_its_own_alerts_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a poll costs grows with the alerts that moved: rules whose alerts did not are passed over whole."""
    asked: list[tuple[str, str]] = []
    for name in ("_sample", "counted"):
        method = getattr(RollingSpend, name)

        def noted(self: RollingSpend, *args: object, name: str = name, method: object = method) -> object:
            asked.append((name, self.name))
            return method(self, *args)  # type: ignore[operator]

        monkeypatch.setattr(RollingSpend, name, noted)
    late = {FIRST + 70: 0.9}
    rows = [
        shown
        for n in range(10)
        for shown in hourly(
            range(FIRST, FIRST + 71), "5", late=(lambda hour: late.get(hour, 0)) if n == 9 else 0, owner=f"owner-{n}"
        )
    ]
    day = RollingSpend(
        name="all", group_by=("owner",), window=timedelta(hours=24), thresholds={WARNING: Usd(UNITS_PER_USD)}
    )
    rules = (day, replace(day, name="others", owner=Patterns(("!owner-9",))))
    world, first = LateBills(rows, rules), at(3, 23, 40)
    alerts: dict[str, Alert] = {}

    def poll(minutes: int) -> list[Move]:
        asked.clear()
        moves, _ = judge(rules, world.poll(first + timedelta(minutes=minutes)), alerts, {"default"})
        alerts.update({move.after.fingerprint: move.after for move in moves})
        return moves

    poll(0)
    assert len(asked) == 2 * (10 + 9)
    poll(10)
    assert asked == []
    # The row of one owner comes at 23:54.
    moves = poll(19)
    assert asked == [("_sample", "all"), ("counted", "all")]
    assert [dict(move.after.group)["owner"] for move in moves if move.is_change] == ["owner-9"]
    poll(19)
    assert asked == []


def test_rules_when_a_group_moves_then_each_is_evaluated_once_and_equal_filters_are_resolved_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether an alert moved is seen by the evaluation that makes its new sample."""
    evaluated: list[str] = []
    selected: list[tuple[Patterns, Patterns]] = []
    evaluate, select = GroupRule.evaluate, DataState.select

    def noted(self: RollingSpend, *args: Any) -> list[Sample]:
        evaluated.append(self.name)
        return evaluate(self, *args)

    def resolved(self: DataState, *args: Patterns) -> tuple[tuple[str, str], ...]:
        selected.append((args[0], args[1]))
        return select(self, *args)

    monkeypatch.setattr(RollingSpend, "evaluate", noted)
    monkeypatch.setattr(DataState, "select", resolved)
    rows = [
        *hourly(range(FIRST, FIRST + 70), "5", owner="owner-0"),
        *hourly(range(FIRST + 70, FIRST + 71), "9", late=0.9, owner="owner-0"),
    ]
    day = RollingSpend(
        name="day", group_by=("owner",), window=timedelta(hours=24), thresholds={WARNING: Usd(UNITS_PER_USD)}
    )
    rules = (day, replace(day, name="hours", window=timedelta(hours=6)))
    world, first = LateBills(rows, rules), at(3, 23, 40)
    # The row comes at 23:54.
    for minutes, value in ((0, 120), (10, 120), (19, 124), (20, 124)):
        evaluated.clear()
        selected.clear()
        alerts = world.judge(first + timedelta(minutes=minutes))
        assert [alert.value for alert in alerts.values() if alert.rule == "day"] == [value], minutes
        assert evaluated == ["day", "hours"], minutes
        assert len(selected) == 1, minutes
