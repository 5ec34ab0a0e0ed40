"""Rules on spend by API key against a slow oracle: they see their own view alone, and usage rules see none of it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alert import Sample
from alertd.core.calendar import Period
from alertd.core.hours import HourRange
from alertd.core.labels import Patterns
from alertd.core.money import to_decimal
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.facts import Facts
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.spike import Spike
from alertd.core.spend.ledger import CategoryBook
from alertd.core.spend.lists import View
from alertd.core.spend.rises import Compare
from tests.core.builders import NOW, RUNNING, WARNING, Desk, Row, desk_with, rolling, row, stand, usd
from tests.examples import examples

EDGE = RUNNING + 1
"""Each desk has a row in the running hour."""
BY_KEY = rolling("0.0000000001", None, view=View.API_KEY, resolve_below=Share(1))  # type: ignore[arg-type]
BY_USAGE = replace(BY_KEY, view=View.USAGE)


def facts_of(usage: Desk, keys: Desk, owners: OwnerDirectory | None = None) -> Facts:
    """Both views, as a cycle has them."""
    by_key = keys.facts(owners=owners)
    return replace(usage.facts(owners=owners), keys=(by_key.spend, by_key.data))


def spent(rows: list[Row], length: int) -> dict[str, Decimal]:
    """Add up row by row what each owner spent at most in the hours that end at the edge or within the settle delay."""
    most: dict[str, int] = {}
    for end in range(RUNNING - 1, EDGE + 1):
        sums: dict[str, int] = {}
        for one in rows:
            if end - length <= one.hour < end:
                sums[one.series.owner] = sums.get(one.series.owner, 0) + one.amount
        most |= {owner: max(units, most.get(owner, 0)) for owner, units in sums.items()}
    return {owner: to_decimal(units) for owner, units in most.items() if units > 0}


def notified(rule: RollingSpend, facts: Facts) -> dict[str, Decimal]:
    return {dict(s.group)["owner"]: s.value for s in rule.evaluate(facts, ()) if s.reached}


KEYS = ("key-1", "key-2", "key-3")
CATEGORIES = ("llm", "gen_api", "web_search")
ROWS = st.lists(
    st.builds(
        lambda hour, amount, owner, category: row(hour, amount, owner=owner, category=category),
        st.integers(RUNNING - 40, RUNNING),
        st.integers(1, 9999).map(lambda cents: f"{cents / 100:.2f}"),
        st.sampled_from(KEYS),
        st.sampled_from(CATEGORIES),
    ),
    max_size=12,
)
NEWEST = [row(RUNNING, "1", owner="key-0", category="llm")]
SAME_EDGE = [row(RUNNING, "0.01", owner=key, category=category) for key in KEYS for category in CATEGORIES]
"""Every stream of every key is billed through the same hour."""


@examples(4, thorough=40)
@given(ROWS, ROWS, st.integers(1, 48))
def test_rules_when_of_two_views_then_each_reports_its_own_to_the_last_digit(
    usage: list[Row], keys: list[Row], length: int
) -> None:
    """The same money stands in both; a sum of the two would be spend that never was."""
    usage, keys = [*usage, *SAME_EDGE], [*keys, *SAME_EDGE]
    facts = facts_of(desk_with(*usage), desk_with(*keys))
    window = timedelta(hours=length)
    assert notified(replace(BY_KEY, window=window), facts) == spent(keys, length)
    assert notified(replace(BY_USAGE, window=window), facts) == spent(usage, length)


def failing(desk: Desk) -> Desk:
    desk.fail(HourRange(RUNNING - 10, RUNNING - 5), category="llm")
    return desk


@pytest.mark.parametrize(
    ("usage_fails", "keys_fail", "by_usage", "by_key"),
    [
        pytest.param(False, False, True, True, id="both read"),
        pytest.param(True, False, False, True, id="usage could not be read"),
        pytest.param(False, True, True, False, id="the list by key could not be read"),
    ],
)
def test_completeness_when_one_view_fails_then_the_other_decides(
    *, usage_fails: bool, keys_fail: bool, by_usage: bool, by_key: bool
) -> None:
    """An endpoint that an account lacks must not hold up the rules on usage."""
    rows = [row(RUNNING - 20, "60", owner="key-1", category="llm"), *NEWEST]
    usage, keys = desk_with(*rows), desk_with(*rows)
    facts = facts_of(failing(usage) if usage_fails else usage, failing(keys) if keys_fail else keys)
    found = [
        next(s for s in rule.evaluate(facts, ()) if dict(s.group)["owner"] == "key-1") for rule in (BY_USAGE, BY_KEY)
    ]
    assert [sample.is_complete for sample in found] == [by_usage, by_key]
    assert [sample.reached for sample in found] == [WARNING, WARNING]


def test_edge_when_the_views_differ_then_each_rule_has_its_own() -> None:
    """A newer hour in one list says nothing of the other."""
    newest = row(RUNNING, "60", owner="key-1", category="llm")
    older = row(RUNNING - 3, "60", owner="key-1", category="llm")
    facts = facts_of(desk_with(older), desk_with(newest))
    (by_usage,), (by_key,) = BY_USAGE.evaluate(facts, ()), BY_KEY.evaluate(facts, ())
    assert (by_key.as_of - by_usage.as_of) == timedelta(hours=3)


def test_gap_when_of_the_second_view_then_says_so() -> None:
    """Two lists of one category must not be mixed up by who reads the message."""
    keys = Desk()
    keys.books["default", "llm"] = CategoryBook(account="default", category="llm", view=View.API_KEY)
    keys.read([row(RUNNING, "60", owner="key-1", category="llm")], HourRange(RUNNING - 2, RUNNING + 1), category="llm")
    (sample,) = BY_KEY.evaluate(facts_of(desk_with(), keys), ())
    assert sample.caveats[0].startswith("llm by API key was not read yet for 21 hours")


OWNERS = OwnerDirectory((Owner(match=Patterns(("key-2",)), name="chat", team="product"),)).named(
    {"key-1": "ci", "key-2": "sk_..22"}
)


@pytest.mark.parametrize(
    ("rule", "key", "name"),
    [
        pytest.param(BY_KEY, "key-1", "ci", id="rolling_spend, named by the bills"),
        pytest.param(BY_KEY, "key-2", "chat", id="rolling_spend, named by the rules file"),
        pytest.param(
            BudgetRule(
                name="b",
                view=View.API_KEY,
                period=Period.MONTH,
                amount=usd("999999"),
                amounts={"ci": usd("50")},
                thresholds={WARNING: Share(1)},  # type: ignore[arg-type]
                group_by=("owner",),
            ),
            "key-1",
            "ci",
            id="budget of a key by its name",
        ),
        pytest.param(
            FirstSpend(name="n", view=View.API_KEY, lookback_=timedelta(days=3)), "key-1", "ci", id="first_spend"
        ),
        pytest.param(
            Spike(
                name="s",
                view=View.API_KEY,
                group_by=("owner",),
                window=timedelta(hours=6),
                compare=Compare.PREVIOUS,
                baseline=timedelta(hours=48),
                min_history=timedelta(hours=24),
                thresholds={WARNING: 2},  # type: ignore[dict-item]
            ),
            "key-3",
            "",
            id="spike, named by nobody",
        ),
    ],
)
def test_rule_of_every_type_when_of_keys_then_finds_the_key_and_its_name(rule: Rule, key: str, name: str) -> None:
    """One leaked key among usage that shows nothing of it."""
    rows = [
        row(RUNNING - 1, "60", owner="key-1", category="llm"),
        row(RUNNING - 1, "60", owner="key-2", category="gen_api"),
        row(RUNNING - 40, "1", owner="key-3", category="llm"),
        row(RUNNING - 1, "60", owner="key-3", category="llm"),
    ]
    facts = facts_of(desk_with(row(RUNNING - 1, "60", owner="gpu-1")), desk_with(*rows), OWNERS)
    found = {dict(s.labels)["owner"]: s for s in rule.evaluate(facts, ()) if s.reached}
    assert key in found
    assert "gpu-1" not in found
    assert dict(found[key].labels).get("owner_name", "") == name
    assert (f"{name} ({key})" if name else key) in found[key].headline


def test_facts_when_keys_are_not_at_hand_then_no_rule_judges_the_wrong_bills() -> None:
    """A rule of one view that looks at the other would tell nonsense quietly."""
    with pytest.raises(LookupError, match="spend by API key is not at hand"):
        BY_KEY.evaluate(desk_with().facts(NOW), ())


def test_views_when_asked_of_rules_then_only_what_they_look_at() -> None:
    """It decides what is read at all."""
    samples: list[Sample] = BY_USAGE.evaluate(desk_with(*NEWEST).facts(), ())
    assert samples
    assert (set(BY_USAGE.views), set(BY_KEY.views)) == ({View.USAGE}, {View.API_KEY})


def test_standings_when_a_budget_is_of_the_key_view_then_of_its_view_too() -> None:
    """Reports and metrics tell of the spend that the rule judges, not of the other list of the same money."""
    budget = BudgetRule(
        name="keys",
        view=View.API_KEY,
        period=Period.MONTH,
        amount=usd("100"),
        group_by=("owner",),
        thresholds={WARNING: Share(1)},  # type: ignore[arg-type]
    )
    facts = facts_of(
        desk_with(row(RUNNING, "50", owner="gpu-1")), desk_with(row(RUNNING, "7", owner="key-1", category="llm"))
    )
    assert [(dict(s.group)["owner"], s.standing.spent) for s in stand(budget, facts)] == [("key-1", usd("7"))]
