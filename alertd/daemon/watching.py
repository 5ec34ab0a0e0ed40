"""What is watched, according to rules file and settings: for the daemon, and for commands that only read."""

from datetime import timedelta
from typing import TYPE_CHECKING

from alertd.core.rules.own.broken_rules import RulesBroken
from alertd.core.rules.own.failed_rules import FailedRules
from alertd.core.rules.own.unread_bills import Blindness
from alertd.core.rules.own.wrong_clock import WrongClock
from alertd.core.rules.watched import Watched

if TYPE_CHECKING:
    from alertd.core.reports.figures import ReportScope
    from alertd.rules_file.model import LoadedRules, Report
    from alertd.settings.asked import SettingsInUse


def build_watched(rules: "LoadedRules", settings: "SettingsInUse") -> Watched:
    """Return what is watched by the rules of the file and alertd's own."""
    blindness = Blindness.watching(
        poll_interval=settings.poll_interval,
        settle_delay=settings.settle_delay,
        notify=default_receivers(rules),
    )
    return Watched(
        accounts=frozenset(account.name for account in rules.accounts),
        rules=(
            *rules.rules,
            blindness,
            RulesBroken.watching(notify=blindness.notify),
            FailedRules.watching(notify=blindness.notify),
            WrongClock.watching(notify=blindness.notify),
        ),
        settle_delay=settings.settle_delay,
        planned=rules.planned,
        resource_accounts=frozenset(account.name for account in rules.accounts if account.resources),
        reach=max((scope_of(report).reach for report in rules.reports), default=timedelta()),
    )


def default_receivers(rules: "LoadedRules") -> tuple[str, ...]:
    """Return who is notified if no route matches: `defaults.notify`, else the first receiver."""
    return rules.default_notify or tuple(receiver.name for receiver in rules.receivers[:1])


def scope_of(report: "Report") -> "ReportScope":
    """Return the content of a report of the rules file."""
    from alertd.core.reports.figures import ReportScope  # noqa: PLC0415 -- for files with reports only

    return ReportScope(name=report.name, period=report.period, group_by=report.group_by, timezone=report.timezone)
