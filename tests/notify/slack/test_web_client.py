"""Only Slack's own yes counts, whatever is asked of it."""

from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.errors import SlackApiError

from alertd.notify.slack.app import SlackApp, SlackAppConfig
from alertd.notify.slack.approvers import Approvers
from alertd.notify.slack.web_client import StrictWebClient

NOW = datetime(2026, 1, 10, 14, 30, tzinfo=UTC)
ANSWERS = [
    pytest.param(b'{"ok": "true", "users": ["U1"]}', id="a word for true"),
    pytest.param(b'{"ok": "false", "users": ["U1"], "error": "no"}', id="a word for false"),
    pytest.param(b'{"ok": 1, "users": ["U1"]}', id="a number"),
    pytest.param(b'{"users": ["U1"]}', id="nothing"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'"ok"', id="a text"),
    pytest.param(b"true", id="true alone"),
    pytest.param(b"[" * 100_000, id="a deep list"),
    pytest.param(b"<html>Sign in</html>", id="a page"),
    pytest.param(b'{"ok": true, "users": ["U1"', id="a part"),
    pytest.param(b"", id="no word"),
]


@pytest.mark.parametrize("body", ANSWERS)
async def test_answer_when_it_is_no_yes_then_nobody_is_let_in_and_nothing_breaks(body: bytes) -> None:
    """A proxy's answer must not make somebody an approver, nor end the listening for buttons."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        base_url = str(server.make_url("/"))
        client = StrictWebClient(token="xoxb-1", base_url=base_url, session=session, retry_handlers=[])
        with pytest.raises(SlackApiError):
            await client.auth_test()
        refusal = await Approvers(lambda: 0.0).refusal(client, "U1", ("S04TEAM01",))
        app = SlackApp(
            SlackAppConfig(app_token="xapp-1", bot_token="xoxb-1", base_url=base_url),
            carry_out=_nothing,
            command=_nothing,
            now=lambda: NOW,
        )
        assert await app._listen() > 0
    assert "you are not among the approvers" in refusal
    assert "could not be read" in refusal


async def _nothing(*_: object) -> Any:
    raise AssertionError("nothing was asked for")
