"""
The content of the status page's overview: figures and texts; the templates only lay them out.

Pure: from data to content. Unknown values are shown as unknown, never as zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.mutes import Holds, mutes_of, mutes_text
from alertd.core.alerts.silence import Silence
from alertd.core.dataclass import dataclass
from alertd.core.hours import start_of
from alertd.core.messages.holding import holds
from alertd.core.money import Usd, format_usd
from alertd.core.muted import MuteKind
from alertd.core.reports.running import Running
from alertd.core.rules.runway import Runway
from alertd.core.spend.bill import TrackedBill
from alertd.core.values import reached_text
from alertd.core.words import format_age, format_count, format_share
from alertd.queries.event_words import both_ends
from alertd.web.overview_budgets import Budgets, budgets_of
from alertd.web.overview_tiles import Tile, tiles_of
from alertd.web.page_context import PageFacts

_MOST_ALERTS = 50
_MOST_SILENCES = 50
_MOST_HINTS = 20
_ENDED_SHOWN = 10
_ENDED_LATELY = timedelta(days=7)
_BILLS = 6
_RUNNING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """One alert in a list."""

    fingerprint: str
    episode: int
    severity: str
    is_firing: bool
    headline: str
    value: str
    threshold: str
    """`critical from $180.00`; empty without a threshold."""
    team: str
    """The owner's team; empty if unknown."""
    age: str
    since: datetime
    known_to: str
    """Who acknowledged it; empty if nobody did."""
    withheld: str
    """What suppresses its notifications now, in words; empty if nothing does."""
    caveats: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One monthly bill."""

    month: str
    account: str
    state: str
    since: datetime
    total: str
    owed: str
    """Empty where nothing is."""
    invoice_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceLine:
    """The balance of an account."""

    headline: str
    facts: tuple[tuple[str, str], ...]
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLine:
    """One owner that is running now."""

    name: str
    product: str
    status: str
    since: datetime | None
    rate: str
    busy: str
    """Its GPUs' utilisation; empty if unknown."""
    alerts: tuple[str, ...]
    """Fingerprints of the alerts firing on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceLine:
    """One active silence."""

    id: str
    matches: str
    until: str
    author: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """Everything except the spend over time."""

    title: str
    """Title of the browser window, beginning with the state."""
    verdict: str
    state: str
    """`firing`, `calm`, or `unsure` while something is wrong or unknown, for the style sheet."""
    problems: tuple[str, ...]
    hints: tuple[str, ...]
    """Warnings about the rules."""
    tiles: tuple[Tile, ...]
    firing: tuple[AlertLine, ...]
    firing_more: int
    pending: tuple[AlertLine, ...]
    ended: tuple[AlertLine, ...]
    budgets: Budgets
    bills: tuple[BillLine, ...]
    bills_more: int
    balances: tuple[BalanceLine, ...]
    running: tuple[RunningLine, ...]
    running_more: int
    running_rate: str
    """Total cost an hour; empty if nothing runs."""
    silences: tuple[SilenceLine, ...]
    silences_more: int
    billed_through: datetime | None
    is_new: bool
    """Whether no bill has been read yet."""
    is_starting: bool
    """Whether no poll has finished since the start: sums, budgets and what runs are not computed yet."""
    now: datetime


def overview_page(known: PageFacts) -> OverviewPage:
    """Return the content of the overview."""
    firing, pending = known.alerts.firing, known.alerts.pending
    edge = known.data.edge(known.data.books)
    # The daemon itself serves the page: an unfinished first poll is not a problem.
    problems = known.status.problems if known.status.last_cycle is not None else ()
    silences = [silence for silence in known.silences if silence.is_active(known.now)]
    bills = sorted(known.bills, key=lambda t: (t.bill.month, t.bill.account), reverse=True)
    runs = known.overview.running if known.overview is not None else ()
    ended = known.alerts.ended_since(known.now - _ENDED_LATELY, _ENDED_SHOWN)
    held = holds(known.waiting, known.now)
    return OverviewPage(
        title=_title(len(firing), problems, is_new=edge is None),
        verdict=_verdict(len(firing), problems, is_new=edge is None),
        state="firing" if firing else "unsure" if problems or edge is None else "calm",
        problems=problems,
        hints=tuple(map(str, known.overview.unmatched[:_MOST_HINTS])) if known.overview is not None else (),
        tiles=tuple(tiles_of(known, edge)),
        firing=tuple(alert_line(alert, held, known.now) for alert in firing[:_MOST_ALERTS]),
        firing_more=max(0, len(firing) - _MOST_ALERTS),
        pending=tuple(alert_line(alert, held, known.now) for alert in pending[:_MOST_ALERTS]),
        ended=tuple(alert_line(alert, held, known.now) for alert in ended),
        budgets=budgets_of(known.overview, known.audience.owners, known.budget_lines),
        bills=tuple(_bill_line(tracked) for tracked in bills[:_BILLS]),
        bills_more=max(0, len(bills) - _BILLS),
        balances=tuple(_balances(known)),
        running=tuple(_running_line(row, known, known.alerts.on_owners.get(row.key, ())) for row in runs[:_RUNNING]),
        running_more=max(0, len(runs) - _RUNNING),
        running_rate=format_usd(Usd(sum(row.rate or 0 for row in runs))) if runs else "",
        silences=tuple(_silence_line(silence, known.alerts.headlines) for silence in silences[:_MOST_SILENCES]),
        silences_more=max(0, len(silences) - _MOST_SILENCES),
        billed_through=start_of(edge) if edge is not None else None,
        is_new=edge is None,
        is_starting=known.overview is None,
        now=known.now,
    )


def _title(firing: int, problems: Sequence[str], *, is_new: bool) -> str:
    parts = [f"{firing} firing" if firing else "", format_count(len(problems), "problem") if problems else ""]
    return f"{', '.join(filter(None, parts)) or ('No bills yet' if is_new else 'Nothing firing')} · alertd"


def _verdict(firing: int, problems: Sequence[str], *, is_new: bool) -> str:
    if firing:
        return "1 alert is firing" if firing == 1 else f"{firing} alerts are firing"
    if is_new:
        return "No bills were read yet"
    return "Nothing is firing, as far as is known" if problems else "Nothing is firing"


def alert_line(alert: Alert, held: Holds, now: datetime) -> AlertLine:
    """Return an alert's entry in a list."""
    since = alert.resolved_at or alert.fired_at or alert.started_at
    mutes = mutes_of(alert, held)
    return AlertLine(
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        severity=alert.severity.label,
        is_firing=alert.state is AlertState.FIRING,
        headline=alert.ended(alert.headline),
        value=both_ends(alert),
        threshold=reached_text(alert),
        team=dict(alert.labels).get("team", ""),
        age=format_age(max(now - since, timedelta())),
        since=since,
        known_to=alert.acknowledged_by or "",
        # The acknowledgement is shown separately.
        withheld=mutes_text(mute for mute in mutes if mute.kind is not MuteKind.ACKNOWLEDGEMENT),
        caveats=alert.caveats,
    )


