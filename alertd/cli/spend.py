"""`alertd spend`: what was spent, as a table, CSV or JSON."""

import re
import sys
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from alertd.cli.common import duration_if_any, now_of, prepare_to_ask, print_json, read_store
from alertd.cli.tables import table
from alertd.core.dataclass import dataclass
from alertd.core.printable import spreadsheet_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alertd.core.hours import HourRange
    from alertd.core.owners import OwnerDirectory
    from alertd.core.spend.data_state import DataState
    from alertd.core.spend.lately import Billed
    from alertd.core.spend.lists import View
    from alertd.core.spend.view import SpendView
    from alertd.settings.asked import AskedSettings
    from alertd.store.store import Store

_EPILOG = """\b
Examples:
  alertd spend
  alertd spend --since 24h --by owner,product
  alertd spend --since 24h --view api_key
  alertd spend --by team,category
  alertd spend --month 2026-10 --by team
  alertd spend --from 2026-10-05 --until 2026-10-11 --by category --csv > spend.csv
"""
_METRICS = ("amount", "voucher", "pay")
_CHART_WIDTH = 48
"""Characters of a sparkline: two days by the hour."""
_OWNER_NAME = "owner_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """The spend of one group."""

    group: tuple[str, ...]
    sums: tuple[int, ...]
    """Totals by metric, in 1e-10 USD."""
    bars: tuple[int, ...]
    """The amount by day or hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The stored spend of the window."""

    window: "HourRange"
    billed: "Billed | None"
    """The total; None if it does not fit 64 bits."""
    rows: list[_Row]
    begins: int
    """The first hour with stored bills."""
    timezone: str
    is_latest: bool
    """Whether the window ends at the last billed hour."""


@click.command("spend", epilog=_EPILOG)
@click.option(
    "--since",
    metavar="DURATION",
    show_default="7d",
    callback=duration_if_any,
    help="How far back from the last billed hour, like 24h, 7d or 4w.",
)
@click.option("--month", metavar="YYYY-MM", default="", help="One month, like 2026-10, by `defaults.timezone`.")
@click.option("--from", "first", metavar="DATE", default="", help="The first day, like 2026-10-05.")
@click.option("--until", metavar="DATE", default="", help="The last day, included; default up to the last billed hour.")
@click.option(
    "--by",
    "by",
    metavar="COLUMN[,COLUMN]",
    default="category,owner",
    show_default=True,
    help="Columns to sum by; with a rules file also team and the labels of its owners.",
)
@click.option(
    "--view",
    type=click.Choice(["usage", "api_key"]),
    default="usage",
    show_default=True,
    help="Which bills to sum: the usage bills, or those by API key (LLM, generation, search); the same money.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values with a heading.")
@click.pass_context
def command(
    ctx: click.Context,
    since: timedelta | None,
    month: str,
    first: str,
    until: str,
    by: str,
    view: str,
    *,
    as_json: bool,
    as_csv: bool,
) -> int:
    """Show what was spent in the hours stored so far, largest first; amounts in USD, exact in JSON and CSV."""
    from alertd.core.hours import start_of
    from alertd.core.rules.held import with_api_names
    from alertd.core.spend.lists import View
    from alertd.core.words import format_instant

    settings = prepare_to_ask(ctx)
    owners, timezone, why_none = _owners(settings)
    keys = _keys(by, owners, why_none)
    asked = Asked(since=since, month=month, first=first, until=until)
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    with read_store(settings) as store:
        owners = with_api_names(owners, store.key_bills.load_keys(), store.resources.load())
        found = _read(
            store,
            View(view),
            lambda data: asked.hours(data, timezone),
            keys,
            owners,
            timezone,
            now=now_of(store),
            settle_delay=settings.settle_delay,
        )
        rows = found.rows if found is not None else []
        is_read = View(view) in store.views
    if found is not None and found.begins > found.window.start and since is None and (month or first):
        text = (
            f"bills are stored from {format_instant(start_of(found.begins))} on; `alertd backfill` fetches earlier ones"
        )
        click.echo(f"Note: {text}", err=True)
    if as_json:
        exact = _exact(rows, keys, owners)
        print_json([{name: text for name, text in row.items() if text or name != _OWNER_NAME} for row in exact])
    elif as_csv:
        is_named = view == View.API_KEY or bool(owners.names) or any(owner.name for owner in owners.entries)
        has_names = "owner" in keys and is_named
        import csv

        writer = csv.DictWriter(sys.stdout, fieldnames=_columns(keys, has_names=has_names), extrasaction="ignore")
        writer.writerow({name: spreadsheet_cell(name) for name in writer.fieldnames})
        for row in _exact(rows, keys, owners):
            # Amounts are safe, although credits begin with a minus.
            writer.writerow({name: text if name in _METRICS else spreadsheet_cell(text) for name, text in row.items()})
    elif not rows and not is_read:
        click.echo("Spend by API key is only read while an enabled rule has `view: api_key`.")
    else:
        click.echo(_table(found, keys, owners))
    return 0


def _owners(settings: "AskedSettings") -> "tuple[OwnerDirectory, str, str]":
    """Return the owners and time zone of the rules file; none, UTC and the reason if it cannot be read."""
    from alertd.core.owners import OwnerDirectory
    from alertd.errors import RulesError
    from alertd.rules_file.load import load_rules

    try:
        rules = load_rules(settings.rules_path())
    except RulesError as error:
        return OwnerDirectory(), "UTC", str(error).partition("\n")[0]
    return rules.owners, rules.timezone, ""


def _keys(by: str, owners: "OwnerDirectory", why_no_owners: str) -> tuple[str, ...]:
    from alertd.core.spend.bill import Series

    known = (*Series._fields, "team", *dict.fromkeys(name for owner in owners.entries for name, _ in owner.labels))
    keys = tuple(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
    unknown = [name for name in keys if name not in known]
    if unknown or not keys:
        wrong = f'"{unknown[0]}" is not a column' if unknown else "it is empty"
        hint = f"; labels of owners are not known ({why_no_owners})" if unknown and why_no_owners else ""
        raise click.BadParameter(f"{wrong}; choose from {', '.join(known)}{hint}", param_hint="--by")
    if why_no_owners and "team" in keys:
        raise click.BadParameter(f"team needs the owners of the rules file: {why_no_owners}", param_hint="--by")
    return keys


def _read(
    store: "Store",
    view: "View",
    hours: "Callable[[DataState], HourRange | None]",
    keys: tuple[str, ...],
    owners: "OwnerDirectory",
    timezone: str,
    *,
    now: datetime,
    settle_delay: timedelta,
) -> _Found | None:
    """Return the spend of each group, largest first, without groups that spent nothing; None before the first read."""
    from alertd.core.hours import HOURS_PER_DAY, HourRange, hour_of
    from alertd.core.money import if_it_fits
    from alertd.core.spend.data_state import DataState
    from alertd.core.spend.lately import billed_in
    from alertd.core.spend.view import SpendView

    with store.snapshot():
        books = store.books_of(view)
        data = DataState(books=books.load_books(), now=now, settle_delay=settle_delay)
        window = hours(data)
        if window is None:
            return None
        # The days before show how much a lagging stream has yet to bill.
        span = HourRange(window.start - 3 * HOURS_PER_DAY, hour_of(now) + 1)
        spend = SpendView(books.load_series(), span, metrics=_METRICS, owners=owners)
        spend.advance(hour_of(now))
        spend.fill(books.iter_blocks(span.start))
    begins = min((book.covered.ranges[0].start for book in data.books.values() if book.covered), default=window.start)
    return _Found(
        window=window,
        billed=if_it_fits(lambda: billed_in(spend, data, window), None),
        rows=_rows(spend, data.accounts, window, keys, timezone) if len(window) else [],
        begins=begins,
        timezone=timezone,
        is_latest=window.end == data.edge(data.books),
    )


def _rows(
    spend: "SpendView", accounts: "frozenset[str]", window: "HourRange", keys: tuple[str, ...], timezone: str
) -> list[_Row]:
    from alertd.core.money import if_it_fits
    from alertd.core.sparkline import bounds
    from alertd.core.spend.selection import SpendQuery

    query = SpendQuery(group_by=keys, accounts=accounts)
    # Rows that match no other sum can be found here.
    by_metric = [spend.exact_sums(query, metric, window) for metric in _METRICS]
    by_time = if_it_fits(lambda: spend.between(query, "amount", bounds(window, timezone)), None)
    bars = by_time.T.tolist() if by_time is not None else [()] * len(by_metric[0])
    rows = [
        _Row(
            group=tuple(value for _, value in group),
            sums=tuple(sums[group] for sums in by_metric),
            bars=tuple(amounts),
        )
        for group, amounts in zip(by_metric[0], bars, strict=True)
    ]
    return sorted((row for row in rows if any(row.sums)), key=lambda row: (-row.sums[0], row.group))


def _columns(keys: tuple[str, ...], *, has_names: bool) -> list[str]:
    named = (name for key in keys for name in ((key, _OWNER_NAME) if key == "owner" and has_names else (key,)))
    return [*named, *_METRICS]


def _exact(rows: list[_Row], keys: tuple[str, ...], owners: "OwnerDirectory") -> list[dict[str, str]]:
    """Return each row by column, with the owner's name beside its id; the name is empty if unknown."""
    from alertd.core.money import decimal_text

    found = []
    for row in rows:
        cells = dict(zip(keys, row.group, strict=True))
        names = {_OWNER_NAME: owners.find(cells["owner"]).name} if "owner" in cells else {}
        cells |= names | dict(zip(_METRICS, map(decimal_text, row.sums), strict=True))
        found.append(cells)
    return found


