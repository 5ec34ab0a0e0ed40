"""Every value that alertd tells equals the one that a slow and independent oracle computes from the same bills."""

import json
import random
from collections import deque
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial

import pytest

from tests.e2e import oracle
from tests.e2e.daemon import Alertd, Ran
from tests.e2e.oracle import Spec
from tests.e2e.world import BUSY, CATEGORIES, HOUR, HTML, MONTHLY, BillingWorld, Fault, Row, refusal
from tests.examples import rest_slow

OWNERS = ("own-1", "own-2", "gpu-7f3a9", "gpu-7f3b0", "", "ключ", "Own-1")
PRODUCTS = ("H100 SXM", "h100 pcie", "A100-80G", "llama-3", "")
TEAMS = {"own-1": "research", "gpu-7f3a9": "research", "own-2": "product"}
STYLES = ("strings", "numbers", "iso", "integers", "milliseconds", "sparse")

SPECS = (
    Spec(name="all-24h", window_hours=24),
    Spec(name="gpu-owner-24h", window_hours=24, group_by=("owner",), categories=("gpu",), yaml={"category": "gpu"}),
    Spec(name="category-7d", window_hours=168, group_by=("category",)),
    Spec(name="product-1h", window_hours=1, group_by=("product", "billing_method")),
    Spec(
        name="pay-h100-7d",
        window_hours=168,
        group_by=("owner",),
        metric="pay",
        counts=lambda row: row.product.startswith("H100"),
        yaml={"product": '"H100*"'},
    ),
    Spec(
        name="voucher-24h",
        window_hours=24,
        group_by=("category", "owner"),
        metric="voucher",
        categories=tuple(c for c in CATEGORIES if c != "gpu"),
        yaml={"category": '"!gpu"'},
    ),
    Spec(
        name="spot-or-not-gpu-7f3",
        window_hours=48,
        group_by=("subcategory",),
        counts=lambda row: row.method != 2 and row.owner.startswith("gpu-7f3"),
        yaml={"billing_method": '"!subscription"', "owner": "[gpu-7f3*, nobody]"},
    ),
    Spec(
        name="team-24h", window_hours=24, group_by=("team",), categories=("gpu", "llm"), yaml={"category": "[gpu, llm]"}
    ),
    Spec(name="account-24h", window_hours=24, group_by=("account",)),
)


def rules_text() -> str:
    lines = ["version: 1", "receivers:", "  - {name: out, type: console}", "defaults: {notify: [out]}", "owners:"]
    lines += [f"  - {{match: {owner}, team: {team}}}" for owner, team in TEAMS.items()]
    lines.append("rules:")
    for spec in SPECS:
        lines += [
            f"  - name: {spec.name}",
            "    type: rolling_spend",
            f"    window: {spec.window_hours}h",
            f"    group_by: [{', '.join(spec.group_by)}]",
            f"    metric: {spec.metric}",
            "    thresholds: {info: 0.0000000001}",
            *(f"    {key}: {value}" for key, value in spec.yaml.items()),
        ]
    return "\n".join(lines) + "\n"


