"""The PagerDuty notifier against a double that answers as the Events API v2 is documented to, and keeps incidents."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.message import AlertFacts, Message
from alertd.core.severity import Severity
from alertd.notify.base import (
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    NotSent,
    Outcome,
    ReceiverError,
    can_edit,
)
from alertd.notify.pagerduty import PagerDutyConfig, PagerDutyNotifier
from tests.builders import FakeContext, alert_facts, envelope, firing_message, report_message, storm_message

KEY = "R0UT1NGKEYCANARY0000000000000000"


@dataclass
class Duty:
    """What PagerDuty does with events: one incident for each dedup_key that is not resolved."""

    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """In place of the next answers; the event counts for nothing."""
    events: list[dict[str, Any]] = field(default_factory=list)
    incidents: dict[str, list[str]] = field(default_factory=dict)
    """Key to the states that it went through."""
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        event = await request.json()
        if self.answers:
            status, body = self.answers.pop(0)
            return web.json_response(body, status=status)
        if event.get("routing_key") != KEY:
            errors = ["'routing_key' is invalid"]
            return web.json_response({"status": "invalid event", "message": "…", "errors": errors}, status=400)
        self.events.append(event)
        states = self.incidents.setdefault(event["dedup_key"], [])
        is_open = bool(states) and states[-1] != "resolved"
        match event["event_action"]:
            case "trigger" if not is_open:
                states.append("triggered")
            case "acknowledge" if is_open and states[-1] != "acknowledged":
                states.append("acknowledged")
            case "resolve" if is_open:
                states.append("resolved")
        done = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return web.json_response(done, status=202)


@asynccontextmanager
async def duty() -> AsyncIterator[Duty]:
    found = Duty()
    application = web.Application()
    application.router.add_post("/v2/enqueue", found.take)
    server = TestServer(application)
    await server.start_server()
    found.url = str(server.make_url("/v2/enqueue"))
    try:
        yield found
    finally:
        await server.close()


def notifier(url: str, *, key: str = KEY) -> PagerDutyNotifier:
    config = PagerDutyConfig(routing_key_env="PD", url=url)
    return PagerDutyNotifier("oncall", config, FakeContext(environment={"PD": key}))


def about(facts: AlertFacts, reason: NotifyReason = NotifyReason.FIRST, **changes: Any) -> Message:
    return firing_message(alerts=(facts,), reason=reason, is_resolved=facts.is_resolved, **changes)


async def test_alert_when_it_lives_then_one_incident_follows_it() -> None:
    """Opened, acknowledged and resolved by the fingerprint; what is repeated or said twice opens nothing."""
    async with duty() as pager:
        oncall = notifier(pager.url)
        fires, acked, over = (
            alert_facts(),
            replace(alert_facts(), acknowledged_by="dana"),
            alert_facts(is_resolved=True),
        )
        for message in (
            about(fires),
            about(replace(fires, severity=Severity.CRITICAL), NotifyReason.RAISED),
            about(fires, NotifyReason.REPEAT),
            about(acked, NotifyReason.ACKNOWLEDGED),
            about(over, NotifyReason.RESOLVED),
            about(fires),
        ):
            assert isinstance(await oncall.send(envelope(message)), Delivered)
        assert pager.incidents == {fires.fingerprint: ["triggered", "acknowledged", "resolved", "triggered"]}


async def test_edit_when_acknowledged_then_followed_and_else_nothing_is_opened_anew() -> None:
    """A silence or a corrected value must not open an incident that somebody has closed."""
    async with duty() as pager:
        oncall = notifier(pager.url)
        assert can_edit(oncall)
        fires = alert_facts()
        await oncall.send(envelope(about(fires)))
        for facts in (fires, replace(fires, acknowledged_by="dana"), alert_facts(is_resolved=True)):
            edit = replace(envelope(about(facts, NotifyReason.UPDATED)), edits="a ref")
            assert await oncall.edit(edit) == Delivered(ref="a ref")
        assert [event["event_action"] for event in pager.events] == ["trigger", "acknowledge"]


async def test_event_then_is_what_the_api_documents() -> None:
    """Who, what and how bad, in PagerDuty's fields; the rest where responders read on."""
    async with duty() as pager:
        await notifier(pager.url).send(envelope(about(alert_facts(severity=Severity.CRITICAL))))
        (event,) = pager.events
        payload = event["payload"]
        assert {"routing_key", "event_action", "dedup_key", "payload", "client"} <= event.keys()
        assert payload["severity"] == "critical"
        assert payload["component"] == "gpu-1"
        assert payload["class"] == "gpu-24h-per-owner"
        assert 0 < len(payload["summary"]) <= 1024
        assert payload["custom_details"]["fingerprint"] == event["dedup_key"]


