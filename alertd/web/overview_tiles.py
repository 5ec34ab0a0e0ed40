"""The figures at the top of the overview page."""

from collections.abc import Iterable, Sequence

from alertd.core.calendar import Period, period_of
from alertd.core.dataclass import dataclass
from alertd.core.money import Usd, format_usd
from alertd.core.reports.overview import Overview
from alertd.core.rules.runway import days_text
from alertd.core.rules.spend_rule import about_once
from alertd.core.spend.bill import Balance
from alertd.core.spend.lately import Billed
from alertd.core.words import format_count
from alertd.web.page_context import PageFacts

NOT_COMPLETE = "not complete, may be low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure at the top."""

    name: str
    value: str
    note: str = ""
    is_bad: bool = False


def tiles_of(known: PageFacts, edge: int | None) -> Iterable[Tile]:
    """Yield the tiles for spend, debt and balance, as far as they are known."""
    if known.overview is not None and edge is not None:
        yield from _spend_tiles(known.overview)
    owed = Usd(sum(tracked.bill.owed for tracked in known.bills))
    if known.bills:
        count = sum(tracked.bill.owed > 0 for tracked in known.bills)
        note = f"{format_count(count, 'bill')} overdue" if owed else "no bill is overdue"
        yield Tile(name="Owed", value=format_usd(owed), note=note, is_bad=owed > 0)
    yield from _balance_tile(known)


def _spend_tiles(overview: Overview) -> Iterable[Tile]:
    if overview.overflows:
        note = "adds up to more than 922 million USD: see `alertd spend --by category,owner`"
        yield Tile(name="Last 24 hours billed", value="not shown", note=note, is_bad=True)
    day, month = overview.last_day, overview.month
    if day is None or month is None:
        return
    unsure = "" if all(each.is_complete for each in overview.spend) else NOT_COMPLETE
    yield Tile(name="Last 24 hours billed", value=format_usd(day.amount), note=_notes(_about(day), unsure))
    yield Tile(
        name=f"{period_of(month.window.start, Period.MONTH, 'UTC').title} so far",
        value=format_usd(month.amount),
        note=_notes("UTC month", _about(month), unsure),
    )


def _about(billed: Billed) -> str:
    """Say the estimated sum once everything is billed; empty if it equals the billed sum."""
    return about_once(billed.expected, billed.lagging) if billed.expected != billed.amount else ""


def _notes(*texts: str) -> str:
    return "; ".join(filter(None, texts))


def _balance_tile(known: PageFacts) -> Iterable[Tile]:
    runways = [runway for _, runway in known.overview.runways] if known.overview is not None else []
    ending = [(runway.days, runway) for runway in runways if runway.days is not None]
    if ending:
        days, runway = min(ending, key=lambda pair: pair[0])
        of_account = f" of {runway.balance.account}" if len(known.balances) > 1 else ""
        note = f"balance{of_account} {format_usd(runway.balance.available)}"
        yield Tile(name="Balance lasts", value=days_text(max(days, type(days)(0))), note=note)
    elif known.balances:
        lowest = min(known.balances, key=lambda balance: balance.available)
        yield Tile(name="Balance", value=format_usd(lowest.available), note=_of_several(lowest, known.balances))


def _of_several(lowest: Balance, balances: Sequence[Balance]) -> str:
    return f"lowest of {len(balances)} accounts: {lowest.account}" if len(balances) > 1 else ""