def random_rows(rng: random.Random, world: BillingWorld) -> list[Row]:
    """Return two weeks of bills: late hours denser, storage by the day, credits, several rows of one hour."""
    running = world.hour()
    rows = []
    for _ in range(rng.randrange(150, 300)):
        ago = int(rng.choice([rng.uniform(0, 4), rng.uniform(0, 30), rng.uniform(0, 14 * 24)]))
        hours = rng.choice([1, 1, 1, 1, 24])
        start = running - ago * HOUR
        if hours == 24:
            start -= start % (24 * HOUR)
        digits = rng.choice([0, 2, 4, 7, 10])
        unit = Decimal(1).scaleb(-digits)
        # What has not ended lies in its hours so far: divisible by them too, at whatever hour this runs.
        parts = hours * min(hours, (running - start) // HOUR + 1)
        pay = unit * rng.randrange(10 ** min(digits + 2, 9)) * parts
        voucher = unit * rng.randrange(10**digits) * parts * rng.choice([0, 1])
        sign = rng.choice([1] * 15 + [-1])
        rows.append(
            Row(
                category=rng.choice(CATEGORIES[:6]),
                start=start,
                hours=hours,
                owner=rng.choice(OWNERS),
                product=rng.choice(PRODUCTS),
                subcategory=rng.choice(["Compute", "llm", "gpu", "Storage"]),
                method=rng.choice([1, 2, 4]),
                pay=sign * pay,
                voucher=sign * voucher,
                style=rng.choice(STYLES),
            )
        )
    whole = [row for row in rows if row.style == "integers" and row.hours > 1]
    # Integers of a day need not divide by its hours: where the rest lies is nobody's promise.
    return [row for row in rows if row not in whole]


def strew_faults(rng: random.Random, world: BillingWorld) -> None:
    """Let first answers fail in every way from which a retry recovers."""
    kinds: list[Callable[[], Fault]] = [
        lambda: BUSY,
        lambda: HTML,
        lambda: Fault(status=503, body=b""),
        lambda: refusal(429, "LIST_BILL_TOO_FAST", Retry_After="0"),
        lambda: refusal(429, "RATE_LIMIT_EXCEEDED", Retry_After="Thu, 01 Jan 2026 00:00:00 GMT"),
        lambda: Fault(cut_at=rng.randrange(40)),
        lambda: Fault(body=b'{"bills": [{"startTime": "nan"}]}'),
        lambda: Fault(body=b'{"code": 500, "reason": "LIST_BILL_ERROR", "message": "sorry"}'),
    ]
    for name in rng.sample([*CATEGORIES, MONTHLY], 4):
        world.faults[name] = deque(rng.choice(kinds)() for _ in range(rng.randrange(1, 3)))


def within_one_hour(world: BillingWorld, attempt: Callable[[], Ran]) -> Ran:
    """Repeat what straddles an hour's end, which changes every window."""
    while True:
        begun = world.hour()
        ran = attempt()
        if world.hour() == begun:
            return ran


@pytest.mark.parametrize("seed", rest_slow(range(2)))
def test_random_world_when_polled_once_then_every_value_is_the_oracles(
    seed: int, alertd: Alertd, world: BillingWorld
) -> None:
    """An alert is worth what its number is worth: equal to ten places, whatever spelling, fault or window."""
    rng = random.Random(seed)
    alertd.rules(rules_text())
    settle_s = rng.choice([0, 2 * HOUR, 30 * HOUR])
    alertd.env["ALERTD_SETTLE_DELAY"] = f"{settle_s // HOUR}h"
    world.longest_days = rng.choice([31, 7, 5])

    def once() -> Ran:
        alertd.database.unlink(missing_ok=True)
        world.rows = random_rows(rng, world)
        world.null_when_empty = rng.random() < 0.5
        strew_faults(rng, world)
        return alertd.run("run", "--once")

    ran = within_one_hour(world, once)
    assert ran.code == 0, ran.err
    got = {(alert["rule"], json.dumps(alert["labels"])): alert for alert in alertd.alerts()}
    wanted = {}
    for spec in SPECS:
        groups = oracle.two_ends(world.rows, spec, now_s=alertd.now(), settle_s=settle_s, teams=TEAMS)
        for group, ends in groups.items():
            if ends.at_least > 0:
                wanted[spec.name, group] = (ends.at_least, ends.about, ends.through)
    notified = {}
    for alert in got.values():
        spec = next(spec for spec in SPECS if spec.name == alert["rule"])
        group = tuple((name, alert["labels"].get(name)) for name in spec.group_by)
        edge_s = int(_seconds(alert["as_of"]))
        values = (oracle.exact(alert["value"]), oracle.exact(alert["expected"]))
        notified[spec.name, group] = (*values, edge_s // HOUR)
        assert (alert["state"], alert["severity"], alert["unit"], alert["complete"]) == ("firing", "info", "USD", True)
    assert notified == wanted
    _check_spend(alertd, world)


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _check_spend(alertd: Alertd, world: BillingWorld) -> None:
    for since_hours, by in ((168, ("category", "owner")), (24, ("product", "billing_method", "subcategory"))):
        ran = within_one_hour(
            world, partial(alertd.run, "spend", "--json", "--since", f"{since_hours}h", "--by", ",".join(by))
        )
        assert ran.code == 0, ran.err
        end = world.hour() // HOUR + 1
        wanted: dict[tuple[str, ...], list[Fraction]] = {}
        for n, metric in enumerate(("amount", "voucher", "pay")):
            spec = Spec(name="", window_hours=0, group_by=by, metric=metric)
            for group, value in oracle.sums(world.rows, spec, start=end - since_hours, end=end, teams=TEAMS).items():
                wanted.setdefault(tuple(text for _, text in group), [Fraction(0)] * 3)[n] = value
        rows = json.loads(ran.out)
        got = {
            tuple(row[key] for key in by): [oracle.exact(row[m]) for m in ("amount", "voucher", "pay")] for row in rows
        }
        assert got == {group: values for group, values in wanted.items() if any(values)}


@pytest.mark.slow
def test_summary_and_foreign_rows_when_served_then_nothing_counts_twice(alertd: Alertd, world: BillingWorld) -> None:
    """The control total is larger than everything, and rows that only reach into a range come along with it."""
    alertd.rules(rules_text())
    midnight = world.hour() - world.hour() % (24 * HOUR)
    world.rows = [
        Row(category="summary", start=world.hour(1), pay=Decimal(10**6)),
        Row(category="cloud_storage", start=midnight - 72 * HOUR, hours=72, owner="disk", pay=Decimal("7.2")),
        Row(category="gpu", start=world.hour(1), pay=Decimal("0.00004"), voucher=Decimal("0.00004")),
    ]
    assert alertd.run("run", "--once").code == 0
    spend = json.loads(alertd.run("spend", "--json", "--since", "97h").out)
    assert spend == [
        {"category": "cloud_storage", "owner": "disk", "amount": "7.2", "voucher": "0", "pay": "7.2"},
        {"category": "gpu", "owner": "owner", "amount": "0.00008", "voucher": "0.00004", "pay": "0.00004"},
    ]
    assert "summary" not in {asked.name for asked in world.asked}
