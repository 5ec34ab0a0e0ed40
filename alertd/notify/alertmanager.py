"""
The Alertmanager notifier: sends the alerts' state, and leaves grouping, silences and people to Alertmanager.

Alertmanager keeps alerts in memory only, until their `endsAt`; so firing alerts are repeated every minute (`mirror`),
with an end far enough in the future that a stop of alertd ends nothing.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, postableAlerts
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, Field, model_validator

from alertd.clock import utc_now
from alertd.core.http_url import has_login, is_http_url
from alertd.core.messages.message import AlertFacts
from alertd.core.times import iso_instant
from alertd.notify.base import (
    ConfigurationRefused,
    Delivered,
    Envelope,
    NotifierContext,
    Outcome,
    ReceiverError,
    SendsOnly,
    require_safe_url,
    secret_of,
)
from alertd.notify.config import (
    ONE_OR_MORE,
    File,
    Name,
    ReceiverConfig,
    given_of,
    held_by_file,
    held_by_variable,
    http_url,
    one_of_keys,
    one_or_more_schema,
    without_repeats,
)
from alertd.notify.http_answer import Endpoint
from alertd.notify.text import figures_of, json_bytes, printable
from alertd.settings import forms

if TYPE_CHECKING:
    from alertd.notify.webhook_post import WebhookPost

HOLD = timedelta(hours=24)
"""How long after the last repeat an alert ends in Alertmanager: a stop of alertd must not end alerts falsely."""
NOTICE_HOLD = timedelta(minutes=1)
"""How long a message without alerts, such as a test message, stays there."""

_PATH = "/api/v2/alerts"
_BATCH = 256
"""Alerts in one request, the same as Prometheus, since proxies limit the size of a body."""
_PLAIN_SUMMARY_LIMIT = 200
_OURS = frozenset({"alertname", "severity", "account", "type"})
_ENDPOINT = Endpoint(
    what="Alertmanager",
    credentials="the bearer token or login",
    takes=f"alerts by POST to {_PATH} (Alertmanager 0.16 on)",
    path=_PATH,
)

_Posted = dict[str, object]


def _base_url(url: str) -> str:
    if has_login(urlsplit(http_url("http://alertmanager:9093")(url))):
        raise ValueError(
            "everyone who reads this file would see the login in the URL; use basic_auth_username or url_env"
        )
    return url


class AlertmanagerConfig(ReceiverConfig):
    """The Alertmanagers and their login; exactly one of the three forms of the URL."""

    model_config = one_of_keys("url", "url_env", "url_file")

    url: Annotated[
        tuple[Annotated[str, AfterValidator(_base_url)], ...],
        ONE_OR_MORE,
        AfterValidator(without_repeats),
        one_or_more_schema(r"^https?://\S+$"),
    ] = Field(
        default=(),
        description="Alertmanager's URL, or a list of URLs, one for each member of a cluster.",
        examples=["http://alertmanager:9093", ["http://alertmanager-0:9093", "http://alertmanager-1:9093"]],
    )
    url_env: Name | None = held_by_variable("the URL, or several URLs separated by blanks", "ALERTMANAGER_URL")
    url_file: File | None = held_by_file("the URL, or several URLs separated by blanks", "alertmanager_url")
    basic_auth_username: Annotated[str, Field(min_length=1, pattern=r"^[^:]*$")] | None = Field(
        default=None, description="User for basic authentication.", examples=["alertd"]
    )
    basic_auth_password_env: Name | None = held_by_variable("the user's password", "ALERTMANAGER_PASSWORD")
    basic_auth_password_file: File | None = held_by_file("the user's password", "alertmanager_password")
    bearer_token_env: Name | None = held_by_variable("the token for `Authorization: Bearer`", "ALERTMANAGER_TOKEN")
    bearer_token_file: File | None = held_by_file("the token for `Authorization: Bearer`", "alertmanager_token")
    labels: dict[Name, str] = Field(
        default_factory=dict,
        description="Labels added to each alert that does not have them.",
        examples=[{"source": "alertd"}],
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if given_of(self, "url", "url_env", "url_file") is None:
            raise ValueError("an alertmanager receiver needs url, url_env or url_file")
        password = given_of(self, "basic_auth_password_env", "basic_auth_password_file")
        token = given_of(self, "bearer_token_env", "bearer_token_file")
        if bool(password) != bool(self.basic_auth_username):
            raise ValueError("basic authentication needs basic_auth_username and basic_auth_password_env or _file")
        if password and token:
            raise ValueError(f"{password} and {token} exclude each other; keep one way to log in")
        if taken := sorted(_OURS & set(self.labels)):
            raise ValueError(f"alertd itself sets the label {taken[0]}; choose another name")
        return self


def payload(envelope: Envelope, *, labels: dict[str, str], now: datetime) -> list[_Posted]:
    """
    Return the alerts to post.

    An alert is identified by its labels. If they were different when it was sent, as after a rise in severity, the
    one sent is ended too; a resolved notification ends the alert that was notified.

    Args:
        labels: Added to each alert.
        now: From which `endsAt` of firing alerts is counted.
    """
    if not envelope.message.alerts:
        return [_notice(envelope, labels, now)]
    notified = {facts.fingerprint: facts for facts in envelope.notified}
    alerts: list[AlertFacts] = []
    for facts in envelope.message.alerts:
        before = notified.get(facts.fingerprint)
        if before is None or before.starts_at != facts.starts_at or dict(before.labels) == dict(facts.labels):
            alerts.append(facts)
        elif facts.is_resolved:
            alerts.append(replace(facts, labels=before.labels))
        else:
            alerts += [replace(before, is_resolved=True, ends_at=now), facts]
    return [postable(facts, labels=labels, now=now, is_plain=envelope.is_plain) for facts in alerts]


def postable(facts: AlertFacts, *, labels: dict[str, str], now: datetime, is_plain: bool = False) -> _Posted:
    """Return one alert in Alertmanager's format."""
    annotations = {"summary": facts.rule, **dict(facts.annotations)}
    if is_plain:
        annotations = {"summary": annotations["summary"][:_PLAIN_SUMMARY_LIMIT]}
    else:
        annotations |= {**figures_of(facts), "fingerprint": facts.fingerprint}
    ends_at = (facts.ends_at or now) if facts.is_resolved else now + HOLD
    posted: _Posted = {
        "labels": {**labels, **dict(facts.labels)},
        "annotations": annotations,
        "startsAt": iso_instant(facts.starts_at),
        # Alertmanager refuses the whole request if an end is before its start.
        "endsAt": iso_instant(max(ends_at, facts.starts_at)),
    }
    return posted | ({"generatorURL": facts.url} if is_http_url(facts.url) else {})


