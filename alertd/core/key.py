"""What the rules file's schema says of a key beyond its type, and the names by which spend is grouped."""

from datetime import timedelta
from fractions import Fraction

from alertd.core.dataclass import dataclass

GROUP_KEYS = ("account", "category", "subcategory", "owner", "team", "product", "billing_method")


@dataclass(frozen=True, slots=True)
class Key:
    """What the rules file's schema says of a key beyond its type."""

    help: str
    """A sentence for the editor's hover text."""
    example: object
    """As written in YAML."""
    name: str | None = None
    """How the key is written, where Python reserves the word."""
    at_least: timedelta | int | Fraction | None = None
    at_most: timedelta | int | Fraction | None = None
    count: int = 0
    """How many values, all different, a list of it has; 0 for any number, and then one may stand without a list."""
    words: tuple[str, ...] = ()
    """What editors offer: values of the key, or names in its mapping; others may be written too."""
    is_closed: bool = False
    """Whether nothing but these words, and globs of them, can be right."""
    is_meaning: bool = True
    """False for keys that change words and receivers only: an edit of them leaves open alerts alone."""
