"""
The three amounts of a row: decimals before integers, missing ones derived, all exact.

Decides which of a row's six fields are used. Reads a whole chunk at once if its rows are alike, as they
nearly always are, else row by row; both ways give the same money.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from alertd.core.dataclass import dataclass
from alertd.core.money import SCALE_DIGITS, UNITS_PER_USD, Usd, decimal_text, parse_exact
from alertd.novita.shape import Scalar, UnexpectedShape, is_absent, shown
from alertd.novita.wire import Row

INTEGERS_PER_USD = 10_000
"""The API's integer amounts count 1/10000 USD."""

LARGEST_ROW = 10_000_000 * UNITS_PER_USD
"""No row is this large, credits included: more is a wrong unit, and would spoil every sum."""

_Three: TypeAlias = tuple[Scalar, Scalar, Scalar]
_POINT, _COMMA, _MINUS = b".,-"
_IS_PLAIN = np.isin(np.arange(256), list(b"0123456789.,-"))
_POWERS = 10 ** np.arange(SCALE_DIGITS + 1)
_NOTHING = (None, None, None)
_MOST_DIGITS = 18
"""Numbers with up to this many digits always fit 64 bits."""
_DECIMALS: Callable[[Row], _Three] = attrgetter("amount_usd", "voucher_usd", "pay_usd")
_INTEGERS: Callable[[Row], _Three] = attrgetter("amount", "voucher", "pay")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Amounts:
    """The amounts of a chunk's rows as columns, in 1e-10 USD; `rounded` is the number of rows that lost digits."""

    amount: NDArray[np.int64]
    voucher: NDArray[np.int64]
    pay: NDArray[np.int64]
    rounded: int = 0


def read_amounts(rows: Sequence[Row], *, first: int) -> Amounts:
    """
    Read the amounts of a chunk.

    Args:
        rows: In order.
        first: The index of the first row in the whole answer, for errors.

    Raises:
        UnexpectedShape: A row has no amount, a field that is not a number, or more than `LARGEST_ROW`.
    """
    return (_read_alike(rows) if rows else None) or _read_each(rows, first)


def amounts_of(row: Row, where: str) -> tuple[Usd, Usd, Usd, bool]:
    """
    Return amount, voucher and pay of one row in 1e-10 USD, and whether digits were rounded away.

    A decimal field wins over its integer; a missing one follows from total = voucher + pay
    if the two others are there, else from the integers, else from total = voucher + pay again, with no voucher if
    no field reports one.

    Raises:
        UnexpectedShape: No amount, a field that is not a number, or more than `LARGEST_ROW`.
    """
    read = (
        read_usd(row.amount_usd, f"{where}.amountDecimal"),
        read_usd(row.voucher_usd, f"{where}.voucherAmountDecimal"),
        read_usd(row.pay_usd, f"{where}.payableDecimal"),
    )
    known = _complete(*(amount for amount, _ in read))
    rounded = any(lost for _, lost in read)
    if None in known:
        read = (
            read_usd(row.amount, f"{where}.amount", per_usd=INTEGERS_PER_USD),
            read_usd(row.voucher, f"{where}.voucherAmount", per_usd=INTEGERS_PER_USD),
            read_usd(row.pay, f"{where}.payAmount", per_usd=INTEGERS_PER_USD),
        )
        known = _complete(*(whole if exact is None else exact for exact, (whole, _) in zip(known, read, strict=True)))
        rounded |= any(lost for _, lost in read)
    amount, voucher, pay = known
    if amount is None:
        raise UnexpectedShape(
            f"{where}.amount: {shown(row.amount)} is not an amount, and none follows from other fields"
        )
    voucher = 0 if voucher is None else voucher
    pay = amount - voucher if pay is None else pay
    largest = max(amount, voucher, pay, key=abs)
    if abs(largest) > LARGEST_ROW:
        shown_usd = decimal_text(largest)
        raise UnexpectedShape(f"{where}: {shown_usd} USD is too large for one row: those go up to 10 million USD")
    return Usd(amount), Usd(voucher), Usd(pay), rounded


def read_usd(value: Scalar, where: str, *, per_usd: int = 1) -> tuple[Usd | None, bool]:
    """
    Read an amount exactly.

    Returns:
        The amount in 1e-10 USD, None if absent; and whether digits were rounded away.

    Raises:
        UnexpectedShape: It is not a decimal number, or does not fit 64 bits.
    """
    if is_absent(value):
        return None, False
    try:
        return parse_exact(str(value).strip(), per_usd=per_usd)
    except OverflowError:
        problem = "does not fit: amounts go up to 922 million USD"
    except ValueError:
        problem = "is not an amount"
    raise UnexpectedShape(f"{where}: {shown(value)} {problem}")


