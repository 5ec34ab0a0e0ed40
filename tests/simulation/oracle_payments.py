"""
What must hold of alerts of monthly bills and of the balance.

How long a bill has been in its states is known from the answers alone, as it is to the daemon: what it was before,
nobody can ask. Where a process died, nobody knows whether it had filed what it read; then both are true.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from tests.simulation.oracle_seen import RANKS, Seen
from tests.simulation.other_rules import LOW_BALANCE, OVERDUE, LowBalance, Overdue
from tests.simulation.payments import Listed
from tests.simulation.plan import DAY_S, POLL_S, ApiTrouble, Invoice
from tests.simulation.world import World

UNSURE_S = 300
"""From the beginning of a cycle, whose time counts, to its end."""
FOUND_AFTER_S = DAY_S + 3 * POLL_S
"""All months are read once a day: what was settled long ago may have become overdue."""
DIGIT = Fraction(1, 10**6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A bill was seen so from between two instants on."""

    status: str
    owes: bool
    is_gone: bool
    since_s: float
    at_latest_s: float

    def is_like(self, other: "Phase") -> bool:
        """Return whether nothing began with another."""
        return (self.status, self.owes, self.is_gone) == (other.status, other.owes, other.is_gone)


@dataclass(slots=True, kw_only=True)
class Tracked:
    """A bill as it was last read, and the phases that it went through."""

    bill: Invoice
    phases: list[Phase]
    doubtful_s: float | None = None
    """When a process that died read something else, and may have filed it."""

    def take(self, phase: Phase, bill: Invoice | None) -> None:
        """Add what a read that was filed says."""
        last = self.phases[-1]
        began_s = phase.since_s if self.doubtful_s is None else min(self.doubtful_s, phase.since_s)
        if not phase.is_like(last):
            self.phases.append(replace(phase, since_s=began_s))
        elif self.doubtful_s is not None:
            # It may have been something else in between.
            self.phases[-1] = replace(last, at_latest_s=phase.at_latest_s)
        self.doubtful_s = None
        if bill is not None:
            self.bill = bill

    def ages_s(self, rule: Overdue, now_s: float) -> tuple[float, float] | None:
        """Return how long it may have been in a rule's states, at least and at most; None where it is not in them."""
        counting: list[Phase] = []
        for phase in reversed(self.phases):
            if not (phase.status in rule.statuses or (phase.owes and "overdue" in rule.statuses)):
                break
            counting.append(phase)
        if not counting or self.bill.owed < rule.least_usd:
            return None
        last = self.phases[-1]
        until = (last.since_s, last.at_latest_s) if last.is_gone else (now_s - UNSURE_S, now_s)
        since_s, at_latest_s = counting[-1].since_s, max(phase.at_latest_s for phase in self._doubted(counting))
        return max(0.0, until[0] - at_latest_s), until[1] - since_s

    @staticmethod
    def _doubted(counting: Sequence[Phase]) -> Iterator[Phase]:
        """Yield the phases with which the count may have begun: the first, and those before which it may have ended."""
        yield counting[-1]
        yield from (phase for phase in counting if phase.at_latest_s - phase.since_s > UNSURE_S)


