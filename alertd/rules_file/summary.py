"""
A rule's `summary`: a small, safe part of Jinja2 for the first line of an alert.

Anyone who can edit rules can write templates, so they must not run for long, produce large text or access anything but
the variables: only the syntax listed here is allowed, inside a sandbox. No loops, no calls, no assignments.
Available: rule, type, severity, state, account, owner, owner_name, team, category, product, labels, value, threshold,
unit, as_of, headline; filters usd, pct, upper, lower, default.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from functools import cache, lru_cache
from math import isfinite
from typing import TYPE_CHECKING

from alertd.core.alert import Alert, AlertState, Unit
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.money import UNITS_PER_USD, format_usd, plain
from alertd.core.nearest import nearest
from alertd.core.severity import Severity
from alertd.core.values import OTHER_DIGITS, format_value
from alertd.core.words import format_instant
from alertd.errors import UserError

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

VARIABLES = (
    "rule",
    "type",
    "severity",
    "state",
    "account",
    "owner",
    "owner_name",
    "team",
    "category",
    "product",
    "labels",
    "value",
    "expected",
    "threshold",
    "unit",
    "as_of",
    "headline",
)
FILTERS = ("usd", "pct", "upper", "lower", "default")
MAX_TEMPLATE = 2000
"""Maximum characters of a template, which renders to one line of at most 300."""
MAX_SUMMARY = 300
"""Maximum characters of a summary; channels show about 150 of them in a notification."""
_MAX_DEPTH = 25
# The allowed syntax nodes. Excluded on purpose: loops, calls, macros, assignments, imports, and every operator
# whose result can be longer than its operands (* ** %).
_ALLOWED = frozenset(
    {
        "Template", "Output", "TemplateData", "Name", "Const", "If", "CondExpr", "Compare", "Operand", "And", "Or",
        "Not", "Filter", "Test", "Getattr", "Getitem", "Concat", "Add", "Sub", "Div", "Neg",
    }
)  # fmt: skip
_LABEL_VARIABLES = ("owner", "owner_name", "team", "category", "product")


class SummaryError(UserError):
    """A summary template is invalid, or cannot be rendered for an alert; the text says why and, if known, where."""


class Figure(Decimal):
    """A number of an alert: compares and divides as a Decimal, and is formatted in its unit."""

    unit: Unit | None = None

    @classmethod
    def of(cls, number: Decimal, unit: Unit) -> "Figure":
        """Return the number with its unit."""
        figure = cls(number)
        figure.unit = unit
        return figure

    def __str__(self) -> str:
        # The same format as elsewhere in the message, such as in its title.
        return format_value(Decimal(self), self.unit) if self.unit is not None else _number(self)


class LabelView:
    """Labels for templates: by name, empty if the alert has no label of that name."""

    __slots__ = ("_labels",)

    def __init__(self, labels: Labels) -> None:
        self._labels = dict(labels)

    def __getitem__(self, name: object) -> str:
        return self._labels.get(str(name), "")

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._labels.items())


@dataclass(frozen=True, slots=True)
class Summary:
    """A compiled template."""

    _template: "Template"

    def render(self, alert: Alert) -> str:
        """
        Return the summary of an alert: one line of at most 300 characters; the alert's headline if that is empty.

        Raises:
            SummaryError: It cannot be rendered for this alert, for example if it divides by a missing threshold.
        """
        try:
            rendered = self._template.render(variables_of(alert))
        except Exception as error:
            raise SummaryError(f"the template cannot be rendered: {_reason(error)}") from error
        line = " ".join(rendered.split())
        return (line if len(line) <= MAX_SUMMARY else line[: MAX_SUMMARY - 1] + "…") or alert.headline


@lru_cache(maxsize=1024)
def compile_summary(text: str) -> Summary:
    """
    Check and compile a template, and render it once with an example alert.

    Raises:
        SummaryError: The template is too long, not valid or not allowed, or cannot be rendered for the example.
    """
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415 # 100 ms that most starts need not pay

    if len(text) > MAX_TEMPLATE:
        raise SummaryError(f"a template has at most {MAX_TEMPLATE} characters; this one has {len(text)}")
    environment = _environment()
    try:
        tree = environment.parse(text)
        _check(tree)
        summary = Summary(environment.from_string(text))
    except TemplateSyntaxError as error:
        raise SummaryError(
            f"line {error.lineno} of the template: it is not understood; is a }}}} or a quote missing?"
        ) from error
    except (RecursionError, MemoryError) as error:
        raise SummaryError("the template is nested too deeply") from error
    summary.render(EXAMPLE)
    return summary


def variables_of(alert: Alert) -> dict[str, object]:
    """Return the variables of a template, with their values for an alert."""
    labels = dict(alert.labels)
    is_named = alert.threshold is not None and alert.is_reached
    threshold = Figure.of(alert.threshold, alert.unit) if is_named and alert.threshold is not None else ""
    found: dict[str, object] = {name: labels.get(name, "") for name in _LABEL_VARIABLES}
    return found | {
        "rule": alert.rule,
        "type": alert.type,
        "severity": alert.severity.label,
        "state": str(alert.state),
        "account": alert.account,
        "labels": LabelView(alert.labels),
        "value": Figure.of(alert.value, alert.unit),
        "expected": Figure.of(alert.value if alert.expected is None else alert.expected, alert.unit),
        "threshold": threshold,
        "unit": str(alert.unit),
        "as_of": format_instant(alert.as_of),
        "headline": alert.headline,
    }


@cache
def _environment() -> "Environment":
    from jinja2 import StrictUndefined  # noqa: PLC0415 # see compile_summary
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 # see compile_summary

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # the text is plain; each channel escapes the whole
        finalize=lambda value: value if isinstance(value, Figure) or not isinstance(value, Decimal) else _number(value),
    )
    kept = {name: environment.filters[name] for name in FILTERS if name in environment.filters}
    environment.filters.clear()
    environment.filters.update(kept | {"usd": _usd, "pct": _pct})
    environment.globals.clear()
    return environment


def _number(value: Decimal) -> str:
    """Format a computed number, rounded: a quotient may have endless digits."""
    return f"{plain(round(Decimal(value), OTHER_DIGITS)):f}"


def _usd(value: object) -> str:
    """Format a number as an amount: `$1,234.57`."""
    return format_usd(round(Decimal(value) * UNITS_PER_USD)) if isinstance(value, Decimal | int) else str(value)


def _pct(value: object) -> str:
    """Format a share as percent: `0.8` as `80%`."""
    return f"{plain(round(Decimal(value) * 100, 1)):f}%" if isinstance(value, Decimal | int) else str(value)


def _check(tree: "nodes.Template") -> None:
    """Raise `SummaryError` for syntax and names that are not allowed."""
    for node, depth in _walk(tree):
        kind = type(node).__name__
        line = f"line {getattr(node, 'lineno', 1)} of the template: "
        if kind not in _ALLOWED:
            raise SummaryError(f"{line}{_FORBIDDEN.get(kind, 'this syntax')} is not allowed in a summary")
        if depth > _MAX_DEPTH:
            raise SummaryError(f"{line}it is nested too deeply")
        fields = dict(node.iter_fields())
        if kind == "Name":
            _check_name(str(fields["name"]), VARIABLES, line, "variable")
        elif kind == "Filter":
            _check_name(str(fields["name"]), FILTERS, line, "filter")
        elif kind == "Test":
            _check_name(str(fields["name"]), ("defined",), line, "test")
        elif kind == "Const" and isinstance(fields["value"], float) and not isfinite(fields["value"]):
            # Jinja would generate code with it as an undefined name (`inf`).
            raise SummaryError(f"{line}a number in it is too large")
        elif kind in {"Getattr", "Getitem"} and getattr(fields["node"], "name", "") != "labels":
            raise SummaryError(f"{line}only labels has parts, like labels.env")


def _walk(tree: "nodes.Template") -> Iterator[tuple["nodes.Node", int]]:
    waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in node.iter_child_nodes())


def _check_name(name: str, known: tuple[str, ...], line: str, what: str) -> None:
    if name in known:
        return
    near = nearest(name, known)
    remedy = f'; did you mean "{near}"?' if near else f"; there are {', '.join(known)}"
    raise SummaryError(f'{line}unknown {what} "{name[:60]}"{remedy}')


_FORBIDDEN: Mapping[str, str] = {
    "For": "a loop",
    "Call": "a call",
    "Macro": "a macro",
    "CallBlock": "a call",
    "Assign": "an assignment",
    "AssignBlock": "an assignment",
    "Import": "an import",
    "FromImport": "an import",
    "Include": "an include",
    "Extends": "an extends",
    "Block": "a block",
    "FilterBlock": "a filter block",
    "With": "a with block",
    "Mul": "a multiplication",
    "Pow": "a power",
    "Mod": "the operator %",
    "FloorDiv": "the operator //",
    "List": "a list",
    "Dict": "a mapping",
    "Tuple": "a list",
    "Slice": "a slice",
    "Keyword": "a named argument",
}


def _reason(error: Exception) -> str:
    match error:
        case ZeroDivisionError() | DecimalException():
            return "it divides by zero"
        case TypeError():
            return "it calculates with something that is not a number"
        case RecursionError() | MemoryError():
            return "it is nested too deeply"
        case _:
            return str(error)[:120] or type(error).__name__


EXAMPLE = Alert(
    fingerprint="0123456789abcdef",
    rule="example",
    type="rolling_spend",
    account="default",
    group=(("owner", "gpu-1"),),
    labels=(
        ("owner", "gpu-1"),
        ("owner_name", "trainer-a"),
        ("team", "research"),
        ("category", "gpu"),
        ("product", "H100"),
    ),
    headline="trainer-a (gpu-1) spent $61.25 in 24h",
    episode=1,
    state=AlertState.FIRING,
    severity=Severity.WARNING,
    value=Decimal("61.25"),
    threshold=Decimal(50),
    unit=Unit.USD,
    as_of=datetime(2026, 1, 10, 12, tzinfo=UTC),
    is_complete=True,
    started_at=datetime(2026, 1, 10, 11, tzinfo=UTC),
    fired_at=datetime(2026, 1, 10, 11, tzinfo=UTC),
    rule_digest="0123456789abcdef",
    peak=Decimal("61.25"),
)
"""The alert with which templates are tried when rules are loaded."""
