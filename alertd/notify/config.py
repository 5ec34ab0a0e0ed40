"""Shared parts of all receiver configurations; it knows no receiver type."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from alertd.core.http_url import is_http_url


class ReceiverConfig(BaseModel):
    """A receiver's own keys: unknown ones are errors, and an error never repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _as_sequence(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def without_repeats(values: tuple[str, ...]) -> tuple[str, ...]:
    """Drop duplicates: nobody gets two copies for being named twice."""
    return tuple(dict.fromkeys(values))


def one_or_more_schema(pattern: str) -> WithJsonSchema:
    """Return the schema of "one text or a list of them", so that editors accept both forms."""
    text = {"type": "string", "pattern": pattern}
    return WithJsonSchema({"anyOf": [text, {"type": "array", "items": text, "minItems": 1}]})


def one_of_keys(*keys: str) -> ConfigDict:
    """Return a configuration whose schema requires exactly one of some keys, like its validator."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in keys]})


ONE_OR_MORE = BeforeValidator(_as_sequence)
"""Accepts a single text instead of a list."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable."""

File = Annotated[str, Field(min_length=1)]
"""The path of a file, relative to the rules file."""


def held_by_variable(what: str, example: str) -> Any:  # noqa: ANN401 -- as pydantic's own Field
    """Return the field of a key that ends `_env`; *what* says what the variable holds."""
    return Field(default=None, description=f"Environment variable that holds {what}.", examples=[example])


def held_by_file(what: str, example: str) -> Any:  # noqa: ANN401 -- as above
    """Return the field of a key that ends `_file`."""
    return Field(default=None, description=f"File that holds {what}.", examples=[f"/run/secrets/{example}"])


def http_url(example: str) -> Callable[[str], str]:
    """Return what takes a URL of HTTP and nothing else."""

    def read(url: str) -> str:
        if not is_http_url(url):
            raise ValueError(f"not an http(s) URL; write {example}")
        return url

    return read


def given_of(config: BaseModel, *keys: str) -> str | None:
    """
    Return which of some keys is given, None for none.

    Raises:
        ValueError: More than one is.
    """
    given = [key for key in keys if getattr(config, key)]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} exclude each other; keep one")
    return given[0] if given else None
