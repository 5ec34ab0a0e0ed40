"""`alertd silence`: add, list and end silences."""

import secrets
from datetime import datetime
from typing import TYPE_CHECKING

import click

from alertd.cli.asking import reading, submit, this_person
from alertd.cli.common import now_of, prepare_to_ask, print_json, read_store, stored_now
from alertd.cli.groups import CommandGroup
from alertd.cli.tables import table
from alertd.core.times import iso_instant_or_none

if TYPE_CHECKING:
    from alertd.core.alert import Alert
    from alertd.core.alerts.silence import Silence

_ADD_EPILOG = """\b
Examples:
  alertd silence add owner=gpu-1 --for 24h --comment "training run 12"
  alertd silence add rule='gpu-*' severity=info,warning --until month-end
  alertd silence add 1c00c82c6fe2430d --until resolved
  alertd silence add team=research --until-spend +$200 --for 3d
"""


@click.group("silence", cls=CommandGroup, epilog="\b\nExample:\n  alertd silence list\n")
def command() -> None:
    """Withhold notifications for a while; alerts still firing when the silence ends are notified then."""


@command.command("add", epilog=_ADD_EPILOG)
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHER...")
@click.option("--for", "lasting", metavar="DURATION", default="", help="How long, like 24h.")
@click.option(
    "--until",
    metavar="TIME",
    default="",
    help="A time with its zone (2026-12-01T08:00Z), day-end, week-end, month-end, quarter-end, or resolved: "
    "until the alerts firing now resolve.",
)
@click.option(
    "--until-spend",
    metavar="AMOUNT",
    default="",
    help="Until the alerts firing now cost this much more, like +$200, or resolve.",
)
@click.option(
    "--timezone",
    metavar="ZONE",
    default="UTC",
    show_default=True,
    help="Time zone of day-end, week-end, month-end, quarter-end.",
)
@click.option("--comment", default="", help="Why.")
@click.option("--by", metavar="NAME", default=this_person, show_default="you", help="Who silences it.")
@click.pass_context
def add(
    ctx: click.Context,
    matchers: tuple[str, ...],
    lasting: str,
    until: str,
    until_spend: str,
    timezone: str,
    comment: str,
    by: str,
) -> int:
    """
    Withhold the notifications of alerts that match every MATCHER.

    A MATCHER is label=value with the labels of `alertd alerts --json`, or rule, type, account, severity; values may be
    lists (a,b), globs (gpu-*) and exclusions (!x). A bare fingerprint stands for that one alert. The resolved
    notification of an alert that was announced is always sent.
    """
    import asyncio

    from alertd.core.alerts.requests import SilenceText, parse_silence

    settings = prepare_to_ask(ctx)
    written = SilenceText(
        matchers=matchers,
        by=by,
        lasting=lasting,
        until=until,
        until_spend=until_spend,
        comment=comment,
        timezone=timezone,
    )
    with reading(
        matchers="MATCHER",
        lasting="--for",
        until="--until",
        until_spend="--until-spend",
        timezone="--timezone",
        comment="--comment",
        by="--by",
    ):
        request = parse_silence(written, id=secrets.token_hex(4), now=stored_now(settings))
    click.echo(asyncio.run(submit(settings, request)))
    return 0


@command.command("list", epilog="\b\nExamples:\n  alertd silence list\n  alertd silence list --all --json\n")
@click.option("--all", "show_all", is_flag=True, help="Show ended silences too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.pass_context
def list_(ctx: click.Context, *, show_all: bool, as_json: bool) -> int:
    """Show what is silenced, until when, by whom and why."""
    with read_store(prepare_to_ask(ctx)) as store:
        silences = store.silences.all_silences()
        alerts = {alert.fingerprint: alert for alert in store.alerts.open_alerts()}
        now = now_of(store)
    states = [(silence, _state(silence, alerts, now)) for silence in silences]
    shown = [(silence, state) for silence, state in states if show_all or state == "active"]
    if as_json:
        print_json([_json(silence, state) for silence, state in shown])
    elif shown:
        heading = ("ID", "STATE", "UNTIL", "MATCHES", "BY", "COMMENT")
        rows = [
            (s.id, state, s.until.removeprefix("until "), _matchers_text(s), s.author, s.comment) for s, state in shown
        ]
        click.echo(table([heading, *rows], whole={2}, optional=(1, 4)))
    else:
        click.echo("There are no silences." if show_all else "Nothing is silenced.")
    return 0


def _state(silence: "Silence", alerts: "dict[str, Alert]", now: datetime) -> str:
    if silence.expired_at is not None:
        return f"ended by {silence.expired_by}"
    is_over = silence.bound and not any(
        bound.fingerprint in alerts and silence.is_bound_to(alerts[bound.fingerprint]) for bound in silence.bound
    )
    return "over" if is_over or not silence.is_active(now) else "active"


def _matchers_text(silence: "Silence") -> str:
    return " ".join(f"{name}={','.join(patterns.texts)}" for name, patterns in silence.matchers)


def _json(silence: "Silence", state: str) -> dict[str, object]:
    from alertd.core.money import decimal_text

    return {
        "id": silence.id,
        "state": "active" if state == "active" else "ended",
        "matchers": {name: list(patterns.texts) for name, patterns in silence.matchers},
        "author": silence.author,
        "comment": silence.comment,
        "created_at": iso_instant_or_none(silence.created_at),
        "ends_at": iso_instant_or_none(silence.ends_at),
        "ended_at": iso_instant_or_none(silence.expired_at),
        "ended_by": silence.expired_by or None,
        "until_spend": decimal_text(silence.further) if silence.further is not None else None,
        "alerts": [{"fingerprint": bound.fingerprint} for bound in silence.bound],
    }


@command.command("expire", epilog="\b\nExample:\n  alertd silence expire 3f9a1c02\n")
@click.argument("silence_id", metavar="ID")
@click.option("--by", metavar="NAME", default=this_person, show_default="you", help="Who ends it.")
@click.pass_context
def expire(ctx: click.Context, silence_id: str, by: str) -> int:
    """End the silence ID now; alerts it withheld that still fire are notified at the next poll."""
    import asyncio

    from alertd.core.alerts.requests import parse_expiry

    with reading(by="--by"):
        request = parse_expiry(silence_id, by=by)
    click.echo(asyncio.run(submit(prepare_to_ask(ctx), request)))
    return 0
