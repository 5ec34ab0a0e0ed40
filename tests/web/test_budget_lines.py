"""The budgets' lines on the page: worked out once while their figures and owners are the same."""

from dataclasses import replace

from alertd.core.owners import OwnerDirectory
from alertd.web.overview_budgets import BudgetLines
from tests.web.test_every_cell import budget_figures


def test_lines_when_the_figures_are_the_same_then_are_the_same() -> None:
    """Fifty budgets must not be put into words for each visitor."""
    owners, figures, lines = OwnerDirectory(), budget_figures(), BudgetLines()
    first = lines.of(figures, owners)
    assert first == BudgetLines().of(figures, owners)
    again = lines.of(figures[::-1], owners)
    assert all(one is other for one, other in zip(again[::-1], first, strict=True))
    edited = (replace(figures[0], rule="another"), *figures[1:])
    found = lines.of(edited, owners)
    assert found[0].name == "another"
    assert all(one is other for one, other in zip(found[1:], first[1:], strict=True))
    assert lines.of((), owners) == []
    assert lines.of(figures, OwnerDirectory()) == first
