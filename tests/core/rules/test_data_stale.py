"""`data_stale` by hand-computed hours since the last read."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import Sample, Unit
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Labels, Patterns
from alertd.core.rules.base import NOT_MATCHED
from alertd.core.rules.data_stale import DataStale
from alertd.core.rules.facts import Facts
from alertd.core.severity import Severity
from alertd.core.spend.bill import CATEGORIES
from tests.core.builders import CRITICAL, HOUR, NOW, RUNNING, WARNING, Desk

RULE = DataStale(name="stale", thresholds={WARNING: 3 * HOUR, CRITICAL: 12 * HOUR})
SECOND = timedelta(seconds=1)


def read_at(*reads: tuple[str, datetime], account: str = "default", desk: Desk | None = None) -> Desk:
    """Categories read whole, each at its time."""
    desk = desk or Desk()
    for category, at in reads:
        desk.read([], HourRange(hour_of(at) - 24, hour_of(at) + 1), at, category=category, account=account)
    return desk


def by(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


def judge(facts: Facts, *watched: Labels, rule: DataStale = RULE) -> dict[Labels, Sample]:
    return {sample.group: sample for sample in rule.evaluate(facts, watched)}


@pytest.mark.parametrize(
    ("age", "value", "reached", "held"),
    [
        pytest.param(3 * HOUR, "3", WARNING, WARNING, id="the threshold met exactly"),
        pytest.param(3 * HOUR - SECOND, "2.999722", None, WARNING, id="a second less is held"),
        pytest.param(timedelta(minutes=162), "2.7", None, WARNING, id="held at 90 % exactly"),
        pytest.param(timedelta(minutes=162) - SECOND, None, None, None, id="a second less is left"),
        pytest.param(12 * HOUR, "12", CRITICAL, CRITICAL, id="the highest met exactly"),
        pytest.param(timedelta(), None, None, None, id="just read"),
        pytest.param(-HOUR, None, None, None, id="a clock that was set back"),
    ],
)
def test_hours_when_a_read_is_long_ago_then_counted_from_it(
    age: timedelta, value: str | None, reached: Severity | None, held: Severity | None
) -> None:
    """Since the last complete read of the selected categories."""
    samples = judge(read_at(("gpu", NOW - age)).facts())
    assert {g: (str(s.value), s.reached, s.held, s.unit) for g, s in samples.items()} == (
        {by(account="default"): (value, reached, held, Unit.HOURS)} if value else {}
    )


def test_hours_when_a_read_fails_then_the_earlier_one_counts() -> None:
    """An attempt is no read, nor is one that left out the newest hours."""
    desk = read_at(("gpu", NOW - 4 * HOUR))
    desk.fail(HourRange(RUNNING - 6, RUNNING + 1))
    desk.read([], HourRange(RUNNING - 48, RUNNING - 24), NOW)
    assert str(judge(desk.facts())[by(account="default")].value) == "4"


@pytest.mark.parametrize(
    ("since", "hours"),
    [pytest.param(NOW - 5 * HOUR, "5", id="tried for five hours"), pytest.param(None, None, id="nothing tried yet")],
)
def test_hours_when_never_read_then_since_the_first_attempt(since: datetime | None, hours: str | None) -> None:
    """A wrong key at the first start must not look like data that is fresh."""
    desk = Desk()
    desk.books["default", "gpu"] = desk.book()
    samples = judge(replace(desk.facts(), watched_since=since))
    assert [str(s.value) for s in samples.values()] == ([hours] if hours else [])


MANY = read_at(("gpu", NOW - 4 * HOUR), ("llm", NOW - 13 * HOUR), ("web_search", NOW))
read_at(("gpu", NOW - 5 * HOUR), ("llm", NOW), account="dev", desk=MANY)


@pytest.mark.parametrize(
    ("parts", "hours"),
    [
        pytest.param({}, {"default": "13", "dev": "5"}, id="by account: its oldest read"),
        pytest.param({"group_by": ()}, {"": "13"}, id="the whole"),
        pytest.param({"group_by": ("category",)}, {"gpu": "5", "llm": "13"}, id="by category over the accounts"),
        pytest.param(
            {"group_by": ("category", "account")},
            {"default|gpu": "4", "default|llm": "13", "dev|gpu": "5"},
            id="by both, in one order",
        ),
        pytest.param({"category": Patterns(("gpu",))}, {"default": "4", "dev": "5"}, id="one category"),
        pytest.param({"account": Patterns(("!default",))}, {"dev": "5"}, id="one account"),
        pytest.param({"category": Patterns(("web_search",))}, {}, id="one that is read"),
    ],
)
def test_groups_when_filtered_and_grouped_then_the_oldest_read_of_each(
    parts: dict[str, object], hours: dict[str, str]
) -> None:
    """One alert per account unless the rule says otherwise."""
    samples = judge(MANY.facts(), rule=replace(RULE, **parts))  # type: ignore[arg-type]
    assert {"|".join(v for _, v in g): str(s.value) for g, s in samples.items()} == hours


@pytest.mark.parametrize(("count", "more"), [(4, []), (5, []), (6, ["1 category"]), (7, ["2 categories"])])
def test_sample_when_many_are_stale_then_five_are_named_and_the_rest_counted(count: int, more: list[str]) -> None:
    """Nobody reads twenty lines, and whoever wonders how many there are need not count."""
    stale = read_at(*((category, NOW - 4 * HOUR) for category in CATEGORIES[:count]))
    (sample,) = judge(stale.facts()).values()
    named = [name for name, _ in sample.facts if name in CATEGORIES]
    assert len(named) == min(count, 5)
    assert [text for name, text in sample.facts if name == "And more"] == more


def test_sample_when_stale_then_which_since_when_and_why() -> None:
    """The reader asks what is wrong with which read; what is read is not named."""
    desk = read_at(("gpu", NOW - 4 * HOUR), ("llm", NOW - 3 * HOUR), ("web_search", NOW))
    desk.fail(HourRange(RUNNING - 6, RUNNING + 1))
    sample = judge(replace(desk.facts(), refused={"default": "set NOVITA_KEY"}))[by(account="default")]
    assert sample.headline == "No complete read of gpu and llm (default) for 4 h"
    assert sample.facts == (
        ("Key refused", "set NOVITA_KEY"),
        ("gpu", "HTTP 500; last read 2026-01-10 08:05 UTC"),
        ("llm", "last read 2026-01-10 09:05 UTC"),
    )
    assert (sample.as_of, sample.is_complete) == (NOW.replace(hour=6, minute=0), True)
    assert [(s.label, str(v)) for s, v in sample.thresholds] == [("warning", "3"), ("critical", "12")]


def test_sample_when_many_categories_are_stale_then_counts_the_rest() -> None:
    """Nine errors are one message."""
    names = "abcdefg"
    sample = judge(read_at(*((name, NOW - 4 * HOUR) for name in names)).facts())[by(account="default")]
    assert sample.headline == "No complete read of a, b, c and 4 more (default) for 4 h"
    assert [name for name, _ in sample.facts] == ["a", "b", "c", "d", "e", "And more"]
    assert sample.facts[-1] == ("And more", "2 categories")


def test_sample_when_accounts_share_an_alert_then_facts_name_the_account() -> None:
    """The same category may be read in one and not in the other."""
    (sample,) = judge(MANY.facts(), rule=replace(RULE, group_by=(), category=Patterns(("gpu",)))).values()
    assert sample.account == "default, dev"
    assert [name for name, _ in sample.facts] == ["default: gpu", "dev: gpu"]


def test_watched_group_when_read_again_or_left_out_then_its_alert_ends() -> None:
    """It is judged by the new text, and by the newest read."""
    group, facts = by(account="default"), MANY.facts()
    rule = replace(RULE, category=Patterns(("web_search",)))
    sample = judge(facts, group, rule=rule)[group]
    assert (sample.headline, sample.held, sample.is_complete) == (
        "Bills are read again: web_search (default)",
        None,
        True,
    )
    assert not rule.left_out(facts, group)
    for edited in (replace(rule, account=Patterns(("dev",))), replace(rule, category=Patterns(("gone",)))):
        assert edited.left_out(facts, group) == NOT_MATCHED


def test_evaluate_when_there_is_nothing_to_read_then_no_sample() -> None:
    """No account, no alert."""
    assert judge(Desk().facts()) == {}
    assert judge(Desk().facts(), rule=replace(RULE, group_by=())) == {}


@pytest.mark.parametrize(
    ("parts", "keys"),
    [
        pytest.param({}, [], id="none"),
        pytest.param({"group_by": ("owner",)}, ["group_by"], id="a group that reads have not"),
        pytest.param({"thresholds": {}}, ["thresholds"], id="no threshold"),
        pytest.param({"thresholds": {WARNING: HOUR, CRITICAL: HOUR}}, ["thresholds"], id="equal thresholds"),
    ],
)
def test_problems_when_the_rule_makes_no_sense_then_named(parts: dict[str, object], keys: list[str]) -> None:
    """What a single key cannot show."""
    assert [key for key, _ in replace(RULE, **parts).problems()] == keys  # type: ignore[arg-type]
