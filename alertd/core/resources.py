"""
Instances and serverless endpoints as the API lists them, with name, product and state: the owners in bills.

Decides what a new list changes, and what remains known if the list omits it. Money plays no part here: only bills show
what is spent.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from alertd.core.dataclass import dataclass, replace

ResourceKey = tuple[str, str]
"""(account, id)."""

_ENDED = frozenset({"exited", "removed"})
_ENDING = frozenset({"toStop", "stopping", "toRemove", "removing"})


class ResourceKind(StrEnum):
    """The API's lists of resources."""

    INSTANCE = "instance"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One entry of the API's list; a text is empty and a number 0 if the API gives no usable value."""

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
    """One list, read completely."""

    entries: tuple[Listed, ...]
    is_listed: bool = True
    """Whether the answer had a list at all; `{}` does not mean that resources are gone."""
    is_whole: bool = True
    """Whether every entry had an id, so that a resource that is not listed is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """An instance or endpoint, with the last known value of each field."""

    account: str
    id: str
    kind: ResourceKind
    name: str
    status: str
    """The API's status; empty if it never gave one."""
    product: str
    gpus: int
    started_at: datetime | None
    """When it last started, according to the API or else when that was first seen; None if unknown."""
    stopped_at: datetime | None
    gone_at: datetime | None = None
    """Time of the first read that no longer listed it; None while it is listed."""
    keep_days: int | None = None
    """How many days its data is kept after it is stopped; None if the API does not say."""

    @property
    def key(self) -> ResourceKey:
        """(account, id)."""
        return self.account, self.id

    @property
    def is_running(self) -> bool:
        """Whether it is running or starting: it is listed with a status that means neither ended nor ending."""
        return self.gone_at is None and bool(self.status) and self.status not in _ENDED | _ENDING

    @property
    def has_ended(self) -> bool:
        """Whether it is stopped, removed or no longer listed."""
        return self.gone_at is not None or self.status in _ENDED

    @property
    def hardware(self) -> str:
        """The number of GPUs and the product, `1 × H100 SXM 80GB`; only the product if the number is unknown."""
        return f"{self.gpus} × {self.product}" if self.gpus and self.product else self.product


def changes(
    known: Mapping[ResourceKey, Resource], listing: Listing, *, account: str, kind: ResourceKind, read_at: datetime
) -> list[Resource]:
    """
    Return the resources of an account that a list changes or adds.

    Fields that the list omits keep their known values; resources that are no longer listed only get a `gone_at`.
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
    # If the list gives no new time, the change happened by the time of this read.
    if fresh.is_running and known.has_ended and fresh.started_at in {None, known.started_at}:
        started = read_at
    if fresh.has_ended and known.is_running and fresh.stopped_at in {None, known.stopped_at}:
        stopped = read_at
    return replace(fresh, started_at=started, stopped_at=stopped)


def _past(at: datetime | None, read_at: datetime) -> datetime | None:
    """Return an instant that is not in the future; None for any other."""
    return at if at is not None and at <= read_at else None


def names_of(resources: Iterable[Resource]) -> dict[str, str]:
    """Return the names of resources by id, without those that have none."""
    return {resource.id: resource.name for resource in resources if resource.name}
