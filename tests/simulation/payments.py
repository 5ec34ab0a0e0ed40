"""What the API says of monthly bills and of the balance; every whole answer is noted, for the oracle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.plan import Funds, Invoice, Plan

INVOICES, BALANCE = "monthly", "balance"
PAGE = 2
"""Bills on a page, whatever size is asked for."""
FULL_CENTS = 900_000
"""The balance of a plan that says nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A page of monthly bills that was sent."""

    at_s: float
    first_month: str
    page: int
    bills: tuple[Invoice, ...]
    """Empty on the page after the last."""


@dataclass(slots=True)
class Payments:
    """The first account's monthly bills and balance, at any time."""

    plan: Plan
    clock: Callable[[], float]
    listed: list[Listed] = field(default_factory=list)
    balances: list[tuple[float, int]] = field(default_factory=list)
    """(when it was sent, cents)."""

    def answer(self, topic: str, query: Any) -> dict[str, object]:
        """Return the answer to a question about either, by the name of its trouble."""
        return self._balance() if topic == BALANCE else self._page(query["startMonth"], int(query["page"]))

    def bills_at(self, at_s: float) -> Mapping[str, Invoice]:
        """Return by id what the list has of each bill at a time."""
        found: dict[str, Invoice] = {}
        for event in self.plan.events:
            if isinstance(event, Invoice) and event.at_s <= at_s:
                known = found.get(event.bill_id)
                if known is None or known.at_s <= event.at_s:
                    found[event.bill_id] = event
        return {bill_id: one for bill_id, one in found.items() if one.status}

    def _page(self, first_month: str, page: int) -> dict[str, object]:
        bills = sorted(self.bills_at(self.clock()).values(), key=lambda one: (one.month, one.bill_id))
        bills = [one for one in bills if one.month >= first_month]
        shown = tuple(bills[(page - 1) * PAGE : page * PAGE])
        self.listed.append(Listed(at_s=self.clock(), first_month=first_month, page=page, bills=shown))
        return {"data": [_fields(one) for one in shown]}

    def _balance(self) -> dict[str, object]:
        now_s, cents, since_s = self.clock(), FULL_CENTS, float("-inf")
        for event in self.plan.events:
            if isinstance(event, Funds) and since_s <= event.at_s <= now_s:
                cents, since_s = event.cents, event.at_s
        self.balances.append((now_s, cents))
        amount = str(cents * 100)
        return {"availableBalance": amount, "cashBalance": amount, "creditLimit": "0", "outstandingInvoices": "0"}


def _fields(one: Invoice) -> dict[str, object]:
    """Return a bill as the API writes it: integers of a ten-thousandth of a dollar, as text."""
    paid = one.total if one.status == "paid" else 0
    return {
        "billId": one.bill_id,
        "userId": "u-1",
        "billingMonth": one.month,
        "totalAmount": str(one.total * 10_000),
        "originTotalAmount": str(one.total * 10_000),
        "voucherPayAmount": "0",
        "cashPayAmount": str(paid * 10_000),
        "debtAmount": str(one.debt * 10_000),
        "repaidAmount": str(one.repaid * 10_000),
        "status": one.status,
        "invoiceUrl": f"https://novita.ai/invoice/{one.bill_id}",
    }
