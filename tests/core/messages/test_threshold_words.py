"""A threshold is named only where it is reached; an alert that hysteresis holds says where it ends."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from alertd.core.alert import Alert
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.compose import compose_alert
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.standing import Criterion, own_thresholds
from tests.core.builders import NOW, WARNING, firing, rolling


def composed(alert: Alert, *, has_rule: bool = True) -> tuple[str, str | None, tuple[str, ...]]:
    """The title after the headline, the threshold of programs, and the names of the fields."""
    message = compose_alert(
        alert,
        rolling() if has_rule else None,
        NotifyReason.REPEAT,
        headline="x",
        owners=OwnerDirectory(),
        now=NOW,
    )
    return message.title.removeprefix("Still: x"), message.alerts[0].threshold, tuple(f.name for f in message.fields)


@pytest.mark.parametrize(
    ("parts", "title", "threshold"),
    [
        pytest.param({"value": Decimal(50)}, " (warning from $50.00)", "50", id="reached exactly"),
        pytest.param({"value": Decimal("49.99")}, " (still above $45.00, where it ends)", None, id="held"),
        pytest.param({"value": Decimal(45)}, " (still above $45.00, where it ends)", None, id="held, just so"),
        pytest.param({"value": Decimal(44)}, "", None, id="held by something else, such as missing data"),
        pytest.param(
            {"value": Decimal(30), "expected": Decimal(46)},
            " (still above $45.00, where it ends)",
            None,
            id="held by what is not billed yet",
        ),
        pytest.param({"threshold": None}, "", None, id="no threshold of the value's kind"),
        pytest.param(
            {"value": Decimal(50), "is_below": True},
            " (warning at or below $50.00)",
            "50",
            id="a floor that is reached",
        ),
        pytest.param(
            {"value": Decimal(54), "is_below": True}, " (still below $55.56, where it ends)", None, id="a floor, held"
        ),
    ],
)
def test_title_when_a_threshold_is_reached_or_not_then_named_only_where_it_is(
    parts: dict[str, object], title: str, threshold: str | None
) -> None:
    """A budget at 57 % said "warning from 60 %", as its forecast had raised it."""
    found = composed(replace(firing(), **parts))  # type: ignore[arg-type]
    assert found[:2] == (title, threshold)
    assert "Threshold (warning)" not in found[2], "the title says it where it is reached"


def test_title_when_the_rule_is_gone_then_nothing_is_said_of_its_end() -> None:
    """Where it ends is the rule's to say."""
    assert composed(replace(firing(), value=Decimal(48)), has_rule=False)[0] == ""


@pytest.mark.parametrize(
    ("share", "is_held_by_forecast", "is_named"),
    [
        pytest.param("0.571", True, False, id="raised by the forecast alone, although hysteresis would hold it"),
        pytest.param("0.571", False, True, id="held by nothing but hysteresis: that is where it ends"),
        pytest.param("0.6", True, True, id="reached by both"),
    ],
)
def test_budget_when_a_forecast_raised_it_then_its_spend_threshold_is_named_only_if_reached(
    share: str, is_held_by_forecast: bool, is_named: bool
) -> None:
    """57.1 % with a warning from 60 %."""
    spend = Criterion.of("spend", {WARNING: Fraction("0.6")}, Fraction(share))
    named = own_thresholds(spend, WARNING if is_held_by_forecast else None)
    assert bool(named) is is_named
