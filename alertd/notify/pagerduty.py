"""
The PagerDuty notifier: each alert is an incident there, opened, acknowledged and resolved by its fingerprint.

Source: https://developer.pagerduty.com/docs/send-alert-event (Events API v2).
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from alertd.core.http_url import is_http_url
from alertd.core.messages.message import AlertFacts, Message, truncate
from alertd.core.printable import one_line
from alertd.core.times import iso_instant
from alertd.notify.base import (
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    Envelope,
    NotifierContext,
    NotifyReason,
    NotSent,
    Outcome,
    ReceiverError,
    SendsOnly,
    Unknown,
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
from alertd.notify.http_answer import Endpoint
from alertd.notify.text import headline, json_bytes, printable

if TYPE_CHECKING:
    from alertd.notify.webhook_post import WebhookPost

_ENDPOINT = Endpoint(
    what="PagerDuty",
    credentials="the integration key",
    takes="events of PagerDuty's API v2 by POST",
    # Source: https://developer.pagerduty.com/docs/send-alert-event, "API response codes".
    success=(202, "success"),
)
_SUMMARY_LIMIT = 1024
"""Source: https://developer.pagerduty.com/docs/send-alert-event, payload.summary."""
_DETAIL_LIMIT = 2000
"""An event may have 512 kB."""
_KEY_FORM = re.compile("[A-Za-z0-9]{20,64}")
"""Plausible length of an integration key, which has 32 letters and digits."""
_NO_REPORTS = "PagerDuty takes incidents and no reports; name another receiver in the report's notify"

_Event = dict[str, object]


class PagerDutyConfig(ReceiverConfig):
    """The integration of the service whose on-call is notified."""

    model_config = one_of_keys("routing_key_env", "routing_key_file")

    routing_key_env: Name | None = held_by_variable(
        'the integration key of a service ("Events API v2")', "PAGERDUTY_ROUTING_KEY"
    )
    routing_key_file: File | None = held_by_file("the integration key", "pagerduty_routing_key")
    url: Annotated[str, AfterValidator(http_url("https://events.eu.pagerduty.com/v2/enqueue"))] = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Where events go; accounts in the EU have a host of their own.",
        examples=["https://events.eu.pagerduty.com/v2/enqueue"],
        json_schema_extra={"pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"},
    )

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if bool(self.routing_key_env) == bool(self.routing_key_file):
            raise ValueError("a pagerduty receiver needs routing_key_env or routing_key_file, one of them")
        return self


def events(envelope: Envelope) -> Iterator[_Event]:
    """Yield the events for a message, one for each of its alerts, without the key."""
    message = printable(envelope.message)
    if not message.alerts:
        yield from _test(message, envelope.key)
    for facts in message.alerts:
        if facts.is_resolved:
            yield {"event_action": "resolve", "dedup_key": facts.fingerprint}
        elif message.reason is NotifyReason.ACKNOWLEDGED:
            yield {"event_action": "acknowledge", "dedup_key": facts.fingerprint}
        else:
            yield _trigger(message, facts, is_plain=envelope.is_plain)


def _trigger(message: Message, facts: AlertFacts, *, is_plain: bool) -> _Event:
    labels, annotations = dict(facts.labels), dict(facts.annotations)
    about = {
        "class": facts.rule,
        "component": labels.get("owner", ""),
        "group": labels.get("team", "") or labels.get("category", ""),
        # When the alert began to fire, because PagerDuty shows it as the event's time.
        "timestamp": iso_instant(facts.starts_at),
    }
    details = {
        **labels,
        **{name: text for name, text in annotations.items() if name != "summary"},
        "value": f"{facts.value} {facts.unit}",
        **({"threshold": f"{facts.threshold} {facts.unit}"} if facts.threshold is not None else {}),
        **({"expected": f"{facts.expected} {facts.unit}"} if facts.expected is not None else {}),
        "billed_through": iso_instant(facts.as_of),
        "fingerprint": facts.fingerprint,
    }
    payload: dict[str, object] = {
        "summary": truncate(one_line(annotations.get("summary", facts.rule)) or facts.rule, _SUMMARY_LIMIT),
        "source": f"alertd account {labels.get('account') or 'default'}",
        "severity": facts.severity.label,
        **{name: one_line(text) for name, text in about.items() if text},
    }
    event: _Event = {
        "event_action": "trigger",
        "dedup_key": facts.fingerprint,
        "client": "alertd",
        "payload": payload,
    }
    if is_plain:
        return event
    payload["custom_details"] = {
        name: truncate(one_line(text), _DETAIL_LIMIT) for name, text in details.items() if text
    }
    links = [{"href": link.url, "text": link.text} for link in message.links] if len(message.alerts) == 1 else []
    return event | ({"client_url": facts.url} if is_http_url(facts.url) else {}) | ({"links": links} if links else {})


