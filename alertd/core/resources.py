"""
What the API calls the owners of bills: instances and serverless endpoints, with name, product and state.

Decides what of a new list is a change, and what stays known where one says nothing. It never speaks of money: bills
alone say what is spent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from alertd.core.dataclass import dataclass

ResourceKey = tuple[str, str]
"""(account, id)."""

_ENDED = frozenset({"exited", "removed"})
_ENDING = frozenset({"toStop", "stopping", "toRemove", "removing"})


class ResourceKind(StrEnum):
    """The lists that the API has."""

    INSTANCE = "instance"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One entry of a list, as the API has it now; a text is empty and a number 0 where it says nothing usable."""

    id: str
    name: str
    status: str
    product: str = ""
    gpus: int = 0
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    keep_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list, read to its end."""

    entries: tuple[Listed, ...]
    is_listed: bool = True
    """Whether the answer had a list at all: `{}` says of nothing that it is gone."""
    is_whole: bool = True
    """Every entry had an id, so that what is not listed is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is known of an instance or an endpoint, the last that was said of each thing."""

    account: str
    id: str
    kind: ResourceKind
    name: str
    status: str
    """As the API says it; empty where it never did."""
    product: str
    gpus: int
    started_at: datetime | None
    """When it last started, by the API or seen as it happened; None where neither is known."""
    stopped_at: datetime | None
    gone_at: datetime | None = None
    """The read from which on it was not listed any more."""
    keep_days: int | None = None
    """How many days its data is kept once it is stopped; None where the API does not say."""

    @property
    def key(self) -> ResourceKey:
        """(account, id)."""
        return self.account, self.id

    @property
    def is_running(self) -> bool:
        """Whether it runs or is about to: everything that is listed and neither ended nor ending."""
        return self.gone_at is None and bool(self.status) and self.status not in _ENDED | _ENDING

    @property
    def has_ended(self) -> bool:
        """Whether it is stopped, removed or not listed any more."""
        return self.gone_at is not None or self.status in _ENDED

    @property
    def hardware(self) -> str:
        """Its product with how many of it, `1 × H100 SXM 80GB`; the bare product where the number is not known."""
        return f"{self.gpus} × {self.product}" if self.gpus and self.product else self.product


def changes(
    known: Mapping[ResourceKey, Resource], listing: Listing, *, account: str, kind: ResourceKind, read_at: datetime
) -> list[Resource]:
    """
    Return what a list changes of what is known of an account.

    A name, a product or a number that it does not say stays; so does everything of what is not listed any more.
    """
    read = {entry.id: entry for entry in listing.entries}
    found = [_taken_over(known.get((account, entry.id)), entry, account, kind, read_at) for entry in read.values()]
    changed = [resource for resource in found if known.get(resource.key) != resource]
    if listing.is_whole and listing.is_listed:
        changed += (
            replace(resource, gone_at=read_at)
            for resource in known.values()
            if resource.account == account
            and resource.kind is kind
            and resource.id not in read
            and resource.gone_at is None
        )
    return changed


def _taken_over(known: Resource | None, entry: Listed, account: str, kind: ResourceKind, read_at: datetime) -> Resource:
    fresh = Resource(
        account=account,
        id=entry.id,
        kind=kind,
        name=entry.name or (known.name if known is not None else ""),
        status=entry.status or (known.status if known is not None else ""),
        product=entry.product or (known.product if known is not None else ""),
        gpus=entry.gpus or (known.gpus if known is not None else 0),
        started_at=_past(entry.started_at, read_at),
        stopped_at=_past(entry.stopped_at, read_at),
        keep_days=entry.keep_days if entry.keep_days is not None or known is None else known.keep_days,
    )
    if known is None:
        return fresh
    started, stopped = fresh.started_at or known.started_at, fresh.stopped_at or known.stopped_at
    # Seen as it happened, where the list says no time of its own.
    if fresh.is_running and known.has_ended and fresh.started_at in {None, known.started_at}:
        started = read_at
    if fresh.has_ended and known.is_running and fresh.stopped_at in {None, known.stopped_at}:
        stopped = read_at
    return replace(fresh, started_at=started, stopped_at=stopped)


def _past(at: datetime | None, read_at: datetime) -> datetime | None:
    """Return an instant that has come; one that has not is nothing that happened."""
    return at if at is not None and at <= read_at else None


def names_of(resources: Iterable[Resource]) -> dict[str, str]:
    """Return what resources are called, by id; those without a name are left out."""
    return {resource.id: resource.name for resource in resources if resource.name}