@dataclass(slots=True)
class PaymentsCheck:
    """What the daemon was told of bills and balance, and may have filed."""

    world: World
    _bills: dict[str, Tracked] = field(default_factory=dict)
    _pages: int = 0
    _balances: int = 0
    _cents: int | None = None
    _done_s: float = float("-inf")
    _is_read: bool = False
    _is_balance_read: bool = False
    _missed: frozenset[tuple[str, str]] = frozenset()

    def take(self, cycles: Iterable[float], deaths: Sequence[float]) -> None:
        """Take what was answered up to the end of each cycle that was not taken yet."""
        for done_s in cycles:
            if done_s > self._done_s:
                self._take(done_s, deaths)
                self._done_s = done_s

    def _take(self, done_s: float, deaths: Sequence[float]) -> None:
        """Take what a cycle was answered; what a process read that died before it may have been filed."""
        pages = [one for one in self.world.payments.listed[self._pages :] if one.at_s <= done_s]
        self._pages += len(pages)
        last_death_s = max((at_s for at_s in deaths if at_s <= done_s), default=float("-inf"))
        for read in _reads(one for one in pages if one.at_s <= last_death_s):
            self._note_doubt(read)
        filed = list(_reads(one for one in pages if one.at_s > last_death_s))
        for read in filed:
            self._file(read, done_s)
        self._is_read = bool(filed)
        balances = [one for one in self.world.payments.balances[self._balances :] if one[0] <= done_s]
        self._balances += len(balances)
        self._is_balance_read = bool(balances) and balances[-1][0] > last_death_s
        if balances:
            self._cents = balances[-1][1]

    def _note_doubt(self, read: list[Listed]) -> None:
        for bill_id, phase, _ in self._told(read, read[-1].at_s):
            # Of a new one `_first_shown_s` knows when it may have been filed first.
            known = self._bills.get(bill_id)
            if known is not None and known.doubtful_s is None and not phase.is_like(known.phases[-1]):
                known.doubtful_s = phase.since_s

    def _file(self, read: list[Listed], done_s: float) -> None:
        for bill_id, phase, bill in self._told(read, done_s):
            if bill_id in self._bills:
                self._bills[bill_id].take(phase, bill)
            elif bill is not None:
                self._bills[bill_id] = Tracked(bill=bill, phases=[replace(phase, since_s=self._first_shown_s(bill_id))])

    def _first_shown_s(self, bill_id: str) -> float:
        """Return when a bill was first sent: a process that died then may have filed it."""
        shown = (one.at_s for one in self.world.payments.listed if any(bill.bill_id == bill_id for bill in one.bills))
        return min(shown) - UNSURE_S

    def _told(self, read: list[Listed], at_latest_s: float) -> Iterator[tuple[str, Phase, Invoice | None]]:
        """Yield what a read says of each bill: as it was shown last, or that it is gone."""
        since_s = read[0].at_s - UNSURE_S
        shown = {bill.bill_id: bill for page in read for bill in page.bills}
        for bill_id, bill in shown.items():
            is_owed = bill.owed > 0
            phase = Phase(status=bill.status, owes=is_owed, is_gone=False, since_s=since_s, at_latest_s=at_latest_s)
            yield bill_id, phase, bill
        for bill_id, known in self._bills.items():
            if bill_id not in shown and known.bill.month >= read[0].first_month:
                last = known.phases[-1]
                yield bill_id, replace(last, is_gone=True, since_s=since_s, at_latest_s=at_latest_s), None

    def check(
        self, now: Mapping[str, Seen], before: Mapping[str, Seen] | None, names: Iterable[str], done_s: float
    ) -> Iterator[str]:
        """
        Yield what is wrong after a cycle.

        Args:
            now: The open alerts.
            before: Those of the cycle before; None where one was not seen.
            names: The rules that stand in the file.
        """
        missed = set[tuple[str, str]]()
        for rule in (rule for rule in OVERDUE if rule.name in names):
            mine = {one.owner or "": one for one in now.values() if one.rule == rule.name}
            were = {one.owner or "" for one in (before or {}).values() if one.rule == rule.name}
            for bill_id in mine.keys() - self._bills.keys():
                yield f"{rule.name} of {bill_id}: the API never showed it"
            for bill_id, known in self._bills.items():
                yield from self._check_bill(rule, known, mine.get(bill_id), done_s, was_open=bill_id in were)
            found = {bill_id for bill_id, one in mine.items() if one.state == "firing"}
            missed |= {(rule.name, bill_id) for bill_id in self._long_overdue(rule, done_s) if bill_id not in found}
        for name, bill_id in missed & self._missed:
            yield f"{name} of {bill_id}: it has been overdue for more than a day, and nothing fires"
        self._missed = frozenset(missed)
        if LOW_BALANCE.name in names:
            yield from self._check_balance(LOW_BALANCE, now, before)

    def _check_bill(
        self, rule: Overdue, known: Tracked, one: Seen | None, done_s: float, *, was_open: bool
    ) -> Iterator[str]:
        who, ages_s = f"{rule.name} of {known.bill.bill_id}", known.ages_s(rule, done_s)
        is_gone = known.phases[-1].is_gone
        if ages_s is None:
            if one is not None and self._is_read and not is_gone and known.doubtful_s is None:
                yield f"{who}: it is {known.bill.status} with {known.bill.owed} USD owed, and still {one.state}"
            if one is None and was_open and not self._is_read:
                yield f"{who}: ended although the monthly bills could not be read"
            return
        due = {_severity(rule.lines, age_s / DAY_S) for age_s in ages_s}
        if one is None or one.state != "firing":
            if None not in due:
                yield f"{who}: {known.bill.status} for {ages_s[0] / DAY_S:.2f} days, and nothing fires"
            return
        if one.severity not in due:
            yield f"{who}: {one.severity} after {ages_s[0] / DAY_S:.3f} to {ages_s[1] / DAY_S:.3f} days"
        if not ages_s[0] - UNSURE_S <= one.value * DAY_S <= ages_s[1] + UNSURE_S:
            yield f"{who}: says {float(one.value):.3f} days, not {ages_s[0] / DAY_S:.3f} to {ages_s[1] / DAY_S:.3f}"

    def _long_overdue(self, rule: Overdue, done_s: float) -> list[str]:
        """Return what has owed money for more than a day, over which everything could be read."""
        since_s, troubles = done_s - FOUND_AFTER_S, self.world.plan.events
        if since_s < 0 or min(rule.lines.values()) or rule.least_usd:
            return []
        if any(isinstance(t, ApiTrouble) and t.at_s <= done_s and t.until_s >= since_s for t in troubles):
            return []
        at_all = [
            self.world.payments.bills_at(at_s)
            for at_s in (since_s, *(t.at_s for t in troubles if isinstance(t, Invoice) and since_s < t.at_s <= done_s))
        ]
        owed = [{bill_id for bill_id, one in bills.items() if one.owed or one.status == "overdue"} for bills in at_all]
        return sorted(set.intersection(*owed))

    def _check_balance(
        self, rule: LowBalance, now: Mapping[str, Seen], before: Mapping[str, Seen] | None
    ) -> Iterator[str]:
        one = next((each for each in now.values() if each.rule == rule.name), None)
        was = next((each for each in (before or {}).values() if each.rule == rule.name), None)
        if not self._is_balance_read or self._cents is None:
            if was is not None and (one is None or one.severity != was.severity):
                yield f"{rule.name}: {was.severity} became {one.severity if one else 'ended'}, and it was not read"
            return
        usd = Fraction(self._cents, 100)
        reached, held = _fallen(rule.lines, usd), _fallen(rule.lines, usd * Fraction(9, 10))
        if before is not None:
            # It falls to what still holds it, and no further.
            held = min(held, max(reached, RANKS.index(was.severity) if was is not None else -1))
        found = RANKS.index(one.severity) if one is not None else -1
        if not (reached <= found <= held and (before is None or found == held)):
            span = f"{_word(reached)} to {_word(held)}"
            yield f"{rule.name}: ${float(usd):.2f} is left, which is {span}, not {_word(found)}"
        if one is not None and one.value != usd:
            yield f"{rule.name}: says {float(one.value):.2f} USD, not {float(usd):.2f}"

    def check_sent(self, sent: Iterable[tuple[dict[str, Any], bool]]) -> Iterator[str]:
        """Yield what is wrong with the money in messages that were written in this cycle."""
        names = {rule.name for rule in OVERDUE}
        for alert, is_fresh in sent:
            known = self._bills.get(alert["labels"].get("bill_id", ""))
            if alert["labels"]["alertname"] not in names or known is None or not is_fresh:
                continue
            bill, summary = known.bill, alert["annotations"]["summary"]
            money = f"${bill.owed:,}.00 owed of ${bill.total:,}.00" if bill.owed else f"total ${bill.total:,}.00"
            if money not in summary or bill.month not in summary:
                yield f"{alert['labels']['alertname']} of {bill.bill_id}: {summary!r}, where {money} is right"


def _reads(pages: Iterable[Listed]) -> Iterator[list[Listed]]:
    """Yield the reads that came to their end: every page from the first to the one that brings nothing new."""
    read: list[Listed] = []
    for page in pages:
        if page.page == 1:
            read = []
        if read and page.page == read[-1].page:
            read.pop()
        if page.page != len(read) + 1:
            continue
        known = {bill.bill_id for each in read for bill in each.bills}
        read.append(page)
        if not {bill.bill_id for bill in page.bills} - known:
            yield read
            read = []


def _severity(lines: Mapping[str, int], measure: float) -> str | None:
    found = [severity for severity, line in lines.items() if measure >= line]
    return max(found, key=RANKS.index, default=None)


def _fallen(lines: Mapping[str, int], measure: Fraction) -> int:
    """Return the rank of the highest severity whose limit is not below a measure; -1 for none."""
    return max((RANKS.index(severity) for severity, line in lines.items() if measure <= line), default=-1)


def _word(rank: int) -> str:
    return RANKS[rank] if rank >= 0 else "fine"
