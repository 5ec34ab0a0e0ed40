"""Amounts read all at once are those read row by row: the same money, the same words for what is none."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alertd.novita import amounts
from alertd.novita.amounts import LARGEST_ROW, AmountColumns, amounts_of
from alertd.novita.shape import UnexpectedShape
from alertd.novita.wire import Row
from tests.examples import examples

Texts = list[tuple[str, str, str]]

_digits = st.text("0123456789", max_size=12)
plain = st.builds(
    lambda sign, whole, point, rest: sign + whole + point + rest,
    st.sampled_from(["", "", "-"]),
    _digits,
    st.sampled_from([".", ".", ""]),
    _digits,
)
odd = st.sampled_from(
    [
        "",
        "-",
        ".",
        "-.",
        "1.2.3",
        "1-2",
        "--1",
        "1,5",
        "1e3",
        "+4",
        "1_0",
        " 1.5 ",
        "\uff11",
        "0x1",
        "NaN",
        "99999999.9",
    ]
)
fixed = st.integers(-(10**17), 10**17).map(lambda n: f"{'-' * (n < 0)}{abs(n) // 10**10}.{abs(n) % 10**10:010d}")
chunks = st.one_of(
    *(st.lists(st.tuples(text, text, text), min_size=1, max_size=5) for text in (fixed, plain, plain | odd))
)


def _decimals(three: tuple[str, str, str]) -> Row:
    return Row(amount_usd=three[0], voucher_usd=three[1], pay_usd=three[2])


def _integers(three: tuple[str, str, str]) -> Row:
    return Row(amount=three[0], voucher=three[1], pay=three[2])


def _outcome(read: Callable[[], list[tuple[int, ...]]]) -> object:
    try:
        return read()
    except UnexpectedShape as error:
        return str(error)


def _read(*chunks: list[Row]) -> AmountColumns:
    columns = AmountColumns()
    for rows in chunks:
        columns.add(rows)
    columns.flush()
    return columns


def _threes(columns: AmountColumns) -> list[tuple[int, ...]]:
    threes = zip(columns.amount, columns.voucher, columns.pay, strict=True)
    return [(columns.rounded, 0, 0), *threes]


def _threes_of(row: Row, number: int) -> list[tuple[int, ...]]:
    return [amounts_of(row, f"bills[{number}]")]


def _one_by_one(rows: list[Row]) -> list[tuple[int, ...]]:
    each = [amounts_of(row, f"bills[{number}]") for number, row in enumerate(rows)]
    return [(sum(rounded for *_, rounded in each), 0, 0), *(tuple(three) for *three, _ in each)]


@pytest.mark.parametrize("row_of", [_decimals, _integers])
@given(texts=chunks)
@example(texts=[("10000000.0000000000", "0.0", "10000000.0")])
@example(texts=[("10000000.0000000001", "0.0", "0.0")])
@example(texts=[("922337203685477580.7", "0.0", "0.0")])
@example(texts=[("9" * 40 + ".0", "0.0", "0.0")])
@example(texts=[("1.5", "2", "3")])
@examples(40, thorough=5_000)
def test_chunk_when_read_at_once_then_equals_rows_read_one_by_one(
    row_of: Callable[[tuple[str, str, str]], Row], texts: Texts
) -> None:
    """The quick way may refuse what it does not know; it may not read anything differently."""
    rows = list(map(row_of, texts))

    assert _outcome(lambda: _threes(_read(rows))) == _outcome(lambda: _one_by_one(rows))


_field = st.one_of(st.none(), plain, fixed, odd, st.integers(-(10**20), 10**20))
_rows = st.one_of(
    st.builds(Row, amount_usd=fixed, voucher_usd=fixed, pay_usd=fixed),
    st.builds(Row, amount=plain, voucher=plain, pay=plain),
    st.builds(Row, amount=_field, voucher=_field, pay=_field, amount_usd=_field, voucher_usd=_field, pay_usd=_field),
)


@given(chunks=st.lists(st.lists(_rows, max_size=4), max_size=4))
@example(
    chunks=[
        [Row(amount_usd="1.5", voucher_usd="0.0", pay_usd="1.5")],
        [Row(amount="20000", voucher="0", pay="20000")],
        [Row(amount_usd="1.00000000001", voucher_usd="0.0", pay_usd="1.0")],
        [Row(amount_usd="", voucher_usd="0.0", pay_usd="1.0", amount="7")],
    ]
)
@examples(60, thorough=5_000)
def test_chunks_of_any_kinds_when_gathered_then_equal_rows_read_one_by_one(chunks: list[list[Row]]) -> None:
    """What is gathered is read with, before or after rows of other kinds, and must stay in order."""
    rows = [row for chunk in chunks for row in chunk]
    found, wanted = _outcome(lambda: _threes(_read(*chunks))), _outcome(lambda: _one_by_one(rows))
    if isinstance(wanted, str):
        # Where several rows cannot be read, any of them may be named.
        assert found in [_outcome(lambda n=n, row=row: _threes_of(row, n)) for n, row in enumerate(rows)]  # type: ignore[misc]
        assert isinstance(found, str)
    else:
        assert found == wanted


@pytest.mark.parametrize("row_of", [_decimals, _integers])
def test_chunk_of_usual_amounts_when_read_then_no_text_is_read_by_itself(
    row_of: Callable[[tuple[str, str, str]], Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading text by text took a third of a first read."""
    monkeypatch.setattr(amounts, "read_usd", None)
    largest = "10000000.0000000000" if row_of is _decimals else "100000000000"
    found = _read([row_of(("-12.5", "0.", "5") if row_of is _decimals else ("-1", "0", "7")), row_of((largest,) * 3)])
    assert found.amount[1] == LARGEST_ROW
