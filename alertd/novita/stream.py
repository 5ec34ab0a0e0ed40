"""
Decodes a `bill/list` answer as it arrives, of any size in a few MiB, and never takes a part for the whole.

Decides where a body may be cut. The text between two cuts is proved to be whole rows by decoding it as a JSON list;
the text around the rows must finally be one JSON object, so a body that is cut off anywhere is an error.
"""

import re
from enum import Enum, auto

import msgspec

from alertd.core.printable import shorten
from alertd.novita.columns import BillColumns
from alertd.novita.shape import UnexpectedShape, check_envelope, decode_object
from alertd.novita.wire import Row, decode_rows

CHUNK_BYTES = 1 << 20
"""The most bytes that one row may have: 2,000 times a usual one."""

WINDOW_BYTES = 1 << 16
"""Bytes decoded at a time: rows of more would leave the processor's cache before they are packed."""

MAX_ENVELOPE_BYTES = 1 << 20
"""Maximum bytes around the rows."""

MAX_GUESSES = 4
"""Cuts that are tried before the exact, slower way."""

MAX_BRACES = 64
"""Closing braces that are examined for a guess."""

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{}]', re.DOTALL)
_LIST_FOLLOWS = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+\[")
_SEPARATOR = re.compile(rb"[ \t\r\n]*+([,\]])?")
_LIKELY_CUT = re.compile(rb"[ \t\r\n]*+(?:,[ \t\r\n]*+\{|\])")
_PLACEHOLDER = b"true"
"""Placeholder for the rows when the envelope is checked; `[]` could not be distinguished from a second `bills`."""


class _Place(Enum):
    HEAD = auto()
    BEFORE_ROW = auto()
    AFTER_ROW = auto()
    TAIL = auto()


class BillStream:
    """
    The decoder of one answer: push bytes, decode when due, finish once.

    After an error it cannot be used any more.
    """

    def __init__(self, columns: BillColumns) -> None:
        self._columns = columns
        self._place = _Place.HEAD
        self._buffer = bytearray()
        self._head = b""
        self._after_comma = False

    @property
    def is_due(self) -> bool:
        """Whether enough has arrived to decode a part of it."""
        return len(self._buffer) > WINDOW_BYTES

    def push(self, data: bytes) -> None:
        """Add the next bytes of the body, wherever they are cut."""
        self._buffer += data

    def decode(self) -> None:
        """
        Decode the rows that have arrived, up to less than one window.

        Raises:
            UnexpectedShape: What has arrived cannot become a valid answer, whatever follows.
        """
        while len(self._buffer) > WINDOW_BYTES and self._advance():
            pass
        self._require_bounded()

    def finish(self) -> BillColumns:
        """
        Decode the rest and prove that the body was complete.

        Raises:
            UnexpectedShape: The body is cut off, is not JSON, reports an error, or is not a list of rows.
        """
        while self._advance():
            pass
        self._require_bounded(len(self._head))
        match self._place:
            case _Place.HEAD:
                self._finish_without_rows()
            case _Place.TAIL:
                self._finish_with_rows()
            case _:
                raise UnexpectedShape(f"the answer is cut off after {len(self._columns)} rows")
        self._columns.finish()
        return self._columns

    def _require_bounded(self, before: int = 0) -> None:
        if len(self._buffer) > CHUNK_BYTES or before + len(self._buffer) > MAX_ENVELOPE_BYTES:
            raise UnexpectedShape(
                f"bills[{len(self._columns)}]: a row larger than {CHUNK_BYTES >> 20} MiB"
                if self._place is _Place.BEFORE_ROW
                else f"more than {MAX_ENVELOPE_BYTES >> 20} MiB beside the rows"
            )

    def _finish_without_rows(self) -> None:
        envelope = decode_object(bytes(self._buffer))
        bills = envelope.pop("bills", None)
        if bills is not None and bytes(bills) != b"null":
            raise UnexpectedShape(f"bills: {shorten(bytes(bills).decode())} is not a list of rows")
        check_envelope(envelope, rows_key="bills", has_list=False, has_rows=False)
        self._columns.is_listed = bills is not None

    def _finish_with_rows(self) -> None:
        envelope = decode_object(self._head + _PLACEHOLDER + bytes(self._buffer))
        if bytes(envelope.pop("bills")) != _PLACEHOLDER:
            raise UnexpectedShape('"bills" appears twice')
        check_envelope(envelope, rows_key="bills", has_list=True, has_rows=len(self._columns) > 0)

    def _advance(self) -> bool:
        """Advance by one step; return whether there was one."""
        match self._place:
            case _Place.HEAD:
                return self._find_rows()
            case _Place.BEFORE_ROW:
                return self._decode_rows()
            case _Place.AFTER_ROW:
                return self._pass_separator()
            case _Place.TAIL:
                return False

    def _find_rows(self) -> bool:
        window = _copy(self._buffer, MAX_ENVELOPE_BYTES)
        opening = _find_bills(window)
        if opening is None:
            return False
        self._head = window[:opening]
        del self._buffer[: opening + 1]
        self._place = _Place.BEFORE_ROW
        return True

    def _pass_separator(self) -> bool:
        separator = _SEPARATOR.match(self._buffer)
        assert separator is not None  # it matches the empty text
        if separator[1] is None:
            if separator.end() < len(self._buffer):
                raise UnexpectedShape(f"bills: neither a comma nor the end of the list after row {len(self._columns)}")
            self._buffer.clear()
            return False
        self._after_comma = separator[1] == b","
        self._place = _Place.BEFORE_ROW if self._after_comma else _Place.TAIL
        del self._buffer[: separator.end()]
        return True

    def _decode_rows(self) -> bool:
        end, rows, ends_list = self._next_rows(WINDOW_BYTES)
        if end is None and len(self._buffer) > WINDOW_BYTES:
            # A row that is larger than any window.
            end, rows, ends_list = self._next_rows(CHUNK_BYTES)
        if end is None:
            return False
        if not rows and self._after_comma:
            raise UnexpectedShape(f"bills: a comma and no row after it, after row {len(self._columns)}")
        self._columns.add(rows)
        self._place = _Place.TAIL if ends_list else _Place.AFTER_ROW
        del self._buffer[: end + ends_list]
        return True

    def _next_rows(self, size: int) -> tuple[int | None, list[Row], bool]:
        window = _copy(self._buffer, size)
        return self._guess(window) or self._scan(window)

    def _guess(self, window: bytes) -> tuple[int, list[Row], bool] | None:
        """
        Cut where a row seems to end; safe because the part before the cut must decode as a list.

        Returns:
            The end of the last row, the rows, False (the end of the list is detected later); None if no guess fits.
        """
        guesses, end = 0, len(window)
        for _ in range(MAX_BRACES):
            end = window.rfind(b"}", 0, end)
            if end < 0 or guesses == MAX_GUESSES:
                return None
            if _LIKELY_CUT.match(window, end + 1):
                guesses += 1
                try:
                    return end + 1, self._rows(memoryview(window)[: end + 1]), False
                except (msgspec.DecodeError, RecursionError):
                    continue
        return None

    def _rows(self, elements: memoryview) -> list[Row]:
        return decode_rows(elements, first=len(self._columns), kind=self._columns.kind)

    def _scan(self, window: bytes) -> tuple[int | None, list[Row], bool]:
        """
        Cut exactly, by counting brackets outside strings.

        Returns:
            Where to cut (None without a whole row), the rows before it, and whether the list ends there.
        """
        end, ends_list = _end_of_rows(window)
        if end is None:
            return None, [], False
        try:
            return end, self._rows(memoryview(window)[:end]), ends_list
        except (msgspec.DecodeError, RecursionError) as error:
            problem = shorten(str(error))
        raise UnexpectedShape(f"bills: not a list of rows after row {len(self._columns)}: {problem}")


def _find_bills(window: bytes) -> int | None:
    """Return where the list of the top-level key `bills` opens; None if there is none."""
    depth = 0
    for token in _TOKEN.finditer(window):
        text = token[0]
        if text in b"[{":
            depth += 1
        elif text in b"]}":
            depth -= 1
        elif text == b'"':
            return None
        elif depth == 1 and text == b'"bills"' and (opening := _LIST_FOLLOWS.match(window, token.end())):
            return opening.end() - 1
    return None


def _end_of_rows(window: bytes) -> tuple[int | None, bool]:
    """Return where the last whole row (or the list) ends, and whether it is the list that ends there."""
    depth, end = 0, None
    for token in _TOKEN.finditer(window):
        text = token[0]
        if text in b"[{":
            depth += 1
        elif text in b"]}":
            depth -= 1
            if depth < 0:
                # An unmatched closing brace stays: the list does not end there, the JSON is invalid.
                return (token.start(), True) if text == b"]" else (end, False)
            if depth == 0:
                end = token.end()
        elif text == b'"':
            break
    return end, False


def _copy(buffer: bytearray, size: int) -> bytes:
    """Return the first *size* bytes with one copy; a slice of a bytearray would be copied twice."""
    with memoryview(buffer) as view:
        return bytes(view[:size])
