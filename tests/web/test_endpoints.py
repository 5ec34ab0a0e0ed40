"""What probes, scrapers and scripts are answered: each answer by what is known, without a daemon behind it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from alertd.core.alert import Alert, AlertState
from alertd.core.messages.outbox import OutboxEntry
from alertd.errors import StoreError
from alertd.queries.status import Status
from alertd.web.figures import Figures
from alertd.web.server import METRICS_TYPE, Endpoints
from alertd.web.standby import StandbyPages
from tests.core.builders import HOUR, NOW, entry, firing

Client = TestClient[web.Request, web.Application]


@dataclass(slots=True)
class Daemon:
    """What the endpoints ask for."""

    problems: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    is_down: bool = False
    alerts: tuple[Alert, ...] = ()
    waiting: tuple[OutboxEntry, ...] = ()
    figures: Figures = field(default_factory=Figures)

    async def status(self) -> Status:
        if self.is_down:
            raise StoreError("disk is full")
        return Status(
            version="9.9.9",
            problems=self.problems,
            last_cycle=None,
            last_good=None,
            firing=1,
            pending=2,
            open_alerts=(),
            edges=(),
            receivers=(),
            resources=(),
            rules_file=None,
            now=NOW,
        )

    async def known(self) -> tuple[tuple[Alert, ...], tuple[OutboxEntry, ...]]:
        return self.alerts, self.waiting

    def endpoints(self) -> Endpoints:
        return Endpoints(
            status=self.status,
            stuck=lambda: self.stuck,
            alerts=self.known,
            figures=self.figures,
            store_bytes=lambda: 4096,
        )


@asynccontextmanager
async def serving(routes: Callable[[], list[web.RouteDef]]) -> AsyncIterator[Client]:
    application = web.Application()
    application.add_routes(routes())
    async with TestClient(TestServer(application)) as client:
        yield client


def failing() -> Figures:
    figures = Figures()
    figures.note_failure()
    return figures


READY = "the last poll failed; see alertd's log\n"


@pytest.mark.parametrize(
    ("daemon", "alive", "ready"),
    [
        pytest.param(Daemon(), (200, "ok\n"), (200, "ok\n"), id="well"),
        pytest.param(
            Daemon(problems=("a secret", "b")),
            (200, "ok\n"),
            (503, "2 problems; see `alertd status`\n"),
            id="not well: how many, and none of them in words",
        ),
        pytest.param(Daemon(figures=failing()), (200, "ok\n"), (503, READY), id="the last poll did not finish"),
        pytest.param(
            Daemon(is_down=True),
            (200, "ok\n"),
            (503, "the store does not answer; see alertd's log\n"),
            id="the store is down",
        ),
        pytest.param(
            Daemon(stuck=("polling", "sending"), is_down=True, figures=failing()),
            (503, "stuck: polling; sending\n"),
            (503, "stuck: polling; sending\n"),
            id="something hangs: said before all else",
        ),
    ],
)
async def test_probes_when_asked_then_alive_and_ready_are_two_things(
    daemon: Daemon, alive: tuple[int, str], ready: tuple[int, str]
) -> None:
    """A restart cures what hangs, and nothing else."""
    async with serving(daemon.endpoints().routes) as client:
        for path, expected in (("/healthz", alive), ("/readyz", ready)):
            async with client.get(path) as answer:
                assert (answer.status, await answer.text()) == expected


@pytest.mark.parametrize(
    ("query", "shown"),
    [("", "ab"), ("?all=1", "abc e"), ("?all=true", "abc e"), ("?all=0", "ab"), ("?all=", "ab"), ("?all=yes", "ab")],
)
async def test_alerts_when_asked_for_then_what_fires_and_with_all_the_others(query: str, shown: str) -> None:
    """As `alertd alerts --all`: what only ever waited is of no interest once it has ended."""
    ended = {"state": AlertState.RESOLVED, "resolved_at": NOW}
    alerts = (
        replace(firing(), fingerprint="a"),
        replace(firing(), fingerprint="b", acknowledged_by="dana"),
        replace(firing(), fingerprint="c", state=AlertState.PENDING, fired_at=None),
        replace(firing(), fingerprint="d", fired_at=None, **ended),  # type: ignore[arg-type]
        replace(firing(), fingerprint="e", **ended),  # type: ignore[arg-type]
    )
    held = entry(1, fingerprints=("a",), receiver="mail", not_before=NOW + HOUR)
    daemon = Daemon(alerts=alerts, waiting=(held,))
    async with serving(daemon.endpoints().routes) as client, client.get(f"/api/v1/alerts{query}") as answer:
        found = await answer.json()
    assert [one["fingerprint"] for one in found] == [*shown.replace(" ", "")]
    assert [one["withheld"] for one in found[:2]] == [
        "quiet hours until 2026-01-10 13:05 UTC (mail)",
        "acknowledged by dana",
    ]


async def test_status_and_metrics_when_asked_for_then_of_the_present() -> None:
    """The same figures in the form of each reader."""
    daemon = Daemon(problems=("one",))
    async with serving(daemon.endpoints().routes) as client:
        async with client.get("/api/v1/status") as answer:
            assert await answer.json() == (await daemon.status()).json()
        async with client.get("/metrics") as answer:
            assert answer.headers["Content-Type"] == METRICS_TYPE
            assert "alertd_store_bytes 4096.0\n" in await answer.text()


@pytest.mark.parametrize(
    ("failing", "status", "text"),
    [((), 200, "standing by\n"), (("lease",), 503, "stuck: lease\n"), (("a", "b"), 503, "stuck: a; b\n")],
)
async def test_standby_when_probed_then_it_lives_and_is_not_ready(
    failing: tuple[str, ...], status: int, text: str
) -> None:
    """One failing task is enough to restart it; traffic goes to the one that leads."""
    async with serving(StandbyPages(lambda: failing).routes) as client:
        async with client.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (status, text)
        for path in ("/readyz", "/api/v1/alerts", "/", "/spend", "/alerts/ab"):
            async with client.get(path) as answer:
                assert answer.status == 503
        async with client.get("/metrics") as answer:
            assert (answer.status, "alertd_standing_by 1\n" in await answer.text()) == (200, True)
