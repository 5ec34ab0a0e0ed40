"""The Apprise notifier: plain text that pings nobody, no secret anywhere, no wait that holds up the rest."""

import asyncio
import json
import logging
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from alertd.core.messages.message import Message
from alertd.core.severity import Severity
from alertd.errors import RulesError
from alertd.notify.apprise import AppriseConfig, AppriseNotifier, kind_of, title_and_body
from alertd.notify.base import ConfigurationRefused, Delivered, Notifier, ReceiverError, Unknown
from alertd.notify.delivery.attempt import attempt
from alertd.rules_file.load import load_rules
from tests.builders import FakeContext, envelope, firing_message, resolved_message

# Apprise looks for a module that Python 3.13 took away.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def notifier_of(**urls: str) -> AppriseNotifier:
    return AppriseNotifier("any", AppriseConfig(url_env=tuple(urls)), FakeContext(environment=urls))


async def test_urls_then_each_gets_its_own_copy_in_plain_text() -> None:
    """One service that is down must not make the others hear everything twice."""
    heard: list[tuple[str, dict[str, Any]]] = []

    async def take(request: web.Request) -> web.Response:
        heard.append((request.path, await request.json()))
        return web.Response(status=500 if request.path == "/down" else 200)

    application = web.Application()
    application.router.add_post("/{anything:.*}", take)
    async with TestServer(application) as server:
        origin = f"json://127.0.0.1:{server.port}"
        notifier: Notifier = notifier_of(UP=f"{origin}/up", DOWN=f"{origin}/down")
        assert notifier.recipients == ("UP", "DOWN")
        assert await notifier.send(envelope(recipient="UP")) == Delivered()
        refused = await notifier.send(envelope(resolved_message(), recipient="DOWN"))
        assert isinstance(refused, Unknown)
        assert isinstance(await notifier.send(envelope(recipient="GONE")), ConfigurationRefused)
    (_, up), (_, down) = heard
    assert [path for path, _ in heard] == ["/up", "/down"]
    assert up["title"] == f"WARNING: {firing_message().title}"
    assert up["message"].startswith(firing_message().lines[0])
    assert (up["type"], down["type"]) == ("warning", "success")


async def test_redirect_then_is_not_followed() -> None:
    """A message and its credentials go where the URL says, and nowhere else."""
    asked = []

    async def take(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/to"}) if request.path == "/from" else web.Response()

    application = web.Application()
    application.router.add_post("/{anything:.*}", take)
    async with TestServer(application) as server:
        notifier = notifier_of(URL=f"json://127.0.0.1:{server.port}/from")
        assert isinstance(await notifier.send(envelope(recipient="URL")), Unknown)
    assert asked == ["/from"]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (firing_message(severity=Severity.INFO), "info"),
        (firing_message(severity=Severity.WARNING), "warning"),
        (firing_message(severity=Severity.CRITICAL), "failure"),
        (resolved_message(severity=Severity.CRITICAL), "success"),
    ],
)
def test_severity_then_is_one_of_apprises_kinds(message: Message, kind: str) -> None:
    """Services choose colours and priorities by it."""
    assert kind_of(message) == kind


@pytest.mark.parametrize("name", ["@everyone", "<@U0123>", "<!channel>", "<#C0123>", "<@&42>", "@here"])
def test_name_that_would_ping_then_is_only_read(name: str) -> None:
    """Names from bills are strangers' data; some of Apprise's services read pings out of plain text."""
    title, body = title_and_body(firing_message(title=f"{name} spent", lines=(f"by {name}",)))
    for text in (title, body):
        assert name not in text
        assert name in text.replace("\u200b", "")


def test_text_that_pings_nobody_then_stays_readable() -> None:
    """Breaking pings must not make text unreadable elsewhere."""
    title, body = title_and_body(firing_message(title="a < b & c", lines=("1 <2",)))
    assert title == "WARNING: a < b & c"
    assert body.startswith("1 <\u200b2")


def test_very_long_message_then_is_bounded() -> None:
    """Apprise splits or cuts for each service; what it is given is no book either."""
    _, body = title_and_body(firing_message(lines=("x" * 100_000,)))
    assert len(body) <= 3000


async def test_server_that_never_answers_then_the_deadline_cuts_and_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread cannot be stopped: its attempt is unknown, and neither other work nor a stop waits for it."""
    monkeypatch.setattr(AppriseNotifier, "deadline", timedelta(seconds=0.2))
    connected = asyncio.Event()
    released = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await released.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        notifier = notifier_of(URL=f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        before = set(threading.enumerate())
        outcome = await attempt(notifier, envelope(recipient="URL"))
        assert isinstance(outcome, Unknown)
        assert "0 s" in outcome.reason
        assert connected.is_set()
        [thread] = set(threading.enumerate()) - before
        assert thread.daemon
        released.set()
        await asyncio.to_thread(thread.join)


async def test_apprise_when_it_raises_then_unknown_without_its_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A service's fault may carry the URL in its text."""
    notifier = notifier_of(URL="json://127.0.0.1:9/hush")

    def fail(**_: object) -> bool:
        raise RuntimeError("cannot post to json://127.0.0.1:9/hush")

    monkeypatch.setattr(notifier._services["URL"], "notify", fail)
    outcome = await notifier.send(envelope(recipient="URL"))
    assert isinstance(outcome, Unknown)
    assert "hush" not in f"{outcome} {caplog.text}"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        pytest.param("hushhush", "not a URL that Apprise knows", id="no URL"),
        pytest.param("nosuch://hush", "not a URL that Apprise knows", id="no such service"),
        pytest.param("tgram://hush", "not a URL that Apprise knows", id="a token that cannot be one"),
        pytest.param("json://a/hush json://b/hush", "give each URL its own", id="two URLs"),
    ],
)
def test_url_when_unusable_then_the_place_is_named_and_not_the_url(
    url: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`alertd check` finds it; Apprise's own log, which would show it, is silent."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ReceiverError, match=text) as caught:
        notifier_of(URL=url)
    assert caught.value.key == "url_env"
    assert "hush" not in f"{caught.value} {caplog.text}"


def test_url_when_in_a_file_then_the_file_names_the_copy(tmp_path: Path) -> None:
    """The recipient stands in the outbox and the log: it must not be the URL."""
    (tmp_path / "ntfy").write_text("ntfy://hush-topic\n")
    notifier = AppriseNotifier("any", AppriseConfig(url_file=("ntfy",)), FakeContext(base_dir=tmp_path))
    assert notifier.recipients == ("ntfy",)
    assert "hush" not in repr(notifier)


def test_package_when_missing_then_check_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is an extra: whoever names the type must learn how to get it, and before the first alert."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\nreceivers:\n  - {name: any, type: apprise, url_env: URL}\n")
    with pytest.raises(RulesError) as caught:
        load_rules(rules)
    assert str(caught.value).endswith(
        """3:5: receiver "any": receivers of type apprise need another package: pip install 'alertd[apprise]'"""
    )


def test_config_without_a_url_then_is_refused() -> None:
    """Mistakes are notified by `alertd check`, not by the first alert."""
    with pytest.raises(ValidationError, match="needs url_env or url_file"):
        AppriseConfig()
    with pytest.raises(ValidationError, match="Extra inputs"):
        AppriseConfig.model_validate({"url_env": "URL", "tags": "x"})
    assert AppriseConfig.model_validate(json.loads('{"url_env": ["A", "A"]}')).url_env == ("A",)
