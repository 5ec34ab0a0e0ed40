"""The Grafana dashboard asks only for what alertd's metrics page has, in PromQL that Prometheus accepts."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alertd.web.families import families

PATH = Path(__file__).parent.parent / "deploy" / "grafana-dashboard.json"
DASHBOARD: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PROMTOOL = shutil.which("promtool")

TARGET_LABELS = {"instance", "job"}
"""What Prometheus adds to every series."""
LABELS = {family.name: {*family.labels, *TARGET_LABELS} for family in families()} | {
    # Of the client library, as `tests/web/test_metrics.py` finds it on the page.
    "process_resident_memory_bytes": TARGET_LABELS
}
SELECTOR = re.compile(r"\b(?P<name>(?:alertd|process)_\w+)(?:\{(?P<matchers>[^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def expressions() -> Iterator[tuple[str, str]]:
    """Each panel's title with one of its expressions."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


EXPRESSIONS = list(expressions())
QUERIES = [variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]


def names(expression: str) -> set[str]:
    return {found["name"] for found in SELECTOR.finditer(expression)}


def of_grouping(expression: str) -> set[str]:
    return {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}


@pytest.mark.parametrize("expression", sorted({*(text for _, text in EXPRESSIONS), *QUERIES}))
def test_expression_when_read_then_its_metrics_and_labels_exist(expression: str) -> None:
    """A panel on a metric or label that was renamed is empty for ever, and empty looks like nothing spent."""
    found = names(expression)
    assert found
    assert found <= LABELS.keys()
    for selector in SELECTOR.finditer(expression):
        asked = set(MATCHER.findall(selector["matchers"] or ""))
        assert asked <= LABELS[selector["name"]], selector["name"]
    assert of_grouping(expression) <= set.intersection(*(LABELS[name] for name in found))


def test_queries_of_variables_when_read_then_ask_for_labels_that_are_there() -> None:
    """An account that cannot be chosen is never looked at."""
    for query in QUERIES:
        (label,) = re.findall(r",\s*(\w+)\)$", query)
        assert label in LABELS[next(iter(names(query)))]


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_legends_when_read_then_name_labels_that_the_expression_leaves(panel: dict[str, Any]) -> None:
    """A legend of a label that was summed away is blank."""
    for target in panel["targets"]:
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert shown <= of_grouping(target["expr"])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_expressions_by_promtool_then_sound(tmp_path: Path) -> None:
    """Prometheus' own parser reads every expression, as the one of a recording rule."""
    rules = [
        {"record": f"dashboard:{number}", "expr": expression} for number, (_, expression) in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / "rules.yaml"
    # Every JSON is YAML.
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    ran = subprocess.run([str(PROMTOOL), "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert (ran.returncode, f"SUCCESS: {len(rules)} rules" in ran.stdout) == (0, True), ran.stdout + ran.stderr


def test_dashboard_when_imported_then_is_of_no_instance_and_each_panel_says_what_it_shows() -> None:
    """It was made for every Grafana: data source and account are chosen there."""
    assert DASHBOARD["id"] is None
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "instance", "account"]
    sources = {json.dumps(part["datasource"]) for panel in PANELS for part in (panel, *panel["targets"])}
    assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_panels_when_laid_out_then_fill_the_rows_without_overlap() -> None:
    """Grafana moves what overlaps, and the order that was meant is lost."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len(taken) == 24 * (1 + max(y for _, y in taken))


@pytest.mark.parametrize("expression", [text for _, text in EXPRESSIONS])
def test_amounts_when_shown_then_chosen_by_instance_and_where_there_is_one_by_account(expression: str) -> None:
    """Two alertd in one Prometheus must not be added up unseen, nor an account that was left out."""
    for selector in SELECTOR.finditer(expression):
        matchers = selector["matchers"] or ""
        assert 'instance=~"$instance"' in matchers
        if "account" in LABELS[selector["name"]]:
            assert 'account=~"$account"' in matchers