def _test(message: Message, key: str) -> Iterator[_Event]:
    """Yield events that open an incident for a message without alerts, and close it at once."""
    payload = {"summary": truncate(headline(message), _SUMMARY_LIMIT), "source": "alertd", "severity": "info"}
    yield {"event_action": "trigger", "dedup_key": key, "client": "alertd", "payload": payload}
    yield {"event_action": "resolve", "dedup_key": key}


class PagerDutyNotifier(SendsOnly):
    """Posts to the events' URL."""

    Config: ClassVar[type[BaseModel]] = PagerDutyConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=60)
    can_edit = True
    """True, because only receivers that can edit are passed acknowledgements."""

    def __init__(self, name: str, config: BaseModel, context: NotifierContext) -> None:
        self.name = name
        self._outgoing = context.outgoing
        duty = PagerDutyConfig.model_validate(config)
        self._key = secret_of(duty, "routing_key", context) or ""
        if not _KEY_FORM.fullmatch(self._key):
            key = given_of(duty, "routing_key_env", "routing_key_file")
            text = (
                "is not an integration key, which has 32 letters and digits; copy it from the service's Events API v2"
            )
            raise ReceiverError(f"what {key} names {text}", key=key)
        self._url = duty.url
        require_safe_url(self._url, key="url", has_secret=True, context=context)

    async def send(self, envelope: Envelope) -> Outcome:
        """Post the message's events, one after another."""
        if envelope.message.reason is NotifyReason.REPORT:
            return ConfigurationRefused(_NO_REPORTS)
        for event in events(envelope):
            outcome = await self._post_event(event)
            if not isinstance(outcome, Delivered):
                return outcome
        return Delivered(ref=envelope.key)

    async def edit(self, envelope: Envelope) -> Outcome:
        """
        Show that an alert was acknowledged; no other change needs an event.

        A trigger would reopen an incident that somebody has closed there.
        """
        for facts in envelope.message.alerts:
            if facts.acknowledged_by is None or facts.is_resolved:
                continue
            outcome = await self._post_event({"event_action": "acknowledge", "dedup_key": facts.fingerprint})
            if not isinstance(outcome, Delivered):
                return outcome
        return Delivered(ref=envelope.edits)

    async def _post_event(self, event: _Event) -> Outcome:
        outcome = await self._post.send(json_bytes({"routing_key": self._key, **event}))
        if isinstance(outcome, Unknown):
            # PagerDuty deduplicates events by dedup_key, so one is repeated until there is an answer.
            return NotSent(outcome.reason)
        if isinstance(outcome, ContentRefused) and "routing_key" in outcome.reason:
            return ConfigurationRefused(f"{outcome.reason}; set the integration key of a service's Events API v2")
        return outcome

    @cached_property
    def _post(self) -> "WebhookPost":
        # httpx takes a tenth of a second to import, which `alertd check` can do without.
        from alertd.notify.webhook_post import WebhookPost  # noqa: PLC0415

        return WebhookPost(self._url, token=None, outgoing=self._outgoing, endpoint=_ENDPOINT, secrets=(self._key,))
