"""
The composition root: builds every object once from settings and rules, and closes them in reverse.

It alone knows all other parts; none of them knows it.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from alertd.clock import monotonic_s, utc_now
from alertd.contacts import contacts
from alertd.core.alert import Alert
from alertd.core.audience import Audience
from alertd.core.bill import PRODUCT_CATEGORIES
from alertd.core.blindness import Blindness
from alertd.core.compose import compose_test
from alertd.core.message import Message
from alertd.core.outbox import delivery_key
from alertd.core.pages import Pages
from alertd.core.quieting import Quieted, Request
from alertd.core.reading import Cadence
from alertd.core.rules.base import Rule
from alertd.core.rules_broken import RulesBroken
from alertd.cycle import Cycle
from alertd.errors import Problem, RulesError, SettingsError
from alertd.keeper import Keeper
from alertd.log import get_logger
from alertd.memory import BillSource, Plan
from alertd.notify.base import Delivered, Envelope, Notifier, ReceiverError, can_edit
from alertd.notify.deliver import Delivery, attempt
from alertd.notify.illustrate import illustrate
from alertd.notify.mirroring import Mirroring
from alertd.notify.registry import notifier_class
from alertd.reporter import Reporter, scope_of
from alertd.rules_file.changes import changes
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import Account, LoadedRules
from alertd.settings import Settings
from alertd.slack_app import SlackApp, SlackAppConfig
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from alertd.store.url import parse_database_url
from alertd.web.figures import Figures
from alertd.web.listen import parse_listen


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What notifiers may ask while they are built."""

    settings: Settings
    environment: Mapping[str, str]
    base_dir: Path

    def setting(self, name: str) -> str | None:
        """Return an alertd setting in plain text."""
        return self.settings.plain(name)


def base_dir(rules: LoadedRules) -> Path:
    """Return the folder of the rules file: relative paths in it start there."""
    return rules.files[0].parent if rules.files else Path()


def build_notifiers(rules: LoadedRules, settings: Settings) -> tuple[dict[str, Notifier], list[Problem]]:
    """Build every receiver; what cannot be built is returned as problems with their places."""
    context = Surroundings(settings, os.environ, base_dir(rules))
    notifiers: dict[str, Notifier] = {}
    problems = []
    for receiver in rules.receivers:
        try:
            notifiers[receiver.name] = notifier_class(receiver.type)(receiver.name, receiver.config, context)
        except ReceiverError as error:
            problems.append(rules.problem("receiver", receiver.name, str(error), key=error.key))
    return notifiers, problems


def api_key(account: Account, settings: Settings, folder: Path) -> tuple[str, str]:
    """
    Return an account's key, and the name of the setting that it came from.

    Raises:
        SettingsError: It is not set, or its file cannot be read.
    """
    where = f'account "{account.name}"'
    if account.api_key_env:
        key = os.environ.get(account.api_key_env, "").strip()
        if not key:
            raise SettingsError(
                f"{where}: environment variable {account.api_key_env} is not set; put the API key into it"
            )
        return key, account.api_key_env
    if account.api_key_file:
        path = folder / account.api_key_file
        try:
            key = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{where}: cannot read {path}: {getattr(error, 'strerror', None) or 'not text'}"
            ) from None
        if not key:
            raise SettingsError(f"{where}: {path} is empty; put the API key into it")
        return key, str(path)
    key = settings.plain("novita_api_key") or ""
    if not key:
        raise SettingsError(
            f"{where}: ALERTD_NOVITA_API_KEY is not set; put the API key of your Novita AI account into it"
        )
    return key, "ALERTD_NOVITA_API_KEY"


def fallbacks(rules: LoadedRules) -> dict[str, str]:
    """Return for each receiver who hears what it cannot take: its own `fallback`, or the next best."""
    names = [receiver.name for receiver in rules.receivers]
    chosen = {}
    for receiver in rules.receivers:
        candidates = [receiver.fallback, *rules.default_notify, *names]
        other = next((name for name in candidates if name and name != receiver.name), None)
        if other is not None:
            chosen[receiver.name] = other
    return chosen


