"""Whole files: the good ones load, each bad one shows its one mistake, and editors say the same."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import jsonschema  # type: ignore[import-untyped] # its stubs are a package of their own
import pytest

from alertd.core.spend.bill import PRODUCT_CATEGORIES
from alertd.errors import RulesError
from alertd.notify.registry import notifier_names
from alertd.rules_file.load import load_rules
from alertd.rules_file.rule_types import rule_type_names, rule_types
from alertd.rules_file.schema import rules_schema
from alertd.rules_file.source import parse

HERE = Path(__file__).parent.parent / "rules"
ROOT = HERE.parent.parent
STARTER = ROOT / "alertd" / "rules_file" / "starter.yaml"
EXAMPLE = ROOT / "rules.example.yaml"
BAD = sorted((HERE / "bad").glob("*.yaml"))
GOOD = sorted((HERE / "good").iterdir())
GOOD_FILES = [file for path in [*GOOD, STARTER, EXAMPLE] for file in (path.iterdir() if path.is_dir() else [path])]

# Files whose mistake a JSON Schema can say, by the beginning of their names. The rest is YAML, references between
# entries, calendars and arithmetic.
SAID_BY_SCHEMA = re.compile(
    "file-without|version|section|defaults-(not|key|value)|rule-(not|without|type|key-(?!typo)|name-(spaces|true))"
    "|duration-(?!too|part|list)|duration-list|repeat-interval-word|money-(?!too|hexadecimal)|share-(?!too)|number|flag"
    "|text|enum|severity|thresholds-(empty|bare)|labels|label-name|url|view|key-view-of|balance-(thresholds|without|group|runway-money)|reconcile-against|notify-empty|escalate-(without|key|not)"
    "|bill-days|spike-(ratio|without)|owner-severity|stale-(without|days)|reconcile-(tolerance-words|category)|account-(with-key|key-in-env|url)|owner-without|receiver-(type|(webhook|alertmanager)-url-missing|pagerduty|without|not|key|slack|quiet-(hours|day))"
    "|action-(approvers|without-(a|approvers)|with-key|type|key-typo)|route-(without|severity)|category-(typo|excluded|summary)|pattern|owner-(email|slack)|report-(zone|schedule$)|stale-group|planned-category|planned-(time|without)|budget-(without-(period|amount|limits)|burn|period|amounts?-zero|threshold-money|pace)"
)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(rules_schema())


@pytest.mark.slow
def test_schema_when_checked_then_is_one() -> None:
    """An editor would ignore what is no JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(rules_schema())


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_file_when_loaded_then_shows_its_one_mistake(file: Path) -> None:
    """Place, subject, value and remedy are the product's interface; each is pinned. An ellipsis stands for any rest."""
    expected = file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# expect: ")
    with pytest.raises(RulesError) as caught:
        load_rules(file)
    found = [
        str(problem).replace(f"{file.parent}/", "").removeprefix(f"{file.name}:") for problem in caught.value.problems
    ]
    assert len(found) == 1
    assert found[0] == expected or (expected.endswith("…") and found[0].startswith(expected[:-1]))


def test_rule_when_it_cannot_be_built_then_what_it_names_is_checked_all_the_same(tmp_path: Path) -> None:
    """A category that does not exist was named only once every other mistake of its rule was corrected."""
    file = tmp_path / "rules.yaml"
    rule = "{name: gpu, type: rolling_spend, category: gpus, windw: 24h, thresholds: {warning: 5}}"
    file.write_text(f"version: 1\nrules: [{rule}]\n", encoding="utf-8")
    with pytest.raises(RulesError) as caught:
        load_rules(file)
    assert [problem.text for problem in caught.value.problems] == [
        'rule "gpu": window is missing; write e.g. window: 24h',
        'rule "gpu": unknown category "gpus"; did you mean "gpu"?',
        'rule "gpu": unknown key "windw"; did you mean "window"?',
    ]


def test_bad_files_when_counted_then_are_many() -> None:
    """A glob that finds nothing would pass silently."""
    assert len(BAD) >= 60


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_file_when_shown_then_uses_no_phrase_of_a_library(file: Path) -> None:
    """What pydantic, PyYAML or Jinja say is written for their users, not for ours."""
    with pytest.raises(RulesError) as caught:
        load_rules(file)
    foreign = (
        "Input should|pydantic|Value error|Field required|validation error|Extra inputs|expected (<|token)|xoxb|sk_live"
    )
    assert not re.search(foreign, str(caught.value))


@pytest.mark.parametrize("path", [*GOOD, STARTER, EXAMPLE], ids=lambda path: path.stem)
def test_good_file_when_loaded_then_has_no_problem(path: Path) -> None:
    """These are what the documentation promises to accept."""
    assert load_rules(path).files


@pytest.mark.parametrize("path", [STARTER, EXAMPLE], ids=lambda path: path.stem)
def test_file_for_newcomers_when_loaded_then_has_no_warning(path: Path) -> None:
    """A first file that warns would teach people to ignore warnings."""
    loaded = load_rules(path)
    assert loaded.warnings == ()
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=./rules.schema.json\n")


def test_example_when_loaded_then_shows_every_rule_type() -> None:
    """It is where people look for how a type is written."""
    assert {rule.TYPE for rule in load_rules(EXAMPLE).rules} == set(rule_type_names())


@pytest.mark.parametrize("file", GOOD_FILES, ids=lambda file: file.stem)
def test_good_file_when_checked_by_an_editor_then_is_accepted(
    file: Path, validator: jsonschema.Draft202012Validator
) -> None:
    """A red line under what works makes people distrust the schema."""
    root = parse(file.read_bytes(), str(file)).root
    assert root is not None
    assert [error.message for error in validator.iter_errors(root.native())] == []


