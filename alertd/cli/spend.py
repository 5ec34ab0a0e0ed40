"""`alertd spend`: what was spent, as a table, CSV or JSON."""

import csv
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from alertd.cli.common import duration, prepare, print_json, table

if TYPE_CHECKING:
    from alertd.core.bill import View
    from alertd.core.hours import HourRange
    from alertd.store.store import Store

_EPILOG = """\b
Examples:
  alertd spend
  alertd spend --since 24h --by owner,product
  alertd spend --since 24h --view api_key
  alertd spend --since 31d --by category --csv > spend.csv
"""
_METRICS = ("amount", "voucher", "pay")
_LONGEST = timedelta(days=400)


@click.command("spend", epilog=_EPILOG)
@click.option("--since", default="7d", show_default=True, callback=duration, help="How far back from now.")
@click.option("--by", "by", default="category,owner", show_default=True, help="Columns to sum by.")
@click.option(
    "--view",
    type=click.Choice(["usage", "api_key"]),
    default="usage",
    show_default=True,
    help="Which list of the same money: the usage bills, or LLM, generation and search by API key.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values with a heading.")
@click.pass_context
def command(ctx: click.Context, since: timedelta, by: str, view: str, *, as_json: bool, as_csv: bool) -> int:
    """Show what was spent in the hours stored so far, largest first; amounts in USD, exact in JSON and CSV."""
    from alertd.clock import utc_now
    from alertd.core.bill import View
    from alertd.core.hours import HourRange, hour_of
    from alertd.store.store import Store

    keys = _keys(by)
    if not timedelta(hours=1) <= since <= _LONGEST:
        raise click.BadParameter("write between 1h and 400d", param_hint="--since")
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    running = hour_of(utc_now())
    window = HourRange(hour_of(utc_now() - since), running + 1)
    store = Store.open_read_only(prepare(ctx).store_url())
    try:
        rows = _sums(store, View(view), window, keys)
        names = {key.key_id: key.label for key in store.key_bills.load_keys()} if view == View.API_KEY else None
        is_read = View(view) in store.views
    finally:
        store.close()
    if as_json:
        print_json(_exact(rows, keys, names))
    elif as_csv:
        named = ["owner_name"] if names is not None and "owner" in keys else []
        writer = csv.DictWriter(sys.stdout, fieldnames=[*keys, *_METRICS, *named])
        writer.writeheader()
        writer.writerows(_exact(rows, keys, names))
    elif not rows and not is_read:
        click.echo("Spend by API key is only read while an enabled rule has `view: api_key`.")
    else:
        click.echo(_table(rows, keys, names or {}, window))
    return 0


def _keys(by: str) -> tuple[str, ...]:
    from alertd.core.bill import Series

    keys = tuple(name.strip() for name in by.split(",") if name.strip())
    unknown = [name for name in keys if name not in Series._fields]
    if unknown or not keys:
        wrong = f'"{unknown[0]}" is no column' if unknown else "it is empty"
        raise click.BadParameter(f"{wrong}; choose from {', '.join(Series._fields)}", param_hint="--by")
    return keys


def _sums(
    store: "Store", view: "View", window: "HourRange", keys: tuple[str, ...]
) -> list[tuple[tuple[str, ...], list[int]]]:
    """Return (group, sums by metric in 1e-10 USD), largest amount first; groups without any spend are left out."""
    from alertd.core.spend import SpendQuery, SpendView

    with store.snapshot():
        books = store.books_of(view)
        spend = SpendView(books.load_series(), window, metrics=_METRICS)
        spend.fill(books.iter_blocks(window.start))
    query = SpendQuery(group_by=keys)
    by_metric = [spend.sums(query, metric, window) for metric in _METRICS]
    rows = [
        (tuple(value for _, value in group), [int(sums.of(group)) for sums in by_metric])
        for group in by_metric[0].groups
    ]
    return sorted(((group, sums) for group, sums in rows if any(sums)), key=lambda row: (-row[1][0], row[0]))


def _exact(
    rows: list[tuple[tuple[str, ...], list[int]]], keys: tuple[str, ...], names: dict[str, str] | None
) -> list[dict[str, str]]:
    """Return each row by column; with the owners' names where owners are API keys."""
    from alertd.core.money import decimal_text

    found = [dict(zip((*keys, *_METRICS), (*group, *map(decimal_text, sums)), strict=True)) for group, sums in rows]
    if names is not None and "owner" in keys:
        return [{**row, "owner_name": names.get(row["owner"], "")} for row in found]
    return found


def _table(
    rows: list[tuple[tuple[str, ...], list[int]]], keys: tuple[str, ...], names: dict[str, str], window: "HourRange"
) -> str:
    from alertd.core.hours import start_of
    from alertd.core.money import format_usd

    if not rows:
        return "Nothing was spent in the hours stored so far."
    heading = tuple(name.upper().replace("_", " ") for name in (*keys, *_METRICS))
    cells = [
        (*(_cell(key, text, names) for key, text in zip(keys, group, strict=True)), *map(format_usd, sums))
        for group, sums in rows
    ]
    totals = [format_usd(sum(sums[n] for _, sums in rows)) for n in range(len(_METRICS))]
    foot = ("TOTAL", *("" for _ in keys[1:]), *totals)
    first = len(keys)
    drawn = table([heading, *cells, foot], right=frozenset(range(first, first + len(_METRICS))))
    return f"{drawn}\n\n{start_of(window.start):%Y-%m-%d %H:%M} to now, UTC"


def _cell(key: str, text: str, names: dict[str, str]) -> str:
    name = names.get(text, "") if key == "owner" else ""
    return f"{name} ({text})" if name else text or "-"
