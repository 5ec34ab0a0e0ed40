"""Blocks: spread exactly, packed and unpacked without loss, sums that cannot wrap."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.money import MAX_UNITS
from alertd.core.spend.block import (
    HourBlock,
    decode,
    differing,
    digest,
    empty_block,
    encode,
    encode_each,
    exact_sum,
    spread,
)

AMOUNTS = st.integers(-MAX_UNITS, MAX_UNITS)
CELLS = st.dictionaries(
    st.tuples(st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1)), st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), max_size=6
)


def block_of(cells: dict[tuple[int, int], tuple[int, int, int]]) -> HourBlock:
    keys = sorted(cells)
    return HourBlock(
        series=np.array([s for s, _ in keys], np.int32),
        span=np.array([n for _, n in keys], np.int32),
        amount=np.array([cells[k][0] for k in keys], np.int64),
        voucher=np.array([cells[k][1] for k in keys], np.int64),
        pay=np.array([cells[k][2] for k in keys], np.int64),
    )


def cells_of(block: HourBlock) -> dict[tuple[int, int], tuple[int, int, int]]:
    keys = zip(block.series.tolist(), block.span.tolist(), strict=True)
    amounts = zip(block.amount.tolist(), block.voucher.tolist(), block.pay.tolist(), strict=True)
    return dict(zip(keys, amounts, strict=True))


@given(CELLS, st.booleans(), st.booleans())
def test_encode_when_decoded_then_every_cell_is_back(
    cells: dict[tuple[int, int], tuple[int, int, int]], no_voucher: bool, follows: bool
) -> None:
    """Columns are left out where they follow from others; no value may be guessed wrongly for it."""
    if no_voucher:
        cells = {key: (a, 0, p) for key, (a, _, p) in cells.items()}
    if follows and all(abs(a - v) <= MAX_UNITS for a, v, _ in cells.values()):
        cells = {key: (a, v, a - v) for key, (a, v, _) in cells.items()}
    packed = encode(block_of(cells))
    assert cells_of(decode(packed)) == cells
    assert encode(decode(packed)) == packed


@given(st.lists(CELLS.filter(bool), min_size=1, max_size=5))
def test_encode_each_when_blocks_lie_one_behind_the_other_then_each_is_as_alone(
    blocks: list[dict[tuple[int, int], tuple[int, int, int]]],
) -> None:
    """Which columns are left out is decided for each block: its bytes are compared with those stored years ago."""
    one_by_one = [block_of(cells) for cells in blocks]
    whole = HourBlock(
        series=np.concatenate([block.series for block in one_by_one]),
        span=np.concatenate([block.span for block in one_by_one]),
        amount=np.concatenate([block.amount for block in one_by_one]),
        voucher=np.concatenate([block.voucher for block in one_by_one]),
        pay=np.concatenate([block.pay for block in one_by_one]),
    )
    bounds = [0, *np.cumsum([len(block) for block in one_by_one]).tolist()]
    encoded = encode_each(whole, bounds)
    assert encoded == [encode(block) for block in one_by_one]
    assert [cells_of(decode(data)) for data in encoded] == blocks


@given(CELLS, CELLS)
def test_digest_when_cells_differ_then_differs(
    one: dict[tuple[int, int], tuple[int, int, int]], other: dict[tuple[int, int], tuple[int, int, int]]
) -> None:
    """Whether an hour changed is decided by this alone."""
    assert (digest(encode(block_of(one))) == digest(encode(block_of(other)))) == (one == other)


@given(CELLS, CELLS)
def test_cells_when_two_blocks_differ_then_those_that_are_not_the_same_in_both(
    one: dict[tuple[int, int], tuple[int, int, int]], other: dict[tuple[int, int], tuple[int, int, int]]
) -> None:
    """What is left out is never counted again: a voucher that was corrected must not be."""
    other = {**other, **dict(list(one.items())[::2])}
    before, after = differing(block_of(one), block_of(other))
    assert cells_of(before) == {key: cell for key, cell in one.items() if other.get(key) != cell}
    assert cells_of(after) == {key: cell for key, cell in other.items() if one.get(key) != cell}


@pytest.mark.parametrize("metric", [0, 1, 2])
def test_cells_when_one_number_of_them_differs_then_they_differ(metric: int) -> None:
    """Also where the API's parts do not add up to its total."""
    cell = [5, 2, 3]
    changed = [value + (place == metric) for place, value in enumerate(cell)]
    before, after = differing(block_of({(1, 1): (5, 2, 3)}), block_of({(1, 1): (changed[0], changed[1], changed[2])}))
    assert (cells_of(before), cells_of(after)) == ({(1, 1): tuple(cell)}, {(1, 1): tuple(changed)})


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="a byte lost"),
        pytest.param(lambda data: data + b"x", id="a byte more"),
        pytest.param(lambda data: data[:3], id="not even a header"),
        pytest.param(lambda data: b"", id="nothing"),
        pytest.param(lambda data: b"\x09" + data[1:], id="a later version"),
    ],
)
def test_decode_when_damaged_then_says_so(damage: Callable[[bytes], bytes]) -> None:
    """A damaged block must not become other spend."""
    packed = encode(block_of({(1, 1): (5, 0, 5), (2, 3): (7, 1, 6)}))
    with pytest.raises(ValueError, match="block"):
        decode(damage(packed))


@given(st.integers(1, 50), AMOUNTS)
def test_spread_when_a_long_row_then_even_with_the_rest_first_and_the_sum_exact(span: int, amount: int) -> None:
    """The remainder goes one unit an hour from the first hour on, so that no unit is lost or invented."""
    block = block_of({(4, span): (amount, 0, amount)})
    shares = {offset: amounts.tolist()[0] for offset, _, amounts in spread(block, "amount")}
    low = amount // span
    rest = amount - low * span
    assert shares == {offset: low + (1 if offset < rest else 0) for offset in range(span)}
    assert sum(shares.values()) == amount


@given(st.lists(AMOUNTS, max_size=12))
def test_exact_sum_when_beyond_64_bits_then_still_exact(values: list[int]) -> None:
    """A wrapped total would read as a credit."""
    assert exact_sum(np.array(values, np.int64)) == sum(values)


def test_empty_block_when_asked_then_nothing() -> None:
    """An hour whose rows are gone is a block too."""
    assert (len(empty_block()), empty_block().total, empty_block().longest) == (0, 0, 0)
    assert cells_of(decode(encode(empty_block()))) == {}
