"""
Stops and starts GPU instances of one account with a separate key, and reads their state.

Each call is one request, made once: an unclear outcome is settled by reading the state, never by calling again.
Answers carry secrets (environments, passwords, commands): of them only `id` and `status` are decoded, no error quotes
anything of one, and of refusals only the status is kept.
Source: https://novita.ai/docs/api-reference/gpu-instance-stop-instance
"""

import re

import httpx
import msgspec

from alertd.core.actions import CallAnswer, CallResult, Sight, Verb
from alertd.errors import ApiUnavailable
from alertd.novita.shape import UnexpectedShape, scalar_of, text_of, valid_text
from alertd.novita.transport import NotSent, Transport

_INSTANCE = "/gpu-instance/openapi/v1/gpu/instance"
_PATHS = {Verb.STOP: f"{_INSTANCE}/stop", Verb.START: f"{_INSTANCE}/start"}
_LARGEST = 4 << 20
"""Bytes of one instance, after decompression."""
_STATUS = re.compile("[A-Za-z_]{1,40}")
"""The form of a state; anything else is not shown."""
_UNCLEAR = frozenset({408, 425})
"""Refusals after which the request may still have been carried out."""
_ASKED_FOR_NONE = frozenset({400, 404, 422})
"""What the API may answer to an authorised request for an unknown instance."""
_NOTHING = {Verb.STOP: "nothing was stopped", Verb.START: "nothing was started"}


class _Instance(msgspec.Struct, gc=False):
    """The only decoded fields of an instance."""

    id: msgspec.Raw = msgspec.Raw(b"null")
    status: msgspec.Raw = msgspec.Raw(b"null")


class InstanceClient:
    """
    Acts on the instances of one account, for as long as the rules are in force.

    Args:
        transport: By the key of one action, closed with this.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._key_source = transport.key_source

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def call(self, verb: Verb, instance_id: str) -> CallAnswer:
        """Have an instance stopped or started: one request, whatever its outcome."""
        content = msgspec.json.encode({"instanceId": instance_id})
        try:
            status, _ = await self._transport.once("POST", _PATHS[verb], parameters={}, content=content, limit=0)
        except NotSent as error:
            text = f"the API cannot be reached ({error.brief}); {_NOTHING[verb]}"
            return CallAnswer(result=CallResult.REFUSED, text=text)
        except ApiUnavailable as error:
            text = f"the call got no answer ({error.brief}); whether it was taken is not known"
            return CallAnswer(result=CallResult.UNCLEAR, text=text)
        return self._answer(verb, status)

    def _answer(self, verb: Verb, status: int) -> CallAnswer:
        if 200 <= status < 300:
            return CallAnswer(result=CallResult.TAKEN)
        if not 400 <= status < 500 or status in _UNCLEAR:
            text = f"the call was answered with HTTP {status}; whether it was taken is not known"
            return CallAnswer(result=CallResult.UNCLEAR, text=text)
        if status in {401, 403}:
            why = f"key refused (HTTP {status}): {self._key_source} needs the right to {verb.value} instances"
        elif status == 404:
            why = "the API knows no such instance (HTTP 404)"
        elif status == 429:
            why = "the API asks to wait (HTTP 429): ask again in a minute"
        else:
            why = f"the API refused (HTTP {status})"
        return CallAnswer(result=CallResult.REFUSED, text=f"{why}; {_NOTHING[verb]}")

    async def key_fault(self) -> str:
        """Return why the key cannot be used, empty if it can; tested by requesting an instance that does not exist."""
        try:
            status, body = await self._transport.once(
                "GET", _INSTANCE, parameters={"instanceId": "0"}, content=None, limit=_LARGEST
            )
        except ApiUnavailable as error:
            return f"the API did not answer ({error.brief})"
        if status in {401, 403}:
            return f"key refused (HTTP {status}), set {self._key_source}"
        if status == httpx.codes.OK:
            is_object = body.lstrip()[:1] == b"{"
            return "" if is_object else "the API's answer is not a JSON object, as from a sign-in page; check base_url"
        return "" if status in _ASKED_FOR_NONE else f"the API answered HTTP {status}"

    async def look(self, instance_id: str) -> Sight:
        """Read the state of an instance."""
        try:
            status, body = await self._transport.once(
                "GET", _INSTANCE, parameters={"instanceId": instance_id}, content=None, limit=_LARGEST
            )
        except ApiUnavailable as error:
            return Sight(text=f"its state could not be read ({error.brief})")
        if status in {401, 403}:
            return Sight(text=f"its state could not be read: key refused (HTTP {status}), set {self._key_source}")
        if status == 404:
            return Sight(text="the API knows no such instance (HTTP 404)")
        if status != httpx.codes.OK:
            return Sight(text=f"its state could not be read (HTTP {status})")
        return _sight(body, instance_id)


def _sight(body: bytes, instance_id: str) -> Sight:
    try:
        found = msgspec.json.decode(valid_text(body), type=_Instance)
        said_id, status = (text_of(scalar_of(raw, "", "")) for raw in (found.id, found.status))
    except (msgspec.MsgspecError, ValueError, RecursionError, UnexpectedShape):
        return Sight(text="the answer about its state cannot be read")
    if not said_id and not status:
        return Sight(text="the API says nothing of such an instance")
    # A gateway's `{"status": "running"}` describes the gateway.
    if said_id != instance_id:
        return Sight(text="the API's answer is about another instance")
    if not _STATUS.fullmatch(status):
        return Sight(text="the API says no state of it")
    return Sight(status=status)
