"""Bill rows, books, facts, rules, samples and alerts for tests of the core: right by default, each part replaceable."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from alertd.core.alert import Alert, AlertState, Billed, Sample, Unit
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.lifecycle import Move, step
from alertd.core.alerts.mutes import mute_text
from alertd.core.alerts.reason import NotifyReason
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Labels
from alertd.core.messages.dispatch import Dispatcher
from alertd.core.messages.message import Message
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.money import Usd, parse_written
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.facts import Facts
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.standing import GroupStanding
from alertd.core.severity import Severity
from alertd.core.spend.bill import BillRows, MonthlyBill, Series, TrackedBill, track
from alertd.core.spend.block import HourBlock, empty_block
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import CategoryBook, SeriesTable, file_failure, file_rows
from alertd.core.spend.view import SpendView

NOW = datetime(2026, 1, 10, 12, 5, tzinfo=UTC)
RUNNING = hour_of(NOW)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SETTLE = timedelta(hours=2)

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def usd(text: str) -> Usd:
    """Money as people write it, with an optional minus."""
    return Usd(-parse_written(text[1:])) if text.startswith("-") else parse_written(text)


def a_series(owner: str = "gpu-1", *, category: str = "gpu", account: str = "default", product: str = "H100") -> Series:
    """What a charge is for."""
    return Series(
        account=account,
        category=category,
        subcategory="Compute",
        owner=owner,
        product=product,
        product_id=product.lower(),
        billing_method="on-demand",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of an answer; amounts in 1e-10 USD."""

    series: Series
    hour: int
    span: int = 1
    amount: int
    voucher: int = 0

    @property
    def pay(self) -> int:
        """What is left in cash."""
        return self.amount - self.voucher


def row(
    hour: int, amount: str, *, owner: str = "gpu-1", category: str = "gpu", account: str = "default", span: int = 1
) -> Row:
    """One row, its amount as people write it."""
    return Row(series=a_series(owner, category=category, account=account), hour=hour, span=span, amount=usd(amount))


def bill_rows(rows: Iterable[Row]) -> BillRows:
    """The rows as the columns of one answer, in the order given."""
    kept = list(rows)
    names = {series: number for number, series in enumerate(dict.fromkeys(r.series for r in kept))}
    return BillRows(
        names=tuple(names),
        hour=np.array([r.hour for r in kept], np.int32),
        span=np.array([r.span for r in kept], np.int32),
        series=np.array([names[r.series] for r in kept], np.int32),
        amount=np.array([r.amount for r in kept], np.int64),
        voucher=np.array([r.voucher for r in kept], np.int64),
        pay=np.array([r.pay for r in kept], np.int64),
    )


@dataclass(slots=True, kw_only=True)
class Desk:
    """Files reads as a cycle does: books, blocks by hour and the series table stay together."""

    table: SeriesTable = field(default_factory=SeriesTable)
    books: dict[tuple[str, str], CategoryBook] = field(default_factory=dict)
    blocks: dict[tuple[str, str, int], HourBlock] = field(default_factory=dict)

    def book(self, category: str = "gpu", account: str = "default") -> CategoryBook:
        """The book of a category, empty before its first read."""
        return self.books.get((account, category)) or CategoryBook(account=account, category=category)

    def read(
        self,
        rows: Sequence[Row],
        span: HourRange,
        at: datetime = NOW,
        *,
        category: str = "gpu",
        account: str = "default",
    ) -> dict[int, tuple[HourBlock, HourBlock]]:
        """File one successful read; return each changed hour's block before and after."""
        filing = file_rows(self.book(category, account), self.table, bill_rows(rows), span, read_at=at)
        self.books[account, category] = filing.book
        changes = {}
        for hour, block in filing.blocks.items():
            changes[hour] = (self.blocks.get((account, category, hour), empty_block()), block)
            self.blocks[account, category, hour] = block
        return changes

    def fail(self, span: HourRange, at: datetime = NOW, *, category: str = "gpu", error: str = "HTTP 500") -> None:
        """File one failed read."""
        self.books["default", category] = file_failure(self.book(category), span, error=error, failed_at=at)

    def view(self, span: HourRange, *, owners: OwnerDirectory | None = None) -> SpendView:
        """A view of all that is held, every metric."""
        view = SpendView(self.table, span, metrics=("amount", "pay", "voucher"), owners=owners)
        view.fill((hour, block) for (_, _, hour), block in self.blocks.items())
        return view

    def facts(
        self,
        now: datetime = NOW,
        *,
        view: SpendView | None = None,
        owners: OwnerDirectory | None = None,
        bills: tuple[TrackedBill, ...] = (),
        bill_gaps: Mapping[str, str] | None = None,
    ) -> Facts:
        """All that a rule may look at, over 100 days or in a view that was made before."""
        directory = owners or OwnerDirectory()
        running = hour_of(now)
        return Facts(
            now=now,
            spend=view or self.view(HourRange(running - 2400, running + 48), owners=directory),
            data=DataState(books=self.books, now=now, settle_delay=SETTLE),
            bills=bills,
            bill_gaps=bill_gaps or {},
            owners=directory,
        )


