"""What is stored of a block: all of its cells, in few bytes, and damage is seen."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.spend.block import HourBlock, encode
from alertd.core.spend.packing import pack, unpack, unpack_each
from tests.examples import examples

LARGEST = 2**63 - 1


def _column(seed: int, count: int, bits: int, share: float) -> list[int]:
    """Return numbers of up to so many bits and either sign, with both ends among them, the rest nothing."""
    random = np.random.default_rng(seed)
    found = [int(n) >> (63 - bits) for n in random.integers(-LARGEST - 1, LARGEST, count, endpoint=True)]
    found[:2] = [-(1 << bits), (1 << bits) - 1][:count]
    return [n if random.random() < share else 0 for n in found]


@st.composite
def blocks(draw: st.DrawFn) -> HourBlock:
    """Draw a block on either side of the size from which on they are packed."""
    count = draw(st.sampled_from([0, 1, 63, 64, 65, 200]))
    seed = draw(st.integers(0, 2**32))
    columns = [_column(seed + n, count, draw(st.integers(0, 63)), draw(st.sampled_from([0, 0.2, 1]))) for n in range(3)]
    amount, voucher, pay = (np.array(column, np.int64) for column in columns)
    random = np.random.default_rng(seed)
    series = np.sort(random.integers(0, draw(st.sampled_from([1, 300, 2**31 - 1])), count, endpoint=True))
    span = random.integers(1, draw(st.sampled_from([1, 2, 2**31 - 1])), count, endpoint=True)
    pay = amount - voucher if draw(st.booleans()) else pay
    return HourBlock(
        series=series.astype(np.int32), span=span.astype(np.int32), amount=amount, voucher=voucher, pay=pay
    )


@given(block=blocks())
@examples(20, thorough=3_000)
def test_block_when_packed_then_every_cell_is_back(block: HourBlock) -> None:
    """Columns are as wide as their numbers need; no number may lose its highest bit or its sign for it."""
    found = unpack(pack(block))
    assert encode(found) == encode(block)
    assert [getattr(found, name).dtype for name in HourBlock.__slots__] == [np.int32, np.int32] + [np.int64] * 3


@given(several=st.lists(blocks(), max_size=6))
@examples(20, thorough=1_000)
def test_blocks_when_unpacked_together_then_as_one_by_one(several: list[HourBlock]) -> None:
    """A column of each is widened in one go with its neighbours' of the same width; no cell may go to another block."""
    packed = [pack(block) for block in several]
    assert [encode(found) for found in unpack_each(packed)] == [encode(unpack(data)) for data in packed]
    assert [encode(unpack(data)) for data in packed] == [encode(block) for block in several]


@pytest.mark.parametrize("count", [1, 64, 1000])
def test_block_when_an_earlier_alertd_stored_it_then_is_read(count: int) -> None:
    """Nothing is rewritten at an update."""
    ones = np.ones(count, np.int64)
    block = HourBlock(
        series=np.arange(count, dtype=np.int32), span=ones.astype(np.int32), amount=ones, voucher=ones * 0, pay=ones
    )
    assert encode(unpack(encode(block))) == encode(block)


def test_block_of_usual_bills_when_packed_then_takes_ten_bytes_a_cell() -> None:
    """With a voucher in every fifth row; a year of 10,000 owners is 87 million cells."""
    random = np.random.default_rng(1)
    amount = random.integers(0, 10**11, 1000)
    voucher = np.where(random.random(1000) < 0.2, amount // 3, 0)
    block = HourBlock(
        series=np.arange(1000, dtype=np.int32),
        span=np.ones(1000, np.int32),
        amount=amount,
        voucher=voucher,
        pay=amount - voucher,
    )
    assert len(pack(block)) < 10 * len(block)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="a byte is gone"),
        pytest.param(lambda data: data + b"\0", id="a byte too many"),
        pytest.param(lambda data: data[:6], id="nothing but the header"),
        pytest.param(lambda data: data[:3], id="not even that"),
        pytest.param(lambda data: b"\x09" + data[1:], id="a later version"),
        pytest.param(lambda data: data[:6] + b"\x09" + data[7:], id="a width that no number has"),
        pytest.param(lambda data: data[:7] + b"\xff" + data[8:], id="a series below zero"),
        pytest.param(lambda data: data[:2] + b"\xff\xff\xff\xff" + data[6:], id="four billion cells"),
        pytest.param(lambda data: data[:2] + b"\xff\xff\xff\xff" + bytes(9), id="four billion cells of no byte"),
    ],
)
def test_block_when_damaged_then_said_and_never_read_as_money(damage: Callable[[bytes], bytes]) -> None:
    """Bytes that were cut or written over must not become bills."""
    ones = np.ones(100, np.int64)
    block = HourBlock(
        series=np.arange(100, dtype=np.int32), span=ones.astype(np.int32), amount=ones, voucher=ones * 0, pay=ones
    )
    with pytest.raises(ValueError, match="block"):
        unpack(damage(pack(block)))
