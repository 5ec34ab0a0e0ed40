"""The budgets of the overview page, the largest spent share first: figures and words."""

from collections.abc import Iterable

from alertd.core.dataclass import dataclass
from alertd.core.money import format_usd
from alertd.core.owners import OwnerDirectory
from alertd.core.reports.budget_lines import NO_BUDGETS, BudgetFigures
from alertd.core.reports.overview import Overview
from alertd.core.rules.standing import share_text
from alertd.core.words import group_name
from alertd.web.drawing import BudgetBar, budget_bar

_BUDGETS = 8
"""Number of budgets shown at once; the others after a click."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """One group's budget."""

    name: str
    group: str
    state: str
    """`over`, `risk` (forecast to exceed, or spent too fast) or `ok`, for the style sheet; the text says it too."""
    word: str
    clause: str
    fast: str
    """How fast it is being spent, if that is too fast."""
    period: str
    forecast: str
    is_complete: bool
    bar: BudgetBar
    label: str
    """Text alternative of the bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """All budgets, the largest spent share first."""

    shown: tuple[BudgetLine, ...]
    folded: tuple[BudgetLine, ...]
    unlisted: int
    """Number of further budgets, which are not listed."""
    undecided: tuple[str, ...]
    """Rules that cannot judge some groups, and why."""


class BudgetLines:
    """The lines of the last page, each used again while its figures are the same; lives as long as the pages."""

    def __init__(self) -> None:
        self._owners: OwnerDirectory | None = None
        self._known: dict[int, tuple[BudgetFigures, BudgetLine]] = {}
        """By the identity of the figures, which are kept too, so that no others can have it."""

    def of(self, figures: Iterable[BudgetFigures], owners: OwnerDirectory) -> list[BudgetLine]:
        """Return the line of each of the figures."""
        known = self._known if owners is self._owners else {}
        found = {id(one): known.get(id(one)) or (one, _budget_line(one, owners)) for one in figures}
        self._owners, self._known = owners, found
        return [line for _, line in found.values()]


def budgets_of(overview: Overview | None, owners: OwnerDirectory, known: BudgetLines) -> Budgets:
    """Return the budgets for the page; none before the first poll."""
    budgets = overview.budgets if overview is not None else NO_BUDGETS
    lines = known.of(budgets.figures, owners)
    return Budgets(
        shown=tuple(lines[:_BUDGETS]),
        folded=tuple(lines[_BUDGETS:]),
        unlisted=budgets.count - len(lines),
        undecided=tuple(f"{each.rule}: {each.text}" for each in overview.undecided) if overview is not None else (),
    )


def _budget_line(figures: BudgetFigures, owners: OwnerDirectory) -> BudgetLine:
    of_group = figures.of_group
    standing = of_group.standing
    forecast = standing.forecast_share
    if standing.share >= 1:
        state, word = "over", "spent"
    elif forecast is not None and forecast >= 1:
        state, word = "risk", "forecast over"
    elif of_group.fast:
        state, word = "risk", "spent fast"
    else:
        state, word = "ok", "on track"
    spent, elapsed = share_text(standing.share), share_text(standing.elapsed)
    ahead = f", forecast {share_text(forecast)}" if forecast is not None else ""
    ahead_text = ""
    if standing.forecast is not None and forecast is not None:
        ahead_text = f"{format_usd(standing.forecast.total)} ({share_text(forecast)})"
    return BudgetLine(
        name=figures.rule,
        group=group_name(of_group.group, owners),
        state=state,
        word=word,
        clause=standing.clause,
        fast=of_group.fast,
        period=f"{elapsed} of {standing.period.title} over",
        forecast=ahead_text,
        is_complete=of_group.is_complete,
        bar=budget_bar(share=standing.share, forecast=forecast, elapsed=standing.elapsed),
        label=f"{spent} of the budget spent{ahead}; {elapsed} of the {standing.period.kind} over",
    )
