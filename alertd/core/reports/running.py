"""
What runs now: owners that are billed up to their data edge, and instances that the API lists as running.

The list knows of the last minutes and wins where it was read of late; bills alone say what it costs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import datetime
from decimal import Decimal

from alertd.core.alert import ACCOUNT_SEPARATOR, Alert, AlertState
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd, plain
from alertd.core.resources import Resource, ResourceKey, ResourceKind
from alertd.core.rules.facts import Facts
from alertd.core.spend.contributors import largest_parts
from alertd.core.spend.edges import edges_of
from alertd.core.spend.runs import Run, runs
from alertd.core.spend.selection import SpendQuery
from alertd.core.utilization import WHOLE, newest_of

RUNNING_CATEGORIES = ("gpu", "serverless", "bare_metal", "cloud_sandbox", "llm_dedicated_endpoint")
"""Of machines; what is paid by the request or by what is stored does not run."""
BACK_HOURS = 31 * HOURS_PER_DAY
"""How far back the beginning of a run is looked for."""
BILLED = "billed"
"""The status of what only bills know of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One owner that runs now."""

    account: str
    owner: str
    name: str
    """What people call it; empty where nobody gave it a name."""
    product: str
    category: str
    status: str
    """As the API says it, or `billed`."""
    since: datetime | None
    """None where it began longer ago than is known."""
    rate: Usd | None
    """1e-10 USD an hour; None where no bill shows it yet."""
    utilization: Decimal | None
    """Of its GPUs in the newest sample, a share; None where no rule asks for it or nothing is known."""

    @property
    def key(self) -> ResourceKey:
        """Its account and owner."""
        return self.account, self.owner


def running(facts: Facts) -> tuple[Running, ...]:
    """Return what runs now, dearest first; what is not billed yet comes last."""
    rows = [*_billed(facts)]
    known = {row.key for row in rows}
    rows += (
        _row(facts, *one.key, one, category="gpu", run=None, product="")
        for one in facts.resources.values()
        if one.key not in known and _is_unbilled(facts, one)
    )
    return tuple(sorted(rows, key=lambda row: (-(row.rate or 0), row.account, row.owner)))


def firing_on(alerts: Iterable[Alert]) -> dict[ResourceKey, tuple[str, ...]]:
    """Return by account and owner the fingerprints of the alerts that fire on it."""
    found: dict[ResourceKey, list[str]] = {}
    for alert in alerts:
        owner = dict(alert.group).get("owner") if alert.state is AlertState.FIRING else None
        if owner is not None:
            for account in alert.account.split(ACCOUNT_SEPARATOR):
                found.setdefault((account, owner), []).append(alert.fingerprint)
    return {key: tuple(fingerprints) for key, fingerprints in found.items()}


def _billed(facts: Facts) -> Iterator[Running]:
    categories = Patterns(RUNNING_CATEGORIES)
    keys = facts.data.select(Patterns(), categories)
    if facts.data.edge(keys) is None:
        return
    query = SpendQuery(
        filters=(("category", categories),),
        group_by=("account", "category", "owner"),
        accounts=facts.data.accounts,
    )
    edges = edges_of(facts.spend, facts.data, query, keys)
    found = runs(facts.spend, facts.data, query, "amount", edges, hours=BACK_HOURS, min_rate=1, gap=1)
    known = edges.cells.kept.get(_Products)
    if not isinstance(known, _Products):
        edges.cells.kept[_Products] = known = _Products()
    dearest: dict[Labels, tuple[Run, str]] = {}
    for group, run in found.items():
        account, category, owner = (text for _, text in group)
        resource = facts.resource_of(account, owner)
        if run.hours and owner and (resource is None or not resource.has_ended):
            of_run, product = known.dearest.get(group, (None, ""))
            if of_run is not run:
                parts = largest_parts(facts.spend, query, "amount", run.span, group, before=None, count=1)
                product = parts[0].product if parts else ""
            dearest[group] = run, product
            yield _row(facts, account, owner, resource, category=category, run=run, product=product)
    known.dearest = dearest


@dataclass(slots=True, eq=False)
class _Products:
    """The dearest product of each group, and the run in which it is that."""

    dearest: dict[Labels, tuple[Run, str]] = field(default_factory=dict)


def _is_unbilled(facts: Facts, resource: Resource) -> bool:
    # An endpoint that serves costs nothing until somebody asks it; an instance costs from its start on.
    is_instance = resource.kind is ResourceKind.INSTANCE and resource.is_running
    return is_instance and facts.resource_of(*resource.key) is not None


def _row(
    facts: Facts, account: str, owner: str, resource: Resource | None, *, category: str, run: Run | None, product: str
) -> Running:
    since = start_of(run.span.start) if run is not None and run.is_whole else None
    share = newest_of(facts.utilization.get((account, owner), {}), facts.now)
    return Running(
        account=account,
        owner=owner,
        name=facts.owners.find(owner).name,
        product=product or (resource.product if resource is not None else ""),
        category=category,
        status=(resource.status if resource is not None else "") or BILLED,
        since=(resource.started_at if resource is not None else None) or since,
        rate=run.rate if run is not None else None,
        utilization=None if share is None else plain(Decimal(share) / WHOLE),
    )
