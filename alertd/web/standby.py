"""The HTTP answers of a daemon in standby for another one: alive, not ready, without data."""

from collections.abc import Callable

from aiohttp import web

_WHY = "standing by: another alertd holds the lease"
_METRICS = (
    "# HELP alertd_standing_by Whether this process waits for another one that holds the lease.\n"
    "# TYPE alertd_standing_by gauge\n"
    "alertd_standing_by 1\n"
)


class StandbyPages:
    """
    The endpoints for probes, and one metric, so that scraping it does not fail.

    Args:
        failing: Returns which tasks fail repeatedly, in words.
    """

    def __init__(self, failing: Callable[[], tuple[str, ...]]) -> None:
        self._failing = failing

    def routes(self) -> list[web.RouteDef]:
        """Return every path with its handler."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._not_ready),
            web.get("/metrics", self._metrics),
            web.get("/api/v1/{name}", self._not_ready),
            *(web.get(path, self._no_page) for path in ("/", "/spend", "/alerts/{fingerprint}")),
        ]

    async def _healthz(self, _: web.Request) -> web.Response:
        failing = self._failing()
        if failing:
            return web.Response(status=503, text=f"stuck: {'; '.join(failing)}\n")
        return web.Response(text="standing by\n")

    async def _not_ready(self, _: web.Request) -> web.Response:
        return web.Response(status=503, text=f"{_WHY}\n")

    async def _no_page(self, _: web.Request) -> web.Response:
        raise web.HTTPServiceUnavailable(reason=_WHY)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=_METRICS)
