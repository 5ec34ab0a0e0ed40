"""`alertd schema`: the JSON Schema of the rules file, or of test files."""

import click

from alertd.cli.common import print_json

_EPILOG = """\b
Examples:
  alertd schema > rules.schema.json
  alertd schema --for tests > rules-test.schema.json
"""


@click.command("schema", epilog=_EPILOG)
@click.option(
    "--for", "kind", type=click.Choice(["rules", "tests"]), default="rules", show_default=True, help="Kind of file."
)
def command(kind: str) -> int:
    """Print the JSON Schema of the rules file, or of test files, for completion and checks in editors."""
    from alertd.rules_file.schema import rules_schema
    from alertd.rules_test.schema import schema_of_tests

    print_json(schema_of_tests() if kind == "tests" else rules_schema())
    return 0
