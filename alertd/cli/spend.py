"""`alertd spend`: what was spent, as a table, CSV or JSON."""

import csv
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from alertd.cli.common import duration, prepare, print_json, table

if TYPE_CHECKING:
    from alertd.core.hours import HourRange
    from alertd.store.store import Store

_EPILOG = """\b
Examples:
  alertd spend
  alertd spend --since 24h --by owner,product
  alertd spend --since 31d --by category --csv > spend.csv
"""
_METRICS = ("amount", "voucher", "pay")
_LONGEST = timedelta(days=400)


@click.command("spend", epilog=_EPILOG)
@click.option("--since", default="7d", show_default=True, callback=duration, help="How far back from now.")
@click.option("--by", "by", default="category,owner", show_default=True, help="Columns to sum by.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values with a heading.")
@click.pass_context
def command(ctx: click.Context, since: timedelta, by: str, *, as_json: bool, as_csv: bool) -> int:
    """Show what was spent in the hours stored so far, largest first; amounts in USD, exact in JSON and CSV."""
    from alertd.clock import utc_now
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
        rows = _sums(store, window, keys)
    finally:
        store.close()
    if as_json:
        print_json(_exact(rows, keys))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, fieldnames=[*keys, *_METRICS])
        writer.writeheader()
        writer.writerows(_exact(rows, keys))
    else:
        click.echo(_table(rows, keys, window))
    return 0


def _keys(by: str) -> tuple[str, ...]:
    from alertd.core.bill import Series

    keys = tuple(name.strip() for name in by.split(",") if name.strip())
    unknown = [name for name in keys if name not in Series._fields]
    if unknown or not keys:
        wrong = f'"{unknown[0]}" is no column' if unknown else "it is empty"
        raise click.BadParameter(f"{wrong}; choose from {', '.join(Series._fields)}", param_hint="--by")
    return keys


def _sums(store: "Store", window: "HourRange", keys: tuple[str, ...]) -> list[tuple[tuple[str, ...], list[int]]]:
    """Return (group, sums by metric in 1e-10 USD), largest amount first; groups without any spend are left out."""
    from alertd.core.spend import SpendQuery, SpendView

    with store.snapshot():
        view = SpendView(store.bills.load_series(), window, metrics=_METRICS)
        view.fill(store.bills.iter_blocks(window.start))
    query = SpendQuery(group_by=keys)
    by_metric = [view.sums(query, metric, window) for metric in _METRICS]
    rows = [
        (tuple(value for _, value in group), [int(sums.of(group)) for sums in by_metric])
        for group in by_metric[0].groups
    ]
    return sorted(((group, sums) for group, sums in rows if any(sums)), key=lambda row: (-row[1][0], row[0]))


def _exact(rows: list[tuple[tuple[str, ...], list[int]]], keys: tuple[str, ...]) -> list[dict[str, str]]:
    from alertd.core.money import decimal_text

    return [dict(zip((*keys, *_METRICS), (*group, *map(decimal_text, sums)), strict=True)) for group, sums in rows]


def _table(rows: list[tuple[tuple[str, ...], list[int]]], keys: tuple[str, ...], window: "HourRange") -> str:
    from alertd.core.hours import start_of
    from alertd.core.money import format_usd

    if not rows:
        return "Nothing was spent in the hours stored so far."
    heading = tuple(name.upper().replace("_", " ") for name in (*keys, *_METRICS))
    cells = [(*(text or "-" for text in group), *map(format_usd, sums)) for group, sums in rows]
    totals = [format_usd(sum(sums[n] for _, sums in rows)) for n in range(len(_METRICS))]
    foot = ("TOTAL", *("" for _ in keys[1:]), *totals)
    first = len(keys)
    drawn = table([heading, *cells, foot], right=frozenset(range(first, first + len(_METRICS))))
    return f"{drawn}\n\n{start_of(window.start):%Y-%m-%d %H:%M} to now, UTC"