async def test_storm_when_sent_then_an_incident_for_each_alert() -> None:
    """One incident for many owners could not be resolved owner by owner."""
    async with duty() as pager:
        message = storm_message()
        await notifier(pager.url).send(envelope(message))
        assert pager.incidents == {facts.fingerprint: ["triggered"] for facts in message.alerts}


async def test_message_without_alerts_then_leaves_no_incident_open_and_a_report_is_refused() -> None:
    """A test is to be seen and not to be worked on; a report is no incident."""
    async with duty() as pager:
        test = firing_message(alerts=(), reason=NotifyReason.TEST)
        assert isinstance(await notifier(pager.url).send(envelope(test)), Delivered)
        assert list(pager.incidents.values()) == [["triggered", "resolved"]]
        outcome = await notifier(pager.url).send(envelope(report_message()))
        assert isinstance(outcome, ConfigurationRefused)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(
            400, {"status": "invalid event", "errors": ["'payload.summary' is missing"]}, ContentRefused, id="400"
        ),
        pytest.param(
            400, {"status": "invalid event", "errors": ["'routing_key' is invalid"]}, ConfigurationRefused, id="key"
        ),
        pytest.param(403, {}, ConfigurationRefused, id="403"),
        pytest.param(404, {}, ConfigurationRefused, id="404"),
        pytest.param(413, {}, ContentRefused, id="too large"),
        pytest.param(429, {"status": "throttle exceeded"}, NotSent, id="too many"),
        pytest.param(500, {}, NotSent, id="500: the same event twice is one"),
        pytest.param(503, {}, NotSent, id="503"),
        pytest.param(202, {}, NotSent, id="202 that does not say success"),
        pytest.param(202, {"status": "queued"}, NotSent, id="202 that says something else"),
        pytest.param(200, {"status": "success"}, NotSent, id="a status that is not documented"),
        pytest.param(201, {"status": "success"}, NotSent, id="another"),
    ],
)
async def test_answer_then_means_what_is_documented(status: int, body: dict[str, Any], kind: type[Outcome]) -> None:
    """What is wrong with the event, the key or the moment wants three different things."""
    async with duty() as pager:
        pager.answers.append((status, {**body, "message": f"no {KEY}"}))
        outcome = await notifier(pager.url).send(envelope(about(alert_facts())))
        assert isinstance(outcome, kind)
        assert KEY not in repr(outcome)


async def test_key_when_it_is_another_services_then_blocked_with_a_remedy() -> None:
    """It is asked again each hour, and the fallback is notified meanwhile."""
    async with duty() as pager:
        outcome = await notifier(pager.url, key="0" * 32).send(envelope(about(alert_facts())))
        assert isinstance(outcome, ConfigurationRefused)
        assert "integration key" in outcome.reason


async def test_plain_form_then_has_no_details() -> None:
    """What was refused whole may be taken short."""
    async with duty() as pager:
        await notifier(pager.url).send(envelope(about(alert_facts()), is_plain=True))
        assert "custom_details" not in pager.events[0]["payload"]
        assert len(json.dumps(pager.events[0])) < 3000


def test_configuration_when_the_key_is_missing_or_odd_then_refused() -> None:
    """A key is never written into the rules file, and a URL is none."""
    with pytest.raises(ValidationError, match="routing_key_env or routing_key_file"):
        PagerDutyConfig()
    with pytest.raises(ReceiverError, match="not an integration key"):
        notifier("http://127.0.0.1:1/v2/enqueue", key="https://events.pagerduty.com/x")
    with pytest.raises(ReceiverError, match="ALERTD_ALLOW_PLAIN_HTTP"):
        notifier("http://events.example.com/v2/enqueue")
