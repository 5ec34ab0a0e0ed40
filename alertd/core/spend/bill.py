"""
Bills with every unit and oddity resolved: hourly rows as columns, monthly bills as records.

Only `alertd.novita` knows the wire format.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import hour_of
from alertd.core.money import Usd

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRODUCT_CATEGORIES = (
    "gpu",
    "llm",
    "serverless",
    "cloud_storage",
    "gen_api",
    "cloud_sandbox",
    "llm_dedicated_endpoint",
    "web_search",
    "bare_metal",
)
"""Every productCategory of the API except `summary`, their control total, which would count everything twice."""

SUBSCRIPTION = "subscription"
"""The category under which subscriptions are filed; the API has no productCategory of that name."""

CATEGORIES = (*PRODUCT_CATEGORIES, SUBSCRIPTION)
"""Every category that is read of an account; together they add up to its spend."""

SUBSCRIPTION_CATEGORIES = ("gpu", "serverless", "cloud_storage", "local_storage", "image", "bare_metal")
"""Every category of the subscription list of the API except `summary`, their control total."""

KEY_CATEGORIES = ("llm", "gen_api", "web_search")
"""The categories whose spend the API reports by API key."""

FIRST_KEY_HOUR = hour_of(datetime(2026, 1, 1, tzinfo=UTC))
"""The first hour for which the API has spend by API key: earlier spend is unknown, not zero."""


class Series(NamedTuple):
    """What a charge is for: two rows of one hour with the same series add up."""

    account: str
    category: str
    """The requested productCategory."""
    subcategory: str
    """The row's own `category`, which may differ from the requested one."""
    owner: str
    """Instance, endpoint or key id; may be empty."""
    product: str
    product_id: str
    billing_method: str
    """`on-demand`, `subscription`, `spot`, or the API's number as text for any other."""


