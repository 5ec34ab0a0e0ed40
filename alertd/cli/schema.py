"""`alertd schema`: the JSON Schema of the rules file."""

import click

from alertd.cli.common import print_json

_EPILOG = """\b
Example:
  alertd schema > rules.schema.json
"""


@click.command("schema", epilog=_EPILOG)
def command() -> int:
    """Print the JSON Schema of the rules file, for completion and checks in editors."""
    from alertd.rules_file.schema import rules_schema

    print_json(rules_schema())
    return 0
