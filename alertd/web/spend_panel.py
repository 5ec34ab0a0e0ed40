"""
Spend over time on the status page: choices of window and grouping, the chart, and its figures as a table.

Pure. The table has everything the chart shows, for readers who cannot see the chart.
"""

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from io import StringIO

from alertd.core.calendar import Period, is_key, local_time, period_before, period_of
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, hour_of
from alertd.core.money import UNITS_PER_USD, Usd, decimal_text, format_usd
from alertd.core.owners import OwnerDirectory
from alertd.core.printable import spreadsheet_cell
from alertd.core.spend.data_state import DataState
from alertd.core.spend.steps import GroupSteps, SpendSteps, Steps, steps_of, steps_of_month
from alertd.core.words import group_name, with_more
from alertd.web.drawing import Drawing, spend_drawing

GROUPS_SHOWN = 8
"""Maximum number of colours that people can distinguish."""
_OTHERS_LISTED = 100
_GAPS_TOLD = 4
_MONTHS = 6
_UNITS_DRAWN = UNITS_PER_USD // 10_000
"""Scripts get whole numbers of 0.0001 USD: finer than a pixel, and exact up to 900 billion."""


class Window(StrEnum):
    """A window for which spend is shown."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    YEAR = "365d"

    @property
    def hours(self) -> int:
        """Its length."""
        number, unit = int(self[:-1]), self[-1]
        return number if unit == "h" else number * 24


class GroupBy(StrEnum):
    """A dimension to group spend by."""

    CATEGORY = "category"
    OWNER = "owner"
    TEAM = "team"
    PRODUCT = "product"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The selection of spend to show."""

    window: Window
    by: GroupBy
    month: str = ""
    """A month such as `2026-10` instead of the window; empty if none is chosen."""

    @property
    def query(self) -> str:
        """The chosen hours, as a link's parameter."""
        return f"month={self.month}" if self.month else f"window={self.window}"

    def steps(self, data: DataState, timezone: str) -> Steps | None:
        """Return the hours or days; None if nothing is known about them."""
        if self.month:
            return steps_of_month(date.fromisoformat(f"{self.month}-01"), timezone, data)
        return steps_of(self.window.hours, data)

    @classmethod
    def of(cls, window: str, by: str, month: str = "") -> "Choice":
        """Return the selection for two parameters; unknown values are ignored."""
        return cls(
            window=Window(window) if window in set(Window) else Window.MONTH,
            by=GroupBy(by) if by in set(GroupBy) else GroupBy.CATEGORY,
            month=month if is_key(month, Period.MONTH) and month[:2] == "20" else "",
        )


def months(now: datetime, timezone: str) -> tuple[str, ...]:
    """Return the months offered as links: the current one and the five before, newest first."""
    found = [period_of(hour_of(now), Period.MONTH, timezone)]
    while len(found) < _MONTHS:
        found.append(period_before(found[-1], timezone))
    return tuple(period.key for period in found)


def spend_csv(found: SpendSteps, choice: Choice, owners: OwnerDirectory) -> str:
    """Return every group's amount in each step as CSV, exact in USD; no cell can be taken for a formula."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    is_by_day = found.steps.is_by_day
    writer.writerow(("day" if is_by_day else "hour", choice.by.value, "name", "amount", "known"))
    for step in range(len(found.steps)):
        at = local_time(found.steps.edges[step], found.steps.timezone)
        label = f"{at:%Y-%m-%d}" if is_by_day else f"{at:%Y-%m-%dT%H:%MZ}"
        for group in found.groups:
            if group.amounts[step]:
                cells = (group.value, _name(group.value, choice, owners))
                amount, note = decimal_text(group.amounts[step]), _step_note(found, step) or "complete"
                writer.writerow((label, *map(spreadsheet_cell, cells), amount, note))
    return text.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRow:
    """One group in the table below the chart."""

    style: str
    """The colour's class in the style sheet; empty if it is drawn with the rest."""
    name: str
    total: str
    share: str
    """Share of all spend in the window, in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A row of the full table: one hour or day."""

    label: str
    amounts: tuple[str, ...]
    total: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendPanel:
    """Spend over time."""

    choice: Choice
    total: str
    unit: str
    """`hour` or `day`."""
    timezone: str
    first: str
    last: str
    words: str
    """The chart in a sentence."""
    gaps: tuple[str, ...]
    drawing: Drawing
    styles: tuple[str, ...]
    """Style sheet classes of the chart's paths."""
    rows: tuple[SpendRow, ...]
    others: tuple[SpendRow, ...]
    """The groups that the chart draws as the rest."""
    unlisted: int
    """Number of further groups, which are not listed."""
    data: dict[str, object]
    """For the script: JSON."""


