"""
Requests to Slack: one per attempt, with its outcome. It neither lays out nor retries.

slack-sdk is used without its retry handlers, whose default posts twice after a lost answer.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from alertd.core.masking import Mask, secrets_of
from alertd.notify.base import CannotLook, Delivered, Lookup, NotSent, Outcome, Unknown
from alertd.notify.slack.approvers import Approvers
from alertd.notify.slack.connection import Exchange, open_session
from alertd.notify.slack.errors import outcome_of_answer, outcome_of_webhook
from alertd.notify.slack.lookup import IncompleteLookup, channel_id, find_message
from alertd.notify.slack.web_client import StrictWebClient, what_slack_said
from alertd.notify.text import quoted
from alertd.settings.outgoing.connections import Outgoing

# slack-sdk raises the last three for an answer that is not a JSON object.
_FAILURES = (aiohttp.ClientError, OSError, ValueError, AttributeError, TypeError)


class SlackApi:
    """Slack for one receiver; keeps no connection, only the ids of known channels."""

    def __init__(self, *, token: str | None, webhook_url: str | None, base_url: str, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._token = token
        self._base_url = base_url
        self._mask = Mask([token, *secrets_of(webhook_url or "")])
        self._channel_ids: dict[str, str] = {}

    async def call(self, method: str, arguments: Mapping[str, object], *, recipient: str) -> Outcome:
        """Call a method that posts or edits a message once: `chat.postMessage`, `chat.update`."""
        exchange = Exchange()
        try:
            async with open_session(exchange, self._outgoing, self._base_url) as session:
                answer = await self._client(session).api_call(method, json=dict(arguments))
        except SlackApiError as error:
            code, detail = _refusal(error)
            return outcome_of_answer(
                status=exchange.status or 0, headers=exchange.headers, code=code, detail=detail, channel=recipient
            )
        except _FAILURES as error:
            if exchange.status is None or exchange.status == 200:
                return self._failure(exchange, error)
            return outcome_of_answer(status=exchange.status, headers=exchange.headers, code="", channel=recipient)
        ref = self._note_ref(answer.data, recipient)
        if ref:
            return Delivered(ref)
        return outcome_of_answer(status=200, headers=exchange.headers, code="", channel=recipient)

    def _note_ref(self, data: object, recipient: str) -> str:
        """Return `channel/ts` of the posted message, empty if Slack gives none; remember the channel's id."""
        channel, ts = (data.get("channel"), data.get("ts")) if isinstance(data, Mapping) else (None, None)
        if not isinstance(channel, str) or not isinstance(ts, str):
            return ""
        self._channel_ids[recipient] = channel
        return f"{channel}/{ts}"

    async def post_to_webhook(self, url: str, body: Mapping[str, object]) -> Outcome:
        """Post once to an incoming webhook."""
        exchange = Exchange()
        headers = {"Content-Type": "application/json"}
        text = b""
        try:
            async with (
                open_session(exchange, self._outgoing, url) as session,
                session.post(url, data=json.dumps(body).encode(), headers=headers, allow_redirects=False) as answer,
            ):
                text = await answer.read()
        except _FAILURES as error:
            if exchange.status is None or exchange.status == 200:
                return self._failure(exchange, error)
        said = self._mask(text.decode("utf-8", "replace"))
        return outcome_of_webhook(status=exchange.status or 0, headers=exchange.headers, body=said)

    def _failure(self, exchange: Exchange, error: Exception) -> Outcome:
        """Return the outcome of an exchange without an answer: nothing can be sent without a connection."""
        if exchange.is_connected:
            return Unknown(f"Slack's answer was lost: {self._why(error)}")
        return NotSent(f"cannot reach Slack: {self._why(error)}")

    def _why(self, error: Exception) -> str:
        return quoted(self._mask(str(error))) or type(error).__name__

    def _client(self, session: aiohttp.ClientSession) -> StrictWebClient:
        client = StrictWebClient(token=self._token, base_url=self._base_url, session=session, retry_handlers=[])
        # slack-sdk reads proxies from the environment without regard to NO_PROXY; the session has the right one.
        client.proxy = None
        return client

    async def check(self, recipients: Sequence[str]) -> list[str]:
        """Return what would prevent messages from arriving in some channels; failures of the check are answers too."""
        faults: list[str] = []
        exchange = Exchange()
        recipient = ""
        try:
            async with open_session(exchange, self._outgoing, self._base_url) as session:
                client = self._client(session)
                faults += await token_faults(client)
                for recipient in recipients:
                    faults += await channel_faults(client, recipient)
        except SlackApiError as error:
            code, detail = _refusal(error)
            outcome = outcome_of_answer(
                status=exchange.status or 0, headers=exchange.headers, code=code, detail=detail, channel=recipient
            )
            faults.append("" if isinstance(outcome, Delivered) else outcome.reason)
        except _FAILURES as error:
            faults.append(f"Slack could not be asked: {self._why(error)}")
        return faults

    async def check_groups(self, groups: Iterable[str]) -> list[str]:
        """Return the approving user groups whose members Slack does not reveal, and why."""
        async with open_session(Exchange(), self._outgoing, self._base_url) as session:
            return await Approvers(asyncio.get_running_loop().time).unread(self._client(session), groups)

    async def find(self, key: str, *, recipient: str, thread: tuple[str, str] | None, since: datetime) -> Lookup:
        """Look up a delivery key; a failed lookup does not prove absence."""
        try:
            async with open_session(Exchange(), self._outgoing, self._base_url) as session:
                return await find_message(
                    self._client(session),
                    key,
                    recipient=self._channel_ids.get(recipient, recipient),
                    thread=thread,
                    since=since,
                )
        except SlackApiError as error:
            code, detail = _refusal(error)
            said = f" ({quoted(detail)})" if detail else ""
            return CannotLook(f"Slack says {code or 'nothing readable'} to the lookup{said}")
        except _FAILURES as error:
            return CannotLook(f"Slack's history could not be read: {self._why(error)}")


