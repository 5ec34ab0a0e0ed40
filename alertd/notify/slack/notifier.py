"""
The Slack notifier: by bot token (threads, and a lookup after a lost answer) or by incoming webhook.

slack-sdk never retries here, because its default posts twice after a lost answer. The outbox decides about retries.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from alertd.core.alerts.reason import NotifyReason
from alertd.core.slack_ids import parse_channel
from alertd.errors import absence
from alertd.log import get_logger
from alertd.notify.base import (
    CannotLook,
    ContentRefused,
    Delivered,
    Envelope,
    Lookup,
    NotifierContext,
    Outcome,
    ReceiverError,
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
    one_or_more_schema,
    without_repeats,
)
from alertd.notify.slack.blocks import blocks, notification, plain
from alertd.settings import forms

if TYPE_CHECKING:
    from alertd.notify.slack.api import SlackApi

DEFAULT_BASE_URL = "https://slack.com/api/"
EVENT_TYPE = "alertd_notification"
_CHANNEL_PATTERN = r"^(#?[^\s/,.A-Z<>@#|:]{1,80}|[CGDUW][A-Z0-9]{5,30}|<[#@][^\s>]+>|https://\S+)$"
_WITHOUT_CHARTS = timedelta(hours=1)
"""Seconds without charts for a workspace that refused one: each would cost another call."""
_NEWS = frozenset({NotifyReason.RAISED, NotifyReason.ESCALATED})
"""Reasons whose replies are broadcast to the channel; the end is news too."""
_THREAD_REF = re.compile(r"([A-Z0-9]+)/([0-9]+\.[0-9]+)")


class SlackConfig(ReceiverConfig):
    """Either channels with a bot token, or the URL of one incoming webhook."""

    channel: Annotated[
        tuple[Annotated[str, AfterValidator(parse_channel)], ...],
        ONE_OR_MORE,
        AfterValidator(without_repeats),
        one_or_more_schema(_CHANNEL_PATTERN),
    ] = Field(
        default=(),
        description="Channel, by name or id, or a list of them; needs a bot token. Each gets its own copy.",
        examples=["#finops", ["#finops", "C0123456789"]],
    )
    bot_token_env: Name | None = held_by_variable("the bot token; default: ALERTD_SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN")
    bot_token_file: File | None = held_by_file("the bot token", "slack_bot_token")
    webhook_url_env: Name | None = held_by_variable(
        "the URL of an incoming webhook: no threads, no lookups", "SLACK_WEBHOOK_URL"
    )
    webhook_url_file: File | None = held_by_file("the URL of an incoming webhook", "slack_webhook_url")
    reply_broadcast: bool = Field(
        default=True,
        description="Whether a reply about a higher severity or the end is shown in the channel too, "
        "not only in its thread.",
        examples=[False],
    )

    mention_owners: bool = Field(
        default=True,
        description="Whether a message names the owner's Slack member or group, so that Slack notifies them: when an "
        "alert of severity warning or higher begins, and when its severity rises.",
        examples=[False],
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        webhook = given_of(self, "webhook_url_env", "webhook_url_file")
        token = given_of(self, "bot_token_env", "bot_token_file")
        if webhook and (self.channel or token):
            raise ValueError(
                "an incoming webhook posts to its own channel; "
                "keep either channel (with a bot token) or the webhook URL"
            )
        if token and not self.channel:
            raise ValueError('a bot token needs a channel to post to; add channel: "#finops"')
        return self


def payload(
    envelope: Envelope,
    *,
    has_buttons: bool = False,
    has_chart: bool = True,
    has_broadcast: bool = True,
    has_mention: bool = True,
) -> dict[str, object]:
    """Return the arguments of `chat.postMessage`: nothing unfurls, no name is linked, the key stands in twice."""
    message = envelope.message
    arguments: dict[str, object] = {
        "channel": envelope.recipient,
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": envelope.key}},
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if envelope.is_plain:
        # The plain form is not sent to the thread, which may be what was refused.
        return {**arguments, "text": plain(message), "mrkdwn": False}
    arguments |= {
        "text": notification(message),
        "blocks": blocks(
            message,
            envelope.key,
            has_buttons=has_buttons,
            has_chart=has_chart,
            # The recipient of a message is notified by the message itself.
            has_mention=has_mention and message.slack_owner != envelope.recipient,
        ),
    }
    if thread := thread_of(envelope.thread_ref):
        arguments |= {
            "channel": thread[0],
            "thread_ts": thread[1],
            "reply_broadcast": has_broadcast and (message.is_resolved or message.reason in _NEWS),
        }
    return arguments


def update_payload(
    envelope: Envelope, channel: str, ts: str, *, has_buttons: bool = False, has_chart: bool = True
) -> dict[str, object]:
    """Return the arguments of `chat.update`, which replaces a delivered message."""
    arguments = payload(replace(envelope, thread_ref=""), has_buttons=has_buttons, has_chart=has_chart)
    kept: dict[str, object] = {
        name: arguments[name] for name in ("text", "blocks", "metadata", "parse") if name in arguments
    }
    # Without new blocks the text would appear below the old ones.
    return {"blocks": [], **kept, "channel": channel, "ts": ts}


def webhook_payload(envelope: Envelope, *, has_chart: bool = True, has_mention: bool = True) -> dict[str, object]:
    """Return the body for an incoming webhook, which knows neither threads nor metadata."""
    message = envelope.message
    shared: dict[str, object] = {"unfurl_links": False, "unfurl_media": False}
    if envelope.is_plain:
        return {**shared, "text": plain(message), "mrkdwn": False}
    laid_out = blocks(message, envelope.key, has_chart=has_chart, has_mention=has_mention)
    return {**shared, "text": notification(message), "blocks": laid_out}


def thread_of(ref: str) -> tuple[str, str] | None:
    """Return channel id and `ts` of a delivered message; None if *ref* is not Slack's."""
    match = _THREAD_REF.fullmatch(ref)
    return (match[1], match[2]) if match else None


