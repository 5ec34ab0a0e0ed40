"""
One cycle: read, file, commit facts; evaluate, decide, commit decisions. The main sequence of the program.

It sends nothing and waits only for the billing API and the store. `now` is taken once, outside, and passed in.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from alertd.core.actions import ActionRequest
from alertd.core.alert import Alert
from alertd.core.alerts.acting import NO_ACTIONS, Acting
from alertd.core.alerts.judge import judge
from alertd.core.alerts.lifecycle import Move, numbered_from
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.chart import Chart
from alertd.core.messages.dispatch import Decisions, Dispatcher
from alertd.core.messages.holding import withheld
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.reports.overview import Overview, overview
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.core.rules.held import Held, build_facts, with_api_names
from alertd.core.rules.own.names import BLINDNESS, OWN, WITHOUT_BILLS
from alertd.core.rules.records import ReloadOutcome
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.spend.reading import Cadence
from alertd.core.spend.view import SpendView
from alertd.daemon.asked import Scene, acting_of, charts
from alertd.daemon.intake import Intake
from alertd.daemon.rebasing import rebase_state
from alertd.daemon.spend_views import SpendViews
from alertd.daemon.state import DaemonState, Plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.timekeeper import GIVEN_TIME, Timekeeper, Verdict
from alertd.log import get_logger
from alertd.queries.cycle_report import CycleReport

_UNCHECKED = "no answer of the billing API has said what time it is, so nothing is judged but that"
_MOVED = "the clock was put right while bills were read; they are read again"


class Cycle:
    """
    Runs cycles one after another on one state, for the life of the service.

    Args:
        timer: Seconds on a clock that never steps, for durations in the report.
        time: Says whether a cycle's instant was right; a clock that is advanced by hand always is.
        on_decided: Called after a decision during a read: notifications may be due.
    """

    def __init__(
        self,
        *,
        store: StoreGateway,
        plan: Plan,
        cadence: Cadence,
        install_id: str,
        timer: Callable[[], float],
        time: Timekeeper = GIVEN_TIME,
        on_decided: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._plan = plan
        self._views = SpendViews(store)
        self._intake = Intake(store=store, cadence=cadence, on_change=self._views.take_over, time=time)
        self._time = time
        self._install_id = install_id
        self._timer = timer
        self._on_decided = on_decided
        self._state: DaemonState | None = None
        self._overview: Overview | None = None
        self._loading = asyncio.Lock()
        self._deciding = asyncio.Lock()
        """Serialises changes of alerts and silences, by a cycle's decision or a person's request."""
        self.rules_file = ReloadOutcome()
        """The outcome of the last reading of the rules file; set by the reader."""
        self._stored: Facts | None = None
        """Stored spend, loaded for a chart that was requested before there were views; dropped once there are."""
        self._before: Held | None = None
        """The state before the last read."""
        self._log = get_logger()

    @property
    def state(self) -> DaemonState:
        """The state; only after the first cycle began."""
        if self._state is None:
            raise RuntimeError("no cycle has begun")
        return self._state

    @property
    def view(self) -> SpendView:
        """The hourly spend of the usage bills; only after the first cycle has evaluated."""
        return self._views.usage

    def open_alerts(self) -> list[Alert]:
        """Return what is pending or firing after the last cycle."""
        return list(self._state.open_alerts()) if self._state is not None else []

    @property
    def plan(self) -> Plan:
        """What is watched and who is notified, including the names of API keys."""
        return self._plan

    async def held(self) -> Held:
        """Return state and plan, loading the state from the store if needed; reads no bills."""
        await self._remember()
        return self._held().of(self._plan)

    async def chart(self, alert: Alert, now: datetime) -> Chart | None:
        """
        Return an alert's current chart, None if its rule has none; waits for a pending decision.

        Raises:
            StoreError: The chart needs the store, which cannot be read.
        """
        async with self._deciding:
            rules = {rule.name: rule for rule in self._plan.rules}
            return charts(await self._drawn_from(now))(alert, rules.get(alert.rule))

    async def _drawn_from(self, now: datetime) -> Facts:
        """Return the data for charts: in memory, or from the store until a cycle has built its views."""
        if set(self._plan.views) <= self._views.of.keys():
            return self._facts(now)
        if self._stored is None:
            self._stored = await self._store.facts(self._plan, now)
        return self._stored

    async def written_anew(self, entry: OutboxEntry, now: datetime) -> OutboxEntry:
        """Return a waiting entry as it is to be sent now; waits for a pending decision."""
        async with self._deciding:
            return (await self._scene(now)).written_anew(entry)

    async def withheld(self, entries: Sequence[OutboxEntry], now: datetime) -> tuple[OutboxEntry, ...]:
        """Return entries in their held state if each must wait by now; waits for a pending decision."""
        async with self._deciding:
            return withheld(entries, (await self._remember()).alerts, self._plan.audience, now)

    @property
    def rule_count(self) -> int:
        """Number of rules of the rules file, including disabled ones."""
        return sum(rule.name not in OWN for rule in self._plan.rules)

    async def look(self, now: datetime) -> Facts:
        """Return the facts, from the store if nothing is in memory; reads no bills and evaluates nothing."""
        await self._remember()
        await self._views.fit(self.state, self._plan, now)
        return self._facts(now)

    async def overview(self, now: datetime) -> Overview:
        """Return the overview; must not run during a cycle."""
        facts = await self.look(now)
        self._overview = await asyncio.to_thread(overview, facts, self._plan.rules, before=self._overview)
        return self._overview

    def use(self, plan: Plan) -> None:
        """Use another plan from the next cycle on; open alerts follow the rule of their name."""
        if plan.views != self._plan.views:
            # Other books are needed, or some are no longer needed.
            self.forget()
        self._plan = plan
        self._views.clear()
        self._stored = None
        if self._state is not None:
            self._name_owners(self._state)

    def forget(self) -> None:
        """Reload everything from the store at the next cycle: something else changed it."""
        self._state = None
        self._views.clear()
        self._stored = None

    async def carry_out(self, request: Request, now: datetime) -> RequestOutcome:
        """
        Carry out a person's request to acknowledge or silence; waits for a pending decision, but not for a read.

        Raises:
            RequestError: It cannot be done as requested.
            StoreError: Nothing was stored.
        """
        async with self._deciding:
            scene = await self._scene(now)
            state = scene.state
            outcome, entries = scene.carry_out(request)
            try:
                await self._store.save_request(outcome, entries, now)
            except BaseException:
                # It may be stored although its answer was lost, or its requester is gone.
                self.forget()
                raise
            state.alerts.update({alert.fingerprint: alert for alert in outcome.alerts})
            state.silences.update({silence.id: silence for silence in outcome.silences})
        return outcome

    async def open_actions(self) -> tuple[ActionRequest, ...]:
        """Return the unfinished action requests, oldest first."""
        return await self._store.open_actions()

    async def move_action(self, before: ActionRequest, after: ActionRequest, now: datetime) -> bool:
        """
        Store the next step of an action request, with its history and message updates.

        Returns:
            False if it was changed by someone else; nothing was stored then.

        Raises:
            StoreError: Nothing was kept.
        """
        async with self._deciding:
            scene = await self._scene(now)
            entries = scene.entries_of(after) if after.state.is_final else []
            return await self._store.move_action(before, after, scene.state.alerts.get(after.fingerprint), entries, now)

    async def _scene(self, now: datetime) -> Scene:
        state = await self._remember()
        return Scene(
            state=state,
            plan=self._plan,
            acting=await self.acting(now),
            install_id=self._install_id,
            chart_of=charts(await self._drawn_from(now)),
            now=now,
        )

    async def acting(self, now: datetime) -> Acting:
        """Return the actions offered on alerts; the store is not queried if the rules file has no actions."""
        if not self._plan.actions:
            return NO_ACTIONS
        await self._remember()
        held = self._held().of(self._plan)
        requests = await self._store.call(lambda store: store.actions.recent(now))
        return acting_of(self._plan.actions, held.resources, requests, held.last_read.resources_read)

    async def _remember(self) -> DaemonState:
        """Return what is known, from the store where nothing is held."""
        async with self._loading:
            if self._state is None:
                self._state = await self._store.load(self._plan.views)
                self._name_owners(self._state)
            return self._state

    async def run(self, now: datetime, *, everything: bool = False) -> CycleReport:
        """
        Run one complete cycle.

        Args:
            everything: Read every hour that the rules can see and all monthly bills, even if already known.

        Raises:
            StoreError: Nothing of the failed part is stored; the next cycle starts from what is stored.
        """
        try:
            return await self._run(now, everything=everything)
        except BaseException:
            # A commit may have succeeded although its answer was lost: the store is the truth, so reload it.
            self.forget()
            raise

    async def _run(self, now: datetime, *, everything: bool) -> CycleReport:
        report = CycleReport(started_at=now)
        if self._time.verdict() is Verdict.CHECKED:
            await self._rebase(now)
        begun = self._timer()
        if self._time.verdict() is not Verdict.WRONG:
            state = await self._remember()
            self._before = self._held()
            judge = partial(self._judge_meanwhile, state, now, report)
            await self._intake.read(state, self._plan, now, report, everything=everything, judge=judge)
            if self._state is not state:
                # It was reloaded meanwhile, without what was committed since.
                self.forget()
                state = await self._remember()
            self._name_owners(state)
        report.read_s = self._timer() - begun - report.evaluate_s - report.decide_s
        verdict = self._time.verdict()
        if verdict is Verdict.CHECKED and (self._intake.is_left_out or await self._rebase(now)):
            verdict = Verdict.MOVED
        match verdict:
            case Verdict.CHECKED:
                await self._conclude(now, report, self._plan.rules, is_whole=True)
                self.state.is_fresh = False
            case Verdict.MOVED:
                report.is_moved = True
                report.errors.append(_MOVED)
            case Verdict.WRONG | Verdict.UNCHECKED:
                fault = self._time.fault
                report.errors.append(fault.text if fault is not None else _UNCHECKED)
                names = WITHOUT_BILLS if verdict is Verdict.WRONG else {BLINDNESS, *WITHOUT_BILLS}
                # Judged by the best known time; no other alert changes.
                report.started_at = self._time.now()
                own = [rule for rule in self._plan.rules if rule.name in names]
                await self._conclude(report.started_at, report, own, is_whole=False)
        return report

    async def _judge_meanwhile(self, state: DaemonState, now: datetime, report: CycleReport) -> None:
        """Let alerts begin and rise by the bills read so far, because the rest of this read takes long."""
        is_unsure = self._time.verdict() is not Verdict.CHECKED or self._intake.is_left_out
        if is_unsure or await self._rebase(now) or self._state is not state:
            return
        self._name_owners(state)
        # The pending reads may fail: everything else, including ends and falls, waits for them.
        rules = [rule for rule in self._plan.rules if isinstance(rule, RollingSpend)]
        await self._conclude(now, report, rules, is_whole=True, only_rises=True)
        self._on_decided()

    async def _conclude(
        self, now: datetime, report: CycleReport, rules: Sequence[Rule], *, is_whole: bool, only_rises: bool = False
    ) -> None:
        async with self._deciding:
            begun = self._timer()
            moves, facts = await self._evaluate(now, report, rules)
            report.evaluate_s += self._timer() - begun
            begun, moves = self._timer(), [move for move in moves if not only_rises or move.is_rise]
            await self._decide(moves, facts, now, report, is_whole=is_whole)
            report.decide_s += self._timer() - begun

    async def _rebase(self, now: datetime) -> bool:
        """Re-date everything in the future to now, by a checked time; return whether there was anything."""
        async with self._deciding:
            state = await self._remember()
            if has_jumped := self._time.take_jump():
                # They begin and end by the time that was in force.
                self._views.clear()
                self._before = None
            found = await rebase_state(state, self._store, now, has_jumped=has_jumped)
            if found:
                self._log.warning("future times corrected", things=found)
                self.forget()
            return bool(found)

    def _name_owners(self, state: DaemonState) -> None:
        """Name owners as the API does: keys by their bills, instances and endpoints by their lists."""
        audience = self._plan.audience
        owners = with_api_names(audience.owners, state.key_names.values(), state.resources.values())
        if owners is not audience.owners:
            self._plan = replace(self._plan, audience=replace(audience, owners=owners))
            self._views.use_owners(owners)

    async def _evaluate(self, now: datetime, report: CycleReport, rules: Sequence[Rule]) -> tuple[list[Move], Facts]:
        # Load the alerts of an earlier process before anything is judged.
        await self._remember()
        alerts = self.state.alerts
        if rules is not self._plan.rules:
            names = {rule.name for rule in rules}
            alerts = {fingerprint: alert for fingerprint, alert in alerts.items() if alert.rule in names}
        is_built, self._stored = await self._views.fit(self.state, self._plan, now), None
        if is_built and self._before is not None:
            await asyncio.to_thread(self._views.restore_edges, self._before, self._plan)
        facts = self._facts(now)
        moves, faults = await asyncio.to_thread(judge, rules, facts, alerts, self._plan.accounts.keys())
        await self._views.keep_edges(self.state, self._plan)
        for rule, fault in faults:
            if rule not in report.rule_errors:
                report.rule_errors.append(rule)
            # A sum that does not fit is not a bug; the message says everything.
            is_sum = isinstance(fault, OverflowError)
            self._log.error("rule failed", rule=rule, error=str(fault), exc_info=None if is_sum else fault)
        return numbered_from(moves, self.state.first_episode), facts

    def _held(self) -> Held:
        owners = self._plan.audience.owners
        return self.state.held(
            owners, last_read=self._intake.last_read, rules_file=self.rules_file, clock=self._time.fault
        )

    def _facts(self, now: datetime) -> Facts:
        return build_facts(self._held(), self._plan, self._views.of, now)

    async def _decide(
        self, moves: list[Move], facts: Facts, now: datetime, report: CycleReport, *, is_whole: bool
    ) -> None:
        dispatcher = Dispatcher(
            audience=self._plan.audience,
            install_id=self._install_id,
            headline_of=self._plan.headline_of,
            chart_of=charts(facts),
            acting=await self.acting(now),
            calm=self.state.calm,
            now=now,
        )

        def decide(waiting: Sequence[OutboxEntry]) -> Decisions:
            state, silences = self.state, tuple(self.state.silences.values())
            decisions = dispatcher.decide(
                moves, alerts=state.alerts, silences=silences, waiting=waiting, is_first_cycle=state.is_fresh
            )
            # Entries held by quiet hours keep waiting while the time is uncertain.
            return decisions if is_whole else replace(decisions, held={})

        decisions = await self._store.decide(decide, now)
        self.state.alerts.update({alert.fingerprint: alert for alert in decisions.alerts})
        report.note(decisions, self.state.alerts.values())
