"""
Finds a message in Slack by its delivery key, to determine whether an attempt without an answer arrived.

It only reads. "Not found" is returned only if everything since the given instant was read.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from alertd.notify.base import CannotLook, Delivered, Lookup, NotFound
from alertd.notify.slack.blocks import block_id

CLOCK_MARGIN = timedelta(seconds=120)
"""Messages have Slack's timestamps, so the search starts this much earlier than our clock says."""

_PAGE = 100
_PAGES = 10
_CHANNELS_PER_PAGE = 1000
_CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{5,}")
_USER_ID = re.compile(r"[UW][A-Z0-9]{5,}")


class IncompleteLookup(Exception):
    """Not everything could be read, so not finding the message proves nothing."""


async def find_message(
    client: AsyncWebClient, key: str, *, recipient: str, thread: tuple[str, str] | None, since: datetime
) -> Lookup:
    """
    Look for a delivery key in the channel, and in the thread that the message would continue.

    Args:
        recipient: Channel id, channel name or person.
        thread: Channel id and `ts` of the thread's first message.

    Raises:
        SlackApiError: Slack refused to say, or the answer could not be read.
    """
    oldest = f"{(since - CLOCK_MARGIN).timestamp():.6f}"
    try:
        channel = thread[0] if thread else await channel_id(client, recipient)
        if channel is None:
            return CannotLook(f"there is no {recipient} among the channels that the app can see")
        if thread:
            async for message in _replies(client, channel, thread[1], oldest):
                if _bears(message, key):
                    return Delivered(f"{channel}/{message.get('ts')}")
        async for message in _history(client, channel, oldest):
            if _bears(message, key):
                return Delivered(f"{channel}/{message.get('ts')}")
    except IncompleteLookup as error:
        return CannotLook(str(error))
    return NotFound()


async def channel_id(client: AsyncWebClient, recipient: str) -> str | None:
    """
    Return the id of a channel given by id or name, or of the conversation with a person; None if there is none.

    Raises:
        IncompleteLookup: The app may not list its private channels, or there are too many channels.
        SlackApiError: Slack refused to say.
    """
    if _CHANNEL_ID.fullmatch(recipient):
        return recipient
    if _USER_ID.fullmatch(recipient):
        opened = (await client.conversations_open(users=recipient)).get("channel")
        return str(opened["id"]) if isinstance(opened, Mapping) and "id" in opened else None
    name = recipient.removeprefix("#")
    # Each kind needs a separate scope; the app may lack the one for private channels.
    for kind in ("public_channel", "private_channel"):
        try:
            async for channel in _channels(client, kind):
                if channel.get("name") == name:
                    return str(channel["id"])
        except SlackApiError as error:
            if kind == "public_channel" or error.response.get("error") != "missing_scope":
                raise
            raise IncompleteLookup(
                f"#{name} is not a public channel, and private ones need the scope groups:read"
            ) from None
    return None


def _bears(message: Mapping[str, object], key: str) -> bool:
    """Return whether the key is in the metadata or in a block's id, which needs no further scope."""
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, Mapping) else None
    if isinstance(payload, Mapping) and payload.get("key") == key:
        return True
    blocks = message.get("blocks")
    return isinstance(blocks, list) and any(
        isinstance(block, Mapping) and block.get("block_id") == block_id(key) for block in blocks
    )


async def _history(client: AsyncWebClient, channel: str, oldest: str) -> AsyncIterator[Mapping[str, object]]:
    async def page(cursor: str) -> object:
        answer = await client.conversations_history(
            channel=channel, oldest=oldest, limit=_PAGE, cursor=cursor, include_all_metadata=True
        )
        return answer.data

    async for message in _paged(page, "messages", what=f"messages in {channel} since then"):
        yield message


async def _replies(client: AsyncWebClient, channel: str, ts: str, oldest: str) -> AsyncIterator[Mapping[str, object]]:
    async def page(cursor: str) -> object:
        answer = await client.conversations_replies(
            channel=channel, ts=ts, oldest=oldest, limit=_PAGE, cursor=cursor, include_all_metadata=True
        )
        return answer.data

    async for message in _paged(page, "messages", what=f"replies in the thread {channel}/{ts} since then"):
        yield message


async def _channels(client: AsyncWebClient, kind: str) -> AsyncIterator[Mapping[str, object]]:
    async def page(cursor: str) -> object:
        answer = await client.conversations_list(
            types=kind, exclude_archived=True, limit=_CHANNELS_PER_PAGE, cursor=cursor
        )
        return answer.data

    async for channel in _paged(page, "channels", what="channels; give the receiver the channel's id"):
        yield channel


async def _paged(
    page: Callable[[str], Awaitable[object]], name: str, *, what: str
) -> AsyncIterator[Mapping[str, object]]:
    """Follow the cursor to the end; an incomplete list must not count as complete."""
    cursor = ""
    for _ in range(_PAGES):
        data = await page(cursor)
        for item in _items(data, name):
            yield item
        cursor = _next_cursor(data)
        if not cursor:
            return
    raise IncompleteLookup(f"more than {_PAGES} pages of {what}")


def _items(data: object, name: str) -> list[Mapping[str, object]]:
    items = data.get(name) if isinstance(data, Mapping) and data.get("ok") is True else None
    if not isinstance(items, list):
        # An answer without the list is not an empty list: the message may be in the missing part.
        raise IncompleteLookup(f"Slack's answer has no {name}")
    return [item for item in items if isinstance(item, Mapping)]


def _next_cursor(data: object) -> str:
    metadata = data.get("response_metadata") if isinstance(data, Mapping) else None
    cursor = metadata.get("next_cursor") if isinstance(metadata, Mapping) else None
    return cursor if isinstance(cursor, str) else ""
