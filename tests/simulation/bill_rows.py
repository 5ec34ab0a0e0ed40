"""The rows of the bills: what each says from when on, as the API writes it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.simulation.plan import HOUR_S, USD, Changed


@dataclass(slots=True, kw_only=True)
class BillRow:
    """One row of the bills, and what it says from when on; an amount of None is a row that is not there."""

    category: str
    owner: str
    hour: int
    span: int
    versions: list[tuple[float, int | None]]
    written: dict[int, bytes] = field(default_factory=dict)

    def amount(self, at_s: float) -> int | None:
        """Return what is shown at a time."""
        shown = None
        for since_s, amount in self.versions:
            if since_s <= at_s:
                shown = amount
        return shown

    def change(self, event: Changed) -> None:
        """Revise what is shown, or take it away, and put it back where the event says so."""
        shown_s, amount = self.versions[0]
        if amount is None:
            return
        to = amount * event.percent // 100 if event.percent else None
        self.versions.append((max(event.at_s, shown_s), to))
        if event.back_at_s is not None:
            self.versions.append((max(event.back_at_s, shown_s), amount))
        self.versions.sort(key=lambda version: version[0])

    def text(self, amount: int, start_s: float) -> bytes:
        """Return the row as JSON, in one of the spellings that have been seen."""
        if amount not in self.written:
            self.written[amount] = json.dumps(self._fields(amount, start_s)).encode()
        return self.written[amount]

    def _fields(self, amount: int, start_s: float) -> dict[str, object]:
        first = int(start_s) + self.hour * HOUR_S
        last = first + self.span * HOUR_S - 1
        style = (self.hour * 7 + sum(map(ord, self.owner))) % 4
        # The integers drop what is below a ten-thousandth of a dollar.
        short = abs(amount) // (USD // 10_000) * (-1 if amount < 0 else 1)
        times: tuple[object, object] = (str(first), str(last))
        if style == 1:
            times = (first, last)
        elif style == 2:
            times = tuple(f"{datetime.fromtimestamp(each, UTC):%Y-%m-%dT%H:%M:%SZ}" for each in (first, last))  # type: ignore[assignment]
        voucher = voucher_of(self.owner, amount)
        # The decimals alone say what was paid by voucher, as the integers of some answers do not.
        money: dict[str, object] = {"amount": str(short), "voucherAmount": "0", "payAmount": str(short)}
        if style == 3:
            money = {}
        return {
            "userId": "u-1",
            "startTime": times[0],
            "endTime": times[1],
            "billingMethod": "1",
            "productName": f"product of {self.owner}",
            "productId": f"p-{self.owner}",
            "category": "Compute",
            "ownerID": self.owner,
            **money,
            "amountDecimal": _decimal(amount),
            "voucherAmountDecimal": _decimal(voucher),
            "payableDecimal": _decimal(amount - voucher),
        }


def voucher_of(owner: str, amount: int) -> int:
    """Return what of an amount a voucher pays: three eighths for every second owner, rounded down."""
    return amount * 3 // 8 if owner[-1:] in "13579" else 0


def _decimal(amount: int) -> str:
    return f"{'-' if amount < 0 else ''}{abs(amount) // USD}.{abs(amount) % USD:010}"
