"""Random records of every kind that the store keeps, and small fixed ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TypedDict, Unpack

import numpy as np
from hypothesis import strategies as st

from alertd.core.alert import Address, Alert, AlertState, Contributor, Lag, Unit
from alertd.core.alert_event import (
    Acknowledged,
    Moved,
    Recorded,
    SilenceEnded,
    Standing,
    Suppressed,
    Unacknowledged,
    Unsuppressed,
)
from alertd.core.alerts.reason import NotifyReason
from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.messages.message import AlertFacts, Field, Link, Message, TableRow
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.money import MAX_UNITS, Usd
from alertd.core.muted import Muted, MuteKind
from alertd.core.severity import Severity
from alertd.core.spend.bill import BillPhase, MonthlyBill, Series, TrackedBill
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, HourSummary, SeriesTable, Suspicion, summarise
from alertd.store.alerts import AlertEvent
from alertd.store.bills import BookChange
from alertd.store.cycles import CycleRecord
from tests.builders import firing_message

NOW = datetime(2026, 1, 10, 12, 5, 0, 123_457, tzinfo=UTC)
HOUR = hour_of(NOW)

# Every Unicode text but lone surrogates, which the wire has replaced long before.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
instants = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 -- the zone is drawn beside it
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]),
)
amounts = st.integers(-MAX_UNITS, MAX_UNITS).map(Usd)
decimals = st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [Decimal("1E+5"), Decimal("61.2500"), Decimal("-0.0000000001")]
)
pairs = st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
severities = st.sampled_from(Severity)
maybe_instants = st.none() | instants


@st.composite
def hour_sets(draw: st.DrawFn) -> HourSet:
    spans = draw(st.lists(st.tuples(st.integers(0, 600_000), st.integers(1, 50)), max_size=4))
    return HourSet.of(HourRange(start, start + length) for start, length in spans)


@st.composite
def blocks(draw: st.DrawFn, series: range = range(5)) -> HourBlock:
    cells = draw(st.lists(st.tuples(st.sampled_from(series), st.integers(1, 800)), unique=True, min_size=1, max_size=4))
    size = len(cells)
    column = st.lists(amounts, min_size=size, max_size=size)
    amount, voucher, pay = (np.array(draw(column), np.int64) for _ in range(3))
    keys = np.array(sorted(cells), np.int32)
    return HourBlock(series=keys[:, 0], span=keys[:, 1], amount=amount, voucher=voucher, pay=pay)


suspicions = st.builds(Suspicion, digest=st.binary(min_size=16, max_size=16), total=amounts, since=instants)


@st.composite
def book_changes(draw: st.DrawFn, account: str = "a", category: str = "gpu") -> BookChange:
    content = draw(st.dictionaries(st.integers(0, 600_000), blocks(), max_size=4))
    book = CategoryBook(
        account=account,
        category=category,
        hours={hour: summarise(hour, block) for hour, block in sorted(content.items())},
        covered=draw(hour_sets()),
        failed=draw(hour_sets()),
        suspicions=draw(st.dictionaries(st.integers(0, 600_000), suspicions, max_size=3)),
        read_at=draw(maybe_instants),
        error=draw(texts),
        failed_at=draw(maybe_instants),
        deep_read_at=draw(maybe_instants),
        full_read_at=draw(maybe_instants),
    )
    return BookChange(book=book, blocks=content)


monthly_bills = st.builds(
    MonthlyBill,
    account=names,
    bill_id=names,
    month=st.just("2026-01"),
    status=texts,
    total=amounts,
    origin_total=amounts,
    voucher_paid=amounts,
    cash_paid=amounts,
    debt=amounts,
    repaid=amounts,
    invoice_url=texts,
)
tracked_bills = st.builds(
    TrackedBill,
    bill=monthly_bills,
    phases=st.lists(st.builds(BillPhase, status=texts, owes=st.booleans(), since=instants), min_size=1, max_size=3).map(
        tuple
    ),
    last_seen_at=instants,
)
contributors = st.builds(
    Contributor, owner=texts, product=texts, category=texts, amount=st.integers().map(Usd), before=st.none() | amounts
)
mutes = st.builds(
    Muted,
    kind=st.sampled_from(MuteKind),
    id=texts,
    by=texts,
    until=maybe_instants,
    further=st.none() | st.integers(0, 10**15).map(Usd),
    comment=texts,
)
alerts = st.builds(
    Alert,
    fingerprint=names,
    rule=texts,
    type=texts,
    account=texts,
    group=pairs,
    labels=pairs,
    headline=texts,
    episode=st.integers(1, 9),
    state=st.sampled_from(AlertState),
    severity=severities,
    value=decimals,
    threshold=st.none() | decimals,
    unit=st.sampled_from(Unit),
    as_of=instants,
    is_complete=st.booleans(),
    started_at=instants,
    fired_at=maybe_instants,
    resolved_at=maybe_instants,
    reason=texts,
    rule_digest=texts,
    peak=decimals,
    top=st.lists(contributors, max_size=2).map(tuple),
    table_note=texts,
    caveats=st.lists(texts, max_size=2).map(tuple),
    period_start=maybe_instants,
    facts=pairs,
    url=texts,
    notified_at=maybe_instants,
    notified_value=st.none() | decimals,
    repeat_count=st.integers(0, 9),
    notified_to=st.lists(st.builds(Address, texts, texts), max_size=2).map(tuple),
    acknowledged_by=st.none() | texts,
    muted=st.none() | mutes,
)
standings = st.builds(Standing, state=st.sampled_from(AlertState), severity=st.none() | severities)
changes = st.one_of(
    st.builds(
        Moved,
        before=st.none() | standings,
        after=standings,
        value=decimals,
        unit=st.sampled_from(Unit),
        threshold=st.none() | decimals,
        expected=st.none() | decimals,
        as_of=instants,
        lagging=st.lists(st.builds(Lag, stream=texts, through=instants, is_by_day=st.booleans()), max_size=2).map(
            tuple
        ),
        is_complete=st.booleans(),
        reason=texts,
        caveats=st.lists(texts, max_size=2).map(tuple),
    ),
    st.builds(Suppressed, muted=mutes),
    st.builds(Acknowledged, by=texts),
    st.builds(Unacknowledged, by=texts),
    st.builds(SilenceEnded, id=texts, by=texts),
    st.builds(Recorded, text=texts, detail=pairs),
    st.just(Unsuppressed()),
)
alert_events = st.builds(AlertEvent, fingerprint=names, episode=st.integers(1, 9), happened_at=instants, change=changes)
alert_facts = st.builds(
    AlertFacts,
    fingerprint=texts,
    rule=texts,
    is_resolved=st.booleans(),
    severity=severities,
    labels=pairs,
    annotations=pairs,
    starts_at=instants,
    ends_at=maybe_instants,
    value=texts,
    threshold=st.none() | texts,
    unit=texts,
    as_of=instants,
    url=texts,
)
messages = st.builds(
    Message,
    reason=st.sampled_from(NotifyReason),
    severity=severities,
    is_resolved=st.booleans(),
    title=texts,
    lines=st.lists(texts, max_size=2).map(tuple),
    fields=st.lists(st.builds(Field, name=texts, text=texts), max_size=2).map(tuple),
    table=st.lists(st.builds(TableRow, who=texts, what=texts, amount=texts, before=texts), max_size=2).map(tuple),
    table_note=texts,
    history=st.lists(texts, max_size=2).map(tuple),
    links=st.lists(st.builds(Link, text=texts, url=texts), max_size=2).map(tuple),
    footer=texts,
    alerts=st.lists(alert_facts, max_size=2).map(tuple),
    created_at=instants,
)
entries = st.builds(
    OutboxEntry,
    key=names,
    receiver=texts,
    recipient=texts,
    group=texts,
    fingerprints=st.lists(texts, max_size=3).map(tuple),
    message=messages,
    state=st.sampled_from(EntryState),
    created_at=instants,
    not_before=instants,
    attempts=st.integers(0, 99),
    unknowns=st.integers(0, 2),
    first_attempt_at=maybe_instants,
    started_at=maybe_instants,
    finished_at=maybe_instants,
    is_plain=st.booleans(),
    fallback_sent=st.booleans(),
    ref=texts,
    error=texts,
)
cycle_records = st.builds(
    CycleRecord,
    started_at=instants,
    finished_at=instants,
    is_ok=st.booleans(),
    summary=st.lists(st.tuples(texts, texts | st.integers(-(2**62), 2**62)), max_size=3).map(tuple),
)


def table_of(count: int = 5, *, account: str = "a", category: str = "gpu") -> SeriesTable:
    return SeriesTable(
        Series(account, category, category, f"owner-{n}", "H100", "p-1", "on-demand") for n in range(count)
    )


def block_of(*values: int) -> HourBlock:
    """A block of one-hour cells, series 0, 1, 2 …"""
    amount = np.array(values, np.int64)
    return HourBlock(
        series=np.arange(len(values), dtype=np.int32),
        span=np.ones(len(values), np.int32),
        amount=amount,
        voucher=np.zeros(len(values), np.int64),
        pay=amount,
    )


def change_of(content: dict[int, HourBlock], *, account: str = "a", category: str = "gpu") -> BookChange:
    hours: dict[int, HourSummary] = {hour: summarise(hour, block) for hour, block in content.items() if len(block)}
    covered = HourSet.of(HourRange(hour, hour + 1) for hour in content)
    return BookChange(
        book=CategoryBook(account=account, category=category, hours=hours, covered=covered, read_at=NOW),
        blocks=content,
    )


class AlertParts(TypedDict, total=False):
    state: AlertState
    episode: int
    resolved_at: datetime | None


def alert_of(fingerprint: str = "f1", **changes: Unpack[AlertParts]) -> Alert:
    alert = Alert(
        fingerprint=fingerprint,
        rule="gpu-24h",
        type="rolling_spend",
        account="a",
        group=(("owner", "gpu-1"),),
        labels=(("owner", "gpu-1"),),
        headline="gpu-1 spent $61.25",
        episode=1,
        state=AlertState.FIRING,
        severity=Severity.WARNING,
        value=Decimal("61.25"),
        threshold=Decimal(50),
        unit=Unit.USD,
        as_of=NOW,
        is_complete=True,
        started_at=NOW,
        rule_digest="d",
        peak=Decimal("61.25"),
    )
    return replace(alert, **changes)


class EntryParts(TypedDict, total=False):
    receiver: str
    recipient: str
    group: str
    fingerprints: tuple[str, ...]
    state: EntryState
    attempts: int
    ref: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def entry_of(key: str = "k1", **changes: Unpack[EntryParts]) -> OutboxEntry:
    entry = OutboxEntry(
        key=key,
        receiver="finops",
        recipient="#finops",
        group="f1",
        fingerprints=("f1",),
        message=firing_message(),
        created_at=NOW,
        not_before=NOW,
    )
    return replace(entry, **changes)
