"""Against Debian's prometheus-alertmanager, where it is installed: what it believes, and what it says people."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from alertd.clock import utc_now
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.message import AlertFacts
from alertd.core.severity import Severity
from alertd.notify.alertmanager import AlertmanagerConfig, AlertmanagerNotifier
from alertd.notify.base import Delivered
from tests.builders import FakeContext, alert_facts, envelope, firing_message, resolved_message
from tests.ports import free_port

BINARY = shutil.which("prometheus-alertmanager") or ""
pytestmark = pytest.mark.skipif(not BINARY, reason="prometheus-alertmanager is not installed (Debian package)")

CONFIG = """
route:
  receiver: people
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: people
    webhook_configs: [{url: "URL", send_resolved: true}]
"""


@asynccontextmanager
async def alertmanager(folder: Path, port: int) -> AsyncIterator[str]:
    """Run it on a folder until the block is left; it has no way to choose a free port itself."""
    process = await asyncio.create_subprocess_exec(
        BINARY,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    log = asyncio.create_task(process.stderr.read())
    url = f"http://127.0.0.1:{port}"

    async def is_ready() -> bool:
        assert process.returncode is None, (await log).decode()
        return await answers(url)

    try:
        await until(is_ready)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await log


async def answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{url}/-/ready")).is_success
    except httpx.TransportError:
        return False


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again: Alertmanager has nothing that could be awaited."""
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 -- another process sets no event
            await asyncio.sleep(0.05)


async def active(url: str) -> list[tuple[str, str]]:
    """Return name and severity of the alerts that fire by its API."""
    async with httpx.AsyncClient() as client:
        alerts: list[dict[str, Any]] = (await client.get(f"{url}/api/v2/alerts")).raise_for_status().json()
    return sorted((alert["labels"]["alertname"], alert["labels"]["severity"]) for alert in alerts)


@asynccontextmanager
async def people() -> AsyncIterator[tuple[str, list[tuple[str, str]]]]:
    """Receive what Alertmanager tells: (status, severity) of each alert."""
    heard: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        heard.extend((alert["status"], alert["labels"]["severity"]) for alert in (await request.json())["alerts"])
        return web.Response()

    application = web.Application()
    application.router.add_post("/", take)
    async with TestServer(application) as server:
        yield str(server.make_url("/")), heard


def lately(facts: AlertFacts) -> AlertFacts:
    """Return facts of now, in which Alertmanager lives."""
    now = utc_now()
    return replace(facts, starts_at=now, ends_at=now if facts.is_resolved else None)


async def test_alert_when_notified_raised_restarted_and_ended_then_people_hear_each_once(tmp_path: Path) -> None:
    """The whole life of an alert: nothing is lost at a restart, and nothing ends that was not ended."""
    port = free_port()
    warning = lately(alert_facts())
    critical = replace(warning, severity=Severity.CRITICAL, labels=alert_facts(severity=Severity.CRITICAL).labels)
    ended = replace(warning, is_resolved=True)
    async with people() as (hook, heard):
        (tmp_path / "alertmanager.yml").write_text(CONFIG.replace("URL", hook))
        config = AlertmanagerConfig(url=(f"http://127.0.0.1:{port}",))
        notifier = AlertmanagerNotifier("am", config, FakeContext())
        (recipient,) = notifier.recipients

        async def heard_of(*expected: tuple[str, str]) -> bool:
            return sorted(heard) == sorted(expected)

        async with alertmanager(tmp_path, port) as url:
            first = envelope(firing_message(alerts=(warning,)), recipient=recipient)
            assert await notifier.send(first) == Delivered()
            assert await notifier.send(first) == Delivered()
            assert await active(url) == [("gpu-24h-per-owner", "warning")]
            await until(lambda: heard_of(("firing", "warning")))

            risen = envelope(firing_message(alerts=(critical,)), recipient=recipient)
            assert await notifier.send(replace(risen, notified=(warning,))) == Delivered()
            assert await active(url) == [("gpu-24h-per-owner", "critical")]
            await until(lambda: heard_of(("firing", "warning"), ("resolved", "warning"), ("firing", "critical")))
        heard.clear()
        async with alertmanager(tmp_path, port) as url:
            assert await active(url) == []
            assert await notifier.mirror((critical,), recipient=recipient) == Delivered()
            assert await active(url) == [("gpu-24h-per-owner", "critical")]

            # It fell to a warning, which was not notified, and ended.
            end = envelope(resolved_message(alerts=(replace(ended, ends_at=utc_now()),)), recipient=recipient)
            assert await notifier.send(replace(end, notified=(critical,))) == Delivered()
            assert await active(url) == []
            await until(lambda: heard_of(("resolved", "critical")))


async def test_test_message_and_storm_then_are_accepted_whole(tmp_path: Path) -> None:
    """It checks every field: names of labels, times, links, UTF-8."""
    port = free_port()
    (tmp_path / "alertmanager.yml").write_text(CONFIG.replace("URL", "http://127.0.0.1:9/"))
    config = AlertmanagerConfig(url=(f"http://127.0.0.1:{port}",), labels={"source": "alertd"})
    notifier = AlertmanagerNotifier("am", config, FakeContext())
    (recipient,) = notifier.recipients
    odd = replace(lately(alert_facts(99)), url="", annotations=(("summary", "half \ud800 \u202e \x00"),))
    storm = (*(lately(alert_facts(number)) for number in range(1, 50)), odd)
    async with alertmanager(tmp_path, port) as url:
        test = firing_message(alerts=(), reason=NotifyReason.TEST, created_at=utc_now())
        assert await notifier.send(envelope(test, recipient=recipient)) == Delivered()
        assert await active(url) == [("alertd test", "warning")]
        assert await notifier.send(envelope(firing_message(alerts=storm), recipient=recipient)) == Delivered()
        assert len(await active(url)) == 51
