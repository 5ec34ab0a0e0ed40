"""
Instances and serverless endpoints: JSON -> Listing.

Answers of these paths carry secrets (environments, passwords, commands). Only the fields named here are decoded;
nothing else is kept, and no error quotes anything of an answer.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from alertd.core.printable import shorten
from alertd.core.resources import Listed, Listing
from alertd.errors import ApiRequestRefused, ApiUnavailable
from alertd.novita.shape import UnexpectedShape, check_envelope, decode_object, scalar_of, text_of
from alertd.novita.wire import read_seconds

INSTANCES = "/gpu-instance/openapi/v1/gpu/instances"
ENDPOINTS = "/gpu-instance/openapi/v1/endpoints"

PAGE_SIZE = 100
MAX_PAGES = 50
"""Page limit, 5,000 instances: a service that continues beyond it repeats itself or counts wrongly."""
MAX_GPUS = 1024
"""Most GPUs of one instance; a larger number is not a count."""
_ID_CHARACTERS = 200

_NULL = msgspec.Raw(b"null")


class _Instance(msgspec.Struct, gc=False):
    """The fields of an instance that alertd needs, undecoded, so that an odd one does not spoil the others."""

    id: msgspec.Raw = _NULL
    name: msgspec.Raw = _NULL
    status: msgspec.Raw = _NULL
    product: msgspec.Raw = msgspec.field(default=_NULL, name="productName")
    gpus: msgspec.Raw = msgspec.field(default=_NULL, name="gpuNum")
    started_at: msgspec.Raw = msgspec.field(default=_NULL, name="lastStartedAt")
    stopped_at: msgspec.Raw = msgspec.field(default=_NULL, name="lastStoppedAt")
    keep_days: msgspec.Raw = msgspec.field(default=_NULL, name="keepDataDay")


class _Endpoint(msgspec.Struct, gc=False):
    """The same for a serverless endpoint."""

    id: msgspec.Raw = _NULL
    name: msgspec.Raw = _NULL
    app_name: msgspec.Raw = msgspec.field(default=_NULL, name="appName")
    state: msgspec.Raw = _NULL


class _State(msgspec.Struct, gc=False):
    state: msgspec.Raw = _NULL


def decode_instances(body: bytes) -> Listing:
    """
    Decode one page of instances.

    Raises:
        UnexpectedShape: It is not such a list; the text quotes nothing from it.
    """
    return _listing(body, "instances", _instance)


def decode_endpoints(body: bytes) -> Listing:
    """
    Decode the serverless endpoints.

    Raises:
        UnexpectedShape: As `decode_instances`.
    """
    return _listing(body, "endpoints", _endpoint)


def _listing(body: bytes, key: str, decode: Callable[[msgspec.Raw], Listed]) -> Listing:
    try:
        envelope = decode_object(body)
        # Without the key it may be an empty list or a gateway's answer: no resource counts as gone because of it.
        is_listed = key in envelope or "total" in envelope
        rows = envelope.pop(key, _NULL)
        has_list = bytes(rows) != b"null"
        elements = msgspec.json.decode(rows, type=list[msgspec.Raw]) if has_list else []
        check_envelope(envelope, rows_key=key, has_list=has_list, has_rows=bool(elements))
    except (UnexpectedShape, msgspec.DecodeError, RecursionError, ValueError):
        elements = None
    if elements is None:
        # Raised outside the handler: the caught exception quotes the answer, and would become its context.
        raise UnexpectedShape(f"not a list of {key}")
    found = []
    for element in elements:
        try:
            found.append(decode(element))
        except (UnexpectedShape, msgspec.DecodeError, RecursionError, ValueError):
            continue
    return Listing(entries=tuple(found), is_whole=len(found) == len(elements), is_listed=is_listed)


def _instance(element: msgspec.Raw) -> Listed:
    fields = msgspec.json.decode(element, type=_Instance)
    return Listed(
        id=_id(fields.id),
        name=_text(fields.name),
        status=_text(fields.status),
        product=_text(fields.product),
        gpus=_count(fields.gpus),
        started_at=_instant(fields.started_at),
        stopped_at=_instant(fields.stopped_at),
        # The API writes 0 or -1 for "no value".
        keep_days=_count(fields.keep_days) or None,
    )


def _endpoint(element: msgspec.Raw) -> Listed:
    fields = msgspec.json.decode(element, type=_Endpoint)
    state = fields.state
    if bytes(state)[:1] == b"{":
        state = msgspec.json.decode(state, type=_State).state
    return Listed(id=_id(fields.id), name=_text(fields.name) or _text(fields.app_name), status=_text(state))


def _id(raw: msgspec.Raw) -> str:
    text = text_of(scalar_of(raw, "", "id"))
    if not text.strip() or len(text) > _ID_CHARACTERS:
        raise UnexpectedShape("no id")
    return text


def _text(raw: msgspec.Raw) -> str:
    try:
        return shorten(text_of(scalar_of(raw, "", "")))
    except (UnexpectedShape, msgspec.DecodeError, ValueError):
        return ""


def _count(raw: msgspec.Raw) -> int:
    text = _text(raw)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(10 * MAX_GPUS)) else 0
    return number if number <= MAX_GPUS else 0


def _instant(raw: msgspec.Raw) -> datetime | None:
    """Return an instant; None if there is no readable value: the API writes 0 or -1 for "no value"."""
    try:
        seconds = read_seconds(scalar_of(raw, "", ""), "")
    except (UnexpectedShape, msgspec.DecodeError, ValueError):
        return None
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and seconds > 0 else None


async def read_pages(read: Callable[[int], Awaitable[Listing]], *, account: str, what: str) -> Listing:
    """
    Read a list whose page numbers are undocumented: they may start at 0 or 1.

    Both are requested. A service that counts from 1 may answer 0 with its first page or refuse it, so only a page
    beyond 1 without a new id is certainly the end, and so is an empty page beyond 0.

    Raises:
        ApiError: A page could not be read, or there is no end; what was read is discarded.
    """
    found: dict[str, Listed] = {}
    is_whole, is_listed = True, False
    for page in range(MAX_PAGES + 1):
        try:
            listing = await read(page)
        except ApiRequestRefused:
            if page:
                raise
            continue
        brings_new = any(entry.id not in found for entry in listing.entries)
        found |= {entry.id: entry for entry in listing.entries}
        is_whole &= listing.is_whole
        is_listed |= listing.is_listed
        if (page and not listing.entries) or (page > 1 and not brings_new):
            return Listing(entries=tuple(found.values()), is_whole=is_whole, is_listed=is_listed)
    raise ApiUnavailable(f"page {MAX_PAGES} still brought instances not seen before", account=account, what=what)
