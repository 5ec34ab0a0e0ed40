"""The made-up account: chance, charges, publication and the exact sums."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.simulator.meters import Charge, Meter, Rhythm, Surge, Tier, charges_of_day, day_of, to_usd
from alertd.simulator.noise import OUT_OF, draw
from alertd.simulator.rows import PROMPT, WHOLE, Publication, Row, Version, publish, whole
from alertd.simulator.scenarios import busy_month
from alertd.simulator.world import CATEGORIES, World
from tests.examples import examples
from tests.simulator.sums import visible_spend

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def meter(usd: str = "2.00", /, **fields: object) -> Meter:
    plain = Meter(
        owner_id="gpu-1", product_name="H100", category="gpu", subcategory="Compute", usd_per_hour=Decimal(usd)
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def world(*meters: Meter, publication: Publication = PROMPT) -> World:
    return World(name="test", summary="", seed=1, begins_at=MONDAY, meters=meters, publication=publication)


def spend_by_hour(of: Meter, day: datetime = MONDAY) -> list[str]:
    charges = charges_of_day(of, seed=1, day=day_of(day))
    return [f"{charge.start_s % 86_400 // 3600}:{to_usd(charge.amount).normalize():f}" for charge in charges]


def test_draw_when_repeated_then_same_numbers_within_bounds() -> None:
    """Every decision rests on it, on every machine: these numbers must never change."""
    assert draw(1, "row", "gpu-1") == draw(1, "row", "gpu-1")
    assert draw(1, "row", "gpu-1") != draw(2, "row", "gpu-1")
    assert draw("a", "b") != draw("ab")
    assert draw(7, "x") == (1970, 3474, 5055, 3873, 1118, 4841, 3228, 1140, 8429, 8429, 2660, 4895)
    assert all(0 <= number < OUT_OF for seed in range(100) for number in draw(seed))


@pytest.mark.parametrize(
    ("fields", "day", "hours"),
    [
        pytest.param({"rhythm": Rhythm.OFFICE_HOURS}, MONDAY, range(8, 18), id="office hours on a Monday"),
        pytest.param(
            {"rhythm": Rhythm.OFFICE_HOURS}, MONDAY + timedelta(days=5), range(0), id="no office on a Saturday"
        ),
        pytest.param({"rhythm": Rhythm.NIGHTLY}, MONDAY, range(1, 4), id="three hours at night"),
        pytest.param({"rhythm": Rhythm.MONDAYS}, MONDAY, range(9, 10), id="Monday's hour"),
        pytest.param({"rhythm": Rhythm.MONDAYS}, MONDAY + timedelta(days=1), range(0), id="not on a Tuesday"),
        pytest.param({"starts_at": MONDAY + 17 * HOUR}, MONDAY, range(17, 24), id="from its start on"),
        pytest.param({"ends_at": MONDAY + 9 * HOUR}, MONDAY, range(9), id="up to its end, exclusive"),
    ],
)
def test_meter_when_its_rhythm_says_so_then_spends(fields: dict[str, object], day: datetime, hours: range) -> None:
    """The rhythm of a week is what baselines learn."""
    assert spend_by_hour(meter(**fields), day) == [f"{hour}:2" for hour in hours]


def test_surge_when_it_begins_then_spend_doubles_hourly_up_to_its_factor() -> None:
    """A leak must be seen to grow within hours, and to stop."""
    surge = Surge(starts_at=MONDAY + 2 * HOUR, ends_at=MONDAY + 7 * HOUR, factor=10)
    spends = spend_by_hour(meter("1", surges=(surge,), ends_at=MONDAY + 9 * HOUR))
    assert spends == ["0:1", "1:1", "2:2", "3:4", "4:8", "5:10", "6:10", "7:1", "8:1"]


@given(
    amount=st.integers(-(10**13), 10**13),
    shares=st.lists(st.integers(1, 30), max_size=3),
    is_daily=st.booleans(),
)
@examples(5, thorough=50)
def test_tiers_when_an_hour_is_split_then_they_add_up_exactly(amount: int, shares: list[int], is_daily: bool) -> None:
    """Not a unit may be lost between the rows of one hour."""
    tiers = (*(Tier(share_percent=share) for share in shares), Tier())
    usd = Decimal(amount).scaleb(-10)
    of = replace(meter(), usd_per_hour=usd, tiers=tiers, is_daily=is_daily, ends_at=MONDAY + HOUR)
    charges = list(charges_of_day(of, seed=1, day=day_of(MONDAY)))
    assert sum(charge.amount for charge in charges) == amount
    assert {charge.end_s - charge.start_s for charge in charges} <= {86_400 if is_daily else 3600}


@pytest.mark.parametrize(
    ("seen_at_s", "amount"),
    [
        pytest.param(99, None, id="before it is published"),
        pytest.param(100, 5, id="from the second of its publication"),
        pytest.param(149, 5, id="before it is revised"),
        pytest.param(150, 9, id="once revised"),
        pytest.param(160, None, id="while absent"),
        pytest.param(170, 9, id="back again"),
        pytest.param(200, None, id="withdrawn"),
    ],
)
def test_row_when_seen_at_an_instant_then_shows_what_was_published_by_then(seen_at_s: int, amount: int | None) -> None:
    """Everything a late or changing bill can do to its reader is in one row's life."""
    versions = (
        Version(published_s=100, amount=5, voucher=0),
        Version(published_s=150, amount=9, voucher=0),
    )
    row = Row(
        meter=meter(),
        start_s=0,
        end_s=50,
        billing_method=1,
        versions=versions,
        absent_s=(160, 170),
        withdrawn_s=200,
    )
    version = row.visible_at(seen_at_s)
    assert (version.amount if version else None) == amount
    assert row.final is None
    assert replace(row, withdrawn_s=None).final == versions[-1]