def desk_with(*rows: Row, now: datetime = NOW, days: int = 60) -> Desk:
    """A desk after one read of everything up to the running hour, for each category that has a row (else gpu)."""
    desk = Desk()
    span = HourRange(hour_of(now) - days * 24, hour_of(now) + 1)
    for account, category in sorted({(r.series.account, r.series.category) for r in rows} or {("default", "gpu")}):
        mine = [r for r in rows if (r.series.account, r.series.category) == (account, category)]
        desk.read(mine, span, now, category=category, account=account)
    return desk


def rolling(warning: str | None = "50", critical: str | None = "100", /, **parts: object) -> RollingSpend:
    """A rule on 24 hours of spend by owner."""
    limits = {s: usd(text) for s, text in ((WARNING, warning), (CRITICAL, critical)) if text is not None}
    rule = RollingSpend(name="gpu-24h", window=timedelta(hours=24), thresholds=limits, group_by=("owner",))
    return replace(rule, **parts)  # type: ignore[arg-type]


def stand(rule: BudgetRule, facts: Facts) -> tuple[GroupStanding, ...]:
    """Where the budgets of all groups stand, the largest spent share first."""
    standings = rule.standings(facts)
    return standings.of(standings.largest())


def group(owner: str = "gpu-1") -> Labels:
    """The labels that tell an owner's alert apart."""
    return (("owner", owner),)


def sample(
    value: str, rule: RollingSpend | None = None, *, owner: str = "gpu-1", complete: bool = True, may_raise: bool = True
) -> Sample:
    """What an evaluation of a rule says of an owner who spent *value*."""
    rule = rule or rolling()
    spent = Decimal(value)
    limits = {s: Decimal(units) / 10**10 for s, units in rule.thresholds.items()}
    share = Decimal(rule.resolve_below.numerator) / rule.resolve_below.denominator
    return Sample(
        group=group(owner),
        labels=group(owner),
        account="default",
        headline=f"{owner} spent ${value}",
        value=spent,
        unit=Unit.USD,
        reached=max((s for s, limit in limits.items() if spent >= limit), default=None),
        held=max((s for s, limit in limits.items() if spent >= limit * share), default=None),
        thresholds=tuple(sorted(limits.items())),
        as_of=NOW.replace(minute=0),
        is_complete=complete,
        may_raise=may_raise,
    )


def firing(value: str = "60", *, owner: str = "gpu-1", rule: RollingSpend | None = None, now: datetime = NOW) -> Alert:
    """An alert that began to fire *now* and was not notified yet."""
    alert = step(None, sample(value, rule, owner=owner), rule or rolling(), now)
    assert alert is not None
    return alert


def move(before: Alert | None, after: Alert, rule: RollingSpend | None = None) -> Move:
    """A move judged by the usual rule."""
    return Move(before=before, after=after, rule=rule or rolling())


def monthly_bill(**parts: object) -> MonthlyBill:
    """An overdue bill of December that owes $80 of $100."""
    bill = MonthlyBill(
        account="default",
        bill_id="b-1",
        month="2025-12",
        status="overdue",
        total=usd("100"),
        origin_total=usd("100"),
        voucher_paid=usd("0"),
        cash_paid=usd("20"),
        debt=usd("100"),
        repaid=usd("20"),
        invoice_url="https://novita.ai/invoice/b-1",
    )
    return replace(bill, **parts)  # type: ignore[arg-type]


def tracked(*phases: tuple[datetime, MonthlyBill]) -> TrackedBill:
    """A bill seen in each of these phases."""
    known: TrackedBill | None = None
    for seen_at, bill in phases:
        known = track(known, bill, seen_at)
    assert known is not None
    return known


def entry(number: int = 1, **parts: object) -> OutboxEntry:
    """A pending outbox entry; each number is another alert."""
    message = Message(
        reason=NotifyReason.FIRST, severity=WARNING, is_resolved=False, title=f"alert {number}", created_at=NOW
    )
    plain = OutboxEntry(
        id=number,
        key=f"key-{number}",
        receiver="slack",
        recipient="",
        group=f"{number:016x}",
        fingerprints=(f"{number:016x}",),
        message=message,
        state=EntryState.PENDING,
        created_at=NOW,
        not_before=NOW,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def withheld(alert: Alert) -> str:
    """Return in words what mutes an alert as it is stored, empty where nothing does."""
    return mute_text(alert.muted) if alert.muted is not None else ""


def silenced_by(alert: Alert) -> str | None:
    """Return the id of the silence that mutes an alert, None where none does."""
    return alert.muted.id if alert.muted is not None and alert.muted.is_silence else None


def billed_by_value(before: Alert | None, after: Alert) -> Alert:
    """The alert as where nothing leaves the window: what its value grew by is what was billed."""
    now = Usd(int(after.value * 10**10))
    if before is None or before.state is AlertState.RESOLVED:
        return replace(after, billed=Billed(total=Usd(0), held=now))
    known = before.billed or Billed(total=Usd(0), held=Usd(int(before.value * 10**10)))
    known = replace(known, notified=after.billed.notified) if after.billed is not None else known
    return replace(after, billed=replace(known, total=Usd(known.total + now - known.held), held=now))


def dispatcher(audience: Audience, now: datetime = NOW) -> Dispatcher:
    """By what a daemon without summaries and charts would decide."""
    return Dispatcher(audience=audience, install_id="install", headline_of=lambda alert, _: alert.headline, now=now)
