"""Compressed answers: bounded pieces however far they unpack, and no cut body taken for a whole one."""

import gzip
import zlib

import pytest

from alertd.settings.outgoing.unpacking import PIECE_BYTES, Unpacker, UnpackingError

TEXT = b'{"bills": [' + b"1, " * 40_000 + b"2]}"


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CODED = [
    pytest.param("gzip", gzip.compress(TEXT), id="gzip"),
    pytest.param(" GZIP ", gzip.compress(TEXT), id="in capitals"),
    pytest.param("x-gzip", gzip.compress(TEXT), id="its old name"),
    pytest.param("gzip", gzip.compress(TEXT[:50_000]) + gzip.compress(TEXT[50_000:]), id="two members"),
    pytest.param("deflate", zlib.compress(TEXT), id="deflate"),
    pytest.param("deflate", raw_deflate(TEXT), id="deflate without its header"),
]


def unpack(coding: str, data: bytes, step: int) -> bytes:
    unpacker = Unpacker(coding)
    parts = [piece for start in range(0, len(data), step) for piece in unpacker.feed(data[start : start + step])]
    unpacker.end()
    assert all(0 < len(part) <= PIECE_BYTES for part in parts)
    return b"".join(parts)


@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(("coding", "data"), [*CODED, pytest.param("", TEXT, id="plain")])
def test_body_when_it_comes_in_any_parts_then_is_unpacked(coding: str, data: bytes, step: int) -> None:
    """Where the network cuts a body is chance."""
    assert unpack(coding, data, step) == TEXT


@pytest.mark.parametrize(("coding", "data"), CODED)
def test_body_when_any_byte_of_its_end_is_missing_then_is_not_whole(coding: str, data: bytes) -> None:
    """All of the content may have come and only its checksum not: what it would have said nobody knows."""
    for missing in range(1, 20):
        with pytest.raises(UnpackingError, match="cut off before its end"):
            unpack(coding, data[:-missing], 1 << 20)


@pytest.mark.parametrize(
    ("coding", "data", "said"),
    [
        pytest.param("gzip", b"\x1f", "cut off before its end", id="one byte"),
        pytest.param("gzip", TEXT, "cannot be unpacked", id="not compressed at all"),
        pytest.param("gzip", gzip.compress(TEXT)[:-8] + bytes(8), "cannot be unpacked", id="a wrong checksum"),
        pytest.param("gzip", gzip.compress(TEXT) + b"<html>", "cannot be unpacked", id="something behind it"),
        pytest.param("deflate", zlib.compress(TEXT) + b"<html>", "after its end", id="something behind deflate"),
    ],
)
def test_body_when_it_is_not_what_its_coding_says_then_is_refused(coding: str, data: bytes, said: str) -> None:
    """Half an answer is not a smaller one."""
    with pytest.raises(UnpackingError, match=said):
        unpack(coding, data, 1 << 20)


def test_body_when_it_is_empty_or_padded_then_is_whole() -> None:
    """Some servers name a coding for nothing, and some fill a block with zeros."""
    assert unpack("gzip", b"", 1) == b""
    assert unpack("gzip", gzip.compress(TEXT) + bytes(512), 1 << 20) == TEXT


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "gzip,identity"])
def test_coding_when_nobody_asked_for_it_then_is_refused_before_a_byte(coding: str) -> None:
    """By two layers a body grows a millionfold."""
    with pytest.raises(UnpackingError, match="nobody asked for"):
        Unpacker(coding)


def test_body_when_its_last_bytes_unpack_to_more_than_a_piece_then_nothing_of_it_is_lost() -> None:
    """All input may have been taken while a part of what it stands for waits for the next piece."""
    for more in range(0, 260, 13):
        text = b"0" * (PIECE_BYTES + more)
        for coding, packed in (("deflate", raw_deflate(text)), ("gzip", gzip.compress(text))):
            assert unpack(coding, packed, 1 << 20) == text
            assert unpack(coding, packed, 5) == text
