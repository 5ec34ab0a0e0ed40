"""What the configurations of all receiver types share; it knows no receiver type."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema


class ReceiverConfig(BaseModel):
    """A receiver's own keys: unknown ones are errors, and an error never repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _as_sequence(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def without_repeats(values: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the first of equal values: nobody gets two copies for being named twice."""
    return tuple(dict.fromkeys(values))


def one_or_more_schema(pattern: str) -> WithJsonSchema:
    """Return the schema of "one text or a list of them", so that editors accept both forms."""
    text = {"type": "string", "pattern": pattern}
    return WithJsonSchema({"anyOf": [text, {"type": "array", "items": text, "minItems": 1}]})


def one_of_keys(*keys: str) -> ConfigDict:
    """Return a configuration whose schema asks for exactly one of some keys, as a validator says in words."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in keys]})


ONE_OR_MORE = BeforeValidator(_as_sequence)
"""Accepts a single text where a list may stand."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable."""

File = Annotated[str, Field(min_length=1)]
"""The path of a file, relative to the rules file."""