def build_plan(
    rules: LoadedRules, settings: Settings, *, sources: Mapping[str, BillSource], notifiers: Mapping[str, Notifier]
) -> Plan:
    """Put together what to watch and whom to tell."""
    everyone = tuple(receiver.name for receiver in rules.receivers)
    blindness = Blindness.watching(
        poll_interval=settings.poll_interval,
        settle_delay=settings.settle_delay,
        notify=rules.default_notify or everyone[:1],
    )
    return Plan(
        accounts=sources,
        categories=PRODUCT_CATEGORIES,
        rules=(*rules.rules, blindness, RulesBroken.watching(notify=blindness.notify)),
        audience=replace(build_audience(rules, notifiers), pages=build_pages(rules, settings)),
        headline_of=headlines(rules),
        planned=rules.planned,
        report_reach=max((scope_of(report).reach for report in rules.reports), default=timedelta()),
    )


def build_audience(rules: LoadedRules, notifiers: Mapping[str, Notifier]) -> Audience:
    """Put together whom to tell."""
    everyone = tuple(receiver.name for receiver in rules.receivers)
    return Audience(
        routes=rules.routes,
        default=rules.default_notify or everyone[:1],
        recipients={name: notifier.recipients for name, notifier in notifiers.items()},
        owners=rules.owners,
        contacts=contacts(notifiers),
        editors=frozenset(name for name, notifier in notifiers.items() if can_edit(notifier)),
        inhibitions=rules.inhibitions,
        quiet={receiver.name: receiver.quiet_hours for receiver in rules.receivers},
    )


def build_pages(rules: LoadedRules, settings: Settings) -> Pages:
    """Return where people read on about what they are told."""
    from alertd.novita.endpoint import billing_page  # noqa: PLC0415 -- as for clients

    urls = {account.name: account.base_url or settings.novita_base_url for account in rules.accounts}
    return Pages(
        status=settings.external_url or "",
        billing={name: page for name, url in urls.items() if (page := billing_page(url))},
    )


