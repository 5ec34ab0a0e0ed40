"""The texts of a report: from its figures to a `Message`, the same for every channel."""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

from alertd.core.alert import Alert, Contributor, Unit, lag_text
from alertd.core.alerts.audience import NO_TARGETS, LinkTargets
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import local_time
from alertd.core.chart import Chart, ChartForm
from alertd.core.hours import HourRange, hour_of
from alertd.core.messages.message import Field, Link, Message, Section, SectionRow
from alertd.core.money import format_usd
from alertd.core.owners import OwnerDirectory
from alertd.core.reports.budget_lines import BudgetFigures, RankedBudgets
from alertd.core.reports.figures import (
    Compared,
    GroupSpend,
    ReportFigures,
    ReportScope,
    SpendFigures,
    Undecided,
)
from alertd.core.rules.spend_rule import billed_so_far
from alertd.core.rules.standing import share_text
from alertd.core.severity import Severity
from alertd.core.sparkline import HOURLY_UP_TO
from alertd.core.spend.bill import TrackedBill
from alertd.core.words import and_more, format_age, format_duration, group_name, with_more

_GROUPS = 12
_RISES = 5
_FALLS = 5
_BUDGETS = 10
_ALERTS = 10
_BILLS = 10
_GAPS = 3
_TELLING_SHARE = 10
"""A rise by more than this factor is shown in dollars only."""


def compose_report(figures: ReportFigures, *, owners: OwnerDirectory, targets: LinkTargets = NO_TARGETS) -> Message:
    """Compose a report."""
    scope, spend = figures.scope, figures.spend
    sections = (
        *(_spend_sections(scope, spend, owners) if spend is not None else ()),
        budgets_section(figures.budgets, figures.undecided, owners),
        _alerts(figures),
        _bills(figures),
    )
    return Message(
        reason=NotifyReason.REPORT,
        severity=Severity.INFO,
        is_resolved=False,
        title=_title(scope, spend, overflows=figures.overflows),
        lines=_lines(figures),
        fields=_fields(scope, spend) if spend is not None else (),
        sections=tuple(section for section in sections if section.rows or section.note),
        chart=_chart(scope, spend) if spend is not None else None,
        links=(Link(text="Status page", url=targets.overview),) if targets.overview else (),
        footer=f"report {scope.name}",
        created_at=figures.now,
        timezone=scope.timezone,
    )


def _title(scope: ReportScope, spend: SpendFigures | None, *, overflows: bool) -> str:
    if overflows:
        return f"{scope.name}: spend adds up to more than 922 million USD and is not shown; `alertd spend` finds where"
    if spend is None:
        return f"{scope.name}: no bills were read yet"
    period = format_duration(scope.period)
    known = " (not complete)" if spend.gaps else ""
    text = f"{scope.name}: {format_usd(spend.total.amount)} spent in {period}{known}"
    if spend.total.before is None:
        return text
    change = spend.total.amount - spend.total.before
    if not change:
        return f"{text}, as much as in the {period} before"
    share = _share_of_change(spend.total)
    part = f" ({share})" if share else ""
    return f"{text}, {format_usd(abs(change))}{part} {'more' if change > 0 else 'less'} than in the {period} before"


def _lines(figures: ReportFigures) -> tuple[str, ...]:
    scope, spend = figures.scope, figures.spend
    lines = []
    if spend is not None:
        if spend.gaps:
            lines.append(f"Not complete: {_listed(spend.gaps)}: the sum may be low.")
        if spend.gaps_before:
            period = format_duration(scope.period)
            lines.append(f"Not compared with the {period} before: {_listed(spend.gaps_before)}.")
        if spend.expected != spend.total.amount:
            text = billed_so_far(spend.total.amount, spend.expected, spend.lagging)
            lines.append(f"{text}{f' ({lag_text(spend.lagging)})' if spend.lagging else ''}.")
        lines.append(f"From {_when(spend.window.start, scope)} to {_when(spend.window.end, scope)}.")
    if figures.bill_gaps:
        lines.append(f"Not complete: {_listed(figures.bill_gaps)}.")
    return tuple(lines)


def _listed(texts: Sequence[str]) -> str:
    return "; ".join(with_more(texts[:_GAPS], len(texts) - _GAPS))


def _when(hour: int, scope: ReportScope) -> str:
    return f"{local_time(hour, scope.timezone):%Y-%m-%d %H:%M %Z}"


def _chart(scope: ReportScope, spend: SpendFigures) -> Chart:
    is_by_day = len(spend.window) > HOURLY_UP_TO
    return Chart(
        title="Spend by day" if is_by_day else "Spend by hour",
        unit=Unit.USD,
        form=ChartForm.BARS,
        points=spend.points,
        timezone=scope.timezone,
        is_by_day=is_by_day,
        note=_days_in_part(spend.window, scope) if is_by_day else "",
    )


def _days_in_part(window: HourRange, scope: ReportScope) -> str:
    """Note if the first or last bar covers less than a day."""
    first, last = (local_time(hour, scope.timezone) for hour in (window.start, window.end))
    return "" if first.hour == last.hour == 0 else "the first and the last day in part"


def _fields(scope: ReportScope, spend: SpendFigures) -> tuple[Field, ...]:
    period, total = format_duration(scope.period), spend.total
    fields = [Field(name=f"Spent in {period}", text=format_usd(total.amount))]
    if total.before is not None:
        fields.append(Field(name=f"The {period} before", text=format_usd(total.before)))
        fields.append(Field(name="Change", text=_change(total)))
    unit = "hour" if len(spend.window) <= HOURLY_UP_TO else "day"
    amount, point = max(zip(spend.amounts, spend.points, strict=True), key=lambda pair: pair[0])
    at = local_time(hour_of(point.at), scope.timezone)
    text = f"{at:%b} {at.day}{f' {at:%H:%M %Z}' if unit == 'hour' else ''}: {format_usd(amount)}"
    fields.append(Field(name=f"Largest {unit}", text=text))
    fields.append(Field(name="Billed through", text=_when(spend.window.end, scope)))
    return tuple(fields)