def _refusal(error: SlackApiError) -> tuple[str, str]:
    """Return Slack's error code and details; the code is empty if the answer is not Slack's."""
    data = what_slack_said(error)
    code = data.get("error")
    more = data.get("response_metadata")
    notes = more.get("messages") if isinstance(more, Mapping) else None
    detail = "; ".join(map(str, notes)) if isinstance(notes, list) else ""
    if needed := data.get("needed"):
        detail = f"needed: {needed}"
    return (quoted(code) if isinstance(code, str) else ""), detail


_SCOPES = {
    "chat:write": "no message can be posted",
    "channels:read": "a channel cannot be found by its name",
    "channels:history": "a message whose answer was lost may come twice",
}
"""Required scopes, and what happens without them."""


async def token_faults(client: AsyncWebClient) -> list[str]:
    """
    Return what the token lacks.

    Source: https://docs.slack.dev/reference/methods/auth.test; the header `x-oauth-scopes`.

    Raises:
        SlackApiError: Slack refuses it.
    """
    answer = await client.auth_test()
    headers = {name.lower(): value for name, value in (answer.headers or {}).items()}
    if "x-oauth-scopes" not in headers:
        return []
    granted = {scope.strip() for scope in headers["x-oauth-scopes"].split(",")}
    return [
        f"the bot token lacks the scope {scope}: {effect}; add it under OAuth & Permissions and install the app again"
        for scope, effect in _SCOPES.items()
        if scope not in granted
    ]


async def channel_faults(client: AsyncWebClient, recipient: str) -> Sequence[str]:
    """
    Return why a message to a channel would not arrive.

    Source: https://docs.slack.dev/reference/methods/conversations.info.

    Raises:
        SlackApiError: Slack refuses to answer.
    """
    if recipient.startswith(("U", "W")):
        # Looking up a conversation with a person would open it.
        return ()
    try:
        found = await channel_id(client, recipient)
    except IncompleteLookup as error:
        return (f"{recipient}: {error}",)
    if found is None:
        return (f"{recipient}: there is no such channel that the app can see; create it, or /invite @alertd there",)
    fault = _fault_of((await client.conversations_info(channel=found)).get("channel"))
    return (f"{recipient}: {fault}",) if fault else ()


def _fault_of(channel: object) -> str:
    if not isinstance(channel, Mapping):
        return "Slack's answer does not say what it is"
    if channel.get("is_archived"):
        return "it is archived; unarchive it, or name another one"
    if channel.get("is_member") is False and not channel.get("is_im"):
        return "the app is not a member; /invite @alertd there"
    return ""