def _bill_line(tracked: TrackedBill) -> BillLine:
    bill = tracked.bill
    return BillLine(
        month=bill.month,
        account=bill.account,
        state=tracked.state,
        since=tracked.phases[-1].since,
        total=format_usd(bill.total),
        owed=format_usd(bill.owed) if bill.owed else "",
        invoice_url=bill.invoice_url if bill.invoice_url.startswith("https://") else "",
    )


def _balances(known: PageFacts) -> Iterable[BalanceLine]:
    """Yield every balance, with its runway where a rule defines the pace."""
    runways: dict[str, Runway] = {}
    for _, runway in known.overview.runways if known.overview is not None else ():
        runways.setdefault(runway.balance.account, runway)
    for balance in known.balances:
        lasting = runways.get(balance.account)
        headline = f"Balance of {balance.account} is {format_usd(balance.available)}"
        yield BalanceLine(
            headline=lasting.headline if lasting is not None else headline,
            facts=lasting.facts if lasting is not None else (),
            read_at=balance.read_at,
        )


def _running_line(row: Running, known: PageFacts, alerts: tuple[str, ...]) -> RunningLine:
    return RunningLine(
        name=known.audience.owners.display(row.owner),
        product=row.product,
        status=row.status,
        since=row.since,
        rate=f"{format_usd(row.rate)} an hour" if row.rate is not None else "not billed yet",
        busy=f"{format_share(row.utilization)} busy" if row.utilization is not None else "",
        alerts=alerts,
    )


def _silence_line(silence: Silence, headlines: Mapping[str, str]) -> SilenceLine:
    """Return a silence with what it mutes; a silence of a single alert shows its headline."""
    matches = []
    for name, patterns in silence.matchers:
        text = ",".join(patterns.texts)
        headline = headlines.get(text) if name == "fingerprint" else None
        matches.append(headline or f"{name}={text}")
    return SilenceLine(
        id=silence.id,
        matches=" ".join(matches),
        until=silence.until,
        author=silence.author,
        comment=silence.comment,
    )
