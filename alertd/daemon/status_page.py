"""Puts the HTTP server of one daemon together, for the service and for the demo."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from alertd.clock import elapsed_s
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.daemon.app import App
from alertd.daemon.page_data import PageData
from alertd.queries.status import Status, read_status
from alertd.settings.listen import Listen
from alertd.store.url import parse_database_url
from alertd.web.guard import Guard
from alertd.web.pages import StatusPages
from alertd.web.server import Endpoints, serve
from alertd.web.session import Sessions

_TURN_S = 0.001
"""A fifth of Python's own: so long a thread that computes keeps the interpreter from the one that answers."""


@asynccontextmanager
async def serve_page(
    app: App,
    listen: Listen,
    *,
    carry_out: Callable[[Request], Awaitable[RequestOutcome]],
    stuck: Callable[[], tuple[str, ...]],
    now: Callable[[], datetime],
) -> AsyncIterator[int]:
    """
    Serve the status page, health, metrics and JSON while the block runs; yield the port.

    Args:
        carry_out: Does what somebody asks for on the page.
        stuck: Says which parts of the daemon do not move any more.
        now: The time.

    Raises:
        SettingsError: The address is taken or not this host's.
    """
    settings, gateway = app.settings, app.gateway
    # Polls judge and read in threads of their own: who waits for a page waits for each turn of theirs.
    sys.setswitchinterval(_TURN_S)
    database = parse_database_url(settings.store_url())

    async def status() -> Status:
        at = now()
        held = await app.cycle.held()
        return await gateway.call(
            read_status,
            now=at,
            poll_interval=settings.poll_interval,
            settle_delay=settings.settle_delay,
            books=[book for books in held.books.values() for _, book in sorted(books.items()) if book.is_asked],
            open_alerts=tuple(app.cycle.open_alerts()),
        )

    page_data = PageData(
        cycle=app.cycle, gateway=gateway, figures=app.figures, status=status, carry_out=carry_out, now=now
    )
    sessions = Sessions(listen.token, timer=elapsed_s)
    guard = Guard(listen, sessions=sessions)
    endpoints = Endpoints(
        status=status,
        stuck=stuck,
        alerts=gateway.alerts,
        figures=app.figures,
        store_bytes=lambda: database.stat().st_size if isinstance(database, Path) else 0,
    )
    refresh_s = max(1, int(settings.poll_interval.total_seconds()))
    people = StatusPages(page_data, guard=guard, sessions=sessions, refresh_s=refresh_s)
    async with serve(listen, guard, [*endpoints.routes(), *people.routes()]) as port:
        yield port