class _Call(Protocol):
    """One request to Slack."""

    async def __call__(self, *, has_chart: bool) -> Outcome: ...


class SlackNotifier:
    """Posts messages; holds no connection between attempts."""

    Config: ClassVar[type[BaseModel]] = SlackConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=30)
    # About one message a second and channel: https://docs.slack.dev/apis/web-api/rate-limits
    pace: ClassVar[timedelta] = timedelta(seconds=1)

    def __init__(self, name: str, config: BaseModel, context: NotifierContext) -> None:
        self.name = name
        self._outgoing = context.outgoing
        slack = SlackConfig.model_validate(config)
        self._channels = slack.channel
        self._has_broadcast = slack.reply_broadcast
        self._has_mention = slack.mention_owners
        self._token: str | None = None
        self._webhook_url: str | None = None
        if slack.channel:
            self._token = _bot_token(slack, context)
        else:
            self._webhook_url = _webhook_url(slack, context)
        self._base_url = context.setting("slack_base_url") or DEFAULT_BASE_URL
        require_safe_url(self._webhook_url or self._base_url, key=None, has_secret=True, context=context)
        self.can_look_up = self.can_edit = self._token is not None
        self.contact = "slack" if self._token else ""
        # Buttons without a listener would only confuse.
        self._has_buttons = bool(self._token and context.setting("slack_app_token"))
        self._no_charts_until = 0.0
        """Time on the loop's clock."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the channels; an incoming webhook has only one, without a name."""
        return self._channels or ("",)

    async def send(self, envelope: Envelope) -> Outcome:
        """Post once: by `chat.postMessage`, or to the incoming webhook."""

        async def post(*, has_chart: bool) -> Outcome:
            if self._webhook_url:
                body = webhook_payload(envelope, has_chart=has_chart, has_mention=self._has_mention)
                return await self._api.post_to_webhook(self._webhook_url, body)
            arguments = payload(
                envelope,
                has_buttons=self._has_buttons,
                has_chart=has_chart,
                has_broadcast=self._has_broadcast,
                has_mention=self._has_mention,
            )
            return await self._api.call("chat.postMessage", arguments, recipient=envelope.recipient)

        return await self._with_chart_if_taken(envelope, post)

    async def check(self) -> Sequence[str]:
        """Check the token and each channel with Slack; an incoming webhook is write-only."""
        return await self._api.check(self._channels) if self._token else ()

    async def edit(self, envelope: Envelope) -> Outcome:
        """Replace a delivered message by the envelope's, in one attempt."""
        place = thread_of(envelope.edits)
        if place is None:
            return ContentRefused("Slack did not say where the message is")
        channel, ts = place

        async def update(*, has_chart: bool) -> Outcome:
            arguments = update_payload(envelope, channel, ts, has_buttons=self._has_buttons, has_chart=has_chart)
            return await self._api.call("chat.update", arguments, recipient=envelope.recipient)

        return await self._with_chart_if_taken(envelope, update)

    async def _with_chart_if_taken(self, envelope: Envelope, call: _Call) -> Outcome:
        """
        Send with the chart as a block; if Slack refuses the content, retry at once with the chart as text.

        A refused message was certainly not posted, so nothing is posted twice. Slack does not name the cause:
        if the message is accepted without it, no chart is sent for an hour.
        """
        now = asyncio.get_running_loop().time()
        if envelope.message.chart is None or envelope.is_plain or now < self._no_charts_until:
            return await call(has_chart=False)
        outcome = await call(has_chart=True)
        if not isinstance(outcome, ContentRefused):
            return outcome
        second = await call(has_chart=False)
        if isinstance(second, Delivered):
            self._no_charts_until = now + _WITHOUT_CHARTS.total_seconds()
            get_logger().warning("slack chart refused", receiver=self.name, error=outcome.reason)
        return second

    async def find(self, key: str, *, recipient: str, since: datetime, thread_ref: str = "") -> Lookup:
        """Look for the key in the channel's history, and in the thread that the message would continue."""
        if not self.can_look_up:
            return CannotLook("an incoming webhook cannot read the channel")
        return await self._api.find(key, recipient=recipient, thread=thread_of(thread_ref), since=since)

    @cached_property
    def _api(self) -> "SlackApi":
        # slack-sdk and aiohttp take a quarter of a second to import, which `alertd check` can do without.
        from alertd.notify.slack.api import SlackApi  # noqa: PLC0415

        return SlackApi(
            token=self._token, webhook_url=self._webhook_url, base_url=self._base_url, outgoing=self._outgoing
        )

    async def close(self) -> None:
        """Do nothing: every attempt closes its connection."""


def _bot_token(config: SlackConfig, context: NotifierContext) -> str:
    token = secret_of(config, "bot_token", context, setting="slack_bot_token", form=forms.bot_token)
    if not token:
        text = (
            "channel needs a bot token: set ALERTD_SLACK_BOT_TOKEN, bot_token_env or bot_token_file; "
            "with an incoming webhook leave channel out"
        )
        raise absence(ReceiverError(text, key="channel"))
    return token


def _webhook_url(config: SlackConfig, context: NotifierContext) -> str:
    url = secret_of(config, "webhook_url", context, setting="slack_webhook_url", form=forms.slack_webhook_url)
    if not url:
        text = (
            "a Slack receiver needs channel (with ALERTD_SLACK_BOT_TOKEN), or webhook_url_env or webhook_url_file "
            "(an incoming webhook), or ALERTD_SLACK_WEBHOOK_URL"
        )
        raise absence(ReceiverError(text))
    return url
