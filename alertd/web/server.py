"""
The HTTP server: health for probes, metrics for Prometheus, JSON for scripts, and the status page for people.

It reads the store through the daemon's own thread. A page that fails is answered with an error status and never
stops the daemon.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.mutes import mutes_of
from alertd.core.messages.holding import holds
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.words import format_count
from alertd.errors import SettingsError, StoreError
from alertd.log import Repeats
from alertd.queries.alert_json import alert_json
from alertd.queries.status import Status
from alertd.settings.listen import Listen
from alertd.web.connection_limit import ConnectionLimit, connections_allowed
from alertd.web.connections import Connection
from alertd.web.figures import Figures
from alertd.web.guard import Guard
from alertd.web.metrics import MetricsPage

_LARGEST_FORM = 1 << 16
_ACCEPTED_AT_ONCE = 32
"""Listen backlog, and connections accepted in one turn of the loop."""
_LAST_ANSWERS_S = 2.0
"""Seconds that pending answers may take when the server stops: slow readers must not delay a stop."""
_STATUS_S = 5.0
"""Seconds that probes, scrapers and scripts wait for the store: they give up soon after."""
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Endpoints:
    """
    The handlers for machines.

    Args:
        status: Judges the daemon.
        stuck: Returns which parts no longer make progress, without waiting.
        alerts: Every alert with its latest episode, and the open outbox entries.
        store_bytes: The size of the database file.
    """

    def __init__(
        self,
        *,
        status: Callable[[], Awaitable[Status]],
        stuck: Callable[[], tuple[str, ...]],
        alerts: Callable[[], Awaitable[tuple[tuple[Alert, ...], tuple[OutboxEntry, ...]]]],
        figures: Figures,
        store_bytes: Callable[[], int],
    ) -> None:
        self._status = status
        self._stuck = stuck
        self._alerts = alerts
        self._figures = figures
        self._metrics_page = MetricsPage(figures)
        self._store_bytes = store_bytes

    def routes(self) -> list[web.RouteDef]:
        """Return every path with its handler."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
            web.get("/api/v1/status", self._status_json),
            web.get("/api/v1/alerts", self._alerts_json),
        ]

    async def _healthz(self, _: web.Request) -> web.Response:
        """Liveness: the loop runs, and polling, store and delivery make progress, even if not everything is well."""
        return self._dead() or web.Response(text="ok\n")

    def _dead(self) -> web.Response | None:
        stuck = self._stuck()
        return web.Response(status=503, text=f"stuck: {'; '.join(stuck)}\n") if stuck else None

    async def _readyz(self, _: web.Request) -> web.Response:
        """Readiness: the store answers and nothing is wrong."""
        # First the checks that need no store, since a store that does not answer would keep every probe waiting.
        if (dead := self._dead()) is not None:
            return dead
        # The store may be readable but not writable, so it cannot report this.
        if self._figures.is_failing:
            return web.Response(status=503, text="the last poll failed; see alertd's log\n")
        try:
            status = await self._judged()
        except StoreError:
            return web.Response(status=503, text="the store does not answer; see alertd's log\n")
        if status.is_healthy:
            return web.Response(text="ok\n")
        # Without the figures in the problems, because probes need no token.
        return web.Response(status=503, text=f"{format_count(len(status.problems), 'problem')}; see `alertd status`\n")

    async def _judged(self) -> Status:
        """
        Return the daemon's status, if the store answers soon.

        Raises:
            StoreError: It cannot be read, or does not answer.
        """
        try:
            async with asyncio.timeout(_STATUS_S):
                return await self._status()
        except TimeoutError:
            raise StoreError(
                f"the store has not answered within {_STATUS_S:.0f} s; alertd carries on by itself"
            ) from None

    async def _metrics(self, _: web.Request) -> web.Response:
        text = self._metrics_page.text(await self._judged(), store_bytes=self._store_bytes())
        return web.Response(body=text, headers={"Content-Type": METRICS_TYPE})

    async def _status_json(self, _: web.Request) -> web.Response:
        return web.json_response((await self._judged()).json())

    async def _alerts_json(self, request: web.Request) -> web.Response:
        """Firing alerts; with `?all=1` pending and resolved ones too, as `alertd alerts --all`."""
        now = (await self._judged()).now
        alerts, waiting = await self._alerts()
        shown = [alert for alert in alerts if alert.state is AlertState.FIRING]
        if request.query.get("all") in {"1", "true"}:
            shown = [alert for alert in alerts if alert.state is not AlertState.RESOLVED or alert.fired_at is not None]
        held = holds(waiting, now)
        return web.json_response([alert_json(alert, mutes_of(alert, held)) for alert in shown])


@asynccontextmanager
async def serve(listen: Listen, guard: Guard, routes: Iterable[web.RouteDef]) -> AsyncIterator[int]:
    """
    Serve while the block runs; yield the port.

    Args:
        guard: Decides which requests are answered.
        routes: The handlers.

    Raises:
        SettingsError: The address is in use or not this host's.
    """
    application = web.Application(middlewares=[guard.middleware], client_max_size=_LARGEST_FORM)
    application.add_routes([*guard.routes(), *routes])
    application.on_response_prepare.append(guard.protect)
    runner = web.AppRunner(application, shutdown_timeout=_LAST_ANSWERS_S)
    await runner.setup()
    try:
        server = await _listening(listen, runner)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def _listening(listen: Listen, runner: web.AppRunner) -> asyncio.Server:
    loop, limit, trouble = asyncio.get_running_loop(), ConnectionLimit(connections_allowed()), Repeats()
    answering = runner.server
    assert answering is not None

    def connected() -> Connection:
        return Connection(answering, limit=limit, trouble=trouble, loop=loop)

    try:
        if listen.host == "::" and socket.has_dualstack_ipv6():
            return await loop.create_server(connected, sock=socket_for_both(listen.port), backlog=_ACCEPTED_AT_ONCE)
        return await loop.create_server(connected, listen.host, listen.port, backlog=_ACCEPTED_AT_ONCE)
    except OSError as error:
        raise SettingsError(
            f"ALERTD_HTTP_LISTEN: cannot listen on {listen.host}:{listen.port}: {_why(error)}; "
            "choose another address, or off"
        ) from None


def socket_for_both(port: int) -> socket.socket:
    """Return a dual-stack socket, as people expect of `[::]`; asyncio would leave IPv4 out."""
    return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)


def _why(error: OSError) -> str:
    """Return the system's own message, without the address that the event loop adds."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
