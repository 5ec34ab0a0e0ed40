"""The webhook: Alertmanager's format to the letter, the same bytes at each attempt."""

import asyncio
import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.message import Message
from alertd.core.messages.storm import compose_storm
from alertd.core.severity import Severity
from alertd.notify.base import ConfigurationRefused, Delivered, ReceiverError, Unknown
from alertd.notify.webhook import WebhookConfig, WebhookNotifier, payload
from alertd.notify.webhook_post import WebhookPost
from alertd.settings.outgoing.connections import Outgoing
from tests.builders import (
    KEY,
    FakeContext,
    alert_facts,
    envelope,
    firing_message,
    report_message,
    resolved_message,
    storm_message,
)
from tests.core.builders import NOW, firing, move

EXAMPLES = Path(__file__).parent / "examples"


def posted(message: Message, *, is_plain: bool = False) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(payload(envelope(message, is_plain=is_plain), receiver="bridge"))
    return body


@pytest.mark.parametrize(
    ("name", "message"), [("firing", firing_message()), ("resolved", resolved_message()), ("storm", storm_message())]
)
def test_stored_example_then_is_what_is_sent(name: str, message: Message) -> None:
    """The format is other people's interface; a change of it must be seen in review."""
    assert posted(message) == json.loads((EXAMPLES / f"webhook_{name}.json").read_text(encoding="utf-8"))


def test_late_end_of_a_rule_with_a_description_then_says_what_waited() -> None:
    """A beginning that was folded into its end is said nowhere else (D4)."""
    (alert,) = posted(resolved_message(history=("Delivered late: firing (warning) 12:00 UTC.",)))["alerts"]
    assert alert["annotations"]["description"] == "Delivered late: firing (warning) 12:00 UTC.\nGPU spend per owner"


@pytest.mark.parametrize("message", [firing_message(), resolved_message(), storm_message(), report_message()])
def test_any_message_then_has_the_shape_of_version_4(message: Message) -> None:
    """Alertmanager's receivers decode into typed structs: names, strings and times must fit."""
    body = posted(message)
    assert set(body) == {
        "version",
        "groupKey",
        "truncatedAlerts",
        "status",
        "receiver",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "externalURL",
        "alerts",
    }
    assert body["version"] == "4"
    assert body["alerts"]
    for alert in body["alerts"]:
        assert set(alert) == {
            "status",
            "labels",
            "annotations",
            "startsAt",
            "endsAt",
            "generatorURL",
            "fingerprint",
        }
        strings = [*alert["labels"].values(), *alert["annotations"].values()]
        assert all(isinstance(value, str) for value in strings)
        assert "alertname" in alert["labels"]
        assert (alert["endsAt"] == "0001-01-01T00:00:00Z") == (alert["status"] == "firing")


def test_group_then_stays_the_same_from_first_to_last() -> None:
    """Receivers that pair an end with its beginning do so by the group's key."""
    raised = firing_message(alerts=(alert_facts(severity=Severity.CRITICAL),))
    keys = {posted(message)["groupKey"] for message in (firing_message(), raised, resolved_message())}
    assert keys == {'{}:{account="default", alertname="gpu-24h-per-owner", owner="gpu-1"}'}


def test_storm_then_posts_every_alert_and_counts_none_as_left_out() -> None:
    """Its text lists twenty; what is counted here is what is not in `alerts`."""
    moves = [(move(None, firing("60", owner=f"gpu-{n}")), "spent") for n in range(30)]
    body = posted(compose_storm(moves, is_first_cycle=False, now=NOW))
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (30, 0)
    body = posted(storm_message())
    assert body["groupLabels"] == {"account": "default", "alertname": "gpu-24h-per-owner"}


