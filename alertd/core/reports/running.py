"""
What is running: owners billed up to their data edge, and instances that the API lists as running.

The list is more recent and wins if it was read recently; only bills have the cost.
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
from alertd.core.owners import OwnerDirectory
from alertd.core.resources import Resource, ResourceKey, ResourceKind
from alertd.core.rules.facts import Facts
from alertd.core.spend.contributors import largest_parts
from alertd.core.spend.edges import edges_of
from alertd.core.spend.runs import Run, runs
from alertd.core.spend.selection import SpendQuery
from alertd.core.utilization import WHOLE, newest_of

RUNNING_CATEGORIES = ("gpu", "serverless", "bare_metal", "cloud_sandbox", "llm_dedicated_endpoint")
"""Categories of machines; what is paid per request or stored amount does not run."""
BACK_HOURS = 31 * HOURS_PER_DAY
"""How far back the beginning of a run is searched for."""
BILLED = "billed"
"""The status of owners that only bills show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One running owner."""

    account: str
    owner: str
    name: str
    """Its display name; empty if it has none."""
    product: str
    category: str
    status: str
    """The API's status, or `billed`."""
    since: datetime | None
    """None if it began before the known period."""
    rate: Usd | None
    """1e-10 USD an hour; None before the first bill."""
    utilization: Decimal | None
    """GPU utilisation in the newest sample, a fraction; None if no rule uses it or it is unknown."""

    @property
    def key(self) -> ResourceKey:
        """Its account and owner."""
        return self.account, self.owner


def running(facts: Facts) -> tuple[Running, ...]:
    """Return what is running, most expensive first; what is not yet billed comes last."""
    rows = [*_billed(facts)]
    known = {row.key for row in rows}
    rows += (
        _row(facts, *one.key, one, category="gpu", run=None, product="")
        for one in facts.resources.values()
        if one.key not in known and _is_unbilled(facts, one)
    )
    return tuple(sorted(rows, key=lambda row: (-(row.rate or 0), row.account, row.owner)))


def firing_on(alerts: Iterable[Alert]) -> dict[ResourceKey, tuple[str, ...]]:
    """Return the fingerprints of firing alerts by account and owner."""
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
    known = edges.cells.kept.get(_Rows)
    if not isinstance(known, _Rows) or known.owners is not facts.owners:
        known = _Rows(facts.owners)
    rows: dict[Labels, _Known] = {}
    for group, run in found.items():
        account, category, owner = (text for _, text in group)
        resource = facts.resource_of(account, owner)
        if run.hours and owner and (resource is None or not resource.has_ended):
            last = known.by_group.get(group)
            if last is None or last.run is not run:
                parts = largest_parts(facts.spend, query, "amount", run.span, group, before=None, count=1)
                last, product = None, parts[0].product if parts else ""
            else:
                product = last.product
            # How busy an instance is changes with the time.
            if last is None or last.resource is not resource or facts.utilization:
                row = _row(facts, account, owner, resource, category=category, run=run, product=product)
                last = _Known(run=run, resource=resource, product=product, row=row)
            rows[group] = last
            yield last.row
    edges.cells.kept[_Rows] = _Rows(facts.owners, rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """A row of an earlier moment, and what it was made of."""

    run: Run
    resource: Resource | None
    product: str
    """The most expensive one."""
    row: Running


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of an earlier moment by group."""

    owners: OwnerDirectory
    by_group: dict[Labels, _Known] = field(default_factory=dict)


def _is_unbilled(facts: Facts, resource: Resource) -> bool:
    # A serving endpoint costs nothing until it is used; an instance costs from its start on.
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
