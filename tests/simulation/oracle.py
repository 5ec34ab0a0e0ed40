"""
The oracle: what must hold of a run, from what the world knows, what receivers got and what the daemon says.

It checks after every poll. It imports nothing that decides in alertd, and reads the daemon's figures only to compare.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from tests.simulation.oracle_asked import NEVER_S, Asked, People
from tests.simulation.oracle_bills import UNREAD_S, Belief, Group
from tests.simulation.oracle_budget import Budgets
from tests.simulation.oracle_messages import Inboxes
from tests.simulation.oracle_mutes import Inhibited
from tests.simulation.oracle_newcomers import Newcomers
from tests.simulation.oracle_notified import NOTIFIED_WITHIN_S, Moment, Notified
from tests.simulation.oracle_own import LARGEST_SKEW_S, OwnAlerts
from tests.simulation.oracle_payments import PaymentsCheck
from tests.simulation.oracle_rolling import RollingCheck, Since, longest_late_h
from tests.simulation.oracle_running import Running
from tests.simulation.oracle_seen import Seen, open_alerts
from tests.simulation.oracle_slack import check_first_messages
from tests.simulation.oracle_spend import check_spend
from tests.simulation.oracle_values import check_values
from tests.simulation.other_rules import STALE
from tests.simulation.plan import HARMLESS, HOUR_S, POLL_S, ApiTrouble, Changed, Freeze, Late, Wall
from tests.simulation.receivers import Network
from tests.simulation.rules import PAID, RulesFile
from tests.simulation.violation import Violation
from tests.simulation.world import Refused, World

EDIT_SETTLED_S = 2 * 1800 + 300
CLOCK_TRUSTED_S = 50 * 60
UNSURE_S = 300
MOST_SHOWN = 20
Groups = dict[tuple[str, str | None], Group]


class Oracle:
    """Follows a run from the first process to the last."""

    def __init__(self, world: World, network: Network, rules: RulesFile) -> None:
        self.violations: list[Violation] = []
        self._names: dict[str, str] = {}
        """Rule and owner by fingerprint, of all that were ever open."""
        self._world, self._network, self._rules = world, network, rules
        self._belief = Belief(
            has_teams=any(rule.is_by_team for rule in rules.at_first),
            has_paid=any(rule.category.endswith(PAID) for rule in rules.at_first),
        )
        self._inboxes = Inboxes(rules)
        self._notified = Notified(network, rules)
        self._read = 0
        """Answers that were filed."""
        self._cycles: list[tuple[float, int, bool]] = []
        """(when it was done, answers by then, whether it was good)."""
        self._seen: dict[str, Seen] = {}
        self._up_since_s = 0.0
        self._edited_at_s = -1e9
        self._clock_doubt_until_s = -1e9
        self._frozen: list[tuple[float, float]] = []
        self._deaths: list[float] = []
        self._excuses: dict[str, float] = {}
        self._stop_asks: dict[str, int] = {}
        self._silenced: dict[str, float] = {}
        self._last_cycle_s = -1e9
        self._checked = 0
        self._is_next = True
        """One cycle was done since the check before, so that nothing changed unseen."""
        self._given_up = 0
        self._own = OwnAlerts(world.categories)
        self._budgets = Budgets(world.plan.start)
        self._running = Running()
        self._newcomers = Newcomers(world)
        self._inhibited = Inhibited()
        self._payments = PaymentsCheck(world)
        self._people = People(world)
        self._dated_until_s = 0.0
        self._lives: dict[tuple[str, int], str] = {}
        """By fingerprint and number of a life: when it began. Delivery keys and buttons are made of the number."""
        self._since = Since()
        unpunctual = (Late, Changed, ApiTrouble, Wall, Freeze)
        self._is_punctual = not any(isinstance(event, unpunctual) for event in world.plan.events)
        self._late_h = longest_late_h(world.plan.events)
        self._said_delivered: list[tuple[str, str]] = []

    def note_start(self, at_s: float) -> None:
        self._up_since_s = at_s
        self._network.down += [(died_s, at_s) for died_s in self._deaths[-1:]]
        self._inboxes.starts.append(at_s)

    def note_end(self, at_s: float, *, is_killed: bool, error: BaseException | None) -> None:
        self._deaths.append(at_s)
        if not is_killed and not (self._rules.is_broken and type(error).__name__ == "RulesError"):
            self._violate(at_s, "ended", f"the daemon ended by itself: {error!r}")

    def note_wall(self, at_s: float, off_s: float, drift_ppm: float) -> None:
        self._own.note_wall(at_s, off_s, drift_ppm)
        self._inboxes.skew_s = abs(off_s)
        self._clock_doubt_until_s = 1e12 if abs(off_s) > CLOCK_TRUSTED_S or drift_ppm else at_s + 2 * POLL_S

    def note_freeze(self, at_s: float, for_s: float) -> None:
        self._frozen.append((at_s, at_s + for_s))

    def note_edit(self, at_s: float, kind: str) -> None:
        self._edited_at_s = at_s
        if kind not in HARMLESS:
            self._people.forget()
        for fingerprint in self._seen:
            self._excuses[fingerprint] = at_s

    def note_ask(
        self, at_s: float, kind: str, alert: dict[str, str], until: datetime | None, answer: Callable[[], bytes]
    ) -> None:
        self._excuses[alert["fingerprint"]] = at_s
        until_s = until.timestamp() - self._world.start_s if until is not None else NEVER_S
        one = self._seen.get(alert["fingerprint"])
        if one is not None:
            self._people.note(Asked(at_s=at_s, kind=kind, alert=one, until_s=until_s, answer=answer))
        if kind == "silence":
            self._silenced[alert["fingerprint"]] = max(until_s, self._silenced.get(alert["fingerprint"], 0.0))
        if kind == "unsilence":
            # As where a silence ends by itself: the next poll notifies.
            self._silenced[alert["fingerprint"]] = at_s
        if kind == "stop":
            self._stop_asks[alert["owner"]] = self._stop_asks.get(alert["owner"], 0) + 1

    def note_log(self, level: str, event: dict[str, Any]) -> None:
        """Take note of a line of the daemon's log."""
        text = event.get("event")
        if text == "cycle done":
            self._last_cycle_s = self._world.now_s
            self._cycles.append((self._world.now_s, len(self._world.answers), level == "info"))
        elif text == "notification delivered":
            self._said_delivered.append((event["receiver"], event["key"]))
        elif text == "notification given up":
            self._given_up += 1
        elif text in {
            "task failed",
            "delivery attempt failed",
            "overview failed",
            "chart failed",
            "request failed",
            "rule failed",
        }:
            self._violate(self._world.now_s, "unforeseen", f"{text}: {event}")

    def seen_firing(self) -> list[dict[str, str]]:
        """Return what people see firing."""
        return [
            {"fingerprint": one.fingerprint, "owner": one.owner or "", "rule": one.rule}
            for _, one in sorted(self._seen.items())
            if one.state == "firing"
        ]

    def check(self, life: Any) -> None:
        """Check everything after a poll."""
        now_s = self._world.now_s
        cuts = [*self._deaths, *(begin for begin, _ in self._frozen)]
        is_clock_sure = self._is_clock_sure(now_s)
        if len(self._cycles) > self._checked + 1:
            # Their severity may have fallen and risen again, unseen; of what began unseen too, which receivers know.
            unseen = dict.fromkeys(self._seen.keys() | self._inboxes.known_firing(), now_s)
            self._excuses.update(unseen)
            self._inboxes.note_unseen(unseen, self._cycles[self._checked][0] - UNSURE_S)
        self._excuses.update((who, end_s) for who, end_s in self._silenced.items() if end_s <= now_s)
        for text in self._inboxes.read(self._network, self._excuses, cuts, is_clock_sure=is_clock_sure):
            self._violate(now_s, "messages", text)
        self._check_deeds(now_s)
        if life is None or life.app is None or not self._cycles:
            return
        for trouble in life.loop.troubles:
            self._violate(now_s, "unforeseen", trouble)
        life.loop.troubles.clear()
        done_s, answered, _ = self._cycles[-1]
        is_quiet = (
            len(self._world.answers) == answered and now_s - done_s > NOTIFIED_WITHIN_S and done_s >= self._up_since_s
        )
        if not is_quiet:
            return
        self._is_next, self._checked = len(self._cycles) == self._checked + 1, len(self._cycles)
        refused, unread = self._file()
        self._payments.take((at_s for at_s, _, _ in self._cycles), self._deaths)
        self._check_alive(now_s)
        lately = [is_good for at_s, _, is_good in self._cycles if at_s > now_s - UNREAD_S]
        if self._is_clock_sure(now_s) and sum(lately) > 2:
            for text in self._belief.unread(self._world, now_s):
                self._violate(now_s, "read", text)
        self._check_own(life, done_s)
        self._check_dates(life, done_s)
        if not self._is_clock_sure(done_s):
            self._forget()
            self._seen = {one.fingerprint: one for one in open_alerts(life, self._world.start_s)}
            self._check_notified(now_s, done_s, is_clock_sure=False)
            return
        groups = self._belief.groups()
        for text in check_spend(life, groups, self._world.start_s):
            self._violate(now_s, "spend", text)
        for closing in self._inboxes.closings:
            if abs(datetime.fromisoformat(closing["endsAt"]).timestamp() - self._world.start_s - done_s) < UNSURE_S:
                for text in self._budgets.check_closing(groups, closing):
                    self._violate(now_s, "messages", text)
        self._check_alerts(life, groups, done_s, refused, unread)
        self._check_notified(now_s, done_s, is_clock_sure=True)
        acknowledged = (one.fingerprint for one in self._seen.values() if one.acknowledged_by)
        self._inboxes.acknowledged = frozenset(acknowledged)

    def _check_deeds(self, now_s: float) -> None:
        """What counts as delivered was taken, and nothing was stopped that nobody asked for."""
        taken = {(one.receiver, one.key) for one in self._network.taken} | self._network.edited
        for place in self._said_delivered:
            if place not in taken:
                text = f"{place[0]}: {place[1][:12]} counts as delivered, and was never taken"
                self._violate(now_s, "messages", text)
        self._said_delivered.clear()
        for text in self._network.hasty:
            self._violate(now_s, "pace", text)
        self._network.hasty.clear()
        for owner in {owner for _, owner in self._world.stops}:
            count = sum(who == owner for _, who in self._world.stops)
            if count > self._stop_asks.get(owner, 0):
                text = f"{owner} was stopped {count} times, asked for {self._stop_asks.get(owner, 0)} times"
                self._violate(now_s, "stop", text)

    def _forget(self) -> None:
        """Begin anew what is kept from one check to the next: by other rules, or by a clock that may be wrong."""
        for each in (self._since, self._budgets, self._running, self._newcomers):
            each.forget()

    def _is_clock_sure(self, at_s: float) -> bool:
        return at_s > self._clock_doubt_until_s

    def _file(self) -> tuple[set[str], set[str]]:
        """
        File what was answered, cycle by cycle.

        Returns:
            Which categories the last cycle could not read; and those of them that no cycle which a kill ended before
            it was done can have read either: it may have been committed.
        """
        refused, cut = set[str](), set[str]()
        for done_s, answered, _ in self._cycles:
            if answered <= self._read:
                continue
            refused, cut, bare = set[str](), set[str](), set[str]()
            batch = self._world.answers[self._read : answered]
            began_s = batch[0].at_s
            for one in batch:
                if isinstance(one, Refused):
                    refused.add(one.category)
                    if one.kind == "unlisted" and self._belief.may_be_bare(one.category, one.first, one.end):
                        bare.add(one.category)
                    continue
                refused.discard(one.category)
                if any(one.at_s <= died_s <= done_s for died_s in self._deaths):
                    cut.add(one.category)
                is_sure = not self._is_disturbed(min(one.at_s, began_s), done_s) and self._is_clock_sure(one.at_s)
                self._belief.take(one, began_s, is_sure=is_sure)
            self._read = answered
            self._own.note_cycle(done_s, {one.category for one in batch} - (refused - bare))
        return refused, refused - cut

    def _is_disturbed(self, from_s: float, to_s: float) -> bool:
        dead = any(from_s - 1 <= at_s <= to_s + 1 for at_s in self._deaths)
        return dead or any(begin <= to_s + 60 and end >= from_s - 60 for begin, end in self._frozen)

    def _check_own(self, life: Any, done_s: float) -> None:
        firing = {(one.rule, one.account or "") for one in life.open_alerts() if one.state == "firing"}
        began = [at_s for at_s, _, _ in self._cycles if at_s < done_s]
        is_answered = self._world.dated_at_s > (began[-1] if began else 0.0)
        for text in self._own.check(firing, done_s, up_since_s=self._up_since_s, is_answered=is_answered):
            self._violate(self._world.now_s, "own", text)

    def _check_dates(self, life: Any, done_s: float) -> None:
        """Nothing begins by a clock that is further off than may be decided by."""
        since_s = self._dated_until_s
        for one in open_alerts(life, self._world.start_s):
            began_s = datetime.fromisoformat(one.started_at).timestamp() - self._world.start_s
            is_new = one.fingerprint not in self._seen or self._seen[one.fingerprint].started_at != one.started_at
            if is_new and not since_s - LARGEST_SKEW_S < began_s < done_s + LARGEST_SKEW_S:
                text = (
                    f"{one.rule} of {one.owner or 'all'} began {(began_s - done_s) / HOUR_S:.1f} h from the true time"
                )
                self._violate(self._world.now_s, "alerts", text)
        self._dated_until_s = done_s

    def _check_alive(self, now_s: float) -> None:
        """A daemon that is up polls."""
        waited_s = now_s - max(self._last_cycle_s, self._up_since_s)
        is_frozen = any(begin <= now_s and end >= now_s - 2 * POLL_S for begin, end in self._frozen)
        if waited_s > 2 * POLL_S and not is_frozen:
            self._violate(now_s, "alive", f"no cycle for {waited_s / HOUR_S:.1f} h")

    def _check_alerts(
        self, life: Any, groups: Groups, done_s: float, refused: Collection[str], unread: Collection[str]
    ) -> None:
        before: dict[str, Seen] | None = self._seen
        now = {one.fingerprint: one for one in open_alerts(life, self._world.start_s)}
        self._seen = now
        self._names.update({one.fingerprint: f"{one.rule} of {one.owner or 'all'}" for one in now.values()})
        for one in now.values():
            began = self._lives.setdefault((one.fingerprint, one.episode), one.started_at)
            if began != one.started_at:
                text = f"{one.rule} of {one.owner or 'all'}: its lives of {began} and {one.started_at} have one number"
                self._violate(self._world.now_s, "alerts", text)
        is_by_old_text = self._rules.is_broken and self._up_since_s > self._edited_at_s
        if done_s - self._edited_at_s < EDIT_SETTLED_S or is_by_old_text:
            self._forget()
            return
        if self._edited_at_s > done_s - 2 * POLL_S or not self._is_next:
            # Whatever ended may have ended by another cycle, or by another text.
            before = None
        if not self._is_next:
            # What holds now need not have held at each cycle since the last one that was seen.
            self._forget()
        for rule in self._rules.rolling:
            mine, were = (
                {one.owner: one for one in each.values() if one.rule == rule.name} if each is not None else None
                for each in (now, before)
            )
            check = RollingCheck(
                rule=rule,
                groups=groups,
                seen=mine or {},
                before=were,
                now_h=done_s / HOUR_S,
                is_complete=rule.reads not in refused if rule.reads else not refused,
                may_be_read=rule.reads not in unread if rule.reads else not unread,
                is_punctual=self._is_punctual,
                late_h=self._late_h,
                since=self._since,
            )
            for text in check.check():
                self._violate(self._world.now_s, "alerts", text)
        names_now = {*self._rules.others, *(rule.name for rule in self._rules.rolling)}
        for one in now.values():
            if one.rule not in names_now and not one.rule.startswith("alertd-"):
                self._violate(self._world.now_s, "alerts", f"{one.rule} of {one.owner or 'all'}: its rule is gone")
        if STALE.name in self._rules.others:
            for text in self._own.check_stale(now.values(), done_s, self._deaths):
                self._violate(self._world.now_s, "own", text)
        for text in self._payments.check(now, before, self._rules.others, done_s):
            self._violate(self._world.now_s, "alerts", text)
        self._check_others(groups, now, done_s, is_read="gpu" not in refused, is_next=before is not None)

    def _check_others(
        self, groups: Groups, now: dict[str, Seen], done_s: float, *, is_read: bool, is_next: bool
    ) -> None:
        """Check what does not depend on windows: other rules, what was said, and what people asked for."""
        names, now_h = self._rules.others if is_read else (), done_s / HOUR_S
        for kept in (self._budgets, self._running, self._newcomers):
            for text in kept.check(groups, [*now.values()], now_h=now_h, names=names):
                self._violate(self._world.now_s, "alerts", text)
        rules = {rule.name: rule for rule in self._rules.rolling}
        cuts = [at_s for at_s in self._deaths if at_s > done_s - 3 * POLL_S]
        sent = [
            (alert, all(at_s > one.at_s for at_s in cuts))
            for one, alert in self._inboxes.firing
            if one.at_s >= done_s - UNSURE_S
        ]
        values = check_values(rules, groups, sent, now, self._world, now_h=now_h)
        for text in (*values, *self._payments.check_sent(sent)):
            self._violate(self._world.now_s, "messages", text)
        said = [
            (one.receiver, one.at_s, alert["fingerprint"])
            for one, alert in self._inboxes.firing
            if not one.is_of_people
        ]
        for text in self._people.check(now, said, self._deaths, done_s=done_s, is_next=self._is_next):
            self._violate(self._world.now_s, "asked", text)
        for text in self._inhibited.check(now, said, is_next=is_next):
            self._violate(self._world.now_s, "notified", text)

    def _check_notified(self, now_s: float, done_s: float, *, is_clock_sure: bool) -> None:
        """Whoever is to be notified knows what the daemon knows."""
        for fingerprint in self._notified.note(self._seen, done_s, is_next=self._is_next):
            # Its rise to where it was is news again.
            self._excuses[fingerprint] = self._inboxes.fallen[fingerprint] = done_s
        # What still fires when its silence ends is notified at the next poll.
        left = ((who, end_s) for who, end_s in self._silenced.items() if end_s > done_s - UNSURE_S)
        self._silenced = {who: end_s for who, end_s in left if who in self._seen}
        at = Moment(
            now_s=now_s,
            done_s=done_s,
            up_since_s=self._up_since_s,
            frozen=self._frozen,
            is_clock_sure=is_clock_sure,
            given_up=self._given_up,
        )
        for text in self._notified.check(self._seen, self._inboxes, self._silenced.keys(), at):
            self._violate(now_s, "notified", text)
        for text in check_first_messages(self._seen, self._network, self._inboxes, self._notified, at):
            self._violate(now_s, "slack", text)

    def _violate(self, at_s: float, kind: str, text: str) -> None:
        if len(self.violations) < MOST_SHOWN:
            for fingerprint, name in self._names.items():
                text = text.replace(fingerprint, name)
            self.violations.append(Violation(at_s, kind, text))
