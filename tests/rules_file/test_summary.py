"""Summary templates: what they may say, what they may not, and what comes out."""

import re
import time
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files

import pytest

from alertd.core.alert import Unit
from alertd.rules_file.summary import EXAMPLE, FILTERS, MAX_SUMMARY, VARIABLES, SummaryError, compile_summary

ALL_LABELS = "owner=gpu-1, owner_name=trainer-a, team=research, category=gpu, product=H100"


@pytest.mark.parametrize(
    ("template", "line"),
    [
        pytest.param("{{ owner }} spent {{ value }}", "gpu-1 spent $61.25", id="a figure reads in its unit"),
        pytest.param("{{ value | usd }} of {{ threshold | usd }}", "$61.25 of $50.00", id="amounts"),
        pytest.param("{{ (value / threshold) | pct }}", "122.5%", id="a share of the threshold"),
        pytest.param("{{ value - threshold }}", "11.25", id="a difference is a plain number"),
        pytest.param("{{ labels.team }}/{{ labels['owner'] }}/{{ labels.no }}", "research/gpu-1/", id="labels"),
        pytest.param("{{ value / 7 }} {{ -value }}", "8.75 -61.25", id="a quotient"),
        pytest.param("{{ threshold / 3 }}", "16.666667", id="a quotient without an end"),
        pytest.param("{% if labels.team %}{{ labels }}{% endif %}", ALL_LABELS, id="all labels"),
        pytest.param("{% if value > 60 %}much{% else %}little{% endif %}", "much", id="a condition"),
        pytest.param("{% if value >= threshold and not (severity == 'info') %}x{% endif %}", "x", id="logic"),
        pytest.param("{{ 'a' if value < 60 else 'b' }}", "b", id="a choice"),
        pytest.param("{{ team or 'Nobody' }} {{ labels.no | default('?', true) }}", "research ?", id="defaults"),
        pytest.param("{{ owner_name | upper ~ '!' }}", "TRAINER-A!", id="joined text"),
        pytest.param("a\n  b\tc", "a b c", id="one line"),
        pytest.param("{{ as_of }} {{ state }} {{ unit }}", "2026-01-10 12:00 UTC firing USD", id="the rest"),
        pytest.param("{% if severity == 'info' %}x{% endif %}", EXAMPLE.headline, id="nothing is the headline"),
        pytest.param("<b>{{ rule }}</b> & co", "<b>example</b> & co", id="channels escape, not we"),
    ],
)  # fmt: skip
def test_template_when_rendered_then_gives_one_line(template: str, line: str) -> None:
    """The first line of an alert, for every channel."""
    assert compile_summary(template).render(EXAMPLE) == line


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (Unit.USD, "1234.5", "$1,234.50"),
        (Unit.RATIO, "2.345", "234.5 %"),
        (Unit.DAYS, "7.5", "7 d 12 h"),
        (Unit.HOURS, "3.25", "3 h 15 min"),
    ],
)
def test_figure_when_printed_then_has_its_unit(unit: Unit, value: str, text: str) -> None:
    """A bare 7 could be dollars."""
    assert compile_summary("{{ value }}").render(replace(EXAMPLE, unit=unit, value=Decimal(value))) == text


@pytest.mark.parametrize("name", VARIABLES)
def test_variable_when_named_then_is_there(name: str) -> None:
    """The documented list and the rendered one must not differ."""
    assert compile_summary("{{ " + name + " }}").render(EXAMPLE)


def test_variables_when_documented_then_are_those() -> None:
    """The help page named one that was refused."""
    page = (files("alertd") / "help" / "rules.md").read_text()
    named = page.partition("It can use ")[2].partition(".\n")[0]
    assert re.findall("`([a-z_]+)`", named) == list(VARIABLES)


