"""The Alertmanager notifier: its alerts to the letter, ends of what was notified, a copy for each of a cluster."""

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.message import AlertFacts, Message
from alertd.core.severity import Severity
from alertd.notify.alertmanager import AlertmanagerConfig, AlertmanagerNotifier, payload
from alertd.notify.base import ConfigurationRefused, Delivered, Mirror, Notifier, ReceiverError
from tests.builders import NOON, FakeContext, alert_facts, envelope, firing_message, resolved_message, storm_message

NOW = NOON + timedelta(hours=3)


def posted(
    message: Message | None = None, *, notified: tuple[AlertFacts, ...] = (), is_plain: bool = False
) -> list[dict[str, Any]]:
    sent = replace(envelope(message, is_plain=is_plain), notified=notified)
    found: list[dict[str, Any]] = json.loads(json.dumps(payload(sent, labels={"source": "alertd"}, now=NOW)))
    return found


def severities(alerts: list[dict[str, Any]]) -> dict[str, str]:
    """Severity to "fires" or "ended", as Alertmanager sees it."""
    ended = {alert["labels"]["severity"]: datetime.fromisoformat(alert["endsAt"]) <= NOW for alert in alerts}
    return {severity: "ended" if is_over else "fires" for severity, is_over in ended.items()}


def test_firing_alert_then_is_what_alertmanager_takes() -> None:
    """Labels route and group, annotations are read; text made for chats is neither."""
    assert posted() == [
        {
            "labels": {
                "source": "alertd",
                "account": "default",
                "alertname": "gpu-24h-per-owner",
                "owner": "gpu-1",
                "severity": "warning",
            },
            "annotations": {
                "summary": "gpu-24h-per-owner",
                "description": "GPU spend per owner",
                "value": "61.25",
                "unit": "USD",
                "as_of": "2026-01-10T12:00:00Z",
                "threshold": "50",
                "fingerprint": "0000000000000001",
            },
            "startsAt": "2026-01-10T12:00:00Z",
            "endsAt": "2026-01-11T15:05:00Z",
            "generatorURL": "https://alertd.example.com/alerts/0000000000000001",
        }
    ]


def test_resolved_alert_then_ends_when_it_ended() -> None:
    """It may be notified late, and it is over since then."""
    [alert] = posted(resolved_message())
    assert alert["endsAt"] == "2026-01-10T15:05:00Z"


def test_storm_then_holds_every_alert() -> None:
    """Alertmanager groups by itself: it needs all of them."""
    assert len(posted(storm_message())) == 20


@pytest.mark.parametrize(
    ("message", "notified", "expected"),
    [
        pytest.param(firing_message(), Severity.WARNING, {"warning": "fires"}, id="told again"),
        pytest.param(firing_message(), Severity.CRITICAL, {"critical": "ended", "warning": "fires"}, id="told lower"),
        pytest.param(
            firing_message(alerts=(alert_facts(severity=Severity.CRITICAL),)),
            Severity.WARNING,
            {"warning": "ended", "critical": "fires"},
            id="told higher",
        ),
        pytest.param(resolved_message(), Severity.WARNING, {"warning": "ended"}, id="ends"),
        pytest.param(resolved_message(), Severity.CRITICAL, {"critical": "ended"}, id="ends after it fell, unsent"),
    ],
)
def test_severity_when_it_changed_then_the_alert_notified_before_ends(
    message: Message, notified: Severity, expected: dict[str, str]
) -> None:
    """With another severity it is another alert to Alertmanager: the one told would fire on beside it."""
    assert severities(posted(message, notified=(alert_facts(severity=notified),))) == expected


def test_alert_when_notified_in_an_earlier_episode_then_that_one_is_left_alone() -> None:
    """It ended long ago."""
    earlier = replace(alert_facts(severity=Severity.CRITICAL), starts_at=NOON - timedelta(days=3))
    assert severities(posted(notified=(earlier,))) == {"warning": "fires"}


