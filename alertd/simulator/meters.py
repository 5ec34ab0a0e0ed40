"""
What each owner spends, hour by hour: the truth, which the bills show late and imperfectly.

Decides amounts. Knows nothing of publication, of JSON or of the present: any hour, past or future, has its charge.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import NamedTuple

from alertd.simulator.noise import OUT_OF, draw

UNITS_PER_USD = 10**10
"""Decimal places of an amount: amounts are whole numbers of 1e-10 USD, as precise as `amountDecimal`."""

HOUR_S = 3600
DAY_S = 86_400

ON_DEMAND, SUBSCRIPTION, SPOT = 1, 2, 4
"""The values of `billingMethod`."""


class Rhythm(Enum):
    """When an owner spends."""

    STEADY = "every hour alike"
    OFFICE_HOURS = "weekdays, 08:00 to 18:00 UTC"
    TRAFFIC = "a daily wave that peaks in the afternoon, lower at weekends"
    NIGHTLY = "01:00 to 04:00 UTC"
    SPORADIC = "some days, for some hours"
    MONDAYS = "Mondays at 09:00 UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One of the rows into which an hour's charge is split: a price tier with its billing method."""

    billing_method: int = ON_DEMAND
    share_percent: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A period in which an owner's spend doubles every hour until it is *factor* times the usual rate."""

    starts_at: datetime
    ends_at: datetime
    factor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """
    One owner's use of one product.

    Attributes:
        category: What `productCategory` asks for; *subcategory* is what the row then calls `category`.
        usd_per_hour: At the usual rate; below zero for credits.
        jitter_percent: How far an hour may deviate from the rhythm in either direction, 0 to 100.
        voucher_percent: The part that vouchers pay.
        has_decimals: False: rows carry the integers only, so charges are whole 1/10000 USD.
        is_daily: Billed by the day even when hours are asked for.
        idle_from: When its GPUs become idle; None if they work as long as it runs.
        starts_at: The first instant of spending, None for always; likewise *ends_at*, exclusive.
    """

    owner_id: str
    product_name: str
    category: str
    subcategory: str
    usd_per_hour: Decimal
    owner_name: str = ""
    rhythm: Rhythm = Rhythm.STEADY
    jitter_percent: int = 0
    tiers: tuple[Tier, ...] = (Tier(),)
    voucher_percent: int = 0
    has_decimals: bool = True
    is_daily: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    surges: tuple[Surge, ...] = ()
    idle_from: datetime | None = None

    def __hash__(self) -> int:
        """Hash by owner and product: hashing every field would cost more than what the hash is used for."""
        return hash((self.owner_id, self.product_name))


class Charge(NamedTuple):
    """The cost of one tier of a meter in [start_s, end_s), Unix seconds; *amount* in 1e-10 USD."""

    start_s: int
    end_s: int
    billing_method: int
    amount: int


def charges_of_day(meter: Meter, *, seed: int, day: int) -> Iterator[Charge]:
    """
    Yield the charges of *meter* on a UTC day.

    Args:
        seed: The world's seed.
        day: Days since 1970-01-01.
    """
    hours = [(hour_s, _spend_of_hour(meter, seed, hour_s)) for hour_s in _billed_hours(meter, day)]
    if meter.is_daily:
        total = sum(amount for _, amount in hours)
        hours = [(day * DAY_S, total)] if total else []
    length_s = DAY_S if meter.is_daily else HOUR_S
    for start_s, amount in hours:
        if amount:
            yield from _split(meter.tiers, start_s, start_s + length_s, amount)


def _billed_hours(meter: Meter, day: int) -> range:
    first, end = day * DAY_S, (day + 1) * DAY_S
    if meter.starts_at is not None:
        first = max(first, _hour_of(meter.starts_at))
    if meter.ends_at is not None:
        end = min(end, _hour_of(meter.ends_at))
    return range(first, end, HOUR_S)


