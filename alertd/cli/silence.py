"""`alertd silence`: withhold notifications for a while, see which are withheld, end it."""

import asyncio
import re
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from alertd.cli.asking import submit, this_person
from alertd.cli.common import duration, prepare, print_json, table

if TYPE_CHECKING:
    from alertd.core.alert import Alert
    from alertd.core.alerts.silence import Silence
    from alertd.core.labels import Patterns
    from alertd.core.money import Usd

_ADD_EPILOG = """\b
Examples:
  alertd silence add owner=gpu-1 --for 24h --comment "training run 12"
  alertd silence add rule='gpu-*' severity=info,warning --until month-end
  alertd silence add 1c00c82c6fe2430d --until resolved
  alertd silence add team=research --until-spend +$200 --for 3d
"""
_PERIOD_ENDS = {"day-end": "day", "week-end": "week", "month-end": "month", "quarter-end": "quarter"}
_RESOLVED = "resolved"


@click.group("silence", epilog="\b\nExample:\n  alertd silence list\n")
def command() -> None:
    """Withhold notifications for a while; alerts go on, and what still fires when the silence ends is sent then."""


@command.command("add", epilog=_ADD_EPILOG)
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHER...")
@click.option(
    "--for",
    "lasting",
    metavar="DURATION",
    callback=lambda c, p, v: duration(c, p, v) if v else None,
    help="How long, like 24h.",
)
@click.option(
    "--until",
    metavar="TIME",
    help="A time with its zone (2026-12-01T08:00Z), day-end, week-end, month-end, quarter-end, or resolved: "
    "until what fires now ends.",
)
@click.option("--until-spend", metavar="AMOUNT", help="Until what fires now costs so much more, like +$200, or ends.")
@click.option(
    "--timezone", metavar="ZONE", default="UTC", show_default=True, help="Whose calendar day-end and its like are of."
)
@click.option("--comment", default="", help="Why.")
@click.option("--by", metavar="NAME", default=this_person, show_default="you", help="Who wants it.")
@click.pass_context
def add(
    ctx: click.Context,
    matchers: tuple[str, ...],
    lasting: timedelta | None,
    until: str | None,
    until_spend: str | None,
    timezone: str,
    comment: str,
    by: str,
) -> int:
    """
    Withhold the notifications of alerts that every MATCHER fits.

    A MATCHER is label=value with the labels of `alertd alerts --json`, or rule, type, account, severity; values may be
    lists (a,b), globs (gpu-*) and exclusions (!x). A bare fingerprint stands for that one alert. The resolved
    notification of an alert that was announced is always sent.
    """
    from alertd.clock import utc_now
    from alertd.core.alerts.requests import AddSilence

    now, zone = utc_now(), _zone(timezone)
    if lasting is None and until is None and until_spend is None:
        raise click.UsageError("a silence needs an end: --for 24h, --until month-end, --until resolved, …")
    ends = [now + lasting] if lasting is not None else []
    if until is not None and until != _RESOLVED:
        ends.append(_end(until, zone, now))
    request = AddSilence(
        id=secrets.token_hex(4),
        matchers=_matchers(matchers),
        by=by,
        comment=comment,
        ends_at=min(ends, default=None),
        until_resolved=until == _RESOLVED,
        until_spend=_amount(until_spend) if until_spend is not None else None,
    )
    click.echo(asyncio.run(submit(prepare(ctx), request)))
    return 0


def _matchers(texts: tuple[str, ...]) -> "tuple[tuple[str, Patterns], ...]":
    from alertd.core.labels import Patterns

    found: dict[str, Patterns] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        beginning = text.lower()
        if not equals and not re.fullmatch("[0-9a-f]{4,16}", beginning):
            wrong = f'"{text}" is neither label=value, like owner={text}, nor the fingerprint of an alert'
            raise click.BadParameter(wrong, param_hint="MATCHER")
        if not equals:
            name, value = "fingerprint", beginning if len(beginning) == 16 else f"{beginning}*"
        if not name or name in found:
            wrong = f'"{name}" is matched twice; join its values: {name}=a,b' if name else f'"{text}" names no label'
            raise click.BadParameter(wrong, param_hint="MATCHER")
        found[name] = Patterns(tuple(part.strip() for part in value.split(",")))
    return tuple(sorted(found.items()))


