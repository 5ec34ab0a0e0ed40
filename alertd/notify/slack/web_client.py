"""
Slack's Web API, accepting only Slack's explicit success.

slack-sdk takes any truthy `ok` for success (`"ok": "no"`), and fails on an answer that is not a JSON object.
"""

from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

_TRIPPED = (AttributeError, TypeError, RecursionError, UnicodeDecodeError)


class StrictWebClient(AsyncWebClient):
    """A client whose every answer is a JSON object with `"ok": true`."""

    async def api_call(self, api_method: str, **kwargs: Any) -> AsyncSlackResponse:  # noqa: ANN401 -- passed on
        """
        Make one request.

        Raises:
            SlackApiError: The answer is anything else; `what_slack_said` has it if it is an object.
        """
        try:
            answer = await super().api_call(api_method, **kwargs)
        except _TRIPPED:
            answer = None
        said = answer.data if answer is not None else {}
        if answer is not None and isinstance(said, Mapping) and said.get("ok") is True:
            return answer
        raise SlackApiError("no answer in Slack's form", said)  # type: ignore[no-untyped-call] # slack-sdk's


def what_slack_said(error: SlackApiError) -> Mapping[str, object]:
    """Return the object in Slack's answer; an empty one for anything else."""
    said = getattr(error.response, "data", error.response)
    return said if isinstance(said, Mapping) else {}
