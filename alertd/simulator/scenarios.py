"""
Named worlds: who spends what, and what goes wrong when.

A scenario begins at midnight UTC of its *start*; "day 9" is nine days later. Its account is older: it begins
with the month two months before, so that baselines, forecasts and last month's bill have data to work with.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from alertd.simulator.meters import ON_DEMAND, SPOT, SUBSCRIPTION, Meter, Rhythm, Surge, Tier, surge
from alertd.simulator.monthly import previous_month
from alertd.simulator.rows import PROMPT
from alertd.simulator.subscriptions import Subscription
from alertd.simulator.world import BillStatus, Settlement, SettlementStep, World

OVERDUE_THEN_PAID: Settlement = (
    SettlementStep(after=timedelta(days=7), status=BillStatus.OVERDUE, debt_percent=100),
    SettlementStep(after=timedelta(days=12), status=BillStatus.OVERDUE, debt_percent=100, repaid_percent=40),
    SettlementStep(after=timedelta(days=15), status=BillStatus.PAID, debt_percent=100, repaid_percent=100),
)
"""Issued on the 3rd, overdue on the 10th, partly repaid on the 15th, paid on the 18th, each at 10:00 UTC."""

VOIDED: Settlement = (SettlementStep(after=timedelta(days=2), status=BillStatus.VOIDED, debt_percent=100),)
"""Cancelled two days after issue; the bill still shows a debt, but nobody owes it."""

LARGE_OWNERS = 1344
"""With a row each hour for 31 days: a million rows in one answer."""


def quiet_month(seed: int, start: datetime) -> World:
    """Build an account that spends about $5,000 a month in its usual rhythm; its bills are paid within a week."""
    return World(
        name="quiet-month",
        summary="the usual spend of fifteen owners, nothing to worry about",
        seed=seed,
        begins_at=previous_month(previous_month(_midnight(start).replace(day=1))),
        meters=_usual_meters(),
        monthly_top_up_usd=Decimal(5_500),
    )


def forgotten_gpu(seed: int, start: datetime) -> World:
    """Build a quiet month in which a 4-GPU instance started on day 9 at 17:00 is found running on day 20 at 09:00."""
    world = quiet_month(seed, start)
    return replace(
        world,
        name="forgotten-gpu",
        summary="from day 9, 17:00 to day 20, 09:00 gpu-notebook-9 runs for nobody, at $8.36 an hour",
        meters=(*world.meters, _forgotten_instance(_midnight(start))),
    )


def leaking_key(seed: int, start: datetime) -> World:
    """Build a quiet month in which key-ci leaks: from day 12, 03:00 its spend doubles hourly, for 18 hours."""
    world = quiet_month(seed, start)
    return replace(
        world,
        name="leaking-key",
        summary="on day 12 at 03:00 key-ci leaks: from cents to some $60 an hour; it is revoked at 21:00",
        meters=_with_leak(world.meters, _midnight(start)),
    )


def unpaid_bill(seed: int, start: datetime) -> World:
    """Build a quiet month in which the bill of the month before *start* goes overdue, and is paid in two parts."""
    world = quiet_month(seed, start)
    return replace(
        world,
        name="unpaid-bill",
        summary="last month's bill is overdue from the 10th, repaid in part on the 15th, paid on the 18th",
        settlements=_settlements(start),
    )


def busy_month(seed: int, start: datetime) -> World:
    """Build the month in which everything happens: the forgotten GPU, the leaked key and the unpaid bill."""
    world = quiet_month(seed, start)
    midnight = _midnight(start)
    return replace(
        world,
        name="busy-month",
        summary="a forgotten GPU from day 9, a leaking key on day 12, last month's bill overdue from the 10th",
        meters=(*_with_leak(world.meters, midnight), _forgotten_instance(midnight)),
        settlements=_settlements(start),
        subscriptions=(_reserved_instance(world.begins_at),),
    )


def large(seed: int, start: datetime) -> World:
    """Build an account of 1,344 GPU instances, each with a row every hour, from *start* on: a million rows a month."""
    meters = tuple(
        Meter(
            owner_id=f"gpu-{number:04}",
            product_name="RTX 4090 24GB",
            category="gpu",
            subcategory="Compute",
            usd_per_hour=Decimal("0.35") + Decimal(number).scaleb(-10),
        )
        for number in range(LARGE_OWNERS)
    )
    return World(
        name="large",
        summary=f"{LARGE_OWNERS:,} GPU instances: a million rows a month",
        seed=seed,
        begins_at=_midnight(start),
        meters=meters,
        publication=PROMPT,
        opening_usd=Decimal(1_000_000),
    )


SCENARIOS: Mapping[str, Callable[[int, datetime], World]] = {
    "quiet-month": quiet_month,
    "forgotten-gpu": forgotten_gpu,
    "leaking-key": leaking_key,
    "unpaid-bill": unpaid_bill,
    "busy-month": busy_month,
    "large": large,
}
"""Scenario builders by name; each takes a seed and the start of the scenario."""


def _midnight(start: datetime) -> datetime:
    return start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _settlements(start: datetime) -> dict[str, Settlement]:
    last_month = previous_month(_midnight(start).replace(day=1))
    return {f"{last_month:%Y-%m}": OVERDUE_THEN_PAID, f"{previous_month(last_month):%Y-%m}": VOIDED}


def _forgotten_instance(midnight: datetime) -> Meter:
    return Meter(
        owner_id="gpu-notebook-9",
        owner_name="dana-sandbox",
        product_name="H100 SXM 80GB",
        category="gpu",
        subcategory="Compute",
        usd_per_hour=Decimal("8.36"),
        starts_at=midnight + timedelta(days=9, hours=17),
        # The training ends in the evening; nobody is there to see it.
        idle_from=midnight + timedelta(days=9, hours=22),
        ends_at=midnight + timedelta(days=20, hours=9),
    )


def _reserved_instance(begins_at: datetime) -> Subscription:
    return Subscription(
        owner_id="gpu-base-6",
        product_name="RTX 4090 24GB",
        category="gpu",
        usd_per_month=Decimal(249),
        bought_at=begins_at + timedelta(days=4, hours=9, minutes=12),
        voucher_percent=10,
    )


def _with_leak(meters: tuple[Meter, ...], midnight: datetime) -> tuple[Meter, ...]:
    leak: Surge = surge(midnight + timedelta(days=12, hours=3), timedelta(hours=18), factor=900)
    return tuple(replace(meter, surges=(leak,)) if meter.owner_id == "key-ci" else meter for meter in meters)


def _usual_meters() -> tuple[Meter, ...]:
    return (*_gpu_meters(), *_llm_meters(), *_other_meters())


def _gpu_meters() -> tuple[Meter, ...]:
    def gpu(owner_id: str, product_name: str, usd: str, rhythm: Rhythm, method: int = ON_DEMAND) -> Meter:
        return Meter(
            owner_id=owner_id,
            product_name=product_name,
            category="gpu",
            subcategory="Compute",
            usd_per_hour=Decimal(usd),
            rhythm=rhythm,
            tiers=(Tier(billing_method=method),),
        )

    return (
        gpu("gpu-trainer-1", "H100 SXM 80GB", "8.36", Rhythm.OFFICE_HOURS),
        gpu("gpu-reserved-2", "A100 SXM 80GB", "1.60", Rhythm.STEADY, SUBSCRIPTION),
        gpu("gpu-render-3", "RTX 4090 24GB", "0.70", Rhythm.SPORADIC, SPOT),
        gpu("gpu-nightly-4", "L40S 48GB", "1.14", Rhythm.NIGHTLY),
        replace(
            gpu("gpu-mixed-5", "RTX 5090 32GB", "0.63", Rhythm.OFFICE_HOURS),
            tiers=(Tier(share_percent=60), Tier(billing_method=SPOT, share_percent=40)),
        ),
        replace(gpu("gpu-trainer-1", "SLA credit", "-4.20", Rhythm.MONDAYS), subcategory="Credit"),
    )


def _llm_meters() -> tuple[Meter, ...]:
    def key(owner_id: str, owner_name: str, product_name: str, usd: str, rhythm: Rhythm) -> Meter:
        return Meter(
            owner_id=owner_id,
            owner_name=owner_name,
            product_name=product_name,
            category="llm",
            subcategory="llm",
            usd_per_hour=Decimal(usd),
            rhythm=rhythm,
            jitter_percent=35,
        )

    # Input and output tokens are two rows of one method.
    tokens = (Tier(share_percent=30), Tier(share_percent=70))
    chat = key("key-chat", "chat production", "deepseek/deepseek-v3.1", "0.90", Rhythm.TRAFFIC)
    images = key("key-ads", "ads & <team>", "FLUX.1 [dev]", "0.55", Rhythm.OFFICE_HOURS)
    return (
        replace(chat, tiers=tokens, voucher_percent=20),
        replace(chat, product_name="qwen/qwen3-235b-a22b", usd_per_hour=Decimal("0.31")),
        replace(
            key("key-staging", "staging", "meta-llama/llama-3.3-70b", "0.05", Rhythm.OFFICE_HOURS), has_decimals=False
        ),
        key("key-ci", "ci", "deepseek/deepseek-r1", "0.07", Rhythm.STEADY),
        # A whole day of embeddings costs less than the integers can say.
        key("", "", "baai/bge-m3", "0.00004", Rhythm.TRAFFIC),
        replace(images, category="gen_api", subcategory="image"),
        replace(
            images,
            owner_id="key-video",
            product_name='Kling <!channel> "V2.1" & co\n*Img2Video* — 动画',
            category="gen_api",
            subcategory="video",
            usd_per_hour=Decimal("2.80"),
            rhythm=Rhythm.SPORADIC,
            voucher_percent=100,
        ),
        replace(
            chat,
            product_name="web-search",
            category="web_search",
            subcategory="search",
            usd_per_hour=Decimal("0.00003"),
        ),
    )


def _other_meters() -> tuple[Meter, ...]:
    def other(owner_id: str, product_name: str, category: str, usd: str, rhythm: Rhythm) -> Meter:
        return Meter(
            owner_id=owner_id,
            product_name=product_name,
            category=category,
            subcategory=category,
            usd_per_hour=Decimal(usd),
            rhythm=rhythm,
        )

    volume = other("vol-datasets", "Network Volume", "cloud_storage", "0.083", Rhythm.STEADY)
    return (
        replace(volume, is_daily=True, subcategory="Storage"),
        replace(
            volume, is_daily=True, owner_id="<b>vol'2&amp;</b>", usd_per_hour=Decimal("0.0121"), has_decimals=False
        ),
        replace(other("ep-whisper", "Serverless RTX 4090", "serverless", "0.42", Rhythm.TRAFFIC), jitter_percent=60),
        replace(
            other("sbx-agents", "Sandbox 2 vCPU 4 GB", "cloud_sandbox", "0.095", Rhythm.TRAFFIC), jitter_percent=80
        ),
        other("dep-support-bot", "H200 141GB", "llm_dedicated_endpoint", "3.10", Rhythm.OFFICE_HOURS),
    )