def test_test_message_then_is_marked_and_ends_within_a_minute() -> None:
    """Nobody may take it for an alert, and nobody has to end it."""
    [alert] = posted(firing_message(alerts=(), reason=NotifyReason.TEST))
    assert alert["labels"] == {"source": "alertd", "alertname": "alertd test", "severity": "warning"}
    assert alert["annotations"]["summary"] == firing_message().title
    assert datetime.fromisoformat(alert["endsAt"]) == NOW + timedelta(minutes=1)


def test_plain_form_then_keeps_every_alert_but_little_text() -> None:
    """Where annotations were refused, the alerts still arrive."""
    alerts = posted(storm_message(), is_plain=True)
    assert [set(alert["annotations"]) for alert in alerts] == [{"summary"}] * 20
    [alert] = posted(firing_message(alerts=(), title="x" * 300), is_plain=True)
    assert alert["annotations"] == {"summary": "x" * 200}


def test_end_before_its_beginning_then_is_moved_to_it() -> None:
    """Clocks are set back; Alertmanager refuses the whole request for one such alert."""
    odd = replace(alert_facts(is_resolved=True), ends_at=NOON - timedelta(days=1))
    [alert] = posted(resolved_message(alerts=(odd,)))
    assert alert["endsAt"] == alert["startsAt"]


def test_own_labels_when_configured_ones_collide_then_win() -> None:
    """An owner's team must not become that of the receiver."""
    [alert] = payload(envelope(), labels={"owner": "nobody"}, now=NOW)
    assert alert["labels"] == dict(alert_facts().labels)


