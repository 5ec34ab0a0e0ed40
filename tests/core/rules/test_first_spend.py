"""`first_spend` by hand: who is new, for how long, and from which amount on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.alert import AlertState, Sample
from alertd.core.alerts.lifecycle import step
from alertd.core.hours import HourRange, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Metric
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.severity import Severity
from tests.core.builders import CRITICAL, NOW, RUNNING, WARNING, Desk, Row, a_series, desk_with, row, usd

EDGE = RUNNING - 2
"""Without a row of the last hours the window ends here: the read less two hours."""
START = EDGE - 24
OLDEST = START - 30 * 24
RULE = FirstSpend(name="new")
LIMITS = replace(RULE, thresholds={WARNING: usd("5"), CRITICAL: usd("50")})


def of(owner: str = "gpu-1", account: str = "default") -> Labels:
    """The labels that tell an owner's alert apart."""
    return (("account", account), ("owner", owner))


def judge(desk: Desk, *watched: Labels, rule: FirstSpend = RULE) -> dict[str, Sample]:
    """The samples by account and owner."""
    return {"|".join(value for _, value in s.group): s for s in rule.evaluate(desk.facts(), watched)}


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        pytest.param([row(START, "1")], "1", id="min_spend met exactly, in the first hour of the window"),
        pytest.param([row(EDGE - 1, "5")], "5", id="the last hour of the window"),
        pytest.param([row(START, "0.9"), row(EDGE - 1, "0.1")], "1", id="rows add up"),
        pytest.param([row(START, "5"), row(START - 1, "0.01")], None, id="a cent in the hour before: known"),
        pytest.param([row(START, "5"), row(OLDEST, "0.01")], None, id="a cent in the first hour of the lookback"),
        pytest.param([row(START, "5"), row(OLDEST - 1, "900")], "5", id="what is longer ago does not count"),
        pytest.param([row(START, "5"), row(OLDEST, "3"), row(OLDEST + 9, "-3")], None, id="spend and its credit"),
        pytest.param([row(START, "5"), row(OLDEST, "-3")], None, id="a credit is a trace as well"),
        pytest.param([row(START, "5"), row(START - 1, "0")], "5", id="a row of nothing is no spend"),
        pytest.param([row(START, "5"), row(START - 1, "9", owner="gpu-2")], "5", id="somebody else's spend"),
        pytest.param([row(START, "5", owner="")], None, id="spend without an owner is nobody's"),
        pytest.param([row(START, "5"), row(EDGE - 1, "-4.5")], None, id="credits in the window leave too little"),
        pytest.param([], None, id="an empty ledger"),
    ],
)  # fmt: skip
def test_owner_when_rows_lie_around_the_window_then_new_without_a_trace_before(
    rows: list[Row], value: str | None
) -> None:
    """New means not a single charge or credit in the thirty days before the window."""
    samples = judge(desk_with(*rows))
    assert {k: (str(s.value), s.reached) for k, s in samples.items()} == (
        {"default|gpu-1": (value, WARNING)} if value else {}
    )


@pytest.mark.parametrize(
    ("rule", "value", "reached", "held"),
    [
        pytest.param(RULE, "0.9999999999", None, WARNING, id="a hair below min_spend is only held"),
        pytest.param(RULE, "0.9", None, WARNING, id="held at 90 % exactly"),
        pytest.param(RULE, "0.8999999999", None, None, id="a hair less is left"),
        pytest.param(replace(RULE, severity=CRITICAL), "1", CRITICAL, CRITICAL, id="severity in place of thresholds"),
        pytest.param(LIMITS, "4.99", None, WARNING, id="below every threshold"),
        pytest.param(LIMITS, "5", WARNING, WARNING, id="the lowest met exactly"),
        pytest.param(LIMITS, "45", WARNING, CRITICAL, id="the highest held at 90 %"),
        pytest.param(LIMITS, "50", CRITICAL, CRITICAL, id="the highest met exactly"),
    ],
)
def test_severity_when_value_grows_then_reached_and_held(
    rule: FirstSpend, value: str, reached: Severity | None, held: Severity | None
) -> None:
    """From the threshold exactly, down to 90 % of it."""
    (sample,) = judge(desk_with(row(START, value)), of(), rule=rule).values()
    assert (sample.reached, sample.held) == (reached, held)


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        pytest.param({}, {"default|gpu-1", "dev|gpu-1"}, id="new in each account by itself"),
        pytest.param({"account": Patterns(("dev",))}, {"dev|gpu-1"}, id="one account"),
        pytest.param({"category": Patterns(("gpu",))}, {"default|gpu-1", "dev|gpu-1", "default|ep-1"}, id="in gpu"),
        pytest.param({"metric": Metric.PAY}, {"default|gpu-1", "dev|gpu-1"}, id="paid by voucher before is not new"),
        pytest.param({"metric": Metric.VOUCHER}, set(), id="no voucher is paid now"),
        pytest.param({"owner": Patterns(("!gpu-1",))}, set(), id="an owner that is left out"),
    ],
)
def test_owners_when_filtered_then_new_within_the_filters(parts: dict[str, object], found: set[str]) -> None:
    """An owner of llm endpoints that begins to use gpu is new to a rule on gpu."""
    voucher = Row(series=a_series("gpu-2"), hour=OLDEST, amount=usd("9"), voucher=usd("9"))
    desk = desk_with(
        row(START, "5"),
        row(START, "6", account="dev"),
        row(START, "7", owner="gpu-2"),
        voucher,
        row(START, "8", owner="ep-1"),
        row(OLDEST, "8", owner="ep-1", category="llm"),
    )
    assert set(judge(desk, rule=replace(RULE, **parts))) == found  # type: ignore[arg-type]