def test_plain_form_then_keeps_every_alert_but_little_text() -> None:
    """A receiver that found the whole too large still learns of each alert."""
    whole, plain = posted(storm_message()), posted(storm_message(), is_plain=True)
    assert [each["fingerprint"] for each in plain["alerts"]] == [each["fingerprint"] for each in whole["alerts"]]
    assert all(set(alert["annotations"]) == {"summary"} for alert in plain["alerts"])


def test_message_without_alerts_then_is_posted_as_one() -> None:
    """An empty list is notified to nobody by most receivers: a test message would seem to be lost."""
    [alert] = posted(firing_message(alerts=(), reason=NotifyReason.TEST))["alerts"]
    assert alert["labels"] == {"alertname": "alertd test", "severity": "warning"}
    assert alert["annotations"]["summary"] == firing_message().title


def test_report_then_is_one_alert_with_its_text_and_its_numbers() -> None:
    """Whoever shows alerts can show a report; whoever draws it finds the exact amounts."""
    body = posted(report_message())
    [alert] = body["alerts"]
    assert (body["status"], alert["labels"]) == ("firing", {"alertname": "alertd report", "severity": "info"})
    assert alert["annotations"]["summary"] == report_message().title
    assert "- gpu: $90.00 up $20.00 (28.6 %)" in alert["annotations"]["description"].splitlines()
    assert alert["annotations"]["series"].startswith("2026-01-03T00:00:00Z=12.5 2026-01-04T00:00:00Z=0 ")
    assert alert["annotations"]["series"].endswith(" 2026-01-10T00:00:00Z=15")
    [plain] = posted(report_message(), is_plain=True)["alerts"]
    assert set(plain["annotations"]) == {"summary"}


def test_half_a_surrogate_pair_then_does_not_stop_the_message() -> None:
    """JSON of a bill may hold one; UTF-8 cannot."""
    facts = alert_facts()
    odd = firing_message(title="\ud800", lines=("\udfff",), alerts=(facts,))
    assert json.loads(payload(envelope(odd), receiver="\ud800"))["receiver"] == "?"


async def test_repeated_attempt_then_is_byte_identical_with_its_key_and_token() -> None:
    """The key lets a receiver drop the second copy."""
    posts: list[tuple[str | None, str | None, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        posts.append((request.headers["Idempotency-Key"], request.headers["Authorization"], await request.read()))
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/", take)
    async with TestServer(application) as server:
        context = FakeContext(environment={"TOKEN": "hush"})
        config = WebhookConfig(url=str(server.make_url("/")), bearer_token_env="TOKEN")
        notifier = WebhookNotifier("bridge", config, context)
        assert [await notifier.send(envelope()) for _ in range(2)] == [Delivered(), Delivered()]
    assert posts[0] == posts[1] == (KEY, "Bearer hush", payload(envelope(), receiver="bridge"))


@pytest.mark.parametrize(
    ("token", "text"),
    [
        pytest.param('"canary"', "what bearer_token_env names is in quotes", id="quoted"),
        pytest.param("Bearer canary", 'leave out "Bearer"', id="with its scheme"),
        pytest.param("canary\u00e9", "has characters that no request can carry", id="beyond ASCII"),
    ],
)
def test_token_when_no_header_could_hold_it_as_it_is_then_refused(token: str, text: str) -> None:
    """The receiver would answer 401, and the first alert would be the one to find out."""
    config = WebhookConfig(url="https://a.example/", bearer_token_env="TOKEN")
    with pytest.raises(ReceiverError, match=text) as caught:
        WebhookNotifier("bridge", config, FakeContext(environment={"TOKEN": token}))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        pytest.param({}, "needs url, url_env or url_file", id="no URL"),
        pytest.param({"url": "https://a.example/", "url_env": "X"}, "exclude each other", id="two URLs"),
        pytest.param({"url": "ftp://a.example/"}, "not an http", id="another scheme"),
        pytest.param({"url": "https:///x"}, "not an http", id="no host"),
        pytest.param({"url": "https://a.example:99999/"}, "not an http", id="no such port"),
        pytest.param(
            {"url": "https://a.example/", "bearer_token_env": "X", "bearer_token_file": "x"}, "exclude", id="two tokens"
        ),
        pytest.param({"url_env": "not a name"}, "pattern", id="no variable's name"),
        pytest.param({"url": "http://2852039166/"}, "not an http", id="an address as one number"),
        pytest.param({"url": "https://a.example/", "method": "PUT"}, "Extra inputs", id="unknown key"),
    ],
)
def test_config_when_wrong_then_is_refused(keys: dict[str, object], text: str) -> None:
    """Mistakes are notified by `alertd check`, not by the first alert."""
    with pytest.raises(ValidationError, match=text):
        WebhookConfig.model_validate(keys)


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({}, "HOOK is not set"),
        ({"HOOK": "hush-no-url"}, "not an http"),
        ({"HOOK": "https://a b/hush"}, "not an http"),
        ({"HOOK": "https://256.1.1.1/hush"}, "not an http"),
    ],
)
def test_url_when_the_variable_is_wrong_then_names_the_variable_only(environment: dict[str, str], text: str) -> None:
    """Such a URL is a secret: it stands in no error."""
    with pytest.raises(ReceiverError, match=text) as caught:
        WebhookNotifier("bridge", WebhookConfig(url_env="HOOK"), FakeContext(environment=environment))
    assert "hush" not in str(caught.value)
    assert caught.value.key == "url_env"