def _zone(name: str) -> str:
    from alertd.rules_file.values import parse_zone

    try:
        return parse_zone(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timezone") from None


def _end(text: str, zone: str, now: datetime) -> datetime:
    from alertd.core.calendar import Period, period_of
    from alertd.core.hours import hour_of, start_of
    from alertd.rules_file.values import parse_instant

    if text in _PERIOD_ENDS:
        return start_of(period_of(hour_of(now), Period(_PERIOD_ENDS[text]), zone).hours.end)
    try:
        return parse_instant(text)
    except ValueError as error:
        ways = f"{', '.join(_PERIOD_ENDS)} or {_RESOLVED}"
        raise click.BadParameter(f"{error}; or {ways}", param_hint="--until") from None


def _amount(text: str) -> "Usd":
    from alertd.core.money import Usd
    from alertd.rules_file.values import parse_money

    try:
        amount = parse_money(text.removeprefix("+"))
    except ValueError:
        amount = Usd(0)
    if not amount:
        raise click.BadParameter(
            f'"{text}" is not an amount above zero; write it like +$200', param_hint="--until-spend"
        )
    return amount


@command.command("list", epilog="\b\nExamples:\n  alertd silence list\n  alertd silence list --all --json\n")
@click.option("--all", "show_all", is_flag=True, help="Ended ones too.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
@click.pass_context
def list_(ctx: click.Context, *, show_all: bool, as_json: bool) -> int:
    """Show what is silenced, until when, by whom and why."""
    from alertd.clock import utc_now
    from alertd.store.store import Store

    store = Store.open_read_only(prepare(ctx).store_url())
    try:
        silences = store.silences.all_silences()
        alerts = {alert.fingerprint: alert for alert in store.alerts.open_alerts()}
    finally:
        store.close()
    now = utc_now()
    states = [(silence, _state(silence, alerts, now)) for silence in silences]
    shown = [(silence, state) for silence, state in states if show_all or state == "active"]
    if as_json:
        print_json([_json(silence, state) for silence, state in shown])
    elif shown:
        heading = ("ID", "STATE", "UNTIL", "MATCHES", "BY", "COMMENT")
        rows = [
            (s.id, state, s.until.removeprefix("until "), _matchers_text(s), s.author, s.comment) for s, state in shown
        ]
        click.echo(table([heading, *rows]))
    else:
        click.echo("There are no silences." if show_all else "Nothing is silenced.")
    return 0


def _state(silence: "Silence", alerts: "dict[str, Alert]", now: datetime) -> str:
    if silence.expired_at is not None:
        return f"ended by {silence.expired_by}"
    is_over = silence.bound and not any(
        bound.fingerprint in alerts and bound.holds(alerts[bound.fingerprint], silence.created_at)
        for bound in silence.bound
    )
    return "over" if is_over or not silence.is_active(now) else "active"


def _matchers_text(silence: "Silence") -> str:
    return " ".join(f"{name}={','.join(patterns.texts)}" for name, patterns in silence.matchers)


def _json(silence: "Silence", state: str) -> dict[str, object]:
    from alertd.queries.alert_json import instant

    return {
        "id": silence.id,
        "state": "active" if state == "active" else "ended",
        "matchers": {name: list(patterns.texts) for name, patterns in silence.matchers},
        "author": silence.author,
        "comment": silence.comment,
        "created_at": instant(silence.created_at),
        "ends_at": instant(silence.ends_at),
        "ended_at": instant(silence.expired_at),
        "ended_by": silence.expired_by or None,
        "alerts": [
            {"fingerprint": bound.fingerprint, "below": f"{bound.below:f}" if bound.below is not None else None}
            for bound in silence.bound
        ],
    }


@command.command("expire", epilog="\b\nExample:\n  alertd silence expire 3f9a1c02\n")
@click.argument("silence_id", metavar="ID")
@click.option("--by", metavar="NAME", default=this_person, show_default="you", help="Who ends it.")
@click.pass_context
def expire(ctx: click.Context, silence_id: str, by: str) -> int:
    """End the silence ID now; what it withheld and still fires is sent at the next poll."""
    from alertd.core.alerts.requests import ExpireSilence

    click.echo(asyncio.run(submit(prepare(ctx), ExpireSilence(id=silence_id.lower(), by=by))))
    return 0
