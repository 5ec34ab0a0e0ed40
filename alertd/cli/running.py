"""`alertd running`: what runs now, and what it costs an hour."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from alertd.cli.common import now_of, prepare_to_ask, print_json, read_store
from alertd.cli.tables import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alertd.core.reports.running import Running
    from alertd.core.resources import ResourceKey
    from alertd.queries.snapshot import Snapshot
    from alertd.settings.asked import AskedSettings

_EPILOG = """\b
Examples:
  alertd running
  alertd running --json | jq -r '.[] | select(.alerts == []) | .owner'
"""


@click.command("running", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """Show what runs now, most expensive first: name, product, since when, USD an hour, and the alerts on it."""
    from alertd.core.reports.running import firing_on, running

    known = _known(prepare_to_ask(ctx))
    rows = running(known.facts)
    on = firing_on(known.alerts)
    if as_json:
        print_json([_json(row, on.get(row.key, ())) for row in rows])
    elif rows:
        click.echo(_table(rows, known, on))
    else:
        edge = known.facts.data.edge(known.facts.data.books)
        click.echo("No bills were read yet." if edge is None else "Nothing runs, as far as it is billed.")
    return 0


def _known(settings: "AskedSettings") -> "Snapshot":
    from alertd.core.reports.running import BACK_HOURS, RUNNING_CATEGORIES
    from alertd.daemon.watching import build_watched
    from alertd.queries.snapshot import read_snapshot
    from alertd.rules_file.load import load_rules

    rules = load_rules(settings.rules_path())
    # No rule is evaluated: only the state of bills and lists matters.
    watched = replace(build_watched(rules, settings), rules=(), planned=(), reach=timedelta(hours=BACK_HOURS))
    with read_store(settings) as store:
        return read_snapshot(store, watched, owners=rules.owners, now=now_of(store), categories=RUNNING_CATEGORIES)


def _json(row: "Running", alerts: tuple[str, ...]) -> dict[str, object]:
    from alertd.core.money import decimal_text
    from alertd.core.times import iso_instant_or_none

    return {
        "owner": row.owner,
        "name": row.name or None,
        "account": row.account,
        "product": row.product,
        "category": row.category,
        "status": row.status,
        "since": iso_instant_or_none(row.since),
        "rate_per_hour": decimal_text(row.rate) if row.rate is not None else None,
        "utilization": f"{row.utilization:f}" if row.utilization is not None else None,
        "alerts": list(alerts),
    }


def _table(rows: "Sequence[Running]", known: "Snapshot", on: "Mapping[ResourceKey, tuple[str, ...]]") -> str:
    from alertd.core.money import format_usd
    from alertd.core.words import format_share

    lines = [("NAME", "PRODUCT", "STATUS", "SINCE (UTC)", "USD AN HOUR", "BUSY", "ALERTS")]
    lines += [
        (
            known.facts.owners.display(row.owner),
            row.product,
            row.status,
            f"{row.since:%Y-%m-%d %H:%M}" if row.since is not None else "longer than known",
            format_usd(row.rate) if row.rate is not None else "not billed yet",
            format_share(row.utilization) if row.utilization is not None else "",
            " ".join(fingerprint[:8] for fingerprint in on.get(row.key, ())),
        )
        for row in rows
    ]
    return table(lines, right=frozenset({4, 5}))
