"""
Random lives of alerts under silences, acknowledgements, inhibitions, quiet hours, escalation and corrections.

The oracle knows states and requests, and nothing of how what is due is found: it keeps who was told what, and looks
after every cycle whether that is what the language promises.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from alertd.core.alert import Address, Alert, AlertState
from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.quiet_hours import QuietHours
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.requests import RequestError
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.rules.base import Escalation
from alertd.core.severity import Severity
from tests.core.builders import HOUR, rolling
from tests.core.stage import TEAM, Stage, match
from tests.examples import examples

OWNERS = tuple(f"gpu-{number}" for number in range(7))
RULE = rolling(
    repeat_interval=5 * HOUR,
    repeat_backoff=Fraction(1),
    escalate=Escalation(after=7 * HOUR, notify=("oncall",)),
)
QUIET_DAYS = frozenset({5, 6})
HOUSE = replace(
    TEAM,
    default=("finops", "mail"),
    editors=frozenset({"finops"}),
    inhibitions=(Inhibition(when=match(owner="gpu-0", severity="critical"), mute=match(owner="gpu-1,gpu-2")),),
    quiet_hours={"mail": (QuietHours(days=QUIET_DAYS), QuietHours(days=frozenset({0, 1})))},
)
EVERYBODY = frozenset({Address("finops", ""), Address("mail", "a@x.io"), Address("mail", "b@x.io")})
ONCALL = Address("oncall", "")

Episode = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    hours: int
    values: tuple[str | None, ...]
    complete: bool
    restated: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    owner: int
    hours: int | None
    """None: until it is resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unhush:
    """End the oldest silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    owner: int
    undo: bool


Step = Cycle | Hush | Unhush | Ack

values = st.sampled_from([None, "44", "60", "60", "120"])
numbers = st.integers(0, len(OWNERS) - 1)
steps = st.one_of(
    st.builds(
        Cycle,
        hours=st.integers(1, 11),
        values=st.tuples(*[values] * len(OWNERS)),
        complete=st.sampled_from([True, True, True, False]),
        restated=st.sampled_from([None, None, "90"]),
    ),
    st.builds(Hush, owner=numbers, hours=st.none() | st.integers(1, 40)),
    st.just(Unhush()),
    st.builds(Ack, owner=numbers, undo=st.booleans()),
)


@dataclass(slots=True)
class Oracle:
    """What was asked for, who was notified what, and whether that is right."""

    quiet: list[tuple[str, datetime | None, int | None]] = field(default_factory=list)
    """Owner, until when, or for which episode."""
    withheld: set[str] = field(default_factory=set)
    """Fingerprints, as of the last cycle."""
    known: dict[Episode, dict[Address, Severity]] = field(default_factory=lambda: defaultdict(dict))
    """The severity that each address holds for the present one."""
    ends: dict[Episode, list[Address]] = field(default_factory=lambda: defaultdict(list))
    starts: dict[tuple[str, datetime], Episode] = field(default_factory=dict)
    seen: int = 0

    def is_withheld(self, alert: Alert, alerts: Mapping[str, Alert], now: datetime) -> bool:
        owner = dict(alert.labels)["owner"]
        if any(
            owner == name and (until is None or now < until) and episode in {None, alert.episode}
            for name, until, episode in self.quiet
        ):
            return True
        return owner in {"gpu-1", "gpu-2"} and any(
            other.state is AlertState.FIRING
            and other.severity is Severity.CRITICAL
            and dict(other.labels)["owner"] == "gpu-0"
            for other in alerts.values()
        )

    def look(self, stage: Stage, judged: set[str]) -> None:
        """Take in what a cycle decided, and check it."""
        firing = {a.fingerprint: a for a in stage.alerts.values() if a.state is AlertState.FIRING}
        self.withheld = {f for f, a in firing.items() if self.is_withheld(a, stage.alerts, stage.now)}
        for alert in stage.alerts.values():
            if alert.fired_at is not None:
                self.starts[alert.fingerprint, alert.fired_at] = (alert.fingerprint, alert.episode)
        fresh = stage.decided[self.seen :]
        self.seen = len(stage.decided)
        for alert in firing.values():
            held = self.known[alert.fingerprint, alert.episode]
            held.update({to: min(severity, alert.severity) for to, severity in held.items()})
        for entry in fresh:
            self._take(entry)
        for fingerprint in firing.keys() & judged - self.withheld:
            alert = firing[fingerprint]
            held = self.known[fingerprint, alert.episode]
            assert {to: held.get(to) for to in EVERYBODY} == dict.fromkeys(EVERYBODY, alert.severity), "not told"
        for alert in stage.alerts.values():
            if alert.state is AlertState.RESOLVED:
                episode = (alert.fingerprint, alert.episode)
                assert sorted(self.ends[episode]) == sorted(self.known[episode]), "an end is missing or too many"

    def _take(self, entry: OutboxEntry) -> None:
        to = Address(entry.receiver, entry.recipient)
        for facts in entry.message.alerts:
            episode = self.starts[facts.fingerprint, facts.starts_at]
            if facts.is_resolved:
                assert to in self.known[episode], "an end before a beginning"
                self.ends[episode].append(to)
                continue
            assert facts.fingerprint not in self.withheld, "told while withheld"
            assert to not in self.ends[episode], "told after the end"
            if entry.message.reason is not NotifyReason.CORRECTED:
                self.known[episode][to] = facts.severity

    def arrived(self, stage: Stage, begin: int) -> None:
        """Check what arrived since: nothing that was withheld at the last cycle, but ends."""
        for notified in stage.notified[begin:]:
            is_late = notified.entry.created_at < notified.at
            names = {facts.fingerprint for facts in notified.entry.message.alerts if not facts.is_resolved}
            if is_late and names and not notified.entry.message.is_resolved:
                assert names - self.withheld or notified.entry.message.severity is Severity.CRITICAL, "held, then told"

    def check_order(self, stage: Stage) -> None:
        """Check what each address saw: beginnings first, nothing after an end, nothing lost."""
        begun: set[tuple[Address, Episode]] = set()
        over: set[tuple[Address, Episode]] = set()

        def tell(entry: OutboxEntry) -> int:
            """Take in an entry after those that it reports along with it; return how many of these are notified."""
            along = stage.folded.get(entry.key, [])
            lines = sum(tell(old) + (old.message.reason is not NotifyReason.CORRECTED) for old in along)
            assert len(entry.message.history) == lines, "folded, but not told"
            if entry.message.reason is NotifyReason.CORRECTED:
                return lines
            for facts in entry.message.alerts:
                one = (Address(entry.receiver, entry.recipient), self.starts[facts.fingerprint, facts.starts_at])
                assert one not in over, "something after the end"
                if facts.is_resolved:
                    assert one in begun, "an end arrived before its beginning"
                    over.add(one)
                begun.add(one)
            return lines

        for notified in stage.notified:
            tell(notified.entry)
        told_of = {(to, episode) for episode, addresses in self.known.items() for to in addresses}
        assert begun == told_of, "lost"
        assert over == {(to, episode) for episode, addresses in self.ends.items() for to in addresses}, "an end lost"


def play(script: list[Step]) -> None:
    stage, oracle = Stage(rule=RULE, audience=HOUSE), Oracle()
    for number, step in enumerate(script):
        match_step(stage, oracle, step, f"{number:08x}")
    # Everything ends, and three weeks go by.
    stage.silences.clear()
    oracle.quiet.clear()
    for _ in range(2):
        run(stage, oracle, Cycle(hours=1, values=("44",) * len(OWNERS), complete=True, restated=None))
    stage.cycle(after=timedelta(days=21))
    assert stage.waiting == []
    oracle.check_order(stage)


def run(stage: Stage, oracle: Oracle, cycle: Cycle) -> None:
    begin = len(stage.notified)
    # First what arrives on the way there, then the cycle itself.
    stage._deliver(stage.now + cycle.hours * HOUR)
    oracle.arrived(stage, begin)
    given = {owner: value for owner, value in zip(OWNERS, cycle.values, strict=True) if value is not None}
    stage.cycle(given, after=timedelta(), complete=cycle.complete, restated=cycle.restated)
    judged = {f for f, alert in stage.alerts.items() if dict(alert.labels)["owner"] in given}
    oracle.look(stage, judged)


def match_step(stage: Stage, oracle: Oracle, step: Step, name: str) -> None:
    match step:
        case Cycle():
            run(stage, oracle, step)
        case Hush(owner=number, hours=hours):
            owner = OWNERS[number]
            until = stage.now + hours * HOUR if hours is not None else None
            episode = None
            if until is None:
                firing = [a for a in stage.alerts.values() if a.state is AlertState.FIRING]
                alert = next((a for a in firing if dict(a.labels)["owner"] == owner), None)
                if alert is None:
                    return
                episode = alert.episode
            stage.silence(name, matchers=match(owner=owner), ends_at=until, until_resolved=until is None)
            oracle.quiet.append((owner, until, episode))
        case Unhush():
            active = [s for s in stage.silences.values() if s.is_active(stage.now)]
            if active:
                index = list(stage.silences).index(active[0].id)
                stage.expire(active[0].id)
                oracle.quiet[index] = ("", None, None)
        case Ack(owner=number, undo=undo):
            try:
                stage.ack(OWNERS[number], undo=undo)
            except (RequestError, StopIteration):
                # There is nothing to acknowledge: nothing changes.
                return


def all_at(value: str, hours: int = 1) -> Cycle:
    return Cycle(hours=hours, values=(value,) * len(OWNERS), complete=True, restated=None)


@given(script=st.lists(steps, min_size=4, max_size=30))
@examples(8, thorough=250)
@example([all_at("60"), Cycle(hours=3, values=("120", *[None] * 6), complete=True, restated=None), all_at("44")])
@example([Hush(owner=0, hours=9), all_at("120"), Unhush(), all_at("60"), all_at("44")])
@example(
    # An end in a storm, between a beginning that waits and the next one.
    [
        *(
            Cycle(hours=1, values=tuple("60" if n <= at else None for n in range(7)), complete=True, restated=None)
            for at in range(7)
        ),
        all_at("44"),
        Cycle(hours=1, values=("60", *[None] * 6), complete=True, restated=None),
    ]
)
@example([all_at("60"), Hush(owner=3, hours=None), all_at("60", 11), all_at("60", 11), all_at("44", 11)])
def test_life_when_anything_happens_then_nobody_is_notified_too_much_or_too_little(script: list[Step]) -> None:
    """While withheld only ends are notified; else the present state; ends once, to those notified of the beginning."""
    play(script)
