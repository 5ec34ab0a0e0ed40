"""Assembles the HTTP server of a daemon, for the service and the demo."""

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
from alertd.queries.status import Edges, Status, read_status
from alertd.settings.listen import Listen
from alertd.store.url import parse_database_url
from alertd.web.guard import Guard
from alertd.web.pages import StatusPages
from alertd.web.server import Endpoints, serve
from alertd.web.session import Sessions

_TURN_S = 0.001
"""The interpreter's switch interval in seconds, below the default, so that computing threads delay answers less."""


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
        carry_out: Carries out requests from the page.
        stuck: Returns which parts of the daemon no longer make progress.
        now: The time.

    Raises:
        SettingsError: The address is in use or not this host's.
    """
    settings, gateway = app.settings, app.gateway
    # Polls judge and read in their own threads: a page waits for each of their switch intervals.
    sys.setswitchinterval(_TURN_S)
    database, edges = parse_database_url(settings.store_url()), Edges()

    async def status() -> Status:
        at = now()
        held = await app.cycle.held()
        return await gateway.call(
            read_status,
            now=at,
            poll_interval=settings.poll_interval,
            settle_delay=settings.settle_delay,
            books=[book for books in held.books.values() for _, book in sorted(books.items()) if book.is_asked],
            known_edges=edges,
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