@pytest.mark.parametrize("name", FILTERS)
def test_filter_when_named_then_is_there(name: str) -> None:
    """The documented list and the environment's must not differ."""
    assert compile_summary("{{ value | " + name + " }}").render(EXAMPLE)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ vlaue }}", 'line 1 of the template: unknown variable "vlaue"; did you mean "value"?'),
        ("{% if false %}{{ vlaue }}{% endif %}", 'unknown variable "vlaue"'),
        ("x\n{{ value | us }}", 'line 2 of the template: unknown filter "us"; did you mean "usd"?'),
        ("{{ value | attr('real') }}", 'unknown filter "attr"'),
        ("{{ value is sameas value }}", 'unknown test "sameas"'),
        ("{{ owner.__class__ }}", "only labels has parts"),
        ("{{ owner['__class__'] }}", "only labels has parts"),
        ("{{ labels.x.y }}", "only labels has parts"),
        ("{{ ''.__class__.__mro__ }}", "only labels has parts"),
        ("{{ 'a' * 100000000 }}", "a multiplication is not allowed"),
        ("{{ 10 ** 10 ** 10 }}", "a power is not allowed"),
        ("{{ '%1000000000d' % 1 }}", "the operator % is not allowed"),
        ("{{ range(1000000000) }}", "a call is not allowed"),
        ("{{ owner.upper() }}", "a call is not allowed"),
        ("{% for x in labels %}{% endfor %}", "a loop is not allowed"),
        ("{% macro f() %}{% endmacro %}", "a macro is not allowed"),
        ("{% set x = 1 %}", "an assignment is not allowed"),
        ("{% include 'x' %}", "an include is not allowed"),
        ("{% import 'x' as y %}", "an import is not allowed"),
        ("{% extends 'x' %}", "an extends is not allowed"),
        ("{{ [1] }}", "a list is not allowed"),
        ("{{ self }}", 'unknown variable "self"'),
        ("{{ cycler }}", 'unknown variable "cycler"'),
        ("{{ owner", "it is not understood"),
        ("{% if owner %}", "it is not understood"),
        ("{{ value / 0 }}", "it divides by zero"),
        ("{{ owner - 1 }}", "something that is not a number"),
        ("{{ value > owner }}", "something that is not a number"),
        ("x" * 2001, "at most 2000 characters"),
        ("{{ " + "not " * 400 + "1 }}", "nested too deeply"),
        ("{% if 1 %}" * 80 + "{% endif %}" * 80, "nested too deeply"),
        ("{{ " + "1 - " * 400 + "1 }}", "nested too deeply"),
    ],
)
def test_template_when_not_allowed_then_is_refused_at_once(template: str, words: str) -> None:
    """Whoever may edit rules must not thereby run code, or stop the daemon."""
    started = time.process_time()
    with pytest.raises(SummaryError) as caught:
        compile_summary(template)
    assert words in str(caught.value)
    assert time.process_time() - started < 1


def test_long_values_when_rendered_then_are_cut() -> None:
    """Names in bills are data of others; the line stays a line."""
    rendered = compile_summary("{{ headline }}").render(replace(EXAMPLE, headline="x" * 10_000))
    assert len(rendered) == MAX_SUMMARY
    assert rendered.endswith("…")


def test_template_in_a_value_when_rendered_then_stays_text() -> None:
    """An owner may be called anything."""
    assert compile_summary("{{ headline }}").render(replace(EXAMPLE, headline="{{ 7 - 1 }}")) == "{{ 7 - 1 }}"


def test_threshold_when_absent_then_reads_empty_and_does_not_divide() -> None:
    """An alert without one still has a summary, or a clear refusal that the caller answers with the headline."""
    bare = replace(EXAMPLE, threshold=None)
    assert compile_summary("{{ value }} of {{ threshold | usd }}").render(bare) == "$61.25 of"
    with pytest.raises(SummaryError, match="not a number"):
        compile_summary("{{ value / threshold }}").render(bare)


@pytest.mark.parametrize("template", ["{{ 1e999 }}", "{% if value > 1e999 %}x{% endif %}", "{{ 1e999 | usd }}"])
def test_number_when_it_is_endless_then_refused_with_its_line(template: str) -> None:
    """It ended `alertd check` with a traceback."""
    with pytest.raises(SummaryError, match="line 1 of the template: a number in it is too large"):
        compile_summary(template)


@pytest.mark.parametrize(
    ("value", "is_below", "line"),
    [
        pytest.param("57.1", False, "budget", id="raised by its forecast"),
        pytest.param("50", False, "budget 50", id="reached"),
        pytest.param("22", True, "budget 50", id="a balance below its limit"),
        pytest.param("57.1", True, "budget", id="critical by runway"),
    ],
)
def test_threshold_when_not_reached_then_is_not_named(value: str, line: str, *, is_below: bool) -> None:
    """A budget at 57.1 % with `warning: 60%`, raised by its forecast, is not at 60 %."""
    limit = Decimal(60) if value == "57.1" and not is_below else Decimal(50)
    alert = replace(EXAMPLE, value=Decimal(value), threshold=limit, is_below=is_below, unit=Unit.DAYS)
    template = "budget{% if threshold %} {{ threshold + 0 }}{% endif %}"
    assert compile_summary(template).render(alert) == line
