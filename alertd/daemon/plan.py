"""Builds the plan, what to watch and whom to notify, from the rules file, the settings and the clients."""

from collections.abc import Callable, Mapping

from alertd.core.actions import Action
from alertd.core.alert import Alert
from alertd.core.alerts.audience import NO_TARGETS, Audience, LinkTargets
from alertd.core.rules.base import Rule
from alertd.daemon.receivers import contacts
from alertd.daemon.state import BillSource, Plan
from alertd.daemon.watching import build_watched, default_receivers
from alertd.log import get_logger
from alertd.notify.base import Notifier, can_edit
from alertd.rules_file.model import LoadedRules
from alertd.settings.model import Settings


def build_plan(
    rules: LoadedRules, settings: Settings, *, sources: Mapping[str, BillSource], notifiers: Mapping[str, Notifier]
) -> Plan:
    """Build the plan."""
    watched = build_watched(rules, settings)
    return Plan(
        accounts=sources,
        rules=watched.rules,
        settle_delay=watched.settle_delay,
        planned=watched.planned,
        reach=watched.reach,
        resource_accounts=watched.resource_accounts,
        audience=build_audience(rules, notifiers, targets=build_link_targets(rules, settings)),
        headline_of=headlines(rules),
        actions=actions_of(rules),
        timezone=rules.timezone,
    )


def actions_of(rules: LoadedRules) -> dict[str, Action]:
    """Return the actions of the rules file, by name."""
    return {
        entry.name: Action(name=entry.name, accounts=frozenset(entry.accounts), approvers=tuple(entry.approvers))
        for entry in rules.actions
    }


def build_audience(
    rules: LoadedRules, notifiers: Mapping[str, Notifier], *, targets: LinkTargets = NO_TARGETS
) -> Audience:
    """Build the notification part of the plan."""
    return Audience(
        routes=rules.routes,
        default=default_receivers(rules),
        recipients={name: notifier.recipients for name, notifier in notifiers.items()},
        owners=rules.owners,
        contacts=contacts(notifiers),
        editors=frozenset(name for name, notifier in notifiers.items() if can_edit(notifier)),
        inhibitions=rules.inhibitions,
        quiet_hours={receiver.name: receiver.quiet_hours for receiver in rules.receivers},
        targets=targets,
        timezone=rules.timezone,
    )


def build_link_targets(rules: LoadedRules, settings: Settings) -> LinkTargets:
    """Return the links for messages."""
    from alertd.novita.endpoint import billing_page, console_pages  # noqa: PLC0415 -- as for clients

    urls = {account.name: account.base_url or settings.novita_base_url for account in rules.accounts}
    return LinkTargets(
        status=settings.external_url or "",
        billing={name: page for name, url in urls.items() if (page := billing_page(url))},
        consoles={name: pages for name, url in urls.items() if (pages := console_pages(url))},
    )


def headlines(rules: LoadedRules) -> Callable[[Alert, Rule | None], str]:
    """Return the function that renders an alert's first line: the rule's summary, or the alert's headline."""
    with_summary = [rule for rule in rules.rules if rule.summary]
    if not with_summary:
        return lambda alert, _rule: alert.headline
    from alertd.rules_file.summary import SummaryError, compile_summary  # noqa: PLC0415 -- jinja2 only where it is needed

    templates = {rule.name: compile_summary(rule.summary) for rule in with_summary}

    def headline(alert: Alert, _rule: Rule | None) -> str:
        template = templates.get(alert.rule)
        if template is None:
            return alert.headline
        try:
            return template.render(alert)
        except SummaryError as error:
            get_logger().error("summary template failed", rule=alert.rule, error=str(error))
            return alert.headline

    return headline
