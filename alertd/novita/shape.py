"""
What all JSON answers of the billing API share: odd scalars, odd text, errors with status 200.

Decides when an answer does not have the expected shape, and words that. Knows neither rows nor requests.
"""

import re
from typing import TypeAlias

import msgspec

from alertd.core.printable import shorten
from alertd.errors import AlertdError

Scalar: TypeAlias = str | int | None
"""A field as received: text, a number (as exact text if it has a point or an exponent), or absent."""


SIGNS_OF_SUCCESS = frozenset({"", "0", "200", "ok", "success"})

_NO = frozenset({b"false", b'"false"', b"0"})
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class UnexpectedShape(AlertdError):
    """An answer cannot be read as bills; the text names the field and its value, shortened."""


def shown(value: Scalar) -> str:
    """Return a field's value as an error shows it."""
    return "nothing" if value is None else f'"{shorten(str(value))}"'


def valid_text(data: bytes) -> bytes:
    """
    Replace invalid Unicode (bad UTF-8, lone surrogates) by U+FFFD and change nothing else.

    Neither quotes nor brackets are touched, so the JSON keeps its structure.
    """
    valid = data.decode("utf-8", "replace").encode("utf-8")
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape["lone"] else escape[0], valid)


def scalar_of(raw: msgspec.Raw, row: str, field: str) -> Scalar:
    """
    Return a field's value without passing a number through a binary float.

    Args:
        raw: Decoded from text that `valid_text` has been over.
        row: The row's place, for errors.
        field: The field's name, for errors.

    Raises:
        UnexpectedShape: It is true, false, a list or an object.
    """
    text = bytes(raw).decode()
    if text[0] == '"':
        return text[1:-1] if "\\" not in text else msgspec.json.decode(text, type=str)
    if text == "null":
        return None
    if text[0] in "tf[{":
        raise UnexpectedShape(f"{row}.{field}: {shorten(text)} is neither text nor a number")
    return text


def text_of(value: Scalar) -> str:
    """Return a name or an id as text; nothing becomes the empty text."""
    return "" if value is None else str(value)


def is_absent(value: Scalar) -> bool:
    """Return whether nothing was said: missing, null, or blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


def decode_object(body: bytes) -> dict[str, msgspec.Raw]:
    """
    Decode one whole JSON object, its values left as they are.

    Raises:
        UnexpectedShape: The body is cut, is not JSON, or is something else than an object.
    """
    try:
        return msgspec.json.decode(valid_text(body), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        start = shorten(body[:200].decode("utf-8", "replace"), 40)
        raise UnexpectedShape(f"{start!r} is not one complete JSON object ({shorten(str(error))})") from None


def check_envelope(envelope: dict[str, msgspec.Raw], *, rows_key: str, has_list: bool, has_rows: bool) -> None:
    """
    Refuse an error dressed as an answer, and an answer that may hide its rows elsewhere.

    Args:
        envelope: The top-level fields other than the list of rows.
        rows_key: Where the rows belong.
        has_list: A list stood there: then other fields are nobody's business.
        has_rows: That list had rows: then a `reason` or `error` beside it hides nothing.

    Raises:
        UnexpectedShape: The answer says an error, or has no list but other lists or objects.
    """
    said: dict[str, str] = {
        key: plain_text(envelope[key]) for key in ("code", "reason", "error", "message") if key in envelope
    }
    signs: tuple[str, ...] = ("code",) if has_rows else ("code", "reason", "error")
    if not has_list:
        # A gateway's own answers: nothing in them says that there is nothing billed.
        said |= {key: plain_text(envelope[key]) for key in ("status", "statusCode", "errors") if key in envelope}
        said |= {key: "false" for key in ("ok", "success") if bytes(envelope.get(key, b"")) in _NO}
        signs = (*said,)
    if any(said.get(sign, "").lower() not in SIGNS_OF_SUCCESS for sign in signs):
        raise UnexpectedShape(f"the answer reports an error: {shorten(' '.join(said.values()), 200)}")
    if has_list:
        return
    for key, value in envelope.items():
        if bytes(value)[:1] in {b"[", b"{"} and plain_text(value):
            raise UnexpectedShape(f"no {rows_key}, but a field {shorten(key)!r} that may hold them")


def plain_text(raw: msgspec.Raw) -> str:
    """Return a value as text for people: a string without quotes, nothing for null, false and what is empty."""
    text = bytes(raw)
    if text.startswith(b'"'):
        return msgspec.json.decode(text, type=str)
    plain = text.decode()
    return "" if "".join(plain.split()) in {"null", "false", "[]", "{}"} else plain
