"""What must hold of what receivers got: once, in order, byte for byte, and nothing missing that should be there."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from tests.simulation.oracle_seen import RANKS
from tests.simulation.plan import DAY_S, HOUR_S, POLL_S
from tests.simulation.receivers import Network, Taken
from tests.simulation.rules import ESCALATED_TO, MUTED, QUIET_RECEIVER, RulesFile
from tests.simulation.slack import RECEIVER as SLACK

FALLBACK = "spare"
_FIRED = re.compile(r"[Ff]iring since (\d{4}-\d\d-\d\d \d\d:\d\d) UTC")
MOST_COPIES = 3
CUT_WITHIN_S = 60
REPEATED_S = (55, 150)
"""How long after a start the one notification comes again that was on its way when the process was killed."""
UNSURE_H = 1.2
"""So far off a clock may be that is still decided by."""
PROMPT = ("pager", "bridge", QUIET_RECEIVER)
PROMPT_S = 40
"""What is read in twenty seconds is judged then, whatever is still awaited."""
LATE_S = 48 * HOUR_S
"""What came late is repeated when it would have been without that."""


@dataclass(slots=True)
class Known:
    """What one receiver knows of one alert."""

    status: str
    starts_at: str
    severity: str
    at_s: float
    is_late: bool
    repeats: int | None = 0
    """How often it has been repeated since anything else was said of it; None where that is not known."""


@dataclass(slots=True)
class Inboxes:
    """What each receiver knows, from what it took, in the order in which it took it."""

    rules: RulesFile
    known: dict[tuple[str, str], Known] = field(default_factory=dict)
    acknowledged: frozenset[str] = frozenset()
    """The fingerprints of what had been acknowledged when they were read before."""
    unseen_since_s: float = 1e12
    """Since when cycles were not looked at one by one: what began in them may have fallen and risen too."""
    fallen: dict[str, float] = field(default_factory=dict)
    """By fingerprint when an alert's severity was last seen to have fallen: its rise is news, acknowledged or not."""
    firing: list[tuple[Taken, dict[str, Any]]] = field(default_factory=list)
    """Each alert that was said to fire, of those that were read last."""
    closings: list[dict[str, Any]] = field(default_factory=list)
    """What said that an alert of a budget ended, of those that were read last."""
    starts: list[float] = field(default_factory=list)
    """When each process started: soon after, it repeats what was on its way when the one before was killed."""
    _on_its_way: dict[float, str] = field(default_factory=dict)
    """By when a process started the key of what it repeats in quiet hours: one is on its way at a time."""
    skew_s: float = 0.0
    """How far the wall clock is off, which dates what begins as long as it is decided by."""
    stood_in: int = 0
    """What the fallback took in place of others."""
    storms: set[str] = field(default_factory=set)
    """The `ts` of first messages that speak of many alerts."""
    _read: int = 0
    roots: dict[tuple[str, str], str] = field(default_factory=dict)
    """By fingerprint and beginning the `ts` of its first message in Slack."""
    _bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _copies: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lost: Counter[tuple[str, str]] = field(default_factory=Counter)

    def read(
        self, network: Network, excuse_repeat_since: dict[str, float], cuts: Sequence[float], *, is_clock_sure: bool
    ) -> Iterator[str]:
        """
        Read what came since the last time, and yield what is wrong with it.

        Args:
            excuse_repeat_since: Fingerprint to when somebody did something for which it may be notified anew.
            cuts: When the process was killed or stood still: it may never have learnt what came of an attempt.
            is_clock_sure: The daemon knows what time it is.
        """
        self.closings.clear()
        self.firing.clear()
        for one in network.taken[self._read :]:
            key = (one.receiver, one.key)
            self._copies[key] += 1
            if self._bodies.setdefault(key, one.body) != one.body:
                yield f"{one.receiver}: {one.key[:12]} came again with other bytes"
            allowed = min(1 + self._lost[key], MOST_COPIES) if one.receiver != SLACK else 1
            if self._copies[key] > allowed:
                yield f"{one.receiver}: {one.key[:12]} came {self._copies[key]} times, {allowed} allowed: {_title(one)}"
            if not one.is_answered or any(0 <= at_s - one.at_s < CUT_WITHIN_S for at_s in cuts):
                self._lost[key] += 1
            if self._copies[key] > 1:
                yield from self._check_copy(one)
                continue
            if one.receiver == FALLBACK:
                self.stood_in += 1
                # What the process died over twice is blocked, for a person to look: nobody learnt whether it arrived.
                is_blocked = sum(0 <= one.at_s - at_s < DAY_S for at_s in cuts) > 1
                if not is_blocked and not network.may_have_failed(one.at_s):
                    yield f"{one.receiver}: everybody took what was sent, or will, and it stands in: {_title(one)}"
                continue
            if one.receiver == QUIET_RECEIVER and is_clock_sure and not self._was_on_its_way(one, cuts):
                yield from self._check_quiet(one)
            for alert in one.alerts:
                yield from _check_words(one, alert)
                if alert["status"] == "firing":
                    self.firing.append((one, alert))
                if alert["status"] == "resolved" and alert["labels"].get("type") == "budget":
                    self.closings.append(alert)
                yield from self._note(network, one, alert, excuse_repeat_since, cuts, is_clock_sure=is_clock_sure)
                if one.thread is not None:
                    yield from self._check_thread(one, alert)
        self._read = len(network.taken)
        self.unseen_since_s = 1e12

    def _check_thread(self, one: Taken, alert: dict[str, Any]) -> Iterator[str]:
        """Each life of an alert has a message of its own in Slack, and what follows is in its thread."""
        life = (alert["fingerprint"], alert["startsAt"])
        root = self.roots.setdefault(life, one.thread or one.ts)
        if len(one.alerts) > 1:
            self.storms.add(one.ts)
        lives = {thread: each for each, thread in self.roots.items() if each[0] == life[0] and each != life}
        if one.thread in lives:
            yield f"slack: {_title(one)!r} continues the thread of an earlier life of its alert"
        if one.thread and one.thread != root:
            yield f"slack: {_title(one)!r} is not in the thread of its alert"

    def _check_copy(self, one: Taken) -> Iterator[str]:
        """What comes once more does so before anything that follows it."""
        for alert in one.alerts:
            known = self.known.get((one.receiver, alert["fingerprint"]))
            is_over = known is not None and known.status == "resolved" and known.starts_at == alert["startsAt"]
            if alert["status"] == "firing" and is_over:
                yield f"{one.receiver}: a copy of the beginning came after the end: {_title(one)}"

    def note_unseen(self, now_s: Mapping[str, float], since_s: float) -> None:
        """Note that open alerts, by fingerprint, and all that began since an instant may have fallen unseen."""
        self.fallen.update(now_s)
        self.unseen_since_s = since_s

    def known_firing(self) -> set[str]:
        """Return the fingerprints of what some receiver was told fires, and was not told that it ended."""
        return {fingerprint for (_, fingerprint), one in self.known.items() if one.status == "firing"}

    def _was_on_its_way(self, one: Taken, cuts: Sequence[float]) -> bool:
        """Return whether a copy may have left before quiet hours began, in which alertd started and repeats it."""
        for start_s in self.starts:
            died_s = max((at_s for at_s in cuts if at_s < start_s), default=None)
            is_repeated = REPEATED_S[0] <= one.at_s - start_s < REPEATED_S[1]
            if is_repeated and died_s is not None and not all(self.rules.may_be_quiet(died_s)):
                return self._on_its_way.setdefault(start_s, one.key) == one.key
        return False

    def _check_quiet(self, one: Taken) -> Iterator[str]:
        offs = (-UNSURE_H, 0, UNSURE_H) if self.rules.is_clock_set else (0,)
        is_quiet = all(all(self.rules.may_be_quiet(one.at_s, by_h * HOUR_S)) for by_h in offs)
        # Many alerts in one message are as urgent as the worst of them.
        if is_quiet and all(alert["labels"].get("severity") != "critical" for alert in one.alerts):
            hour = one.at_s / HOUR_S % 24
            yield f"{one.receiver}: notified at {hour:.2f} h, in its quiet hours: {_title(one)}"

    def _note(
        self,
        network: Network,
        one: Taken,
        alert: dict[str, Any],
        excuses: dict[str, float],
        cuts: Sequence[float],
        *,
        is_clock_sure: bool,
    ) -> Iterator[str]:
        summary = alert["annotations"].get("summary", "")
        place = (one.receiver, alert["fingerprint"])
        before = self.known.get(place)
        is_folded = "Delivered late" in json.dumps(alert["annotations"])
        now = Known(alert["status"], alert["startsAt"], alert["labels"].get("severity", ""), one.at_s, is_folded)
        who = f"{one.receiver}: {alert['labels'].get('alertname')} of {alert['labels'].get('owner', 'all')}"
        if now.status == "resolved":
            began_s = datetime.fromisoformat(now.starts_at).timestamp() - network.world.start_s
            is_lost = network.may_have_lost(one.receiver, began_s, one.at_s)
            if not is_folded and not is_lost and (before is None or before.status != "firing"):
                yield f"{who} ended without having begun there ({summary})"
            elif not is_folded and not is_lost and is_clock_sure and before and before.starts_at != now.starts_at:
                yield f"{who} ended as of {now.starts_at}, and is known there as of {before.starts_at} ({summary})"
        elif before is not None and before.status == "firing" and before.starts_at == now.starts_at:
            is_excused = excuses.get(alert["fingerprint"], -1e9) > before.at_s - 5 * HOUR_S
            after_s = self._repeated_after_s(one.receiver, alert["labels"]["alertname"], before.repeats or 0)
            is_soon = one.at_s - before.at_s < after_s
            if now.severity == before.severity:
                now.repeats = before.repeats + 1 if before.repeats is not None and not is_excused else None
            may_be_rise = self.fallen.get(alert["fingerprint"], -1e9) > before.at_s - 5 * HOUR_S
            may_be_rise |= before.at_s > self.unseen_since_s
            is_excused |= may_be_rise or before.is_late or network.had_trouble(before.at_s - LATE_S, one.at_s)
            is_late = may_be_rise or network.had_trouble(before.at_s - LATE_S, one.at_s) or is_folded
            if alert["fingerprint"] in self.acknowledged and now.severity == before.severity and not is_late:
                yield f"{who} was acknowledged, and is repeated ({summary})"
            if is_soon and now.severity == before.severity and not is_excused and not is_folded:
                yield f"{who} came twice within {(one.at_s - before.at_s) / HOUR_S:.1f} h ({summary})"
        elif before is not None and before.starts_at > now.starts_at:
            yield f"{who}: an earlier episode came after a later one ({summary})"
        elif now.status == "firing" and is_clock_sure and not is_folded:
            yield from self._check_prompt(network, one, alert, cuts, excuses)
        if one.receiver == ESCALATED_TO and now.status == "firing":
            yield from self._check_escalation(network, one, alert, before)
        if one.is_of_people:
            # A rise that a silence withholds is news still, although it names the severity.
            is_same = before is not None and before.starts_at == now.starts_at
            now.severity = before.severity if before is not None and is_same else RANKS[0]
        self.known[place] = now

    def _check_prompt(
        self, network: Network, one: Taken, alert: dict[str, Any], cuts: Sequence[float], excuses: dict[str, float]
    ) -> Iterator[str]:
        """What begins to fire is notified soon, whatever else does not answer."""
        began_s = datetime.fromisoformat(alert["startsAt"]).timestamp() - network.world.start_s
        category = self.rules.reads(alert["labels"]["alertname"])
        is_own_fault = category is None or network.world.had_trouble(category, began_s - POLL_S, one.at_s)
        is_cut = any(began_s - CUT_WITHIN_S <= at_s <= one.at_s for at_s in cuts)
        was_well = not network.had_trouble(began_s - LATE_S, one.at_s, one.receiver)
        may_be_quiet = one.receiver == QUIET_RECEIVER and any(self.rules.may_be_quiet(began_s))
        is_asked = alert["fingerprint"] in excuses or one.receiver not in PROMPT or may_be_quiet
        is_asked |= alert["labels"]["alertname"] == MUTED
        is_late = one.at_s - began_s > PROMPT_S + self.skew_s
        if is_late and was_well and not (is_own_fault or is_cut or is_asked or began_s < POLL_S):
            name = alert["labels"]["alertname"]
            yield f"{one.receiver}: {name} began {one.at_s - began_s:.0f} s before it was notified: {_title(one)}"

    def _repeated_after_s(self, receiver: str, rule: str, repeats: int) -> float:
        """Return after what time a receiver may be reminded; an escalation comes whenever it is due."""
        before_s = (self.rules.escalates_after_s(rule) or 0) + POLL_S if receiver == ESCALATED_TO else 0
        return self.rules.repeats_after_s(rule, repeats) - before_s - HOUR_S

    def _check_escalation(
        self, network: Network, one: Taken, alert: dict[str, Any], before: Known | None
    ) -> Iterator[str]:
        """One more is notified of what has fired for long and nobody has acknowledged, and of nothing else."""
        name = alert["labels"]["alertname"]
        after_s = self.rules.escalates_after_s(name)
        fired_s = one.at_s - (datetime.fromisoformat(alert["startsAt"]).timestamp() - network.world.start_s)
        is_first = before is None or before.starts_at != alert["startsAt"]
        if after_s is None:
            yield f"{one.receiver}: {name} is escalated to nobody, and {one.receiver} was notified"
        elif fired_s < after_s - UNSURE_H * HOUR_S:
            yield f"{one.receiver}: {name} was escalated after {fired_s / HOUR_S:.1f} h"
        elif is_first and alert["fingerprint"] in self.acknowledged:
            yield f"{one.receiver}: {name} was acknowledged, and is escalated"


def _check_words(one: Taken, alert: dict[str, Any]) -> Iterator[str]:
    """The words say what the values say."""
    notes, labels = alert["annotations"], alert["labels"]
    if labels.get("type") != "rolling_spend" or alert["status"] != "firing":
        return
    if one.thread is not None and len(one.alerts) > 1:
        # A storm names the worst in its text, and lists the others below.
        return
    if labels.get("owner", "") not in notes["summary"]:
        yield f"{one.receiver}: it is about {labels['owner']}, its words are {notes['summary']!r}"
    fired = _FIRED.search(notes.get("description", ""))
    if fired is not None and fired[1].replace(" ", "T") != alert["startsAt"][:16]:
        yield f"{one.receiver}: it has fired since {alert['startsAt']}, its words are {notes['description']!r}"
    value, summary = Decimal(notes["value"]), notes["summary"]
    cents = f"${value.quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}"
    if cents not in summary:
        yield f"{one.receiver}: its value is {value}, its words are {summary!r}"
    if labels.get("severity") not in {"info", "warning", "critical"}:
        yield f"{one.receiver}: {summary!r} has no severity"


def _title(one: Taken) -> str:
    found = one.alerts
    return found[0]["annotations"].get("summary", "")[:80] if found else ""