def _notice(envelope: Envelope, labels: dict[str, str], now: datetime) -> _Posted:
    """Return a message without alerts, such as a test message, as a marked alert that soon ends."""
    message = printable(envelope.message)
    annotations = {"summary": message.title[:_PLAIN_SUMMARY_LIMIT] if envelope.is_plain else message.title}
    if not envelope.is_plain:
        annotations["description"] = "\n".join((*message.history, *message.lines))
    return {
        "labels": {**labels, "alertname": f"alertd {message.reason.value}", "severity": message.severity.label},
        "annotations": annotations,
        "startsAt": iso_instant(min(message.created_at, now)),
        "endsAt": iso_instant(now + NOTICE_HOLD),
    }


class AlertmanagerNotifier(SendsOnly):
    """Posts to each of its URLs by itself."""

    Config: ClassVar[type[BaseModel]] = AlertmanagerConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=30)

    def __init__(self, name: str, config: BaseModel, context: NotifierContext) -> None:
        self.name = name
        self._outgoing = context.outgoing
        self.now: Callable[[], datetime] = utc_now
        alertmanager = AlertmanagerConfig.model_validate(config)
        self._labels = alertmanager.labels
        self._urls = _named(_urls(alertmanager, context))
        self._token = secret_of(alertmanager, "bearer_token", context, form=forms.bearer_token)
        password = secret_of(alertmanager, "basic_auth_password", context)
        self._login = (alertmanager.basic_auth_username or "", password) if password else None
        for url in self._urls.values():
            parts = urlsplit(url)
            has_secret = bool(self._token or self._login or has_login(parts) or parts.query)
            require_safe_url(url, key=None, has_secret=has_secret, context=context)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the hosts of the URLs with their ports: each Alertmanager gets a copy."""
        return tuple(self._urls)

    async def send(self, envelope: Envelope) -> Outcome:
        """Post the message's alerts once."""
        alerts = payload(envelope, labels=self._labels, now=self.now())
        return await self._post(alerts, recipient=envelope.recipient, key=envelope.key)

    async def mirror(self, alerts: Sequence[AlertFacts], *, recipient: str) -> Outcome:
        """Repeat the alerts that fire or ended recently."""
        now = self.now()
        return await self._post(
            [postable(facts, labels=self._labels, now=now) for facts in alerts], recipient=recipient
        )

    async def _post(self, alerts: list[_Posted], *, recipient: str, key: str = "") -> Outcome:
        post = self._posts.get(recipient)
        if post is None:
            return ConfigurationRefused(f"{recipient} is not among this receiver's URLs any more")
        outcome: Outcome = Delivered()
        for start in range(0, len(alerts), _BATCH):
            outcome = await post.send(json_bytes(alerts[start : start + _BATCH]), key=key)
            if not isinstance(outcome, Delivered):
                break
        return outcome

    @cached_property
    def _posts(self) -> "dict[str, WebhookPost]":
        # httpx takes a tenth of a second to import, which `alertd check` can do without.
        from alertd.notify.webhook_post import WebhookPost  # noqa: PLC0415

        return {
            recipient: WebhookPost(
                url, token=self._token, outgoing=self._outgoing, login=self._login, endpoint=_ENDPOINT
            )
            for recipient, url in self._urls.items()
        }


def _urls(config: AlertmanagerConfig, context: NotifierContext) -> tuple[str, ...]:
    if config.url:
        return config.url
    urls = tuple((secret_of(config, "url", context) or "").split())
    key = given_of(config, "url_env", "url_file")
    if not all(map(is_http_url, urls)):
        raise ReceiverError(f"what {key} names is not an http(s) URL; put http://alertmanager:9093 there", key=key)
    return without_repeats(urls)


def _named(urls: tuple[str, ...]) -> dict[str, str]:
    """Return the URLs by names without secrets: host and port, numbered if several are the same."""
    named: dict[str, str] = {}
    for url in urls:
        parts = urlsplit(url)
        path = parts.path.rstrip("/").removesuffix(_PATH) + _PATH
        host = parts.netloc.rpartition("@")[2]
        number = sum(known.partition(" ")[0] == host for known in named) + 1
        named[host if number == 1 else f"{host} #{number}"] = urlunsplit(parts._replace(path=path, fragment=""))
    return named
