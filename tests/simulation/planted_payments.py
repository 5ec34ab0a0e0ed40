"""Bugs that are planted for the simulation: monthly bills, the balance, and owners that begin to spend."""

from tests.mutants.mutant import planted_bug

PAYMENTS = (
    planted_bug(
        "what vanished is paid",
        "core.spend.bill",
        "replace(tracked.phases[-1], since=at, is_gone=True)",
        'replace(tracked.phases[-1], since=at, status="paid", owes=False)',
        "a bill that vanished from the list stands as it was",
    ),
    planted_bug(
        "what vanished grows older",
        "core.rules.monthly_bill",
        "age = (tracked.gone_since or facts.now) - since if",
        "age = facts.now - since if",
        "a bill that vanished rises no further",
    ),
    planted_bug(
        "a bill's age from its last change",
        "core.rules.monthly_bill",
        "            since = phase.since\n        return",
        "            since = since or phase.since\n        return",
        "days since a bill was first seen in one of the states",
    ),
    planted_bug(
        "owe what was repaid",
        "core.spend.bill",
        "Usd(max(0, self.debt - self.repaid))",
        "Usd(max(0, self.debt))",
        "owed is the debt that is not repaid",
    ),
    planted_bug(
        "owe what is paid",
        "core.spend.bill",
        "return Usd(0) if self.is_settled else Usd(max",
        "return Usd(max",
        "a paid bill owes nothing",
    ),
    planted_bug(
        "read open months alone",
        "daemon.intake",
        "is_all = reading.everything or last is None or not",
        "is_all = reading.everything or last is None and False and not",
        "all months are read at start and once a day",
    ),
    planted_bug(
        "believe that a short page is the last",
        "novita.client",
        "            if not brings_new:",
        "            if not brings_new or len(read) < 2:",
        "pages are read until one brings nothing new",
    ),
    planted_bug(
        "end what cannot be read",
        "daemon.intake",
        'self._bill_gaps[account] = f"monthly bills could not be read ({error.brief})"',
        "reading.facts.bills += gone_from(known, [], start_month=start, at=reading.now)",
        "what cannot be read has not vanished",
    ),
    planted_bug(
        "ignore min_debt",
        "core.rules.monthly_bill",
        "return since if tracked.bill.owed >= self.min_debt else None",
        "return since",
        "bills that owe less than min_debt do not count",
    ),
    planted_bug(
        "a balance at its limit is enough",
        "core.rules.runway",
        "if measure <= limit), default=None)",
        "if measure < limit), default=None)",
        "a limit is reached at or below it",
    ),
    planted_bug(
        "a balance ends at its limit",
        "core.rules.runway",
        "measure = self.measure * part",
        "measure = self.measure",
        "hysteresis holds for balances",
    ),
    planted_bug(
        "nobody is new twice",
        "core.rules.first_spend",
        "HourRange(now.start - whole_hours(self.lookback_), now.start)",
        "HourRange(now.start - 2 * whole_hours(self.lookback_), now.start)",
        "whoever spent nothing in the lookback is new",
    ),
    planted_bug(
        "new after a day",
        "core.rules.first_spend",
        "HourRange(now.start - whole_hours(self.lookback_), now.start)",
        "HourRange(now.start - 24, now.start)",
        "whoever spent in the lookback is not new",
    ),
    planted_bug(
        "ignore min_spend",
        "core.rules.first_spend",
        "self.thresholds or {self.severity or Severity.WARNING: self.min_spend}",
        "self.thresholds or {self.severity or Severity.WARNING: Usd(1)}",
        "groups that spend less than min_spend are ignored",
    ),
)
