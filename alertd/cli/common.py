"""Shared by commands: settings with logging set up, JSON output, progress, durations as options."""

import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO, TypedDict, TypeVar

import click

from alertd.core.dataclass import dataclass
from alertd.core.printable import UNSAFE, may_be_styled

if TYPE_CHECKING:
    from alertd.clock import Clock
    from alertd.settings.asked import AskedSettings, SettingsInUse
    from alertd.settings.model import Settings
    from alertd.store.store import Store


ResultT = TypeVar("ResultT")


class _LogForm(TypedDict):
    """Logging options, as `configure_logging` takes them."""

    style: str | None
    level: str
    secrets: tuple[str, ...]


_CLOCK_WARNED = "alertd.clock warned"
LONGEST = timedelta(days=3660)
"""Longest duration of an option: ten years."""


def prepare(ctx: click.Context) -> "Settings":
    """
    Read the settings, and set up logging according to them and `-v`.

    Raises:
        SettingsError: A setting is wrong.
    """
    from alertd.log import configure_logging
    from alertd.settings.model import load_settings

    settings = load_settings()
    configure_logging(**_log_form(ctx, settings))
    return settings


def prepare_to_ask(ctx: click.Context) -> "AskedSettings":
    """
    Like `prepare`, for a command that only reads, with the settings that such a command uses.

    Raises:
        SettingsError: One of them is wrong.
    """
    from alertd.settings.asked import load_asked_settings

    settings = load_asked_settings()
    _log_when_used(ctx, settings)
    return settings


def prepare_to_check(ctx: click.Context) -> "tuple[AskedSettings, tuple[str, ...]]":
    """Like `prepare_to_ask` with all settings; return them with the mistakes, which are replaced by defaults."""
    from alertd.settings.asked import load_checked_settings

    settings, problems = load_checked_settings()
    _log_when_used(ctx, settings)
    return settings, problems


def _log_when_used(ctx: click.Context, settings: "SettingsInUse") -> None:
    """Set up logging when a line is first logged, which is rare: the formatting takes long to import."""
    from alertd.log import configure_logging, configure_logging_when_used

    # The PostgreSQL driver logs on its own.
    is_file = settings.store_url().startswith("sqlite:")
    (configure_logging_when_used if is_file else configure_logging)(**_log_form(ctx, settings))


def _log_form(ctx: click.Context, settings: "SettingsInUse") -> "_LogForm":
    from alertd.core.masking import passwords_of

    secrets = (*settings.secrets(), *passwords_of(settings.store_url()))
    return {"style": settings.log_format, "level": "debug" if ctx.obj else settings.log_level, "secrets": secrets}


def prepare_to_connect(ctx: click.Context) -> "Settings":
    """
    Like `prepare`, for a command that connects to other hosts: also check the system's proxies and certificates.

    Raises:
        SettingsError: A setting or a system variable is wrong.
    """
    settings = prepare(ctx)
    _ = settings.outgoing
    return settings


def check_outgoing() -> None:
    """
    Check the system's variables for proxies and certificates, which libraries read as soon as they are imported.

    Raises:
        SettingsError: One of them cannot be used.
    """
    from alertd.settings.asked import AskedSettings

    _ = AskedSettings().outgoing


def now_of(store: "Store") -> datetime:
    """Return the time of a store's daemon, and warn if this system's clock differs."""
    from alertd.clock import SYSTEM_CLOCK

    found = time_now(store, SYSTEM_CLOCK)
    said = click.get_current_context().meta
    if found.warning and _CLOCK_WARNED not in said:
        said[_CLOCK_WARNED] = True
        click.echo(f"alertd: warning: {found.warning}", err=True)
    return found.now


def stored_now(settings: "SettingsInUse") -> datetime:
    """
    Return the time like `now_of`, for the configured store; the system's time if there is no store yet.

    Raises:
        StoreError: The store cannot be read.
    """
    from alertd.clock import utc_now
    from alertd.store.opening import is_there

    if not is_there(settings.store_url()):
        return utc_now()
    with read_store(settings) as store:
        return now_of(store)


