"""The table of planted bugs is honest: each changes what it says, and the changed module is what is imported."""

import ast
from importlib.util import module_from_spec

import pytest

from tests.mutants.draw import draw, mutations
from tests.mutants.planting import PlantedFinder, path_of, plant
from tests.mutants.run import changed_functions
from tests.mutants.stages import ROOT, stages_of
from tests.mutants.table import TABLE


@pytest.mark.parametrize("name", TABLE)
def test_planted_bug_when_code_moves_then_its_text_is_still_there_once(name: str) -> None:
    ast.parse(TABLE[name].planted())
    assert [test for test in TABLE[name].tests if not (ROOT / test.partition("::")[0]).exists()] == []


@pytest.mark.slow
def test_drawn_mutations_when_seed_is_the_same_then_so_are_they() -> None:
    modules = ["alertd.core.alerts.due", "alertd.notify.delivery.settle"]
    first = draw(modules, 10, 3)
    assert first == draw(modules, 10, 3) != draw(modules, 10, 4)
    assert {mutant.module for mutant in first} == set(modules)


@pytest.mark.slow
def test_drawn_mutations_when_planted_then_each_is_a_program() -> None:
    found = list(mutations("alertd.core.alerts.due"))
    assert len({mutant.name + mutant.after for mutant in found}) == len(found) > 40
    for mutant in found:
        ast.parse(mutant.planted())


def test_planted_module_when_imported_then_it_has_the_bug() -> None:
    bug = TABLE["learn a longer range"]
    spec = PlantedFinder(bug.module, path_of(bug.module), bug.planted()).find_spec(bug.module, None)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    limit = module.RangeLimit(7)
    limit.learn(31)
    assert limit.days == 31


def test_planting_when_module_is_imported_already_then_it_is_refused() -> None:
    with pytest.raises(RuntimeError, match="imported before"):
        plant("tests.mutants.run", "")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        pytest.param("learn a longer range", ["RangeLimit.learn"], id="a method"),
        pytest.param("judge disabled rules", ["judge"], id="a function"),
        pytest.param("count summary", [], id="what runs at import, which needs a process of its own"),
    ],
)
def test_planted_bug_when_compared_then_the_functions_that_it_changes(name: str, changed: list[str]) -> None:
    assert [before.co_qualname for before, _ in changed_functions(TABLE[name])] == changed


def test_tests_of_module_when_chosen_then_the_nearest_come_first() -> None:
    first, *_others = stages_of("alertd.core.alerts.due")
    assert any("tests/core/alerts" in path for path in first)