def test_sample_when_new_then_whose_since_when_and_for_what() -> None:
    """The reader asks who started it, and when."""
    owners = OwnerDirectory((Owner(match=Patterns(("gpu-1",)), name="trainer-a", team="research"),))
    desk = desk_with(row(START + 3, "5"), row(EDGE - 1, "2"))
    (sample,) = replace(RULE, category=Patterns(("gpu",))).evaluate(desk.facts(owners=owners), ())
    assert sample.headline == "New owner trainer-a (gpu-1) spent $7.00 on gpu in 24h"
    assert sample.facts == (("First charge", "2026-01-09 13:00 UTC"),)
    assert dict(sample.labels) == {
        "account": "default", "owner": "gpu-1", "owner_name": "trainer-a", "team": "research",
    }  # fmt: skip
    assert [(c.product, c.amount, c.before) for c in sample.top] == [("H100", usd("7"), 0)]
    assert sample.table_note == "24h to 2026-01-10 10:00 UTC, against the 30d before"
    assert (sample.account, sample.as_of) == ("default", start_of(EDGE))


def test_headline_when_there_are_several_accounts_then_names_the_account() -> None:
    """The same id may exist in both."""
    desk = desk_with(row(START, "5"), row(OLDEST, "1", account="dev"))
    (sample,) = judge(desk).values()
    assert sample.headline == "New owner gpu-1 in account default spent $5.00 in 24h"


# --- completeness and lives -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "decides"),
    [
        pytest.param(HourRange(OLDEST, OLDEST + 1), False, id="the first hour of the lookback"),
        pytest.param(HourRange(EDGE - 1, EDGE), False, id="the last hour of the window"),
        pytest.param(HourRange(OLDEST - 1, OLDEST), True, id="an hour before the lookback"),
    ],
)
def test_owner_when_an_hour_failed_then_it_decides_only_outside_window_and_lookback(
    span: HourRange, decides: bool
) -> None:
    """Who spent in the hour that is missing is not new; the other account is known whole, and decides."""
    desk = desk_with(row(START, "5"), row(START, "5", account="dev"))
    desk.fail(span)
    assert set(judge(desk)) == ({"default|gpu-1", "dev|gpu-1"} if decides else {"dev|gpu-1"})
    sample = judge(desk, of())["default|gpu-1"]
    assert (sample.is_complete, sample.may_raise, bool(sample.caveats)) == (decides, decides, not decides)
    assert sample.reached is (WARNING if decides else None)


@pytest.mark.parametrize(
    ("rows", "failed", "state"),
    [
        pytest.param([row(START, "5")], False, AlertState.FIRING, id="still new"),
        pytest.param([row(START, "5"), row(START - 1, "5")], False, AlertState.RESOLVED, id="known by now"),
        pytest.param([row(START, "5"), row(START - 1, "5")], True, AlertState.FIRING, id="not sure of it"),
        pytest.param([], False, AlertState.RESOLVED, id="gone from the bills, twice"),
    ],
)
def test_open_alert_when_time_goes_by_then_ends_once_the_owner_is_known(
    rows: list[Row], failed: bool, state: AlertState
) -> None:
    """An owner is new for as long as its first charge lies in the window."""
    (seen,) = judge(desk_with(row(START, "5"))).values()
    alert = step(None, seen, RULE, NOW)
    desk = desk_with(*rows)
    if failed:
        desk.fail(HourRange(EDGE - 3, EDGE))
    (sample,) = judge(desk, of()).values()
    after = step(alert, sample, RULE, NOW)
    assert after is not None
    assert after.state is state