@contextmanager
def read_store(settings: "SettingsInUse") -> "Iterator[Store]":
    """
    Have the store open to read while the block runs.

    Raises:
        StoreError: There is none, or it cannot be read.
    """
    from contextlib import closing

    from alertd.store.store import Store

    with closing(Store.open_read_only(settings.store_url())) as store:
        yield store


def print_json(content: object) -> None:
    """Print one JSON document for programs, indented for people, with terminal control characters escaped."""
    text = json.dumps(content, indent=2, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"))
    # The remaining line ends belong to the document: those in texts are escaped.
    click.echo("\n".join(UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], line) for line in text.split("\n")))


def print_sent(results: "Sequence[tuple[str, str, bool]]") -> int:
    """Print what became of each attempt, as `send_now` returns them; return the exit code."""
    for to, text, is_delivered in results:
        click.echo(f"{to}: {text}", err=not is_delivered)
    return 0 if all(is_delivered for *_, is_delivered in results) else 1


def has_colour(stream: TextIO) -> bool:
    """Return whether a stream's output may be styled with escape sequences."""
    return stream.isatty() and may_be_styled(os.environ)


def duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """Parse an option such as `7d`, `24h`, `90m`; anything else is refused with an example."""
    from alertd.core.times import parse_duration

    try:
        found = parse_duration(value.strip())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if found > LONGEST:
        raise click.BadParameter(f'"{value}" is too long; the longest is {LONGEST.days}d')
    return found


def duration_if_any(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """Parse an option like `duration`; None if it was not given."""
    return None if value is None else duration(ctx, param, value)


@contextmanager
def progress(title: str, length: int) -> Iterator[Callable[[int, str], None]]:
    """
    Show a progress bar on stderr if that is a terminal.

    Yields:
        A function to call with the progress made and what was done last.
    """
    if not sys.stderr.isatty():
        yield lambda _further, _what: None
        return
    with click.progressbar(length=length, label=title, file=sys.stderr, item_show_func=lambda what: what or "") as bar:
        yield bar.update


def run_whole(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """
    Like `asyncio.run`, for a coroutine that returns a lot of data.

    The task itself returns nothing: before Python 3.13, closing a loop formats the task's result twice for nothing.
    """
    import asyncio

    found = []

    async def keep() -> None:
        found.append(await main)

    asyncio.run(keep())
    return found[0]


_CLOSE = timedelta(minutes=1)
_APART = timedelta(hours=1)
"""How far the clocks of two hosts may differ before one of them counts as wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeNow:
    """The time, and a note on it for the reader."""

    now: datetime
    warning: str = ""


def time_now(store: "Store", clock: "Clock") -> TimeNow:
    """
    Return the time by the daemon's last check, plus what the clock since boot has counted.

    If that clock does not help, because of a reboot or another host, the system's clock is used unless it
    is behind the last check, or an hour from the clock of a database that several hosts share.

    Raises:
        StoreError: The store cannot be read.
    """
    from alertd.clock import boot_id
    from alertd.core.words import format_instant

    wall, record = clock.wall(), store.meta.clock
    checked_at = record.checked_at
    if checked_at is None:
        return TimeNow(now=wall)
    known = record.later(clock.elapsed_s(), boot_id())
    if known is None:
        shared = store.database_now()
        far_off = shared is not None and abs(wall - shared) > _APART
        known = max(checked_at, shared if far_off and shared is not None else wall)
    if abs(wall - known) <= _CLOSE:
        return TimeNow(now=wall)
    warning = (
        f"this system's clock says {format_instant(wall)}, and for alertd, which checked its time at "
        f"{format_instant(checked_at)}, it is {format_instant(known)}; this goes by alertd's time: set the clock"
    )
    return TimeNow(now=known, warning=warning)