def runs_in(meter: Meter, *, seed: int, hour_s: int) -> bool:
    """Return whether *meter* spends anything in the hour that begins at *hour_s*, Unix seconds."""
    return hour_s in _billed_hours(meter, hour_s // DAY_S) and _spend_of_hour(meter, seed, hour_s) != 0


def _hour_of(instant: datetime) -> int:
    return int(instant.timestamp()) // HOUR_S * HOUR_S


def _spend_of_hour(meter: Meter, seed: int, hour_s: int) -> int:
    weight_percent = _weight_percent(meter, seed, hour_s)
    if weight_percent == 0:
        return 0
    amount = int(meter.usd_per_hour * UNITS_PER_USD) * weight_percent // 100
    if meter.jitter_percent:
        stray = draw(seed, "spend", meter.owner_id, meter.product_name, hour_s)[0] - OUT_OF // 2
        amount += amount * meter.jitter_percent * stray // (100 * OUT_OF // 2)
    for surge in meter.surges:
        amount *= _surge_factor(surge, hour_s)
    return amount


def _weight_percent(meter: Meter, seed: int, hour_s: int) -> int:
    if meter.rhythm is Rhythm.SPORADIC:
        is_on, first, length, *_ = draw(seed, "day", meter.owner_id, meter.product_name, hour_s // DAY_S)
        begins = first * 16 // OUT_OF
        hour = hour_s % DAY_S // HOUR_S
        return 100 if is_on < OUT_OF * 2 // 5 and begins <= hour <= begins + length * 8 // OUT_OF else 0
    # 1970-01-01 was a Thursday: weekday 3 when Monday is 0.
    return _week_table(meter.rhythm)[(hour_s // DAY_S + 3) % 7][hour_s % DAY_S // HOUR_S]


@cache
def _week_table(rhythm: Rhythm) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(_usual_percent(rhythm, weekday, hour) for hour in range(24)) for weekday in range(7))


def _usual_percent(rhythm: Rhythm, weekday: int, hour: int) -> int:
    is_weekend = weekday >= 5
    match rhythm:
        case Rhythm.OFFICE_HOURS:
            return 100 if not is_weekend and 8 <= hour < 18 else 0
        case Rhythm.TRAFFIC:
            wave = 40 + 10 * (12 - abs(hour - 15)) if hour >= 3 else 40
            return wave * 6 // 10 if is_weekend else wave
        case Rhythm.NIGHTLY:
            return 100 if 1 <= hour < 4 else 0
        case Rhythm.MONDAYS:
            return 100 if weekday == 0 and hour == 9 else 0
        case _:
            return 100


def _surge_factor(surge: Surge, hour_s: int) -> int:
    first_s = _hour_of(surge.starts_at)
    if not first_s <= hour_s < _hour_of(surge.ends_at):
        return 1
    doublings = (hour_s - first_s) // HOUR_S + 1
    # The shift is bounded: a surge may be declared for years.
    return min(surge.factor, 1 << min(doublings, surge.factor.bit_length()))


def _split(tiers: tuple[Tier, ...], start_s: int, end_s: int, amount: int) -> Iterator[Charge]:
    left = amount
    for tier in tiers[:-1]:
        part = amount * tier.share_percent // 100
        left -= part
        yield Charge(start_s, end_s, tier.billing_method, part)
    yield Charge(start_s, end_s, tiers[-1].billing_method, left)


def day_of(instant: datetime) -> int:
    """Return the number of whole days from 1970-01-01 UTC to *instant*."""
    return int(instant.timestamp()) // DAY_S


def to_usd(units: int) -> Decimal:
    """Return an amount of 1e-10 USD as exact USD with ten places."""
    return Decimal(units).scaleb(-10)


def surge(starts_at: datetime, lasts: timedelta, *, factor: int) -> Surge:
    """Return a surge that begins at *starts_at* and takes *lasts*."""
    return Surge(starts_at=starts_at, ends_at=starts_at + lasts, factor=factor)