@pytest.mark.parametrize("units", [0, 1, WHOLE - 1, WHOLE, -1, -WHOLE, -WHOLE - 1, 12_345_678])
def test_whole_when_an_amount_has_fractions_then_they_are_dropped_toward_zero(units: int) -> None:
    """The integer fields cut off what they cannot say, credits too."""
    assert whole(units) == int(Decimal(units) / WHOLE)


def test_row_without_decimals_when_published_then_integers_report_all_of_it() -> None:
    """Otherwise no reader could know the truth it is measured by."""
    of = meter("0.123456789", has_decimals=False, voucher_percent=33)
    charge = Charge(0, 3600, 1, 1_234_567_890)
    version = publish(of, charge, seed=1, publication=PROMPT).versions[-1]
    assert (version.amount % WHOLE, version.voucher % WHOLE) == (0, 0)
    assert version.amount == 1_234 * WHOLE


def test_bills_of_a_month_when_published_then_shares_are_about_as_declared() -> None:
    """A client is only tested if rows really are late, revised, absent and withdrawn, and not all of them."""
    kept = Publication(late=500, revised=1000, absent=2000, withdrawn=300)
    rows = [
        row
        for day in range(day_of(MONDAY), day_of(MONDAY) + 60)
        for row in world(meter(), publication=kept).rows_of_day("gpu", day)
    ]
    lag_s = [row.versions[0].published_s - row.end_s for row in rows]
    late = [lag for lag in lag_s if lag >= 86_400]
    prompt = [lag for lag in lag_s if lag < 86_400]
    assert len(rows) == 1440
    assert 40 <= len(late) <= 110
    assert max(late) <= 3 * 86_400 + 7200
    assert 240 <= min(prompt) <= max(prompt) <= 7200
    assert 100 <= sum(len(row.versions) == 2 for row in rows) <= 190
    assert 220 <= sum(row.absent_s is not None for row in rows) <= 360
    assert 20 <= sum(row.withdrawn_s is not None for row in rows) <= 70
    assert all(row.versions[-1].amount == 2 * 10**10 for row in rows)


def test_storage_when_its_day_runs_then_part_of_it_may_show_before_it_is_whole() -> None:
    """A row of the day in progress ends in the future and grows."""
    of = world(meter("0.10", is_daily=True))
    rows = [row for day in range(40) for row in of.rows_of_day("gpu", day_of(MONDAY) + day)]
    assert [row.end_s - row.start_s for row in rows] == [86_400] * 40
    growing = [row for row in rows if len(row.versions) == 2]
    assert 10 <= len(growing) <= 30
    for row in growing:
        assert row.versions[0].published_s < row.end_s < row.versions[1].published_s
        assert row.versions[0].amount * 2 == row.versions[1].amount


def test_spend_when_summed_then_equals_a_sum_by_hand() -> None:
    """The truth that all else is compared with."""
    of = world(meter("2.00"), meter("0.0000000001", owner_id="b", category="llm"))
    day = MONDAY + timedelta(days=1)
    assert of.final_spend(MONDAY, day) == Decimal("48.0000000024")
    assert of.final_spend(MONDAY, day, category="llm") == Decimal("0.0000000024")
    assert of.final_spend(MONDAY + HOUR, MONDAY + 3 * HOUR, owner_id="gpu-1") == Decimal(4)
    assert of.final_spend(MONDAY - timedelta(days=9), MONDAY) == 0
    assert visible_spend(of, MONDAY, day, now=MONDAY + 3 * HOUR, owner="gpu-1") in {
        Decimal(4),
        Decimal(6),
        Decimal(2),
    }
    assert visible_spend(of, MONDAY, day, now=day + 2 * HOUR) == of.final_spend(MONDAY, day)


def test_spend_when_every_lateness_is_over_then_what_is_seen_is_the_truth() -> None:
    """Late, revised and absent rows all come right in the end; withdrawn ones are not owed."""
    of = busy_month(3, MONDAY)
    end = MONDAY + timedelta(days=20)
    settled = end + timedelta(days=7)
    for category in CATEGORIES:
        seen = visible_spend(of, MONDAY, end, now=settled, category=category)
        assert seen == of.final_spend(MONDAY, end, category=category), category
    # A week earlier the same range reads otherwise, or nothing would have been tested.
    assert visible_spend(of, MONDAY, end, now=end) != of.final_spend(MONDAY, end)


@given(moments=st.lists(st.integers(0, 30 * 24 * 60), min_size=1, max_size=6))
@examples(3, thorough=10)
def test_world_when_asked_in_any_order_then_answers_depend_on_the_instant_only(moments: list[int]) -> None:
    """The demo and a test must see the same account whatever was read before."""
    asked = busy_month(3, MONDAY)
    end = MONDAY + timedelta(days=30)
    for minutes in moments:
        now = MONDAY + timedelta(minutes=minutes)
        fresh = busy_month(3, MONDAY)
        since = now - timedelta(days=1)
        assert visible_spend(asked, since, end, now=now) == visible_spend(fresh, since, end, now=now)


def test_world_when_more_is_asked_than_it_remembers_then_memory_is_bounded_and_answers_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A simulator that serves for weeks must not grow."""
    monkeypatch.setattr("alertd.simulator.world.MAX_REMEMBERED_ROWS", 100)
    of = world(meter(), meter(owner_id="gpu-2"))
    before = repr(of.rows_of_day("gpu", day_of(MONDAY)))
    for day in range(1, 9):
        of.rows_of_day("gpu", day_of(MONDAY) + day)
    assert sum(map(len, of._days.values())) == 96
    assert repr(of.rows_of_day("gpu", day_of(MONDAY))) == before
