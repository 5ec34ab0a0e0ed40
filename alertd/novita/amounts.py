"""
The three amounts of a row: decimals before integers, missing ones derived, all exact.

Decides which of a row's six fields are used. Thousands of rows are read at once if they are alike, as they nearly
always are, else row by row; both ways give the same money.
"""

from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alertd.core.money import SCALE_DIGITS, UNITS_PER_USD, Usd, decimal_text, parse_exact
from alertd.novita.shape import Scalar, UnexpectedShape, is_absent, shown
from alertd.novita.wire import Row

INTEGERS_PER_USD = 10_000
"""The API's integer amounts count 1/10000 USD."""

LARGEST_ROW = 10_000_000 * UNITS_PER_USD
"""No row is this large, credits included: more is a wrong unit, and would spoil every sum."""

_Three: TypeAlias = tuple[Scalar, Scalar, Scalar]
_POINT, _COMMA, _MINUS = b".,-"
_POWERS = 10 ** np.arange(SCALE_DIGITS + 1)
_NOTHING = "None,None,None,"
_GATHERED_ROWS = 2048
"""Rows read at once: enough that an operation on all of them costs little for each, and few enough for the cache."""
_MOST_DIGITS = 18
"""Numbers with up to this many digits always fit 64 bits."""
_DECIMALS: Callable[[Row], _Three] = attrgetter("amount_usd", "voucher_usd", "pay_usd")
_INTEGERS: Callable[[Row], _Three] = attrgetter("amount", "voucher", "pay")


class AmountColumns:
    """
    The amounts of one answer's rows in 1e-10 USD; plain ones are gathered as text, and read by the thousand.

    Gathered is what has all three decimals, or none of them and all three integers; whatever else a chunk of rows has
    is read at once, text by text or row by row.
    """

    def __init__(self) -> None:
        self.amount = array("q")
        self.voucher = array("q")
        self.pay = array("q")
        self.rounded = 0
        """How many rows lost digits."""
        self._texts: list[str] = []
        self._gathered = 0
        self._per_usd = 1

    def __len__(self) -> int:
        return len(self.amount) + self._gathered

    def add(self, rows: Sequence[Row]) -> None:
        """
        Append the amounts of the next rows.

        Raises:
            UnexpectedShape: A row, or one gathered before, has no amount, a field that is not a number, or more than
                `LARGEST_ROW`.
        """
        # Each amount ends with a comma. An absent one reads `None`, whose letters no plain amount has.
        text, per_usd = "".join([f"{row.amount_usd},{row.voucher_usd},{row.pay_usd}," for row in rows]), 1
        if text.startswith(_NOTHING) and text == _NOTHING * len(rows):
            text = "".join([f"{row.amount},{row.voucher},{row.pay}," for row in rows])
            per_usd = INTEGERS_PER_USD
        is_plain = _is_plain(text, 3 * len(rows))
        if self._gathered and (per_usd != self._per_usd or not is_plain):
            self.flush()
        if is_plain:
            self._texts.append(text)
            self._gathered += len(rows)
            self._per_usd = per_usd
            if self._gathered >= _GATHERED_ROWS:
                self.flush()
        elif rows:
            self._read_odd(rows)

    def flush(self) -> None:
        """
        Read what was gathered.

        Raises:
            UnexpectedShape: As `add`.
        """
        text, count, self._gathered = "".join(self._texts), self._gathered, 0
        self._texts.clear()
        read = _read_plain(text.encode(), SCALE_DIGITS - len(str(self._per_usd)) + 1) if count else None
        if read is not None:
            self.extend(read[::3], read[1::3], read[2::3])
        elif count:
            texts = text.split(",")
            names = ("amount_usd", "voucher_usd", "pay_usd") if self._per_usd == 1 else ("amount", "voucher", "pay")
            threes = zip(texts[:-1:3], texts[1::3], texts[2::3], strict=True)
            self._read_odd([Row(**dict(zip(names, three, strict=True))) for three in threes])

    def extend(self, amount: NDArray[np.int64], voucher: NDArray[np.int64], pay: NDArray[np.int64]) -> None:
        """Append amounts; nothing is gathered meanwhile."""
        self.amount.frombytes(amount.tobytes())
        self.voucher.frombytes(voucher.tobytes())
        self.pay.frombytes(pay.tobytes())

    def _read_odd(self, rows: Sequence[Row]) -> None:
        texts, per_usd = list(chain.from_iterable(map(_DECIMALS, rows))), 1
        if texts.count(None) == len(texts):
            texts, per_usd = list(chain.from_iterable(map(_INTEGERS, rows))), INTEGERS_PER_USD
        read = _read_texts(texts, per_usd)
        if read is None:
            each = [amounts_of(row, f"bills[{index}]") for index, row in enumerate(rows, start=len(self.amount))]
            read = [amount for *three, _ in each for amount in three], sum(rounded for *_, rounded in each)
        amounts, rounded = read
        self.extend(*np.array(amounts, np.int64).reshape(-1, 3).T)
        self.rounded += rounded


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


