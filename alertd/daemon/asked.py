"""
Applies people's requests: from the daemon's state to what is stored and shown.

Pure; the cycle passes its state in, and stores the result.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from alertd.core.actions import Action, ActionRequest, ActionState, Verb
from alertd.core.alert import Alert
from alertd.core.alerts.acting import Acting
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.request_outcome import RequestOutcome, Situation, carry_out
from alertd.core.alerts.requests import Request
from alertd.core.chart import Chart
from alertd.core.dataclass import dataclass
from alertd.core.messages.dispatch import Dispatcher
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.resources import Resource, ResourceKind
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.daemon.state import DaemonState, Plan
from alertd.log import get_logger


def acting_of(
    actions: Mapping[str, Action],
    resources: Iterable[Resource],
    requests: tuple[ActionRequest, ...],
    read_at: Mapping[str, datetime],
) -> Acting:
    """
    Return the actions that may be requested on alerts now.

    Args:
        actions: The actions of the rules file.
        resources: The listed resources of accounts whose lists are read.
        requests: The open requests and the latest finished ones.
        read_at: When the lists of accounts were read: what was stopped since is no longer running, whatever they say.
    """
    listed = {resource.key: resource for resource in resources if resource.kind is ResourceKind.INSTANCE}
    for request in requests:
        was_read_at, known = read_at.get(request.account), listed.get(request.key)
        if known is not None and request.state is ActionState.DONE and request.finished_at is not None:
            is_newer = was_read_at is None or request.finished_at > was_read_at
            status = "exited" if request.verb is Verb.STOP else "running"
            listed |= {request.key: replace(known, status=status)} if is_newer else {}
    return Acting(actions=actions, instances=listed, requests=requests)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything known at the moment of a request or of a step of one."""

    state: DaemonState
    plan: Plan
    acting: Acting
    install_id: str
    chart_of: Callable[[Alert, Rule | None], Chart | None]
    now: datetime

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """The rules in force, by name."""
        return {rule.name: rule for rule in self.plan.rules}

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """What messages are written by."""
        return Dispatcher(
            audience=self.plan.audience,
            install_id=self.install_id,
            headline_of=self.plan.headline_of,
            chart_of=self.chart_of,
            acting=self.acting,
            now=self.now,
        )

    def carry_out(self, request: Request) -> tuple[RequestOutcome, list[OutboxEntry]]:
        """
        Return the changes of a request, and the message updates.

        Raises:
            RequestError: It cannot be done as requested.
        """
        outcome = carry_out(
            request,
            Situation(
                alerts=self.state.alerts,
                silences=self.state.silences,
                rules=self.rules,
                inhibitions=self.plan.audience.inhibitions,
                acting=self.acting,
                now=self.now,
            ),
        )
        known = self.state.alerts
        entries = self.dispatcher.entries_of_request(
            [
                Move(before=known[alert.fingerprint], after=alert, rule=self.rules.get(alert.rule))
                for alert in outcome.alerts
            ]
        )
        if outcome.action is not None and outcome.is_new:
            entries += self.entries_of(outcome.action)
        return outcome, entries

    def entries_of(self, request: ActionRequest) -> list[OutboxEntry]:
        """Return the message updates for a step of an action request; none if its alert is no longer known."""
        alert = self.state.alerts.get(request.fingerprint)
        if alert is None:
            return []
        return self.dispatcher.entries_of_action(request, alert, self.rules.get(alert.rule))

    def written_anew(self, entry: OutboxEntry) -> OutboxEntry:
        """Return a waiting entry as it is to be sent now."""
        return self.dispatcher.written_anew(entry, alerts=self.state.alerts, rules=self.rules)


def charts(facts: Facts) -> Callable[[Alert, Rule | None], Chart | None]:
    """Return the function that draws an alert's chart from the facts."""

    def chart_of(alert: Alert, rule: Rule | None) -> Chart | None:
        try:
            return rule.chart(facts, alert) if rule is not None else None
        except (Exception, SystemExit):  # noqa: BLE001 -- as with rules: logged with its traceback, the others continue
            get_logger().exception("chart failed", rule=alert.rule)
            return None

    return chart_of
