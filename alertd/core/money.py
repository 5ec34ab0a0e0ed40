"""
Exact money: integers of 1e-10 USD internally, decimal text for input and output, never a binary float.

64 bits hold about ±922 million dollars; anything larger is an error and never wraps around.
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NewType, TypeVar

FoundT = TypeVar("FoundT")
OtherT = TypeVar("OtherT")
Usd = NewType("Usd", int)
"""An amount in units of 1e-10 USD."""

SCALE_DIGITS = 10
UNITS_PER_USD = 10**SCALE_DIGITS
MAX_UNITS = 2**63 - 1
LARGEST_SUM = MAX_UNITS * (1 - 1e-9)
"""Largest sum in floats whose exact sum certainly fits 64 bits: float errors are far below the margin of 1e-9."""

# Enough digits for every amount that fits 64 bits and for the digits that are rounded away.
_CONTEXT = Context(prec=1100, rounding=ROUND_HALF_EVEN)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,500}(?:\.[0-9]{0,500})?|\.[0-9]{1,500})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_WRITTEN = re.compile(
    r"(?:\$\s?|USD\s)?(?P<number>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)(?:\s?USD)?",
    re.ASCII | re.IGNORECASE,
)


def parse_exact(text: str, *, per_usd: int = 1) -> tuple[Usd, bool]:
    """
    Parse a decimal number exactly, rounding half-even to 1e-10 USD.

    Args:
        text: ASCII digits with optional sign, fraction and exponent; nothing else (no NaN, `1_0`, full-width digits).
        per_usd: How many of the text's units make one dollar (10000 for the API's integers).

    Returns:
        The amount, and whether digits were rounded away.

    Raises:
        ValueError: *text* is not such a number.
        OverflowError: The amount does not fit 64 bits.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is not a decimal number")
    units = _CONTEXT.multiply(Decimal(text), Decimal(UNITS_PER_USD // per_usd))
    if abs(units) > MAX_UNITS:
        raise OverflowError(f"{text[:60]} does not fit: amounts go up to 922 million USD")
    whole = units.to_integral_value(rounding=ROUND_HALF_EVEN)
    return Usd(int(whole)), whole != units


def if_it_fits(compute: Callable[[], FoundT], otherwise: OtherT) -> FoundT | OtherT:
    """Return the result of *compute*, or *otherwise* if a sum does not fit 64 bits: only that part is not shown."""
    try:
        return compute()
    except OverflowError:
        return otherwise


def parse_written(text: str) -> Usd:
    """
    Parse money as people write it: `50`, `50.25`, `$1,200`, `50 USD`.

    Raises:
        ValueError: It is not an amount in USD, is finer than 1e-10 USD, or is too large.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not an amount; write 50, 50.25, "$1,200" or "50 USD" (USD only)')
    try:
        amount, rounded = parse_exact(match["number"].replace(",", ""))
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if rounded:
        raise ValueError(f'"{text}" is finer than 0.0000000001 USD')
    return amount


def to_decimal(amount: int) -> Decimal:
    """Return the amount in USD as an exact Decimal without trailing zeros."""
    return plain(_CONTEXT.scaleb(Decimal(amount), -SCALE_DIGITS))


def plain(value: Decimal) -> Decimal:
    """Strip trailing zeros without introducing exponent notation (`1E+2`)."""
    # Adding zero turns -0 into 0.
    value = value.normalize(_CONTEXT) + 0
    return value.quantize(Decimal(1), context=_CONTEXT) if value == value.to_integral_value() else value


def decimal_text(amount: int) -> str:
    """Return the exact amount in USD as plain text: `61.25`, `0.0000000001`, `-3`."""
    return f"{to_decimal(amount):f}"


def format_usd(amount: int) -> str:
    """
    Return the amount for people: `$1,234.57`; below a cent, enough digits to distinguish it from zero.

    Rounded half-even, and therefore for reading only, not for sums.
    """
    sign = "-" if amount < 0 else ""
    usd = _CONTEXT.scaleb(Decimal(abs(amount)), -SCALE_DIGITS)
    if usd and usd < Decimal("0.01"):
        # Two significant digits: $0.0042, $0.00000000010 reads as $0.0000000001.
        digits = -usd.adjusted() + 1
        small = usd.quantize(Decimal(1).scaleb(-min(digits, SCALE_DIGITS)), context=_CONTEXT)
        return f"{sign}${plain(small):f}"
    return f"{sign}${usd.quantize(Decimal('0.01'), context=_CONTEXT):,f}"
