"""The metadata of a key in the rules file's schema, and the names by which spend is grouped."""

from datetime import timedelta
from fractions import Fraction

from alertd.core.dataclass import dataclass

GROUP_KEYS = ("account", "category", "subcategory", "owner", "team", "product", "billing_method")


@dataclass(frozen=True, slots=True)
class Key:
    """The metadata of a key in the rules file's schema, besides its type."""

    help: str
    """A sentence for the editor's hover text."""
    example: object
    """An example value as written in YAML."""
    name: str | None = None
    """The key as written in YAML, if Python reserves the word."""
    at_least: timedelta | int | Fraction | None = None
    at_most: timedelta | int | Fraction | None = None
    count: int = 0
    """Required number of distinct values in a list; 0 for any number, and then a single value needs no list."""
    words: tuple[str, ...] = ()
    """Suggestions for editors: values of the key, or names in its mapping; not exclusive unless `is_closed`."""
    is_closed: bool = False
    """Whether only these words, and globs that match them, are valid."""
    is_meaning: bool = True
    """False for keys that affect only texts and receivers, so that editing them does not affect open alerts."""
