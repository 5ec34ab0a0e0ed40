"""What must hold of who is notified: each receiver knows what the daemon knows, in time, and is reminded of it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tests.simulation.oracle_messages import FALLBACK, Inboxes, Known
from tests.simulation.oracle_seen import RANKS, Seen
from tests.simulation.plan import DAY_S, HOUR_S, RECEIVERS
from tests.simulation.receivers import SETTLED_AFTER_S, Network
from tests.simulation.rules import ESCALATED_TO, QUIET_RECEIVER, RulesFile

NOTIFIED_WITHIN_S = 600
LONGEST = 10
"""After so many repeats none takes longer than the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something is checked, and what excuses silence then."""

    now_s: float
    done_s: float
    """When the last cycle was done."""
    up_since_s: float
    frozen: Collection[tuple[float, float]]
    is_clock_sure: bool
    given_up: int


def is_of_life(known: Known, one: Seen) -> bool:
    """Return whether what a receiver knows is of an alert's present life, or of a later one."""
    return datetime.fromisoformat(known.starts_at) >= datetime.fromisoformat(one.started_at)


@dataclass(slots=True)
class Notified:
    """Since when each alert has been as it is."""

    network: Network
    rules: RulesFile
    _since: dict[str, tuple[object, float]] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)
    """The last cycle that was seen before each became so: it may have become so at any cycle after that."""
    _noted: list[float] = field(default_factory=list)
    """Each cycle that was seen."""
    _shown: dict[str, tuple[object, float]] = field(default_factory=dict)
    _severity: dict[str, int] = field(default_factory=dict)
    _acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of what is acknowledged: by whom, and when anybody was last to be notified of it."""
    _announced: dict[str, tuple[str, int]] = field(default_factory=dict)
    """When somebody was last to be notified of each, and of what severity; a lower one since then takes its place."""

    def note(self, seen: Mapping[str, Seen], done_s: float, *, is_next: bool) -> list[str]:
        """
        Take note of the open alerts after a cycle.

        Returns:
            The fingerprints of those that may have fallen to a lower severity since the cycle before.
        """
        fallen = [] if is_next else [*seen]
        for fingerprint in self._since.keys() | seen.keys():
            one = seen.get(fingerprint)
            # Nobody hears of what is pending: to receivers it has not begun.
            is_begun = one is not None and one.state != "pending"
            state = (one.state, one.is_muted, one.started_at) if one is not None and is_begun else ("", False, "")
            shown = (*state, one.severity, one.acknowledged_by) if one is not None else state
            was = self._severity.get(fingerprint, 0)
            self._severity[fingerprint] = RANKS.index(one.severity) if one is not None else 0
            if self._severity[fingerprint] < was:
                fallen.append(fingerprint)
            if self._since.get(fingerprint, ("", 0.0))[0] != state:
                self._not_before[fingerprint] = self._noted[-1] if self._noted else 0.0
            for kept, now in ((self._since, state), (self._shown, shown)):
                if kept.get(fingerprint, ("", 0.0))[0] != now:
                    kept[fingerprint] = (now, done_s)
        self._noted.append(done_s)
        return fallen

    def check(self, seen: Mapping[str, Seen], inboxes: Inboxes, withheld: Collection[str], at: Moment) -> Iterator[str]:
        """
        Yield what a receiver should know, and does not.

        Args:
            withheld: The fingerprints of what somebody silenced.
        """
        if at.given_up > inboxes.stood_in:
            yield f"{at.given_up} were given up, the fallback has {inboxes.stood_in}"
        if at.now_s - at.up_since_s > SETTLED_AFTER_S and not self._was_frozen(at):
            yield from self._unheard(at)
        yield from self._unheeded(seen)
        for one in seen.values():
            if one.muted_by == "no receiver":
                yield f"{one.rule} of {one.owner or 'all'} is said to have no receiver, and has some"
        for receiver in RECEIVERS:
            if self._is_excused(receiver, at):
                continue
            for fingerprint, one in seen.items():
                is_wanted = one.state == "firing" and receiver in self.rules.receivers_of(one.rule)
                if is_wanted and not one.is_muted and fingerprint not in withheld:
                    yield from self._lacks(receiver, one, inboxes.known.get((receiver, fingerprint)), at)
            if receiver == ESCALATED_TO:
                yield from self._unescalated(seen, inboxes, withheld, at)
            for (who, fingerprint), known in inboxes.known.items():
                is_open = fingerprint in seen and seen[fingerprint].state == "firing"
                is_ended = who == receiver and known.status == "firing" and not is_open
                if is_ended and self._is_due(receiver, fingerprint, at.now_s, told_s=known.at_s):
                    yield f"{receiver} does not know that {fingerprint} ended"

    def shown_since_s(self, fingerprint: str, now_s: float) -> float:
        """Return since when what is to be shown of an alert has not changed."""
        return self._shown.get(fingerprint, ("", now_s))[1]

    def _unheeded(self, seen: Mapping[str, Seen]) -> Iterator[str]:
        """Yield what is acknowledged, and counts as notified anew without a rise, which a silence may have withheld."""
        before, announced = self._acknowledged, self._announced
        self._announced = {fingerprint: self._announcement(one) for fingerprint, one in seen.items()}
        self._acknowledged = {
            fingerprint: (one.acknowledged_by, one.notified_at)
            for fingerprint, one in seen.items()
            if one.acknowledged_by is not None
        }
        for fingerprint, (by, notified_at) in self._acknowledged.items():
            was_by, was_notified_at = before.get(fingerprint, ("", ""))
            one = seen[fingerprint]
            is_rise = RANKS.index(one.severity) > announced.get(fingerprint, ("", -1))[1]
            if by == was_by and was_notified_at not in {"None", notified_at} and not is_rise:
                yield f"{one.rule} of {one.owner or 'all'} was acknowledged by {by}, and is repeated"

    def _announcement(self, one: Seen) -> tuple[str, int]:
        """Return when an alert was last to be notified, and the severity of which that tells."""
        notified_at, rank = self._announced.get(one.fingerprint, ("", -1))
        is_new = notified_at != one.notified_at
        severity = RANKS.index(one.severity)
        return one.notified_at, severity if is_new else min(rank, severity)

    def _lacks(self, receiver: str, one: Seen, known: Known | None, at: Moment) -> Iterator[str]:
        who = f"{one.rule} of {one.owner or 'all'}"
        if not self._is_due(receiver, one.fingerprint, at.now_s):
            return
        if known is None or known.status != "firing":
            yield f"{receiver} does not know that {who} fires"
            return
        since_s = self._shown[one.fingerprint][1]
        is_old = at.now_s - since_s > NOTIFIED_WITHIN_S and at.is_clock_sure
        was_well = not known.is_late and not self.network.had_trouble(known.at_s - DAY_S, at.now_s, receiver)
        if not (is_old and was_well):
            return
        if RANKS.index(one.severity) > RANKS.index(known.severity):
            yield f"{receiver} does not know that {who} rose from {known.severity} to {one.severity}"
        is_reminded = (
            one.rule_type in {"rolling_spend", "budget", "monthly_bill", "balance"} and one.acknowledged_by is None
        )
        waited_s = at.done_s - max(known.at_s, since_s)
        repeats = known.repeats if known.repeats is not None else LONGEST
        if is_reminded and waited_s > self.rules.repeats_after_s(one.rule, repeats) + NOTIFIED_WITHIN_S:
            yield f"{receiver} has not been reminded of {who} for {waited_s / HOUR_S:.1f} h"

    def _unescalated(
        self, seen: Mapping[str, Seen], inboxes: Inboxes, withheld: Collection[str], at: Moment
    ) -> Iterator[str]:
        """Yield what fires for long, nobody takes care of, and nobody else has heard of."""
        for fingerprint, one in seen.items():
            after_s = self.rules.escalates_after_s(one.rule)
            is_alone = one.state == "firing" and one.acknowledged_by is None and not one.is_muted
            if after_s is None or not is_alone or fingerprint in withheld or not at.is_clock_sure:
                continue
            waited_s = at.done_s - self._shown[fingerprint][1]
            known = inboxes.known.get((ESCALATED_TO, fingerprint))
            if waited_s > after_s + NOTIFIED_WITHIN_S and (known is None or not is_of_life(known, one)):
                yield f"{one.rule} of {one.owner} was not escalated for {waited_s / HOUR_S:.1f} h"

    def _unheard(self, at: Moment) -> Iterator[str]:
        """Yield what was refused for good without a word to the fallback, which an earlier lost answer may have had."""
        heard = [one for one in self.network.taken if one.receiver == FALLBACK]
        for (receiver, key), (refused_s, fingerprints) in self.network.refused.items():
            tried_s = self.network.first_tried_s[receiver, key]
            since_s = tried_s if self.network.may_have_lost(receiver, tried_s, refused_s) else refused_s
            is_heard = any(fingerprints <= one.fingerprints for one in heard if one.at_s >= since_s)
            if at.now_s - refused_s > NOTIFIED_WITHIN_S and fingerprints and not is_heard:
                yield f"{receiver} refused {key[:12]} for good, and the fallback has not heard of it"

    def _is_due(self, receiver: str, fingerprint: str, now_s: float, *, told_s: float = 0.0) -> bool:
        """
        Return whether a change of an alert must have arrived: not where its three copies may all have been lost.

        Args:
            told_s: When the receiver heard that it fires, where it is to hear that it ended.
        """
        since_s = self._since.get(fingerprint, ("", now_s))[1]
        from_s = self._not_before.get(fingerprint, since_s)
        if told_s > since_s:
            # It began and ended between two cycles that were seen.
            from_s, since_s = told_s, next((at_s for at_s in self._noted if at_s >= told_s), now_s)
        # What had to wait is lost where the trouble that follows loses what it is sent.
        waited_s = min(now_s, self.network.waits_until_s(receiver, since_s))
        return now_s - since_s > NOTIFIED_WITHIN_S and not self.network.may_have_lost(receiver, from_s, waited_s)

    def _was_frozen(self, at: Moment) -> bool:
        return any(begin <= at.now_s and end >= at.now_s - SETTLED_AFTER_S for begin, end in at.frozen)

    def _is_excused(self, receiver: str, at: Moment) -> bool:
        if at.now_s - at.up_since_s < SETTLED_AFTER_S or self._was_frozen(at):
            return True
        if receiver == QUIET_RECEIVER:
            was_quiet = any(any(self.rules.may_be_quiet(at.now_s, by_s)) for by_s in (0, -SETTLED_AFTER_S))
            if was_quiet or not at.is_clock_sure:
                return True
        return self.network.had_trouble(at.now_s - SETTLED_AFTER_S, at.now_s, receiver)
