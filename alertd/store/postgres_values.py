"""How statements and values are written for PostgreSQL, and read back."""

from functools import lru_cache

from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

from alertd.store.database import Value

_LONG_BYTES = 4096


class TextLoader(Loader):
    """Read text back as `sendable` wrote it."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        """Return the text as it was before `sendable`."""
        text = bytes(data).decode()
        return text.replace("\x010", "\0").replace("\x011", "\x01") if "\x01" in text else text


def sendable(value: Value) -> Value:
    """
    Encode text for PostgreSQL, which cannot store U+0000, although owners' names may contain it.

    U+0000 becomes U+0001 "0", and U+0001 becomes U+0001 "1": texts stay distinct and keep their order.
    """
    if isinstance(value, str) and ("\0" in value or "\x01" in value):
        return value.replace("\x01", "\x011").replace("\0", "\x010")
    return value


def is_long(value: Value) -> bool:
    """Return whether a value is better sent as it is than quoted."""
    return isinstance(value, bytes) and len(value) > _LONG_BYTES


@lru_cache(maxsize=512)
def numbered(sql: str) -> bytes:
    """Return a statement with PostgreSQL's placeholders: `$1`, `$2` instead of each `?`."""
    first, *rest = sql.split("?")
    return (first + "".join(f"${number}{text}" for number, text in enumerate(rest, 1))).encode()
