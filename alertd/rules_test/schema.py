"""The JSON Schema of test files, for `alertd schema --for tests`; made of the key tables that the loader reads with."""

from alertd.rules_file.keys import key_table, object_schema
from alertd.rules_test.model import RuleTest

RULES = "rules"
TESTS = "tests"


def schema_of_tests() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of a test file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:alertd:rules-test-file:1",
        "title": "alertd rule tests",
        "description": "Bills and people over time, and what alertd has to say of it.",
        "type": "object",
        "properties": {
            RULES: {
                "type": "string",
                "minLength": 1,
                "description": "The rules file, or a folder of them, from this file's folder.",
                "examples": ["rules.yaml"],
            },
            TESTS: {
                "type": "array",
                "minItems": 1,
                "description": "The tests; each begins with an empty store.",
                "items": object_schema("test", key_table(RuleTest)),
            },
        },
        "required": [RULES, TESTS],
        "additionalProperties": False,
    }
