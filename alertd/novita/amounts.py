"""
The three amounts of a row: decimals before integers, what is missing derived, all of it exact.

Decides which of a row's six fields are believed. Reads a whole chunk at once where its rows are alike, as they
nearly always are, and row by row where they are not; both ways give the same money.
"""

import re
from collections.abc import Sequence
from dataclasses import field
from typing import TypeAlias, cast

from alertd.core.dataclass import dataclass
from alertd.core.money import MAX_UNITS, UNITS_PER_USD, Usd, decimal_text, parse_exact
from alertd.novita.shape import Scalar, UnexpectedShape, is_absent, shown
from alertd.novita.wire import Row

INTEGERS_PER_USD = 10_000
"""The API's integer amounts count 1/10000 USD."""

LARGEST_ROW = 10_000_000 * UNITS_PER_USD
"""No row is this large, credits included: more is a slip of units, and would spoil every sum that it is part of."""

_PLAIN = re.compile(r"[0-9.-]*")


@dataclass(slots=True, kw_only=True)
class Amounts:
    """The amounts of a chunk's rows as columns, in 1e-10 USD; `rounded` counts rows that lost digits."""

    amount: list[int] = field(default_factory=list)
    voucher: list[int] = field(default_factory=list)
    pay: list[int] = field(default_factory=list)
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
    return _read_alike(rows) or _read_each(rows, first)


def amounts_of(row: Row, where: str) -> tuple[Usd, Usd, Usd, bool]:
    """
    Return amount, voucher and pay of one row in 1e-10 USD, and whether digits were rounded away.

    The decimal fields win, each over its integer; what the decimals leave out follows from total = voucher + pay
    where two of them are there, else from the integers, else from total = voucher + pay again, with no voucher when
    nothing reports one.

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
        raise UnexpectedShape(f"{where}.amount: {shown(row.amount)} is no amount, and none follows from other fields")
    voucher = 0 if voucher is None else voucher
    pay = amount - voucher if pay is None else pay
    largest = max(amount, voucher, pay, key=abs)
    if abs(largest) > LARGEST_ROW:
        shown_usd = decimal_text(largest)
        raise UnexpectedShape(f"{where}: {shown_usd} USD is no amount of one row: those go up to 10 million USD")
    return Usd(amount), Usd(voucher), Usd(pay), rounded


def read_usd(value: Scalar, where: str, *, per_usd: int = 1) -> tuple[Usd | None, bool]:
    """
    Read an amount exactly.

    Returns:
        The amount in 1e-10 USD, None when nothing was said; and whether digits were rounded away.

    Raises:
        UnexpectedShape: It is not a decimal number, or more than 64 bits hold.
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
    """Read rows that all have the three decimals, or all have only the three integers; None for other chunks."""
    columns: tuple[list[Scalar], list[Scalar], list[Scalar]] = (
        [row.amount_usd for row in rows],
        [row.voucher_usd for row in rows],
        [row.pay_usd for row in rows],
    )
    texts, per_usd = set().union(*columns), 1
    if texts == {None}:
        columns = ([row.amount for row in rows], [row.voucher for row in rows], [row.pay for row in rows])
        texts, per_usd = set().union(*columns), INTEGERS_PER_USD
    read = _read_plain(texts, UNITS_PER_USD // per_usd) or _read_any(texts, per_usd)
    if read is None:
        return None
    usd, finer = read
    if max(map(abs, usd.values()), default=0) > LARGEST_ROW:
        return None
    amount, voucher, pay = ([usd[text] for text in column] for column in columns)
    rounded = sum(not finer.isdisjoint(three) for three in zip(*columns, strict=True)) if finer else 0
    return Amounts(amount=amount, voucher=voucher, pay=pay, rounded=rounded)


_Read: TypeAlias = tuple[dict[Scalar, int], frozenset[Scalar]]
"""Amounts by their text, and the texts that lost digits."""


def _read_plain(texts: set[Scalar], units: int) -> _Read | None:
    """
    Read texts like `123.45`, ten times as fast as one by one; None when there is any other.

    Dividing the units by a power of ten is exact, for there is a power only for as many digits as they have zeros.
    """
    powers = [units // 10**digits for digits in range(len(str(units)))]
    try:
        if not _PLAIN.fullmatch("".join(cast("set[str]", texts))):
            return None
        parts = zip(texts, [cast("str", text).partition(".") for text in texts], strict=True)
        usd = {text: int(whole + fraction) * powers[len(fraction)] for text, (whole, _, fraction) in parts}
    except (TypeError, ValueError, IndexError):
        return None
    return (usd, frozenset()) if max(map(abs, usd.values()), default=0) <= MAX_UNITS else None


def _read_any(texts: set[Scalar], per_usd: int) -> _Read | None:
    """Read texts in any spelling; None when one of them is no amount, so that its row is named."""
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
    read = Amounts()
    for index, row in enumerate(rows, start=first):
        amount, voucher, pay, rounded = amounts_of(row, f"bills[{index}]")
        read.amount.append(amount)
        read.voucher.append(voucher)
        read.pay.append(pay)
        read.rounded += rounded
    return read


def _complete(amount: int | None, voucher: int | None, pay: int | None) -> tuple[int | None, int | None, int | None]:
    """Derive the one that is missing of total = voucher + pay."""
    if amount is None and voucher is not None and pay is not None:
        return voucher + pay, voucher, pay
    if amount is not None and voucher is None and pay is not None:
        return amount, amount - pay, pay
    if amount is not None and voucher is not None and pay is None:
        return amount, voucher, amount - voucher
    return amount, voucher, pay
