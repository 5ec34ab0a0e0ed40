"""A rule type's fields are its schema: every type that a field may have, read from text and described to editors."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar

import jsonschema  # type: ignore[import-untyped] # its stubs are a package of their own
import pytest

from alertd.core.alert import Sample
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd
from alertd.core.rules.base import Key, Rule, Share
from alertd.core.rules.facts import Facts
from alertd.core.severity import Severity
from alertd.errors import RulesError
from alertd.rules_file import load
from alertd.rules_file.keys import value_type
from alertd.rules_file.schema import rule_schema

USD = 10**10


class Period(StrEnum):
    """A closed set of words."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(Rule):
    """A rule type with a key of every type."""

    TYPE: ClassVar[str] = "everything"
    HELP: ClassVar[str] = "All."

    count: Annotated[int, Key("A count.", example=3, at_least=1, at_most=9)]
    period: Annotated[Period, Key("A word.", example="day")] = Period.MONTH
    factor: Annotated[Mapping[Severity, Fraction], Key("Factors.", example={"warning": 2.5}, at_least=Fraction(1))]
    shares: Annotated[Mapping[Severity, Share], Key("Shares.", example={"warning": "150%"})]
    amounts: Annotated[Mapping[str, Usd], Key("By owner.", example={"gpu-1": "$5"}, at_least=1)]
    lookback_or_never: Annotated[timedelta | None, Key("How far.", example="30d", at_least=timedelta(days=1))] = None
    timezone: Annotated[str, Key("A zone.", example="UTC")] = "UTC"
    severity: Annotated[Severity | None, Key("In place of thresholds.", example="warning")] = None
    day: Annotated[date, Key("A day.", example="2026-12-01")]
    at: Annotated[datetime, Key("An instant.", example="2026-12-01T08:00:00Z")]

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge nothing."""
        return []


TEXT = """
version: 1
rules:
  - name: all
    type: everything
    count: 3
    period: day
    factor: {critical: 3, warning: 2.5}
    shares: {info: 50%, warning: 1.5e-1}
    amounts: {gpu-1: $5, "7": 6}
    lookback_or_never: 4w
    timezone: Europe/Berlin
    severity: critical
    day: 2026-12-01
    at: 2026-12-01T08:00:00+01:00
"""


@pytest.fixture(autouse=True)
def _only_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "rule_type_names", lambda: ("everything",))
    monkeypatch.setattr(load, "rule_type", {"everything": Everything}.__getitem__)


def loaded(tmp_path: Path, text: str) -> Rule:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    return load.load_rules(file).rules[0]


def test_new_rule_type_when_written_then_is_read_without_further_code(tmp_path: Path) -> None:
    """One new file is all that a rule type should take."""
    assert loaded(tmp_path, TEXT) == Everything(
        name="all",
        count=3,
        period=Period.DAY,
        factor={Severity.WARNING: Fraction(5, 2), Severity.CRITICAL: Fraction(3)},
        shares={Severity.INFO: Share(Fraction(1, 2)), Severity.WARNING: Share(Fraction(3, 20))},
        amounts={"7": Usd(6 * USD), "gpu-1": Usd(5 * USD)},
        lookback_or_never=timedelta(weeks=4),
        timezone="Europe/Berlin",
        severity=Severity.CRITICAL,
        day=date(2026, 12, 1),
        at=datetime(2026, 12, 1, 7, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("count: 3", "count: 0", "count: 0 is too little; the least is 1"),
        ("count: 3", "count: 3.5", "count: 3.5 is not a whole number"),
        ("period: day", "period: week", 'period: "week" is not a period; write day or month'),
        ("warning: 2.5", "warning: 0.5", "factor.warning: 0.5 is too little; the least is 1"),
        ("info: 50%", "info: 50", "shares.info: 50 is not a share; write 50%, or a number below 1"),
        ("gpu-1: $5", "gpu-1: 0", "amounts.gpu-1: 0 is zero; write an amount above 0"),
        ("_never: 4w", "_never: 1h", 'lookback_or_never: "1h" is too little; the least is 24h'),
        ("Europe/Berlin", "Mars", 'timezone: "Mars" is not a time zone; '),
        ("y: critical", "y: bad", 'severity: "bad" is not a severity; write info, warning or critical'),
        ("day: 2026-12-01", "day: 2026-12-32", 'day: "2026-12-32" is not a day of the calendar'),
        ("+01:00", "", 'at: "2026-12-01T08:00:00" is not a time; write it with its zone, like 2026-12-01T08:00:00Z'),
        ("count: 3\n", "x: 3\n", "count is missing; write e.g. count: 3"),
    ],
)
def test_new_rule_type_when_wrong_then_is_explained_in_words(
    tmp_path: Path, right: str, wrong: str, problem: str
) -> None:
    """The words come with the type of the field."""
    with pytest.raises(RulesError) as caught:
        loaded(tmp_path, TEXT.replace(right, wrong))
    assert any(one.text.startswith(f'rule "all": {problem}') for one in caught.value.problems)


def test_new_rule_type_when_described_then_its_examples_fit_its_schema() -> None:
    """Editors insert the examples."""
    schema = rule_schema(Everything)
    validator = jsonschema.Draft202012Validator(schema)
    properties = schema["properties"]
    assert isinstance(properties, dict)
    rule = {key: described["examples"][0] for key, described in properties.items()}
    assert [error.message for error in validator.iter_errors(rule)] == []
    for key, wrong in (("count", 10), ("period", "week"), ("factor", {"bad": 2}), ("factor", {"warning": 0.5})):
        assert list(validator.iter_errors({**rule, key: wrong})), key


def test_type_of_a_field_when_not_in_the_language_then_its_author_is_notified() -> None:
    """At import in the author's tests, not at a user's start."""
    with pytest.raises(TypeError, match="cannot be of type"):
        value_type(dict[str, Patterns] | list[int], Key("x", example=1))
    with pytest.raises(TypeError, match="float"):
        value_type(float, Key("x", example=1))