async def test_cluster_then_each_of_it_is_notified_at_its_own_path() -> None:
    """Alertmanagers of a cluster do not share alerts: each must be notified, and fails by itself."""
    paths: list[tuple[str, str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        paths.append((request.path_qs, request.headers.get("Authorization", ""), await request.json()))
        return web.Response()

    application = web.Application()
    application.router.add_post("/{anything:.*}", take)
    async with TestServer(application) as server:
        origin = str(server.make_url("")).rstrip("/")
        host = f"127.0.0.1:{server.port}"
        context = FakeContext(
            environment={"URLS": f"{origin} {origin}/am/ {origin}/whole/api/v2/alerts?x=1", "PASSWORD": "hush"}
        )
        config = AlertmanagerConfig(
            url_env="URLS", basic_auth_username="alertd", basic_auth_password_env="PASSWORD", labels={"a": "b"}
        )
        notifier = AlertmanagerNotifier("am", config, context)
        assert notifier.recipients == (host, f"{host} #2", f"{host} #3")
        for recipient in notifier.recipients:
            assert await notifier.send(envelope(recipient=recipient)) == Delivered()
        assert isinstance(await notifier.send(envelope(recipient="gone:9093")), ConfigurationRefused)
    assert [path for path, _, _ in paths] == ["/api/v2/alerts", "/am/api/v2/alerts", "/whole/api/v2/alerts?x=1"]
    assert {login for _, login, _ in paths} == {"Basic " + base64.b64encode(b"alertd:hush").decode()}
    assert paths[0][2][0]["labels"]["a"] == "b"
    assert "hush" not in repr(notifier)


async def test_login_when_the_server_repeats_it_then_is_not_shown() -> None:
    """Outcomes are stored, logged and notified to the fallback."""

    async def take(request: web.Request) -> web.Response:
        return web.Response(status=403, text=f"no {request.headers['Authorization']}, that is alertd:hush")

    application = web.Application()
    application.router.add_post("/api/v2/alerts", take)
    async with TestServer(application) as server:
        config = AlertmanagerConfig(
            url=(str(server.make_url("/")),), basic_auth_username="alertd", basic_auth_password_env="PASSWORD"
        )
        notifier = AlertmanagerNotifier("am", config, FakeContext(environment={"PASSWORD": "hush"}))
        outcome = await notifier.send(envelope(recipient=notifier.recipients[0]))
    assert isinstance(outcome, ConfigurationRefused)
    assert outcome.reason == (
        "Alertmanager answered 403 (no Basic ********, that is alertd:********); "
        "check the bearer token or login and the URL"
    )


@pytest.mark.parametrize(("answers", "requests"), [([200, 200, 200], 3), ([200, 503], 2)])
async def test_thousands_of_alerts_then_go_in_several_requests(answers: list[int], requests: int) -> None:
    """Proxies bound a body; what one request did not bring is not called delivered."""
    sizes = []

    async def take(request: web.Request) -> web.Response:
        sizes.append(len(await request.json()))
        return web.Response(status=answers[len(sizes) - 1])

    application = web.Application(client_max_size=2**24)
    application.router.add_post("/api/v2/alerts", take)
    async with TestServer(application) as server:
        config = AlertmanagerConfig(url=(str(server.make_url("/")),))
        notifier: Notifier = AlertmanagerNotifier("am", config, FakeContext())
        assert isinstance(notifier, Mirror)
        facts = tuple(alert_facts(number) for number in range(600))
        outcome = await notifier.mirror(facts, recipient=notifier.recipients[0])
    assert isinstance(outcome, Delivered) == (answers[-1] == 200)
    assert len(sizes) == requests
    assert sum(sizes) == (600 if requests == 3 else 512)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        pytest.param({}, "needs url, url_env or url_file", id="no URL"),
        pytest.param({"url": "http://am:9093", "url_env": "X"}, "exclude each other", id="two forms"),
        pytest.param({"url": ["http://am:9093", "am:9093"]}, "not an http", id="no scheme"),
        pytest.param({"url": "http://user:hush@am:9093"}, "would see the login", id="a password in the file"),
        pytest.param(
            {"url": "http://am", "basic_auth_username": "a"}, "needs basic_auth_username and", id="no password"
        ),
        pytest.param({"url": "http://am", "basic_auth_password_env": "A"}, "needs basic_auth_username", id="no user"),
        pytest.param(
            {"url": "http://am", "bearer_token_env": "A", "bearer_token_file": "b"}, "exclude", id="two tokens"
        ),
        pytest.param(
            {
                "url": "http://am",
                "basic_auth_username": "a",
                "basic_auth_password_env": "B",
                "bearer_token_env": "C",
            },
            "one way to log in",
            id="two ways to log in",
        ),
        pytest.param(
            {"url": "http://am", "labels": {"severity": "page"}}, "itself sets the label", id="a label of ours"
        ),
        pytest.param({"url": "http://am", "labels": {"a-b": "c"}}, "pattern", id="no label's name"),
        pytest.param({"url": "http://am", "path": "/x"}, "Extra inputs", id="unknown key"),
    ],
)
def test_config_when_wrong_then_is_refused(keys: dict[str, object], text: str) -> None:
    """Mistakes are notified by `alertd check`, not by the first alert."""
    with pytest.raises(ValidationError, match=text) as caught:
        AlertmanagerConfig.model_validate(keys)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "keys", "text"),
    [
        pytest.param({}, {"url_env": "URL"}, "URL is not set", id="no variable"),
        pytest.param(
            {"URL": "http://a hush"}, {"url_env": "URL"}, "url_env names is not an http", id="one of two is none"
        ),
        pytest.param(
            {"URL": "http://a", "TOKEN": "hush\nhush"},
            {"url_env": "URL", "bearer_token_env": "TOKEN"},
            "characters that no request can carry",
            id="a token in two lines",
        ),
    ],
)
def test_secret_when_wrong_then_names_its_place_only(
    environment: dict[str, str], keys: dict[str, str], text: str
) -> None:
    """Secrets stand in no error."""
    with pytest.raises(ReceiverError, match=text) as caught:
        AlertmanagerNotifier("am", AlertmanagerConfig.model_validate(keys), FakeContext(environment=environment))
    assert "hush" not in str(caught.value)


def test_urls_when_in_a_file_then_one_a_line(tmp_path: Path) -> None:
    """A cluster's addresses are mounted as one file."""
    (tmp_path / "urls").write_text("https://u:hush@am-0:9093/\nhttps://u:hush@am-1:9093/\n")
    notifier = AlertmanagerNotifier("am", AlertmanagerConfig(url_file="urls"), FakeContext(base_dir=tmp_path))
    assert notifier.recipients == ("am-0:9093", "am-1:9093")
    assert "hush" not in repr(notifier)
