"""
The PagerDuty notifier: each alert is an incident there, opened, acknowledged and resolved by its fingerprint.

Source: https://developer.pagerduty.com/docs/send-alert-event (Events API v2).
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from alertd.core.http_url import is_http_url
from alertd.core.instant import iso_instant
from alertd.core.messages.message import AlertFacts, Message, truncate
from alertd.core.printable import one_line
from alertd.notify.base import (
    CannotLook,
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    Envelope,
    Lookup,
    NotifierContext,
    NotifyReason,
    NotSent,
    Outcome,
    ReceiverError,
    Unknown,
    require_safe_url,
    resolve_secret,
)
from alertd.notify.config import File, Name, ReceiverConfig, one_of_keys
from alertd.notify.http_answer import Endpoint
from alertd.notify.text import headline, printable

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
"""Integration keys have 32 letters and digits; what is far from that is something else."""
_NO_REPORTS = "PagerDuty takes incidents and no reports; name another receiver in the report's notify"

_Event = dict[str, object]


def _http_url(url: str) -> str:
    if not is_http_url(url):
        raise ValueError("not an http(s) URL; write https://events.eu.pagerduty.com/v2/enqueue")
    return url


class PagerDutyConfig(ReceiverConfig):
    """The integration of the service whose on-call is notified."""

    model_config = one_of_keys("routing_key_env", "routing_key_file")

    routing_key_env: Name | None = Field(
        default=None,
        description='Environment variable that holds the integration key of a service ("Events API v2").',
        examples=["PAGERDUTY_ROUTING_KEY"],
    )
    routing_key_file: File | None = Field(
        default=None,
        description="File that holds the integration key.",
        examples=["/run/secrets/pagerduty_routing_key"],
    )
    url: Annotated[str, AfterValidator(_http_url)] = Field(
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
    """Yield what is to be sent for a message, without the key: an event for each of its alerts."""
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
        # Since the alert fires, and not since somebody looked: PagerDuty shows it as the event's time.
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
    event: _Event = {
        "event_action": "trigger",
        "dedup_key": facts.fingerprint,
        "client": "alertd",
        "payload": {
            "summary": truncate(one_line(annotations.get("summary", facts.rule)) or facts.rule, _SUMMARY_LIMIT),
            "source": f"alertd account {labels.get('account') or 'default'}",
            "severity": facts.severity.label,
            **{name: one_line(text) for name, text in about.items() if text},
        },
    }
    if is_plain:
        return event
    event["payload"] |= {  # type: ignore[operator] # made above
        "custom_details": {name: truncate(one_line(text), _DETAIL_LIMIT) for name, text in details.items() if text}
    }
    links = [{"href": link.url, "text": link.text} for link in message.links] if len(message.alerts) == 1 else []
    return event | ({"client_url": facts.url} if is_http_url(facts.url) else {}) | ({"links": links} if links else {})


def _test(message: Message, key: str) -> Iterator[_Event]:
    """Yield what opens an incident for what speaks of no alert, and closes it at once."""
    payload = {"summary": truncate(headline(message), _SUMMARY_LIMIT), "source": "alertd", "severity": "info"}
    yield {"event_action": "trigger", "dedup_key": key, "client": "alertd", "payload": payload}
    yield {"event_action": "resolve", "dedup_key": key}


class PagerDutyNotifier:
    """Posts to the events' URL; holds no connection between attempts."""

    Config: ClassVar[type[BaseModel]] = PagerDutyConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=60)
    pace: ClassVar[timedelta] = timedelta()
    can_look_up = False
    can_edit = True
    """So that it is given acknowledgements, which only receivers are that can change what they have."""

    def __init__(self, name: str, config: BaseModel, context: NotifierContext) -> None:
        self.name = name
        self._outgoing = context.outgoing
        duty = PagerDutyConfig.model_validate(config)
        keys = {"routing_key_env": duty.routing_key_env, "routing_key_file": duty.routing_key_file}
        self._key = resolve_secret(keys, "routing_key", context) or ""
        if not _KEY_FORM.fullmatch(self._key):
            key = next(key for key, value in keys.items() if value)
            text = (
                "is not an integration key, which has 32 letters and digits; copy it from the service's Events API v2"
            )
            raise ReceiverError(f"what {key} names {text}", key=key)
        self._url = duty.url
        require_safe_url(self._url, key="url", has_secret=True, context=context)

    def __repr__(self) -> str:
        return f"PagerDutyNotifier({self.name!r})"

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the one recipient, the service, which has no name here."""
        return ("",)

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
        Show that an alert was acknowledged; nothing else that changes is worth an event.

        A trigger would open an incident anew that somebody has closed there.
        """
        for facts in envelope.message.alerts:
            if facts.acknowledged_by is None or facts.is_resolved:
                continue
            outcome = await self._post_event({"event_action": "acknowledge", "dedup_key": facts.fingerprint})
            if not isinstance(outcome, Delivered):
                return outcome
        return Delivered(ref=envelope.edits)

    async def _post_event(self, event: _Event) -> Outcome:
        # Half of a surrogate pair, which a bill may hold, has no UTF-8.
        body = json.dumps({"routing_key": self._key, **event}, ensure_ascii=False).encode("utf-8", "replace")
        outcome = await self._post.send(body)
        if isinstance(outcome, Unknown):
            # The same event twice is one to PagerDuty, by its dedup_key: it is sent until an answer comes.
            return NotSent(outcome.reason)
        if isinstance(outcome, ContentRefused) and "routing_key" in outcome.reason:
            return ConfigurationRefused(f"{outcome.reason}; set the integration key of a service's Events API v2")
        return outcome

    @cached_property
    def _post(self) -> "WebhookPost":
        # httpx takes a tenth of a second to import, which `alertd check` need not wait for.
        from alertd.notify.webhook_post import WebhookPost  # noqa: PLC0415

        return WebhookPost(self._url, token=None, outgoing=self._outgoing, endpoint=_ENDPOINT, secrets=(self._key,))

    async def find(self, key: str, *, recipient: str, since: datetime, thread_ref: str = "") -> Lookup:  # noqa: ARG002
        """Say that PagerDuty is sent events again, which needs no look-up."""
        return CannotLook("PagerDuty knows an event again by its dedup_key")

    async def close(self) -> None:
        """Do nothing: each attempt closes its own connection."""