def spend_panel(found: SpendSteps, choice: Choice, owners: OwnerDirectory) -> SpendPanel:
    """Return the content of the panel."""
    named = _named(found, choice, owners)
    first, last = _label(found, 0), _label(found, len(found.steps) - 1)
    unit = "day" if found.steps.is_by_day else "hour"
    return SpendPanel(
        choice=choice,
        total=format_usd(found.total),
        unit=unit,
        timezone=found.steps.timezone,
        first=first,
        last=last,
        words=_words(found, choice, unit, named),
        gaps=with_more(found.gaps[:_GAPS_TOLD], len(found.gaps) - _GAPS_TOLD),
        drawing=spend_drawing(found),
        styles=tuple(style for style, _, _ in named),
        rows=tuple(_row(style, name, group.total, found.total) for style, name, group in named),
        others=tuple(
            _row("", _name(value, choice, owners), total, found.total) for value, total in found.others[:_OTHERS_LISTED]
        ),
        unlisted=max(0, len(found.others) - _OTHERS_LISTED),
        data=_data(found, named),
    )


def step_rows(found: SpendSteps) -> tuple[StepRow, ...]:
    """Return the table of every hour or day, newest first, with the columns of `SpendPanel.rows`."""
    groups = _drawn(found)
    rows = []
    for step in range(len(found.steps)):
        amounts = [group.amounts[step] for group in groups]
        rows.append(
            StepRow(
                label=_label(found, step),
                amounts=tuple(_known_amount(found, step, amount) for amount in amounts),
                total=_known_amount(found, step, Usd(sum(amounts))),
                note=_step_note(found, step),
            )
        )
    return tuple(reversed(rows))


def _known_amount(found: SpendSteps, step: int, amount: Usd) -> str:
    """Return the amount of a step; an empty text rather than a zero for an hour that was never read."""
    is_notified = found.is_known[step] and (amount or found.is_whole[step])
    return format_usd(amount) if is_notified else ""


def _step_note(found: SpendSteps, step: int) -> str:
    if not found.is_known[step]:
        return "not known"
    start, end = found.steps.edges[step : step + 2]
    if found.is_whole[step]:
        return "in part" if found.steps.is_by_day and end - start < HOURS_PER_DAY else ""
    return "so far" if found.edge is not None and end > found.edge else "not complete"


def _drawn(found: SpendSteps) -> tuple[GroupSteps, ...]:
    return (*found.groups, *([found.rest] if found.rest is not None else []))


def _named(found: SpendSteps, choice: Choice, owners: OwnerDirectory) -> list[tuple[str, str, GroupSteps]]:
    """Return style, name and figures of everything drawn."""
    named = [(f"g{n}", _name(group.value, choice, owners), group) for n, group in enumerate(found.groups)]
    if found.rest is not None:
        named.append(("rest", f"{len(found.others)} more", found.rest))
    return named


def _name(value: str, choice: Choice, owners: OwnerDirectory) -> str:
    return group_name(((choice.by.value, value),), owners)


def _row(style: str, name: str, amount: Usd, total: Usd) -> SpendRow:
    share = f"{_rounded(100 * amount, total)} %" if total > 0 and amount >= 0 else ""
    return SpendRow(style=style, name=name, total=format_usd(amount), share=share)


def _label(found: SpendSteps, step: int) -> str:
    at = local_time(found.steps.edges[step], found.steps.timezone)
    return f"{at:%b} {at.day}" if found.steps.is_by_day else f"{at:%b} {at.day} {at:%H:%M}"


def _words(found: SpendSteps, choice: Choice, unit: str, named: Sequence[tuple[str, str, GroupSteps]]) -> str:
    known = [step for step in range(len(found.steps)) if found.is_known[step]]
    if not known or not named:
        return "Nothing was spent."
    sums = {step: sum(group.amounts[step] for _, _, group in named) for step in known}
    top = max(known, key=lambda step: sums[step])
    largest = named[0]
    zone = found.steps.timezone
    return (
        f"{format_usd(found.total)} spent by {unit} from {_label(found, 0)} to {_label(found, known[-1])} ({zone}), "
        f"at most {format_usd(sums[top])} on {_label(found, top)}; "
        f"the largest {choice.by.value} is {largest[1]} with {format_usd(largest[2].total)}."
    )


def _data(found: SpendSteps, named: Sequence[tuple[str, str, GroupSteps]]) -> dict[str, object]:
    steps = range(len(found.steps))
    return {
        # The script formats instants as UTC, so local times are passed as if they were UTC.
        "times": [
            int(local_time(edge, found.steps.timezone).replace(tzinfo=UTC).timestamp()) for edge in found.steps.edges
        ],
        "byDay": found.steps.is_by_day,
        "partial": [step for step in steps if not found.is_whole[step]],
        "groups": [
            {
                "style": style,
                "name": name,
                "amounts": [
                    _rounded(amount, _UNITS_DRAWN) if is_known else None
                    for amount, is_known in zip(group.amounts, found.is_known, strict=True)
                ],
            }
            for style, name, group in named
        ],
    }


def _rounded(amount: int, unit: int) -> int:
    """Return an amount divided by a unit, rounded to the nearest whole number."""
    return (2 * amount + unit) // (2 * unit)
