"""The metrics page as Prometheus parses it, and what may stand behind it."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

from prometheus_client.parser import text_string_to_metric_families

from alertd.core.calendar import Period
from alertd.core.reports.overview import Overview, overview
from alertd.core.rules.balance import BalanceRule
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.even_rate import Burn
from alertd.core.rules.facts import Facts
from alertd.core.spend.bill import Balance, TrackedBill
from alertd.queries.status import read_status
from alertd.store.store import Store
from alertd.web.families import families
from alertd.web.figures import Figures
from alertd.web.metrics import MetricsPage
from tests.core.builders import (
    HOUR,
    NOW,
    RUNNING,
    WARNING,
    monthly_bill,
    tracked,
    usd,
)

EDGE = RUNNING - 2
"""2026-01-10 10:00 UTC, as bills settle two hours late."""
BUDGET = BudgetRule(
    name="month",
    period=Period.MONTH,
    amount=usd("100"),
    group_by=("owner",),
    thresholds={WARNING: Share(Fraction(1))},
    forecast={WARNING: Share(Fraction(1))},
    burn={WARNING: Burn(rate=Fraction(100), windows=(timedelta(hours=6), timedelta(hours=1)))},
)
BALANCE = BalanceRule(name="low", available_below={WARNING: usd("10")}, window=timedelta(hours=24))
Samples = dict[tuple[str, ...], float]


def page(store: Store, figures: Figures, *, store_bytes: int = 4096) -> str:
    status = read_status(store, now=NOW, poll_interval=timedelta(minutes=10), settle_delay=2 * HOUR)
    return MetricsPage(figures).text(status, store_bytes=store_bytes).decode()


def samples(text: str, name: str) -> Samples:
    """The samples of one metric by the values of its labels, in their documented order."""
    order = {family.name: family.labels for family in families()}
    return {
        tuple(sample.labels[label] for label in order.get(name, ())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def seen(known: Overview | None = None) -> Figures:
    figures = Figures()
    if known is not None:
        figures.note_overview(known, 0.25)
    return figures


def of(facts: Facts, *rules: Rule) -> Figures:
    return seen(overview(facts, rules))


def with_balances(facts: Facts, **available: str) -> Facts:
    balances = {
        name: Balance(account=name, available=usd(text), read_at=NOW - HOUR) for name, text in available.items()
    }
    return replace(facts, balances=balances)


def owing(status: str, debt: str, month: str) -> TrackedBill:
    bill = monthly_bill(bill_id=month, month=month, status=status, debt=usd(debt), repaid=usd("0"))
    return tracked((NOW, bill))