def _is_plain(text: str, count: int) -> bool:
    """
    Return whether a text has only amounts of digits, points and minuses, none of them empty.

    Args:
        text: The amounts, a comma after each.
        count: How many there are; more commas are part of an amount, which is not plain then.
    """
    try:
        data = text.encode("ascii")
    except UnicodeEncodeError:
        return False
    return data.translate(None, b"0123456789.-") == b"," * count and not data.startswith(b",") and b",," not in data


def _read_plain(data: bytes, digits: int) -> NDArray[np.int64] | None:
    """
    Read amounts like `123.45`, all at once; None if any has another form or more digits than 64 bits hold.

    Args:
        data: The amounts, a comma after each; they are plain.
        digits: How many decimal places the unit of 1e-10 USD has in them.
    """
    letters = np.frombuffer(data, np.uint8)
    ends, found = np.flatnonzero(letters == _COMMA), np.flatnonzero(letters == _POINT)
    starts = np.zeros_like(ends)
    np.add(ends[:-1], 1, out=starts[1:])
    points = found
    if len(found) != len(ends) or (found < starts).any() or (found > ends).any():
        # As is usual, each has its point. Where one has none, it would stand at the end.
        points, owners = ends.copy(), np.searchsorted(ends, found)
        if (owners[1:] == owners[:-1]).any():
            return None
        points[owners] = found
    fraction, whole = np.maximum(ends - points - 1, 0), points - starts
    is_credit: NDArray[np.bool_] | None = None
    if b"-" in data:
        is_credit = letters[starts] == _MINUS
        if data.count(b"-") != np.count_nonzero(is_credit):
            return None
        whole -= is_credit
    if fraction.max() > digits or whole.max() > _MOST_DIGITS - digits or (whole + fraction).min() < 1:
        return None
    read: NDArray[np.int64] = np.fromstring(data.translate(None, b".").decode(), np.int64, sep=",")
    read *= _POWERS[digits - fraction]
    if read.max() > LARGEST_ROW or (is_credit is not None and read.min() < -LARGEST_ROW):
        return None
    return read


def _read_texts(texts: Sequence[Scalar], per_usd: int) -> tuple[list[int], int] | None:
    """
    Read amounts in any spelling, three for each row, and each spelling once; None if one is absent or wrong.

    Returns:
        The amounts, and how many rows lost digits.
    """
    usd: dict[Scalar, int] = {}
    finer: set[Scalar] = set()
    for text in set(texts):
        try:
            amount, rounded = read_usd(text, "", per_usd=per_usd)
        except UnexpectedShape:
            return None
        if amount is None or abs(amount) > LARGEST_ROW:
            return None
        usd[text] = amount
        if rounded:
            finer.add(text)
    threes = zip(texts[::3], texts[1::3], texts[2::3], strict=True)
    return [usd[text] for text in texts], sum(not finer.isdisjoint(three) for three in threes) if finer else 0


def _complete(amount: int | None, voucher: int | None, pay: int | None) -> tuple[int | None, int | None, int | None]:
    """Derive the missing part of total = voucher + pay."""
    if amount is None and voucher is not None and pay is not None:
        return voucher + pay, voucher, pay
    if amount is not None and voucher is None and pay is not None:
        return amount, amount - pay, pay
    if amount is not None and voucher is not None and pay is None:
        return amount, voucher, amount - voucher
    return amount, voucher, pay
