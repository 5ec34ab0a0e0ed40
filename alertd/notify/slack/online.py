"""
Checks with Slack whether messages would arrive: the token, its scopes, and each channel. It only reads.

Source: https://docs.slack.dev/reference/methods/auth.test, conversations.info; the header `x-oauth-scopes`.
"""

from collections.abc import Mapping, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from alertd.notify.slack.lookup import IncompleteLookup, channel_id

_SCOPES = {
    "chat:write": "no message can be posted",
    "channels:read": "a channel cannot be found by its name",
    "channels:history": "a message whose answer was lost may come twice",
}
"""Required scopes, and what happens without them."""


async def token_faults(client: AsyncWebClient) -> list[str]:
    """
    Return what the token lacks.

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
