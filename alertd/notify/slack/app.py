"""
Incoming requests from Slack: buttons and the slash command, over Socket Mode, which needs no public address.

slack-sdk keeps the connection and reconnects; this module decides who may ask, what is answered, and when the client is
replaced. Everything else works without it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from alertd.clock import monotonic_s
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request, RequestError
from alertd.core.dataclass import dataclass
from alertd.core.local_time import Clock
from alertd.errors import AlertdError
from alertd.log import get_logger
from alertd.notify.slack.actions import NotOurs, Press, read_press, request_of
from alertd.notify.slack.approvers import Approvers
from alertd.settings.outgoing.connections import Outgoing

if TYPE_CHECKING:
    from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest
    from slack_sdk.web.async_client import AsyncWebClient

_CONNECT_S = 30.0
_LOOK_S = 5.0
_RETRY_S = 30.0
_REFUSED_RETRY_S = 300.0
_LOST_AFTER_S = 120.0
"""Seconds without a connection after which the client, which reconnects itself, is replaced."""
_REMEDIES = {
    "invalid_auth": "the app token is wrong: copy it from Basic Information, App-Level Tokens (xapp-…)",
    "not_allowed_token_type": "ALERTD_SLACK_APP_TOKEN needs an app-level token (xapp-…) with connections:write",
    "missing_scope": "give the app-level token the scope connections:write",
    "token_revoked": "make a new app-level token and set it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackAppConfig:
    """Tokens, and who may use them; never displayed."""

    app_token: str
    bot_token: str
    base_url: str
    users: frozenset[str] = frozenset()
    """Allowed users; empty for everyone in the workspace."""
    outgoing: Outgoing = field(default_factory=Outgoing)
    """Proxies and certificates."""

    def __repr__(self) -> str:
        return f"SlackAppConfig(base_url={self.base_url!r})"


class SlackApp:
    """
    Listens for the life of the service.

    Args:
        carry_out: Carries out a button's request.
        command: Answers the text after `/alertd` for a person with a name.
        now: The time.
        approvers_of: Returns the Slack ids of an action's approvers.
        timezone: The zone for instants where Slack does not show the reader's own.
    """

    def __init__(
        self,
        config: SlackAppConfig,
        *,
        carry_out: Callable[[Request], Awaitable[RequestOutcome]],
        command: Callable[[str, str], Awaitable[str]],
        now: Callable[[], datetime],
        approvers_of: Callable[[str], Sequence[str]] = lambda _action: (),
        timezone: Callable[[], str] = lambda: "UTC",
    ) -> None:
        self._config = config
        self._carry_out = carry_out
        self._command = command
        self._now = now
        self._approvers_of = approvers_of
        self._timezone = timezone
        self._approvers = Approvers(monotonic_s)
        self._team_id = ""
        self._log = get_logger()

    async def run(self) -> None:
        """Listen until cancelled; failures are logged with the remedy, and retried."""
        while True:
            wait_s = await self._listen()
            await asyncio.sleep(wait_s)

    async def _listen(self) -> float:
        """Run one client until it is lost; return how many seconds to wait before the next."""
        import aiohttp  # noqa: PLC0415 -- heavy, and only those with an app token need it
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415

        from alertd.notify.slack.connection import BoundedResponse  # noqa: PLC0415
        from alertd.notify.slack.web_client import StrictWebClient, what_slack_said  # noqa: PLC0415

        base_url, outgoing = self._config.base_url, self._config.outgoing
        try:
            async with aiohttp.ClientSession(
                connector=outgoing.aiohttp_connector(base_url),
                proxy=outgoing.aiohttp_proxy(base_url),
                response_class=BoundedResponse,
            ) as session:
                web = StrictWebClient(
                    token=self._config.bot_token, base_url=base_url, session=session, retry_handlers=[]
                )
                # slack-sdk reads proxies without regard to NO_PROXY; the session has the right one.
                web.proxy = None
                async with asyncio.timeout(_CONNECT_S):
                    self._team_id = str((await web.auth_test()).get("team_id") or "")
                    # Asked for once before the client does: it would try a refused token for ever without a word.
                    await web.apps_connections_open(app_token=self._config.app_token)
                await self._serve(web)
        except SlackApiError as error:
            code = str(what_slack_said(error).get("error") or "")
            remedy = _REMEDIES.get(code, "check ALERTD_SLACK_APP_TOKEN and ALERTD_SLACK_BOT_TOKEN")
            self._log.error("slack connection refused", error=code or "no readable answer", remedy=remedy)
            return _REFUSED_RETRY_S
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._log.warning("slack connection not opened", error=type(error).__name__)
        return _RETRY_S

    async def _serve(self, web: "AsyncWebClient") -> None:
        from alertd.notify.slack.socket_client import SocketClient  # noqa: PLC0415 -- as above

        # It logs each failed attempt with a trace, and at lower levels what people typed.
        silent = logging.getLogger("alertd.slack_sdk")
        silent.setLevel(logging.CRITICAL + 1)
        client = SocketClient(
            app_token=self._config.app_token, web_client=web, logger=silent, outgoing=self._config.outgoing
        )
        client.socket_mode_request_listeners.append(self._on_request)
        try:
            async with asyncio.timeout(_CONNECT_S):
                await client.connect()  # type: ignore[no-untyped-call] # slack-sdk leaves it untyped
            self._log.info("slack connected")
            loop = asyncio.get_running_loop()
            seen_s = loop.time()
            while loop.time() - seen_s < _LOST_AFTER_S:
                await asyncio.sleep(_LOOK_S)
                if await client.is_connected():
                    seen_s = loop.time()
            self._log.warning("slack connection lost")
        finally:
            with suppress(Exception):
                await client.close()  # type: ignore[no-untyped-call] # slack-sdk leaves it untyped

    async def _on_request(self, client: "AsyncBaseSocketModeClient", request: "SocketModeRequest") -> None:
        """Confirm at once, as Slack wants within three seconds, then do what is asked."""
        from slack_sdk.socket_mode.response import SocketModeResponse  # noqa: PLC0415

        try:
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
            if request.type == "interactive":
                await self._on_press(client.web_client, request.payload)
            elif request.type == "slash_commands":
                await self._on_command(client.web_client, request.payload)
        except Exception:  # noqa: BLE001 -- the boundary to slack-sdk: one request must not end the listening
            self._log.exception("slack request failed", type=request.type)

    async def _on_press(self, web: "AsyncWebClient", payload: Mapping[str, object]) -> None:
        if payload.get("type") != "block_actions":
            return
        try:
            press = read_press(payload)
        except NotOurs:
            return
        refusal = self._refusal(press.user_id, press.team_id)
        if not refusal and press.needs_approval_of:
            names = self._approvers_of(press.needs_approval_of)
            refusal = await self._approvers.refusal(web, press.user_id, names)
        text = refusal or await self._answer(self._do(press))
        await self._tell(web, press.channel_id, press.user_id, text)

    async def _do(self, press: Press) -> str:
        return (await self._carry_out(request_of(press, now=self._now(), timezone=self._timezone()))).text

    async def _answer(self, answer: Awaitable[str]) -> str:
        """Return the answer, or why there is none: whoever asks hears of it in any case."""
        try:
            return await answer
        except (RequestError, AlertdError) as error:
            return f"Not done: {error}"
        except Exception:  # noqa: BLE001 -- the boundary to people: a fault of ours is an answer, too
            self._log.exception("slack request failed")
            return "Not done: alertd failed at it; the trace is in its log."

    async def _on_command(self, web: "AsyncWebClient", payload: Mapping[str, object]) -> None:
        user, channel, team, name, text = (
            str(payload.get(key) or "") for key in ("user_id", "channel_id", "team_id", "user_name", "text")
        )
        answer = self._refusal(user, team) or await self._answer(self._command(text, name or user))
        await self._tell(web, channel, user, answer)

    def _refusal(self, user_id: str, team_id: str) -> str:
        """Return why somebody may not ask; people of other workspaces share channels, not decisions."""
        if not user_id or team_id != self._team_id:
            return "Not done: only members of this workspace may do this."
        if self._config.users and user_id not in self._config.users:
            return "Not done: you are not among those who may do this (ALERTD_SLACK_USERS)."
        return ""

    def _clock(self) -> Clock:
        return Clock(timezone=self._timezone(), now=self._now())

    async def _tell(self, web: "AsyncWebClient", channel: str, user: str, text: str) -> None:
        """Answer the person alone; the message itself shows what was done to everybody."""
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415

        from alertd.notify.slack.text import answer_text  # noqa: PLC0415

        try:
            await web.chat_postEphemeral(channel=channel, user=user, text=answer_text(text, self._clock(), 3000))
        except SlackApiError as error:
            # What was asked for is done all the same, and seen in the message.
            self._log.warning("slack answer not shown", error=str(error.response.get("error", "")))