NEW_PURCHASE = "monthly_new_buy"
"""The kind of a first purchase; the kinds of renewals and of changes are the API's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One fixed term of a product, as the list of subscription bills has it; amounts in 1e-10 USD."""

    account: str
    owner: str
    """Instance or endpoint; may be empty."""
    product: str
    product_id: str
    category: str
    """The productCategory of what was bought, such as `gpu`."""
    kind: str
    """`tradeType` as the API writes it."""
    bought_at: datetime
    """When the charge fell due."""
    starts_at: datetime
    ends_at: datetime | None
    """The first instant after the term; None if the API did not give it."""
    amount: Usd
    voucher: Usd
    pay: Usd

    @property
    def is_new(self) -> bool:
        """Whether it is a first purchase, according to the API's `tradeType`."""
        return self.kind == NEW_PURCHASE

    @property
    def what(self) -> tuple[str, str, str]:
        """Account, owner and product: terms with the same values follow one another."""
        return (self.account, self.owner, self.product_id or self.product)

    @property
    def series(self) -> Series:
        """The series of the charge."""
        return Series(
            account=self.account,
            category=SUBSCRIPTION,
            subcategory=self.category,
            owner=self.owner,
            product=self.product,
            product_id=self.product_id,
            billing_method="subscription",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BillRows:
    """
    The rows of one answer as parallel columns, in the order they came.

    `hour` is the hour in which the row starts; `span` counts the hours that it covers (1 or more); `series` indexes
    `names`; the three amounts are in 1e-10 USD. `rounded` counts rows with digits finer than that.
    """

    names: tuple[Series, ...]
    hour: "NDArray[np.int32]"
    span: "NDArray[np.int32]"
    series: "NDArray[np.int32]"
    amount: "NDArray[np.int64]"
    voucher: "NDArray[np.int64]"
    pay: "NDArray[np.int64]"
    rounded: int = 0
    terms: tuple[Term, ...] = ()
    """The subscription terms whose charges the rows are; empty for usage bills."""
    is_listed: bool = True
    """Whether the answer contained a list: `{}` may mean an empty list, or no answer."""

    def __len__(self) -> int:
        return len(self.hour)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key's name and mask, as the bills give them."""

    account: str
    key_id: str
    name: str
    """The name given by its creator; may be empty."""
    mask: str
    """Its first and last characters; may be empty."""

    @property
    def label(self) -> str:
        """The name, or the mask if it has none."""
        return self.name or self.mask

    def after(self, earlier: "ApiKey | None") -> "ApiKey":
        """Return the key with a missing name or mask, as of a deleted key, taken from *earlier*."""
        if earlier is None:
            return self
        return replace(self, name=self.name or earlier.name, mask=self.mask or earlier.mask)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyBills:
    """One answer by API key: rows whose owner is the key, and the keys that have a name or a mask."""

    rows: BillRows
    keys: tuple[ApiKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account can still spend, as last read; in 1e-10 USD, None if the API did not give it."""

    account: str
    available: Usd
    """May be below zero."""
    cash: Usd | None = None
    credit_limit: Usd | None = None
    outstanding: Usd | None = None
    """Invoices that are not paid yet."""
    read_at: datetime


class BillStatus(StrEnum):
    """The states of a monthly bill that alertd knows; others are kept as the API spells them."""

    PENDING = "pending"
    """The month is still running."""
    OUTED = "outed"
    """Issued, payment due."""
    PAID = "paid"
    OVERDUE = "overdue"
    VOIDED = "voided"
    """Cancelled, owes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyBill:
    """One monthly bill as last read; amounts in 1e-10 USD."""

    account: str
    bill_id: str
    month: str
    """`YYYY-MM`."""
    status: str
    """A BillStatus, or the API's own word when it is none of them."""
    total: Usd
    origin_total: Usd
    voucher_paid: Usd
    cash_paid: Usd
    debt: Usd
    repaid: Usd
    invoice_url: str = ""

    @property
    def is_settled(self) -> bool:
        """Paid or voided: no further payment is expected."""
        return self.status in {BillStatus.PAID, BillStatus.VOIDED}

    @property
    def owed(self) -> Usd:
        """The debt that is not repaid, never below zero; zero once settled."""
        return Usd(0) if self.is_settled else Usd(max(0, self.debt - self.repaid))


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPhase:
    """One phase of a monthly bill as alertd saw it: its status, whether money was owed, and when it began."""

    status: str
    owes: bool
    since: datetime
    is_gone: bool = False
    """Whether complete reads no longer had the bill; `status` and `owes` are then its last ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedBill:
    """A monthly bill and the phases it went through, oldest first; never empty."""

    bill: MonthlyBill
    phases: tuple[BillPhase, ...]
    last_seen_at: datetime

    @property
    def gone_since(self) -> datetime | None:
        """When complete reads began to lack it; None while they have it."""
        return self.phases[-1].since if self.phases[-1].is_gone else None

    @property
    def state(self) -> str:
        """Its status as text for people, with a note if it is no longer listed."""
        status = "issued" if self.bill.status == BillStatus.OUTED else self.bill.status
        return f"{status}, then missing from the list" if self.gone_since is not None else status


def track(earlier: TrackedBill | None, bill: MonthlyBill, seen_at: datetime) -> TrackedBill:
    """Return the bill with its current phase: a new one only if its status or whether it owes changed."""
    phase = BillPhase(status=bill.status, owes=bill.owed > 0, since=seen_at)
    phases = earlier.phases if earlier is not None else ()
    if not phases or replace(phases[-1], since=seen_at) != phase:
        phases = (*phases, phase)
    return TrackedBill(bill=bill, phases=phases, last_seen_at=seen_at)


def gone_from(
    known: Iterable[TrackedBill], bills: Iterable[MonthlyBill], *, start_month: str, at: datetime
) -> list[TrackedBill]:
    """
    Return, marked as gone, the known bills that a complete read from a month on newly lacks: gone is not paid.

    Args:
        known: The bills of one account.
        start_month: `YYYY-MM`; older bills were not requested.
    """
    listed = {bill.bill_id for bill in bills}
    return [
        replace(tracked, phases=(*tracked.phases, replace(tracked.phases[-1], since=at, is_gone=True)))
        for tracked in known
        if tracked.bill.month >= start_month and tracked.bill.bill_id not in listed and tracked.gone_since is None
    ]


FIRST_MONTH = "2025-10"
"""The first month for which the API has bills."""


def oldest_open_month(bills: Iterable[TrackedBill]) -> str:
    """Return the month to read monthly bills from: the oldest neither paid nor voided, else the newest known."""
    known = sorted((tracked.bill.month, tracked.bill.is_settled) for tracked in bills)
    open_months = [month for month, is_settled in known if not is_settled]
    return min(open_months, default=known[-1][0] if known else FIRST_MONTH)
