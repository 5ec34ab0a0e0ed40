"""Error lines for settings: the variable with its place and, unless it may be secret, its value."""

import re

from alertd.core.printable import excerpt
from alertd.settings.sources import PREFIX, SECRETS, Sources

_SECRET_SIGNS = re.compile(r"://[^/]*@|[?#]|xox[a-z]-|xapp-|\bsk[_-]|hooks\.slack\.com", re.IGNORECASE)
"""Signs that a value may contain a secret in the wrong place."""


def fault(name: str, text: str, sources: Sources) -> str:
    """Return an error line for a setting; *text* is a sentence, or the end of one that begins with the value."""
    given = sources.values.get(name)
    place = f" ({given.place})" if given is not None and given.place else ""
    text = text.removeprefix("Value error, ")
    if not text.startswith(("is ", "has ", "holds ", "names ")):
        return f"{PREFIX}{name.upper()}{place}: {text}"
    return f"{PREFIX}{name.upper()}{place}: {_shown(name, given.text if given is not None else '')} {text}"


def _shown(name: str, value: str) -> str:
    """Return a value in quotes, or "the value" if it is missing or may be secret."""
    if not value or name in SECRETS or _SECRET_SIGNS.search(value):
        return "the value"
    return f'"{excerpt(value)}"'
