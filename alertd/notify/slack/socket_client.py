"""slack-sdk's client for Socket Mode, connecting as all of alertd does, through the same proxies."""

import logging

import aiohttp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from alertd.settings.outgoing.connections import Outgoing


class SocketClient(SocketModeClient):
    """Lives as long as one connection is wanted; arguments as of slack-sdk's, and how to connect."""

    def __init__(
        self, *, app_token: str, web_client: AsyncWebClient, logger: logging.Logger, outgoing: Outgoing
    ) -> None:
        super().__init__(app_token=app_token, web_client=web_client, logger=logger)
        self._outgoing = outgoing

    async def issue_new_wss_url(self) -> str:
        """Ask for the address of the socket, and get ready to connect to its host."""
        url = await super().issue_new_wss_url()
        await self.aiohttp_client_session.close()
        # slack-sdk took the first proxy that the environment names, without regard to NO_PROXY.
        self.proxy = self._outgoing.aiohttp_proxy(url)
        self.aiohttp_client_session = aiohttp.ClientSession(connector=self._outgoing.aiohttp_connector(url))
        return url