def test_headline_when_the_owner_is_known_by_now_then_says_so() -> None:
    """It is the end of the alert, not of the spend."""
    (sample,) = judge(desk_with(row(START, "5"), row(START - 1, "5")), of()).values()
    assert sample.headline == "gpu-1, no longer new, spent $5.00 in 24h"


def test_watched_group_when_an_edit_leaves_it_out_then_its_alert_ends() -> None:
    """Of another filter, or of another type of rule that grouped otherwise."""
    desk = desk_with(row(START, "5"))
    for watched, parts in ((of(), {"owner": Patterns(("gpu-2",))}), ((("team", "x"),), {})):
        sample = next(s for s in replace(RULE, **parts).evaluate(desk.facts(), (watched,)) if s.group == watched)  # type: ignore[arg-type]
        assert (sample.held, sample.is_complete) == (None, True)


def test_evaluate_when_nothing_was_ever_read_then_no_sample() -> None:
    """Nothing known is not zero."""
    desk = Desk()
    desk.books["default", "gpu"] = desk.book()
    assert judge(desk, of()) == {}


@pytest.mark.parametrize(
    ("parts", "keys"),
    [
        pytest.param({}, [], id="none"),
        pytest.param({"group_by": ("owner", "account")}, [], id="what it does anyway"),
        pytest.param({"group_by": ("billing_method",)}, ["group_by"], id="another group"),
        pytest.param({"window": timedelta(minutes=90)}, ["window"], id="half hours"),
        pytest.param({"lookback_": timedelta(minutes=90)}, ["lookback"], id="half hours before"),
        pytest.param({"severity": WARNING, "thresholds": {WARNING: usd("5")}}, ["severity"], id="said twice"),
        pytest.param({"thresholds": {WARNING: usd("5"), CRITICAL: usd("5")}}, ["thresholds"], id="equal thresholds"),
        pytest.param({"thresholds": {WARNING: usd("0.99")}}, ["thresholds"], id="below min_spend"),
    ],
)
def test_problems_when_the_rule_makes_no_sense_then_named(parts: dict[str, object], keys: list[str]) -> None:
    """What a single key cannot show."""
    assert [key for key, _ in replace(RULE, **parts).problems()] == keys  # type: ignore[arg-type]


def test_lookback_when_asked_then_window_and_what_is_before_it() -> None:
    """The daemon reads and holds so much."""
    assert RULE.lookback() == timedelta(days=31)
    assert replace(RULE, metric=Metric.PAY).metrics == {Metric.PAY, Metric.AMOUNT}


def test_groups_when_products_begin_then_each_that_nobody_used_before() -> None:
    """A new owner of a known product is no matter of a rule by product, and the other way round."""
    rows = [
        Row(series=a_series("gpu-1", product="H100"), hour=OLDEST + 5, amount=usd("9")),
        Row(series=a_series("gpu-2", product="H100"), hour=START + 2, amount=usd("9")),
        Row(series=a_series("gpu-1", product="B200"), hour=START + 3, amount=usd("4")),
        Row(series=a_series("gpu-2", product="B200"), hour=START + 4, amount=usd("3")),
    ]
    desk = desk_with(*rows)
    (sample,) = judge(desk, rule=replace(RULE, group_by=("product",))).values()
    assert (sample.group, str(sample.value)) == ((("account", "default"), ("product", "B200")), "7")
    assert sample.headline == "New product B200 spent $7.00 in 24h"
    assert set(judge(desk)) == {"default|gpu-2"}
    assert set(judge(desk, rule=replace(RULE, group_by=("owner", "product")))) == {
        "default|gpu-1|B200",
        "default|gpu-2|B200",
        "default|gpu-2|H100",
    }


@pytest.mark.parametrize("groups", [("account",), ("billing_method",), ("owner", "env")])
def test_problems_when_grouped_by_what_cannot_begin_then_named(groups: tuple[str, ...]) -> None:
    """The language names what may be new."""
    assert {key for key, _ in replace(RULE, group_by=groups).problems()} == {"group_by"}