def _change(compared: Compared) -> str:
    """Return a change for people: `up $20.00 (25 %)`; empty without a comparison."""
    if compared.before is None:
        return ""
    change = compared.amount - compared.before
    if not change:
        return "unchanged"
    share = _share_of_change(compared)
    return f"{'up' if change > 0 else 'down'} {format_usd(abs(change))}" + (f" ({share})" if share else "")


def _share_of_change(compared: Compared) -> str:
    """Return a change in percent; empty if it would be meaningless."""
    before = compared.before
    if before is None or before <= 0 or compared.amount < 0 or compared.amount > _TELLING_SHARE * before:
        return ""
    return share_text(Fraction(abs(compared.amount - before), before))


def _spend_sections(scope: ReportScope, spend: SpendFigures, owners: OwnerDirectory) -> tuple[Section, ...]:
    names = [name.replace("_", " ") for name in scope.group_by]
    return (
        Section(
            title=f"By {' and '.join(names)}",
            rows=tuple(_group_row(found, owners) for found in spend.groups[:_GROUPS]),
            note=_rest(spend.groups[_GROUPS:]),
        ),
        Section(title="What moved most", rows=tuple(_mover_row(part, owners) for part in _extremes(spend.movers))),
    )


def _group_row(found: GroupSpend, owners: OwnerDirectory) -> SectionRow:
    return SectionRow(
        name=group_name(found.group, owners), amount=format_usd(found.spend.amount), note=_change(found.spend)
    )


def _rest(groups: Sequence[GroupSpend]) -> str:
    together = sum(found.spend.amount for found in groups)
    return f"{and_more(len(groups)).capitalize()}: {format_usd(together)} together." if groups else ""


def _extremes(movers: Sequence[Contributor]) -> list[Contributor]:
    """Return the largest rises, then the largest falls."""
    rises = [part for part in movers if part.before is not None and part.amount > part.before]
    falls = [part for part in reversed(movers) if part.before is not None and part.amount < part.before]
    return [*rises[:_RISES], *falls[:_FALLS]]


def _mover_row(part: Contributor, owners: OwnerDirectory) -> SectionRow:
    before = part.before or 0
    change = part.amount - before
    what = f"{part.product} ({part.category})" if part.product else part.category
    return SectionRow(
        name=f"{owners.display(part.owner)} · {what}",
        amount=f"{'+' if change > 0 else '-'}{format_usd(abs(change))}",
        note=f"from {format_usd(before)} to {format_usd(part.amount)}",
    )


def budgets_section(budgets: RankedBudgets, undecided: Sequence[Undecided], owners: OwnerDirectory) -> Section:
    """Return the budgets with the largest share spent."""
    more = and_more(budgets.count - _BUDGETS).capitalize()
    notes = [f"{more} with a smaller share spent."] if more else []
    notes += [f"{each.rule}: {each.text}." for each in undecided[:_BUDGETS]]
    return Section(
        title="Budgets",
        rows=tuple(_budget_row(budget, owners) for budget in budgets.figures[:_BUDGETS]),
        note=" ".join(notes),
    )


def _budget_row(budget: BudgetFigures, owners: OwnerDirectory) -> SectionRow:
    standing = budget.of_group.standing
    who = group_name(budget.of_group.group, owners)
    parts = [standing.rest_clause]
    if standing.forecast is not None and standing.forecast_share is not None:
        total = format_usd(standing.forecast.total)
        parts.append(f"forecast to end at {total} ({share_text(standing.forecast_share)})")
    if budget.of_group.fast:
        parts.append(budget.of_group.fast)
    if not budget.of_group.is_complete:
        parts.append("not complete, may be low")
    return SectionRow(
        name=f"{budget.rule} · {who}" if who else budget.rule,
        amount=format_usd(standing.spent),
        note="; ".join(parts),
    )


def _alerts(figures: ReportFigures) -> Section:
    alerts = figures.alerts
    if not alerts:
        return Section(title="Alerts", rows=(), note="Nothing is firing.")
    more = and_more(len(alerts) - _ALERTS).capitalize()
    return Section(
        title=f"Alerts: {len(alerts)} firing",
        rows=tuple(_alert_row(alert, figures) for alert in alerts[:_ALERTS]),
        note=f"{more}; `alertd alerts` lists all." if more else "",
    )


def _alert_row(alert: Alert, figures: ReportFigures) -> SectionRow:
    age = max(figures.now - (alert.fired_at or alert.started_at), timedelta())
    return SectionRow(name=alert.headline, amount=alert.severity.label, note=f"for {format_age(age)}")


def _bills(figures: ReportFigures) -> Section:
    more = and_more(len(figures.bills) - _BILLS).capitalize()
    return Section(
        title="Monthly bills to be paid",
        rows=tuple(_bill_row(tracked, figures) for tracked in figures.bills[:_BILLS]),
        note=f"{more}." if more else "",
    )


def _bill_row(tracked: TrackedBill, figures: ReportFigures) -> SectionRow:
    bill = tracked.bill
    age = max(figures.now - tracked.phases[-1].since, timedelta())
    amount, what = (bill.owed, f"owed of {format_usd(bill.total)}") if bill.owed else (bill.total, "in all")
    return SectionRow(
        name=f"{bill.month} · {bill.account}" if figures.accounts > 1 else bill.month,
        amount=format_usd(amount),
        note=f"{what}; seen as {tracked.state} for {format_age(age)}",
    )
