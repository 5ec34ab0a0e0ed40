"""
Decompress answers as they arrive, in pieces of bounded size, and detect whether they are complete.

Without a declared length, HTTP clients take a truncated body for a complete one: zlib returns what it could unpack,
and nobody notices that the final checksum is missing. Source: RFC 1952 (members), RFC 9110 section 8.4.1 (codings).
"""

import zlib
from collections.abc import Iterator

PIECE_BYTES = 256 * 1024
"""Bytes of the unpacked body held at a time, whatever the compression ratio."""
_GZIP = zlib.MAX_WBITS | 16
_BITS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class UnpackingError(ValueError):
    """A body is not valid in its coding or is truncated; the text quotes nothing from it."""


class Unpacker:
    """
    Unpacks one body; `identity` and no coding at all pass through.

    Raises:
        UnpackingError: The coding is not gzip or deflate, or several are stacked, of which the
            second fills the memory before any bound counts.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding.strip().lower()
        if self._coding not in {"", "identity", *_BITS}:
            what = "more than once" if "," in coding else "in a way"
            raise UnpackingError(f"the answer is compressed {what} that nobody asked for")
        self._stream = zlib.decompressobj(_BITS.get(self._coding, zlib.MAX_WBITS))
        self._head = b""
        self._has_begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Yield the unpacked bytes of a part, in pieces of at most `PIECE_BYTES`.

        Raises:
            UnpackingError: The part cannot be unpacked.
        """
        if self._coding not in _BITS:
            yield from (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))
            return
        try:
            yield from self._unpacked(data)
        except zlib.error:
            raise UnpackingError("the answer cannot be unpacked") from None

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        if not self._has_begun:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            self._has_begun = True
            if self._coding == "deflate" and not _has_zlib_header(data):
                # Raw deflate: many servers send it as "deflate", and all clients accept it.
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        piece = b""
        while data or len(piece) == PIECE_BYTES:
            if self._stream.eof:
                # A gzip body may have several members, with zero padding after the last.
                data = data.lstrip(b"\0")
                if not data:
                    return
                if self._coding == "deflate":
                    raise UnpackingError("the answer continues after its end")
                self._stream = zlib.decompressobj(_GZIP)
            piece = self._stream.decompress(data, PIECE_BYTES)
            data = self._stream.unconsumed_tail or self._stream.unused_data
            if piece:
                yield piece

    def end(self) -> None:
        """
        Signal the end of the body.

        Raises:
            UnpackingError: The body is truncated: its end, or the checksum there, is missing.
        """
        if self._head and not self._stream.eof:
            raise UnpackingError("the answer is cut off before its end")


def _has_zlib_header(data: bytes) -> bool:
    """Return whether a body begins with an RFC 1950 header: method 8, and a multiple of 31."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