def test_url_when_in_a_file_then_is_read_beside_the_rules(tmp_path: Path) -> None:
    """Secret files are mounted with a line end."""
    (tmp_path / "url").write_text("https://a.example/hush\n")
    notifier = WebhookNotifier("bridge", WebhookConfig(url_file="url"), FakeContext(base_dir=tmp_path))
    assert notifier.recipients == ("",)
    assert "hush" not in repr(notifier)


async def test_url_with_an_impossible_host_then_is_blocked() -> None:
    """Such a host is not down for a while: it never was."""
    url = "https://[v1.x]/hush"
    notifier = WebhookNotifier("bridge", WebhookConfig(url_env="HOOK"), FakeContext(environment={"HOOK": url}))
    outcome = await notifier.send(envelope())
    assert isinstance(outcome, ConfigurationRefused)
    assert "hush" not in outcome.reason


async def test_page_when_it_comes_compressed_though_nobody_asked_then_it_is_seen() -> None:
    """A sign-in page is none the less one."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"<html>" + b" " * 2**20), headers={"Content-Encoding": "gzip"})

    application = web.Application()
    application.router.add_post("/", answer)
    async with TestServer(application) as server:
        post = WebhookPost(str(server.make_url("/")), token=None, outgoing=Outgoing())
        assert isinstance(await post.send(b"{}"), Unknown)


async def test_server_when_it_says_a_word_now_and_then_then_given_up_as_unknown() -> None:
    """Interim answers keep every limit between two bytes from ending the wait."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            while True:
                writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        ended.set()

    begun: list[asyncio.StreamWriter] = []
    ended = asyncio.Event()
    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hush"
        outcome = await WebhookPost(url, token=None, outgoing=Outgoing(), total_s=0.5).send(b"{}")
        # On a busy machine the time may be over before the connection stands.
        if begun:
            await ended.wait()
    assert isinstance(outcome, Unknown)
    assert "no complete answer" in outcome.reason


async def test_server_when_it_says_the_secrets_in_a_broken_answer_then_they_are_not_repeated() -> None:
    """A proxy that answers with what it was sent would have the key in every log and on the status page."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"canary-token canary-path canary-other\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/canary-path"
        post = WebhookPost(url, token="canary-token", outgoing=Outgoing(), secrets=("canary-other",))
        outcome = await post.send(b"{}")
    assert isinstance(outcome, Unknown)
    assert "answer was lost: illegal status line" in outcome.reason
    assert "canary" not in outcome.reason