def headlines(rules: LoadedRules) -> Callable[[Alert, Rule | None], str]:
    """Return what renders an alert's first line: the rule's own summary, or the alert's headline."""
    with_summary = [rule for rule in rules.rules if rule.summary]
    if not with_summary:
        return lambda alert, _rule: alert.headline
    from alertd.templates import SummaryError, compile_summary  # noqa: PLC0415 -- jinja2 only where it is needed

    templates = {rule.name: compile_summary(rule.summary) for rule in with_summary}

    def headline(alert: Alert, _rule: Rule | None) -> str:
        template = templates.get(alert.rule)
        if template is None:
            return alert.headline
        try:
            return template.render(alert)
        except SummaryError as error:
            get_logger().error("summary failed", rule=alert.rule, error=str(error))
            return alert.headline

    return headline


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything that runs, built and connected; `connections` closes what a reload replaces."""

    settings: Settings
    rules: LoadedRules
    keeper: Keeper
    cycle: Cycle
    delivery: Delivery
    reporter: Reporter
    mirroring: Mirroring
    figures: Figures
    connections: AsyncExitStack


def load_checked_rules(settings: Settings) -> LoadedRules:
    """
    Load the rules and check that every receiver can be built and every account has its key.

    Raises:
        RulesError: Every problem of the file, or every secret that is missing.
    """
    rules = load_rules(settings.rules_path())
    _, problems = build_notifiers(rules, settings)
    problems += missing_keys(rules, settings)
    if problems:
        raise RulesError(problems)
    return rules


@asynccontextmanager
async def open_app(
    settings: Settings,
    rules: LoadedRules,
    *,
    open_store: Callable[[], Store],
    notifiers: Mapping[str, Notifier] | None = None,
    sources: Mapping[str, BillSource] | None = None,
    cadence: Cadence | None = None,
    now: Callable[[], datetime] = utc_now,
) -> AsyncIterator[App]:
    """
    Build the daemon, and close it in reverse when the block is left.

    Args:
        open_store: Called in the store's own thread.
        notifiers: In place of those that the rules name; for showing instead of sending.
        sources: In place of clients for the accounts that the rules name; the caller closes them.
        cadence: How often older hours are read again; by default in step with the poll interval.
        now: The wall clock.

    Raises:
        RulesError: A receiver cannot be built.
        SettingsError: A key is missing.
        StoreError: The store cannot be opened.
    """
    async with AsyncExitStack() as stack, AsyncExitStack() as connections:
        if notifiers is None:
            notifiers = open_notifiers(rules, settings, connections)
        if sources is None:
            sources = open_sources(rules, settings, connections)
        thread = await StoreThread.start(open_store)
        stack.push_async_callback(thread.close)
        keeper, figures = Keeper(thread), Figures()
        install_id = await keeper.install_id()
        plan = build_plan(rules, settings, sources=sources, notifiers=notifiers)
        cycle = Cycle(
            store=keeper,
            plan=plan,
            settle_delay=settings.settle_delay,
            cadence=cadence or Cadence.for_interval(settings.poll_interval),
            install_id=install_id,
            timer=monotonic_s,
        )
        delivery = Delivery(
            outbox=keeper,
            notifiers=notifiers,
            fallback=fallbacks(rules),
            install_id=install_id,
            now=now,
            jitter=random.random,
            on_settled=figures.note_attempt,
        )
        yield App(
            settings=settings,
            rules=rules,
            keeper=keeper,
            cycle=cycle,
            delivery=delivery,
            reporter=Reporter(store=keeper, knowledge=cycle, install_id=install_id, reports=rules.reports, plan=plan),
            mirroring=Mirroring(delivery=delivery, told=keeper, now=now),
            figures=figures,
            connections=connections,
        )


def open_slack_app(
    settings: Settings,
    *,
    quiet: Callable[[Request], Awaitable[Quieted]],
    command: Callable[[str, str], Awaitable[str]],
) -> SlackApp | None:
    """
    Return what listens to buttons and slash commands, None without an app token.

    Args:
        quiet: Does what a button asks for.
        command: Answers a slash command for a person.
    """
    app_token, bot_token = settings.plain("slack_app_token"), settings.plain("slack_bot_token")
    if not app_token:
        return None
    if not bot_token:
        get_logger().warning("slack buttons need ALERTD_SLACK_BOT_TOKEN beside ALERTD_SLACK_APP_TOKEN")
        return None
    users = frozenset(name.strip() for name in (settings.slack_users or "").split(",") if name.strip())
    config = SlackAppConfig(app_token=app_token, bot_token=bot_token, base_url=settings.slack_base_url, users=users)
    return SlackApp(config, quiet=quiet, command=command, now=utc_now)


def open_notifiers(rules: LoadedRules, settings: Settings, stack: AsyncExitStack) -> dict[str, Notifier]:
    """
    Build every receiver, to be closed with the stack.

    Raises:
        RulesError: One cannot be built.
    """
    notifiers, problems = build_notifiers(rules, settings)
    for notifier in notifiers.values():
        stack.push_async_callback(notifier.close)
    if problems:
        raise RulesError(problems)
    return notifiers


def open_sources(rules: LoadedRules, settings: Settings, stack: AsyncExitStack) -> dict[str, BillSource]:
    """
    Open a billing client for every account.

    Raises:
        SettingsError: The key of an account is missing.
    """
    from alertd.novita.client import NovitaClient  # noqa: PLC0415 -- httpx is not needed by commands that only read

    sources: dict[str, BillSource] = {}
    for account in rules.accounts:
        key, key_source = api_key(account, settings, base_dir(rules))
        client = NovitaClient(
            account=account.name,
            api_key=key,
            base_url=account.base_url or settings.novita_base_url,
            key_source=key_source,
        )
        stack.push_async_callback(client.close)
        sources[account.name] = client
    return sources


def check_settings(rules: LoadedRules, settings: Settings) -> None:
    """
    Check what is only used once the service runs: the store's URL and the API's.

    Raises:
        SettingsError: One of them can never work.
    """
    from alertd.novita.endpoint import checked_base_url  # noqa: PLC0415 -- as below

    parse_database_url(settings.store_url())
    parse_listen(settings.http_listen, token=settings.plain("http_token") or "")
    for account in rules.accounts:
        checked_base_url(account.base_url or settings.novita_base_url, account=account.name)


def missing_keys(rules: LoadedRules, settings: Settings) -> list[Problem]:
    """Return a problem for every account whose API key is not set here."""
    problems = []
    for account in rules.accounts:
        try:
            api_key(account, settings, base_dir(rules))
        except SettingsError as error:
            text = str(error).removeprefix(f'account "{account.name}": ')
            problems.append(rules.problem("account", account.name, text))
    return problems


def printing_notifiers(rules: LoadedRules, settings: Settings) -> dict[str, Notifier]:
    """Return for every receiver one that prints, so that a dry run shows who would be told what."""
    return {spec.name: printing_notifier(spec.name, rules, settings) for spec in rules.receivers}


def printing_notifier(name: str, rules: LoadedRules, settings: Settings) -> Notifier:
    """Return a notifier that prints, whatever the rules say."""
    from alertd.notify.console import ConsoleConfig, ConsoleNotifier  # noqa: PLC0415 -- a few commands alone

    return ConsoleNotifier(name, ConsoleConfig(), Surroundings(settings, os.environ, base_dir(rules)))


async def send_test(receiver: str, notifier: Notifier) -> list[tuple[str, str, bool]]:
    """Send one test message to each recipient; return (recipient, what happened, delivered) for each."""
    return await send_now(receiver, notifier, compose_test(receiver, now=utc_now()))


async def send_now(receiver: str, notifier: Notifier, message: Message) -> list[tuple[str, str, bool]]:
    """Make one attempt for each recipient, past the outbox; return (recipient, what happened, delivered) for each."""
    results = []
    try:
        for recipient in notifier.recipients:
            key = delivery_key(message.reason.value, receiver, recipient, message.created_at.isoformat())
            envelope = Envelope(message=message, key=key, recipient=recipient)
            outcome = await attempt(notifier, envelope)
            await illustrate(notifier, envelope, outcome)
            text = "delivered" if isinstance(outcome, Delivered) else f"not delivered: {outcome.reason}"
            results.append((recipient, text, isinstance(outcome, Delivered)))
    finally:
        await notifier.close()
    return results


@asynccontextmanager
async def reloader(app: App) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """
    Offer a function that rereads the rules and swaps them in whole; what they replace is closed once it is idle.

    It returns what the edit changed, in words. It raises RulesError or SettingsError and changes nothing where the new
    rules cannot be used. It must not run while a cycle does.
    """
    present, in_force = app.connections, app.rules
    closing: set[asyncio.Task[None]] = set()

    async def close(replaced: AsyncExitStack) -> None:
        await app.delivery.settled()
        await replaced.aclose()

    async def reload() -> str:
        nonlocal present, in_force
        rules = load_rules(app.settings.rules_path())
        async with AsyncExitStack() as opening:
            notifiers = open_notifiers(rules, app.settings, opening)
            sources = open_sources(rules, app.settings, opening)
            plan = build_plan(rules, app.settings, sources=sources, notifiers=notifiers)
            app.cycle.use(plan)
            app.reporter.use(rules.reports, plan)
            replaced, present = present, opening.pop_all()
        app.delivery.use(notifiers, fallbacks(rules))
        task = asyncio.create_task(close(replaced))
        closing.add(task)
        task.add_done_callback(closing.discard)
        await app.delivery.unblock()
        found, in_force = changes(in_force, rules), rules
        return found

    try:
        yield reload
    finally:
        for task in closing:
            task.cancel()
        await present.aclose()