def _read_alike(rows: Sequence[Row]) -> Amounts | None:
    """Read a chunk in which all rows have the three decimals, or only the three integers; None for other chunks."""
    rows_of_three, per_usd = list(map(_DECIMALS, rows)), 1
    if set(rows_of_three[:1]) == {_NOTHING} == set(rows_of_three):
        rows_of_three, per_usd = list(map(_INTEGERS, rows)), INTEGERS_PER_USD
    texts = list(chain.from_iterable(rows_of_three))
    return _read_plain(texts, SCALE_DIGITS - len(str(per_usd)) + 1) or _read_texts(texts, per_usd)


def _read_plain(texts: Sequence[Scalar], digits: int) -> Amounts | None:
    """
    Read texts like `123.45`, all at once; None if any has another form or more digits than 64 bits hold.

    Args:
        texts: Three amounts for each row.
        digits: How many decimal places the unit of 1e-10 USD has in these texts.
    """
    try:
        joined = ",".join([*cast("Sequence[str]", texts), ""])
        letters = np.frombuffer(joined.encode("ascii"), np.uint8)
    except (TypeError, UnicodeEncodeError):
        return None
    ends = np.flatnonzero(letters == _COMMA)
    if len(ends) != len(texts) or not _IS_PLAIN[letters].all():
        return None
    starts = np.concatenate(([0], ends[:-1] + 1))
    is_negative = letters[starts] == _MINUS
    # One point in each text, or none at all, as is usual: then the n-th point belongs to the n-th text.
    points = np.flatnonzero(letters == _POINT) if "." in joined else ends
    if len(points) != len(ends) or joined.count("-") != int(is_negative.sum()):
        return None
    fraction, whole = np.maximum(ends - points - 1, 0), points - starts - is_negative
    is_written = (points <= ends).all() and whole.min() >= 0 and (whole + fraction).min() >= 1
    if not is_written or fraction.max() > digits or whole.max() > _MOST_DIGITS - digits:
        return None
    read = np.fromstring(joined.replace(".", ""), np.int64, sep=",") * _POWERS[digits - fraction]
    if len(read) != len(texts) or np.abs(read).max() > LARGEST_ROW:
        return None
    amount, voucher, pay = read.reshape(-1, 3).T
    return Amounts(amount=amount, voucher=voucher, pay=pay)


def _read_texts(texts: Sequence[Scalar], per_usd: int) -> Amounts | None:
    """Read texts in any spelling, each once; None if one of them is not an amount."""
    read = _read_any(set(texts), per_usd)
    if read is None:
        return None
    usd, finer = read
    if max(map(abs, usd.values()), default=0) > LARGEST_ROW:
        return None
    amount, voucher, pay = np.array([usd[text] for text in texts], np.int64).reshape(-1, 3).T
    lost = np.array([text in finer for text in texts], np.bool_).reshape(-1, 3).any(axis=1) if finer else ()
    return Amounts(amount=amount, voucher=voucher, pay=pay, rounded=int(np.count_nonzero(lost)))


_Read: TypeAlias = tuple[dict[Scalar, int], frozenset[Scalar]]
"""Amounts by text, and the texts that lost digits."""


def _read_any(texts: set[Scalar], per_usd: int) -> _Read | None:
    """Read texts in any spelling; None if one of them is not an amount, so that the caller names its row."""
    usd: dict[Scalar, int] = {}
    finer: set[Scalar] = set()
    for text in texts:
        try:
            amount, rounded = read_usd(text, "", per_usd=per_usd)
        except UnexpectedShape:
            return None
        if amount is None:
            return None
        usd[text] = amount
        if rounded:
            finer.add(text)
    return usd, frozenset(finer)


def _read_each(rows: Sequence[Row], first: int) -> Amounts:
    read = [amounts_of(row, f"bills[{index}]") for index, row in enumerate(rows, start=first)]
    amount, voucher, pay = np.array([three for *three, _ in read], np.int64).reshape(-1, 3).T
    return Amounts(amount=amount, voucher=voucher, pay=pay, rounded=sum(rounded for *_, rounded in read))


def _complete(amount: int | None, voucher: int | None, pay: int | None) -> tuple[int | None, int | None, int | None]:
    """Derive the missing part of total = voucher + pay."""
    if amount is None and voucher is not None and pay is not None:
        return voucher + pay, voucher, pay
    if amount is not None and voucher is None and pay is not None:
        return amount, amount - pay, pay
    if amount is not None and voucher is not None and pay is None:
        return amount, voucher, amount - voucher
    return amount, voucher, pay