def _table(found: _Found | None, keys: tuple[str, ...], owners: "OwnerDirectory") -> str:
    from alertd.core.calendar import local_time
    from alertd.core.money import format_usd
    from alertd.core.rules.spend_rule import about_once
    from alertd.core.sparkline import bar_length, levels_in, sparkline

    if found is None or not found.rows:
        return "Nothing was spent in the hours stored so far."
    rows, billed, window = found.rows, found.billed, found.window
    levels = levels_in(sys.stdout.encoding or "ascii")

    def line(names: "Sequence[str]", sums: "Sequence[int]", amounts: "Sequence[int]") -> tuple[str, ...]:
        return (*names, *map(format_usd, sums), sparkline(amounts, width=_CHART_WIDTH, levels=levels))

    chart = f"by {bar_length(window, found.timezone, width=_CHART_WIDTH)}"
    heading = tuple(name.upper().replace("_", " ") for name in (*keys, *_METRICS, chart))
    cells = [line(_names(row, keys, owners), row.sums, row.bars) for row in rows]
    totals = [sum(row.sums[n] for row in rows) for n in range(len(_METRICS))]
    foot = line(
        ("TOTAL", *("" for _ in keys[1:])), totals, [sum(each) for each in zip(*(r.bars for r in rows), strict=True)]
    )
    first = len(keys)
    drawn = table([heading, *cells, foot], right=range(first, first + len(_METRICS)), optional=(first + len(_METRICS),))
    start, end = (f"{local_time(hour, found.timezone):%Y-%m-%d %H:%M}" for hour in (window.start, window.end))
    last = ", the last billed hour" if found.is_latest else ""
    more = f"; {about_once(billed.expected, billed.lagging)}" if billed and billed.expected != billed.amount else ""
    return f"{drawn}\n\n{start} to {end} {found.timezone}{last}{more}"


