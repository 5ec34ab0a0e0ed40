"""Whole test files: the good ones pass, each bad one shows its one mistake, and editors say the same."""

import asyncio
import json
import re
from pathlib import Path

import jsonschema  # type: ignore[import-untyped] # its stubs are a package of their own
import pytest

from alertd.cli.root import run
from alertd.errors import RulesError
from alertd.rules_file.source import parse
from alertd.rules_test.report import difference_lines
from alertd.rules_test.schema import schema_of_tests
from alertd.rules_test.suite import load_tests, run_file

HERE = Path(__file__).parent.parent / "rules" / "tests"
GOOD = sorted((HERE / "good").glob("*.yaml"))
LONG = {"subscriptions_test", "truth_test"}
"""Files whose tests live through many days."""
BAD = sorted((HERE / "bad").glob("*.yaml"))

# Files whose mistake a JSON Schema can say, by the beginning of their names.
SAID_BY_SCHEMA = re.compile(
    "file-(key|is|without)|rules-number|balance|tests|test-(key|not|without)|start-words|settle"
    "|bill-(key|without|from-(words|number)|late|voucher)|hours-(words|count|list|empty|too-fine|comma)|revised"
    "|monthly-(status|month|total)(?!-)|subscription-(key|without|from|renewed-without)|silence-without|expect-(key|without|at-(negative|number)|alerts)"
    "|alert-(without|key|state|severity|value)|message-(without|reason)"
)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema_of_tests())


@pytest.mark.slow
def test_schema_when_checked_then_is_one() -> None:
    """An editor would ignore what is no JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(schema_of_tests())


def accepted(validator: jsonschema.Draft202012Validator, file: Path) -> bool:
    """Whether an editor shows no red line."""
    root = parse(file.read_bytes(), str(file)).root
    return root is not None and not list(validator.iter_errors(root.native()))


@pytest.mark.parametrize(
    "file",
    [pytest.param(file, marks=[pytest.mark.slow] if file.stem in LONG else []) for file in GOOD],
    ids=lambda file: file.stem,
)
def test_good_file_when_run_then_every_test_passes(file: Path, validator: jsonschema.Draft202012Validator) -> None:
    """They show every key and every kind of expectation."""
    outcome = asyncio.run(run_file(file, timer=lambda: 0.0, warn=pytest.fail))

    assert outcome.problems == ()
    assert [line for test in outcome.tests for line in difference_lines(test, has_colour=False)] == []
    assert len(outcome.tests) > 0
    assert accepted(validator, file)


def test_good_files_when_read_together_then_use_every_key() -> None:
    """A key that no passing test uses may not work at all."""
    text = " ".join(file.read_text(encoding="utf-8") for file in GOOD)

    def keys(schema: object) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(keys, schema))
        if not isinstance(schema, dict):
            return set()
        found = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
        return found.union(*(keys(value) for name, value in schema.items() if name not in {"examples", "default"}))

    assert {key for key in keys(schema_of_tests()) if not re.search(rf"\b{key}:", text)} == set()


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_file_when_loaded_then_shows_its_one_mistake(file: Path) -> None:
    """Place, subject, value and remedy are the product's interface; each is pinned."""
    expected = file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# expect: ")
    with pytest.raises(RulesError) as caught:
        load_tests(file)
    found = [str(one).replace(f"{file.parent}/", "").removeprefix(f"{file.name}:") for one in caught.value.problems]
    assert found == [expected]


def test_bad_files_when_counted_then_are_many() -> None:
    """A glob that finds nothing would pass silently."""
    assert len(BAD) >= 60


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_file_when_checked_by_an_editor_then_is_refused_where_a_schema_can(
    file: Path, validator: jsonschema.Draft202012Validator
) -> None:
    """The mistake should show while typing; names and times are beyond a schema, which must let them pass."""
    is_said = SAID_BY_SCHEMA.match(file.stem) is not None
    assert accepted(validator, file) is (not is_said and file.stem != "file-empty")


def test_schema_when_asked_for_then_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The modeline of the example names the file that this is written to."""
    assert run(["schema", "--for", "tests"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema_of_tests()))
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "alertd rules"


def test_examples_in_the_schema_when_written_into_a_file_then_are_accepted() -> None:
    """They are what completion inserts."""
    lacking = []

    def walk(where: str, schema: object) -> None:
        if isinstance(schema, list):
            for one in schema:
                walk(where, one)
        if not isinstance(schema, dict):
            return
        properties = schema.get("properties")
        for key, described in (properties if isinstance(properties, dict) else {}).items():
            name = f"{where}.{key}"
            if "description" not in described or not (described.get("examples") or described.get("items")):
                lacking.append(name)
            for example in described.get("examples", []):
                found = jsonschema.Draft202012Validator(described).iter_errors(example)
                assert [error.message for error in found] == [], name
        for key, value in schema.items():
            if key not in {"examples", "default"}:
                walk(f"{where}.{key}", value)

    walk("", schema_of_tests())
    # Severities of a mapping are described by the key that holds them.
    assert lacking == []


def test_mistakes_when_there_are_many_then_all_are_notified_at_once(tmp_path: Path) -> None:
    """Those of the test file and those of its rules, one run for all."""
    (tmp_path / "rules.yaml").write_text("version: 1\nrules:\n  - {name: A, type: monthly_bill}\n")
    file = tmp_path / "x_test.yaml"
    file.write_text("rules: rules.yaml\ntests:\n  - {name: a, expect: [{at: 5}]}\n  - {nam: b}\nmore: 1\n")
    with pytest.raises(RulesError) as caught:
        load_tests(file)
    found = [str(one).replace(f"{tmp_path}/", "").split(": ")[0] for one in caught.value.problems]
    assert found == [
        "rules.yaml:3:12",
        "x_test.yaml:3:29",
        "x_test.yaml:4:5",
        "x_test.yaml:4:5",
        "x_test.yaml:4:6",
        "x_test.yaml:5:1",
    ]
