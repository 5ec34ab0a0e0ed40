"""
The webhook notifier: posts Alertmanager's webhook format, version 4, to anything that understands Alertmanager.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, model_validator

from alertd.core.http_url import has_login, is_http_url
from alertd.core.messages.message import AlertFacts, Message, plain_text
from alertd.core.times import iso_instant
from alertd.notify.base import (
    Envelope,
    NotifierContext,
    Outcome,
    ReceiverError,
    SendsOnly,
    require_safe_url,
    secret_of,
)
from alertd.notify.config import (
    File,
    Name,
    ReceiverConfig,
    given_of,
    held_by_file,
    held_by_variable,
    http_url,
    one_of_keys,
)
from alertd.notify.text import figures_of, json_bytes, printable
from alertd.settings import forms

if TYPE_CHECKING:
    from alertd.notify.webhook_post import WebhookPost

_NEVER = "0001-01-01T00:00:00Z"
"""`endsAt` of a firing alert: Go's zero time."""
_PLAIN_SUMMARY_LIMIT = 200
_REPORT_LIMIT = 50_000

_Labels = dict[str, str]


class WebhookConfig(ReceiverConfig):
    """Where to post, and with which token; exactly one of the three forms of the URL."""

    model_config = one_of_keys("url", "url_env", "url_file")

    url: Annotated[str, AfterValidator(http_url("https://example.com/hook"))] | None = Field(
        default=None,
        description=(
            "URL that takes Alertmanager's webhook format; one that holds a secret goes into url_env or url_file."
        ),
        examples=["https://example.com/hook"],
    )
    url_env: Name | None = held_by_variable("the URL", "BRIDGE_URL")
    url_file: File | None = held_by_file("the URL", "bridge_url")
    bearer_token_env: Name | None = held_by_variable("the token for `Authorization: Bearer`", "BRIDGE_TOKEN")
    bearer_token_file: File | None = held_by_file("the token for `Authorization: Bearer`", "bridge_token")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if given_of(self, "url", "url_env", "url_file") is None:
            raise ValueError("a webhook needs url, url_env or url_file")
        given_of(self, "bearer_token_env", "bearer_token_file")
        return self


def payload(envelope: Envelope, *, receiver: str) -> bytes:
    """
    Return the JSON to post: the same bytes at every attempt.

    The plain form keeps every alert but only its short text, for receivers that found the full form too large.
    """
    message = envelope.message
    alerts = [_alert(message, facts, is_plain=envelope.is_plain) for facts in message.alerts]
    if not alerts:
        alerts = [_message_as_alert(envelope)]
    group = _group_labels(alerts)
    body = {
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in group.items()) + "}",
        # All alerts are in `alerts`, even if the text of a storm leaves some out.
        "truncatedAlerts": 0,
        "status": _status(is_resolved=message.is_resolved),
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": _origin(message),
        "alerts": alerts,
    }
    return json_bytes(body)


def _alert(message: Message, facts: AlertFacts, *, is_plain: bool) -> dict[str, object]:
    annotations = dict(facts.annotations)
    if len(message.alerts) == 1:
        readable = printable(message)
        annotations.setdefault("summary", readable.title)
        # A rule's own description replaces the lines, but not the note on what waited, which is nowhere else.
        own = annotations.get("description")
        annotations["description"] = "\n".join((*readable.history, *(readable.lines if own is None else (own,))))
    if is_plain:
        annotations = {"summary": annotations.get("summary", facts.rule)[:_PLAIN_SUMMARY_LIMIT]}
    else:
        annotations |= figures_of(facts)
    return {
        "status": _status(is_resolved=facts.is_resolved),
        "labels": dict(facts.labels),
        "annotations": annotations,
        "startsAt": iso_instant(facts.starts_at),
        "endsAt": iso_instant(facts.ends_at) if facts.is_resolved and facts.ends_at else _NEVER,
        "generatorURL": facts.url,
        "fingerprint": facts.fingerprint,
    }


def _message_as_alert(envelope: Envelope) -> dict[str, object]:
    """
    Return a message without alerts, such as a test message or a report, as an alert: an empty list would reach nobody.

    It fires without an end; a report's text is in `description`, its chart in `series` as `time=USD` pairs.
    """
    message = printable(envelope.message)
    annotations = {"summary": message.title[:_PLAIN_SUMMARY_LIMIT] if envelope.is_plain else message.title}
    if not envelope.is_plain:
        annotations["description"] = "\n".join((*message.history, *message.lines))
        if message.sections:
            annotations["description"] = plain_text(message, limit=_REPORT_LIMIT)
        if message.chart is not None:
            annotations["series"] = " ".join(f"{iso_instant(point.at)}={point.value}" for point in message.chart.points)
    return {
        "status": _status(is_resolved=message.is_resolved),
        "labels": {"alertname": f"alertd {message.reason.value}", "severity": message.severity.label},
        "annotations": annotations,
        "startsAt": iso_instant(message.created_at),
        "endsAt": iso_instant(message.created_at) if message.is_resolved else _NEVER,
        "generatorURL": "",
        "fingerprint": envelope.key[:16],
    }


def _group_labels(alerts: Sequence[Mapping[str, object]]) -> _Labels:
    """Return the labels that all alerts share, without the severity, so that the group stays the same when it rises."""
    common = _common([alert["labels"] for alert in alerts])
    return {name: value for name, value in sorted(common.items()) if name != "severity"}


def _common(sets: Sequence[object]) -> _Labels:
    shared, *others = [each for each in sets if isinstance(each, dict)]
    return {name: value for name, value in shared.items() if all(other.get(name) == value for other in others)}


def _status(*, is_resolved: bool) -> str:
    return "resolved" if is_resolved else "firing"


def _origin(message: Message) -> str:
    """Return scheme and host of the status page, taken from the alerts' links."""
    for url in filter(is_http_url, (facts.url for facts in message.alerts)):
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}"
    return ""


def _has_more_than_host(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.path.strip("/") or parts.query or has_login(parts))


class WebhookNotifier(SendsOnly):
    """Posts to one URL."""

    Config: ClassVar[type[BaseModel]] = WebhookConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=30)

    def __init__(self, name: str, config: BaseModel, context: NotifierContext) -> None:
        self.name = name
        self._outgoing = context.outgoing
        webhook = WebhookConfig.model_validate(config)
        key = given_of(webhook, "url", "url_env", "url_file")
        self._url = webhook.url or secret_of(webhook, "url", context) or ""
        if not is_http_url(self._url):
            raise ReceiverError(f"what {key} names is not an http(s) URL; put https://example.com/hook there", key=key)
        self._token = secret_of(webhook, "bearer_token", context, form=forms.bearer_token)
        # A URL from url_env is a secret if it is more than a host.
        has_secret = bool(self._token) or (not webhook.url and _has_more_than_host(self._url))
        require_safe_url(self._url, key=key, has_secret=has_secret, context=context)

    async def send(self, envelope: Envelope) -> Outcome:
        """Post once."""
        return await self._post.send(payload(envelope, receiver=self.name), key=envelope.key)

    @cached_property
    def _post(self) -> "WebhookPost":
        # httpx takes a tenth of a second to import, which `alertd check` can do without.
        from alertd.notify.webhook_post import WebhookPost  # noqa: PLC0415

        return WebhookPost(self._url, token=self._token, outgoing=self._outgoing)