def _names(row: _Row, keys: tuple[str, ...], owners: "OwnerDirectory") -> list[str]:
    """Return a row's first cells: owners with their display name, empty values as a dash."""
    pairs = zip(keys, row.group, strict=True)
    return [owners.display(text) if key == "owner" and text else text or "-" for key, text in pairs]


LONGEST = timedelta(days=400)
DEFAULT_SINCE = timedelta(days=7)
_YEARS = range(2000, 2101)
"""Bills are of these; a year beyond is a slip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as given; None or empty if absent."""

    since: timedelta | None
    month: str
    first: str
    until: str

    def __post_init__(self) -> None:
        """Check what can be checked before anything is read."""
        if sum([self.since is not None, bool(self.month), bool(self.first or self.until)]) > 1:
            raise click.UsageError("--since, --month, and --from with --until exclude each other")
        if self.since is not None and not timedelta(hours=1) <= self.since <= LONGEST:
            raise click.BadParameter(f"write between 1h and {LONGEST.days}d", param_hint="--since")
        if self.until and not self.first:
            raise click.UsageError("--until needs --from: from which day on?")

    def hours(self, data: "DataState", timezone: str) -> "HourRange | None":
        """
        Return the hours, up to the last billed one; None before the first read.

        Raises:
            BadParameter: It is not a month or day, has not begun, or is too long.
        """
        from alertd.core.calendar import days
        from alertd.core.hours import HourRange, hour_of
        from alertd.core.spend.lately import last_hours

        if not self.month and not self.first:
            since = DEFAULT_SINCE if self.since is None else self.since
            return last_hours(data, -(-since // timedelta(hours=1)))
        option = "--month" if self.month else "--from"
        first, last = self._days(data.now.date())
        found, edge = days(first, last, timezone), data.edge(data.books)
        if found.start > hour_of(data.now):
            raise click.BadParameter(f"{first:%Y-%m-%d} is in the future", param_hint=option)
        if last - first > LONGEST:
            raise click.BadParameter(f"these are more than {LONGEST.days} days", param_hint="--from")
        return None if edge is None else HourRange(found.start, max(found.start, min(found.end, edge)))

    def _days(self, today: date) -> tuple[date, date]:
        """Return the first and the last day."""
        if self.month:
            first = _day(self.month + "-01", "--month", "a month like 2026-10")
            return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        first = _day(self.first, "--from", "a day like 2026-10-05")
        # Elsewhere it may already be tomorrow.
        last = _day(self.until, "--until", "a day like 2026-10-05") if self.until else today + timedelta(days=1)
        if last < first and self.until:
            raise click.BadParameter("it is before the day of --from", param_hint="--until")
        return first, max(first, last)


def _day(text: str, option: str, wanted: str) -> date:
    found = None
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        with suppress(ValueError):
            found = date.fromisoformat(text)
    if found is None or found.year not in _YEARS:
        shown = text.removesuffix("-01") if option == "--month" else text
        raise click.BadParameter(f'"{shown}" is not {wanted}', param_hint=option)
    return found
