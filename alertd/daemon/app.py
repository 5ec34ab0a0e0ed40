"""
The composition root: builds every object once from settings and rules, and closes them in reverse.

Only this module knows all other parts; none of them knows it.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial

from alertd.clock import SYSTEM_CLOCK, Clock
from alertd.core.actions import ActionRequest
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.dataclass import dataclass
from alertd.core.spend.reading import Cadence
from alertd.daemon.accounts import missing_action_keys, missing_keys, open_instances, open_sources
from alertd.daemon.actions import ActionWorker, InstanceApi
from alertd.daemon.checked_time import timekeeper
from alertd.daemon.cycle import Cycle
from alertd.daemon.plan import build_plan
from alertd.daemon.receivers import build_notifiers, fallbacks, open_notifiers
from alertd.daemon.reports import Reporter, timetables
from alertd.daemon.state import BillSource
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.supervisor import Supervisor
from alertd.daemon.timekeeper import Timekeeper
from alertd.errors import RulesError
from alertd.log import get_logger
from alertd.notify.base import Notifier
from alertd.notify.delivery.deliver import Delivery
from alertd.notify.delivery.mirroring import Mirroring
from alertd.notify.slack.app import SlackApp, SlackAppConfig
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import LoadedRules
from alertd.settings.model import Settings
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from alertd.web.figures import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """All objects of the daemon, connected; `connections` closes what a reload replaces."""

    settings: Settings
    rules: LoadedRules
    gateway: StoreGateway
    clock: Clock
    time: Timekeeper
    cycle: Cycle
    delivery: Delivery
    reporter: Reporter
    mirroring: Mirroring
    actions: ActionWorker
    figures: Figures
    tasks: Supervisor
    connections: AsyncExitStack


def load_checked_rules(settings: Settings) -> LoadedRules:
    """
    Load the rules and check that every receiver can be built and every account has its key.

    Raises:
        RulesError: Every problem in the file, or every missing secret.
        SettingsError: A variable for proxies or certificates cannot be used.
    """
    # Before anything is imported that reads them itself and fails.
    _ = settings.outgoing
    rules = load_rules(settings.rules_path())
    _, problems = build_notifiers(rules, settings)
    problems += missing_keys(rules, settings)
    problems += missing_action_keys(rules, settings)
    if problems:
        raise RulesError(problems)
    return rules


@asynccontextmanager
async def open_app(
    settings: Settings,
    rules: LoadedRules,
    *,
    open_store: Callable[[], Store] | None = None,
    notifiers: Mapping[str, Notifier] | None = None,
    sources: Mapping[str, BillSource] | None = None,
    instances: Mapping[tuple[str, str], InstanceApi] | None = None,
    cadence: Cadence | None = None,
    now: Callable[[], datetime] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[App]:
    """
    Build the daemon, and close it in reverse when the block is left.

    Args:
        open_store: Called in the store's own thread, in place of opening the one of the settings to write.
        notifiers: Used instead of those in the rules, for showing instead of sending.
        sources: Used instead of clients for the accounts in the rules; the caller closes them.
        instances: Used instead of clients with the keys of actions, by action and account.
        cadence: How often older hours are read again; by default in step with the poll interval.
        now: A time that is right by definition, used instead of the checked one.
        clock: The clocks of the system.

    Raises:
        RulesError: A receiver cannot be built.
        SettingsError: A key is missing.
        StoreError: The store cannot be opened.
    """
    async with AsyncExitStack() as stack, AsyncExitStack() as connections:
        time = Timekeeper(now) if now is not None else timekeeper(settings, clock)
        if notifiers is None:
            notifiers = open_notifiers(rules, settings, connections, now=time.now)
        if sources is None:
            sources = open_sources(rules, settings, connections, hear=time.hear, elapsed=clock.elapsed_s)
        if instances is None:
            instances = open_instances(rules, settings, connections, elapsed=clock.elapsed_s)
        url, born = settings.store_url(), now or clock.wall
        thread = await StoreThread.start(open_store or (lambda: Store.open(url, now=born())))
        stack.push_async_callback(thread.close)
        gateway, figures = StoreGateway(thread), Figures()
        time.resume(await gateway.call(lambda store: store.meta.clock))
        install_id = await gateway.call(lambda store: store.meta.install_id)
        plan = build_plan(rules, settings, sources=sources, notifiers=notifiers)
        cycle = Cycle(
            store=gateway,
            plan=plan,
            cadence=cadence or Cadence.for_interval(settings.poll_interval),
            install_id=install_id,
            timer=clock.monotonic_s,
            time=time,
            on_decided=lambda: delivery.wake(),  # noqa: PLW0108 -- it is made below, from the cycle
        )
        delivery = Delivery(
            outbox=gateway,
            write_anew=cycle.written_anew,
            withhold=cycle.withheld,
            notifiers=notifiers,
            fallback=fallbacks(rules),
            install_id=install_id,
            now=time.now,
            jitter=random.random,
            on_settled=figures.note_attempt,
            on_fault=figures.note_task_failure,
        )
        actions = ActionWorker(
            log=cycle,
            instances=instances,
            now=time.now,
            elapsed=clock.elapsed_s,
            on_step=partial(_note_step, figures, delivery),
        )
        tasks = await stack.enter_async_context(Supervisor(on_failure=figures.note_task_failure))
        yield App(
            settings=settings,
            rules=rules,
            gateway=gateway,
            clock=clock,
            time=time,
            cycle=cycle,
            delivery=delivery,
            reporter=Reporter(
                store=gateway, source=cycle, install_id=install_id, reports=timetables(rules.reports), plan=plan
            ),
            mirroring=Mirroring(delivery=delivery, notified=gateway, now=time.now),
            actions=actions,
            figures=figures,
            tasks=tasks,
            connections=connections,
        )


def _note_step(figures: Figures, delivery: Delivery, request: ActionRequest) -> None:
    figures.note_action(request.state)
    # Its message updates are in the outbox.
    delivery.wake()


def open_slack_app(
    settings: Settings,
    *,
    carry_out: Callable[[Request], Awaitable[RequestOutcome]],
    command: Callable[[str, str], Awaitable[str]],
    now: Callable[[], datetime],
    approvers_of: Callable[[str], Sequence[str]],
    timezone: Callable[[], str],
) -> SlackApp | None:
    """
    Return the listener for buttons and slash commands; None without an app token.

    Args:
        carry_out: Carries out a button's request.
        command: Answers a slash command for a person.
        now: Returns the time.
        approvers_of: Returns who may approve an action of the rules file.
        timezone: Of the rules in force.
    """
    app_token, bot_token = settings.plain("slack_app_token"), settings.plain("slack_bot_token")
    if not app_token:
        return None
    if not bot_token:
        get_logger().warning(
            "slack buttons not enabled", missing="ALERTD_SLACK_BOT_TOKEN", found="ALERTD_SLACK_APP_TOKEN"
        )
        return None
    users = frozenset(name.strip() for name in (settings.slack_users or "").split(",") if name.strip())
    config = SlackAppConfig(
        app_token=app_token,
        bot_token=bot_token,
        base_url=settings.slack_base_url,
        users=users,
        outgoing=settings.outgoing,
    )
    return SlackApp(config, carry_out=carry_out, command=command, now=now, approvers_of=approvers_of, timezone=timezone)