@pytest.mark.parametrize("file", [file for file in BAD if SAID_BY_SCHEMA.match(file.stem)], ids=lambda file: file.stem)
def test_bad_file_when_checked_by_an_editor_then_is_refused(
    file: Path, validator: jsonschema.Draft202012Validator
) -> None:
    """The mistake should show while typing, not first at `check`."""
    root = parse(file.read_bytes(), str(file)).root
    assert root is not None
    assert list(validator.iter_errors(root.native()))


def test_schema_when_read_then_describes_every_key_with_an_example() -> None:
    """Hover texts and completion are made of them."""
    schema = rules_schema()
    lacking = []

    def walk(name: str, part: object) -> None:
        properties = part.get("properties") if isinstance(part, dict) else None
        if isinstance(properties, dict):
            for key, described in properties.items():
                if "description" not in described or not ("examples" in described or described.get("items")):
                    lacking.append(f"{name}.{key}")

    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for name, definition in definitions.items():
        if name in {"Account", "Owner", "Route", "PlannedEntry", "Inhibition", "Report", "Defaults"}:
            walk(name, definition)
    for name in (f"rule_{word}" for word in rule_types()):
        walk(name, definitions[name])
    assert lacking == []


def test_schema_when_read_then_shows_defaults_as_they_are_written() -> None:
    """`24h`, not `P1D` or 86400."""
    definitions = rules_schema()["$defs"]
    assert isinstance(definitions, dict)
    properties = definitions["rule_monthly_bill"]["properties"]
    shown = {name: key["default"] for name, key in properties.items() if "default" in key}
    assert shown == {
        "resolve_below": "90%",
        "send_resolved": True,
        "repeat_interval": "24h",
        "repeat_backoff": 2,
        "enabled": True,
        "status": ["overdue"],
        "thresholds": {"warning": "0m", "critical": "7d"},
    }


def test_schema_when_written_then_is_plain_json() -> None:
    """`alertd schema` prints it."""
    assert json.loads(json.dumps(rules_schema())) == rules_schema()


def test_examples_in_the_schema_when_written_into_a_file_then_are_accepted(
    validator: jsonschema.Draft202012Validator,
) -> None:
    """They are what completion inserts."""
    definitions = rules_schema()["$defs"]
    assert isinstance(definitions, dict)
    for name in (*(f"rule_{word}" for word in rule_types()), "Account", "PlannedEntry", "Report"):
        for key, described in definitions[name]["properties"].items():
            for example in described.get("examples", []):
                part = validator.evolve(schema={"$defs": definitions, **described})
                assert [error.message for error in part.iter_errors(example)] == [], f"{name}.{key}"


def completions(part: Mapping[str, object]) -> set[str]:
    """The words that an editor offers for a value of a schema."""
    found = {word for word in (*_listed(part, "enum"), part.get("const")) if isinstance(word, str)}
    for option in _listed(part, "anyOf"):
        assert isinstance(option, Mapping)
        found |= completions(option)
    return found


def _listed(part: Mapping[str, object], key: str) -> list[object]:
    value = part.get(key)
    return value if isinstance(value, list) else []


def _items(part: Mapping[str, object]) -> Mapping[str, object]:
    """The schema of the items where a list is written."""
    (array,) = (one for one in _listed(part, "anyOf") if isinstance(one, Mapping) and one.get("type") == "array")
    items = array["items"]
    assert isinstance(items, Mapping)
    return items


def test_editor_when_it_completes_then_offers_every_word_alone_and_in_lists() -> None:
    """What is not offered is looked up, or misspelt."""
    schema = rules_schema()
    definitions, properties = schema["$defs"], schema["properties"]
    assert isinstance(definitions, dict)
    assert isinstance(properties, dict)
    for section, names in (("rules", rule_type_names()), ("receivers", notifier_names())):
        assert completions(properties[section]["items"]["properties"]["type"]) == set(names)
    for word in rule_type_names():
        keys = definitions[f"rule_{word}"]["properties"]
        for key, words in (("category", PRODUCT_CATEGORIES), ("group_by", ("account", "category"))):
            if key in keys:
                assert set(words) <= completions(keys[key]), f"{word}.{key}"
                assert set(words) <= completions(_items(keys[key])), f"{word}.{key}"
    for entry, key in (("Route", "match"), ("Inhibition", "when"), ("Inhibition", "mute")):
        severity = definitions[entry]["properties"][key]["properties"]["severity"]
        assert {"info", "warning", "critical"} <= completions(severity) & completions(_items(severity))


def test_editor_when_a_key_of_a_rule_is_wrong_then_marks_that_key(validator: jsonschema.Draft202012Validator) -> None:
    """Not the entry, with a sentence for each of the types that it is not."""
    rule = {"name": "a", "type": "rolling_spend", "window": "24h", "thresholds": {"warning": 5}, "category": "gpuu"}
    (error,) = validator.iter_errors({"version": 1, "rules": [rule]})
    assert list(error.absolute_path) == ["rules", 0, "category"]


@pytest.mark.parametrize(
    ("category", "is_known"),
    [("gpu", True), ("!gpu", True), ("g*", True), ("!g?u", True), ("gpuu", False), ("!x", False)],
)
def test_editor_when_a_word_of_a_closed_list_is_a_pattern_then_globs_fit_and_misspelt_words_do_not(
    validator: jsonschema.Draft202012Validator, category: str, is_known: bool
) -> None:
    """An editor that marks what alertd takes is turned off."""
    rule = {"name": "a", "type": "rolling_spend", "window": "24h", "thresholds": {"warning": 5}, "category": category}
    assert validator.is_valid({"version": 1, "rules": [rule]}) is is_known
