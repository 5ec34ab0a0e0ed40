"""How what is wrong with a setting is said: by its variable, with its place and, where it is no secret, its value."""

import re

from alertd.core.printable import excerpt
from alertd.settings.sources import PREFIX, SECRETS, Sources

_SECRET_SIGNS = re.compile(r"://[^/]*@|[?#]|xox[a-z]-|xapp-|\bsk[_-]|hooks\.slack\.com", re.IGNORECASE)
"""What holds one of these may hold a secret in the wrong place."""


def fault(name: str, text: str, sources: Sources) -> str:
    """Return a line on a setting; *text* is what is wrong, the end of a sentence that begins with the value."""
    given = sources.values.get(name)
    place = f" ({given.place})" if given is not None and given.place else ""
    text = text.removeprefix("Value error, ")
    if not text.startswith(("is ", "has ", "holds ", "names ")):
        return f"{PREFIX}{name.upper()}{place}: {text}"
    return f"{PREFIX}{name.upper()}{place}: {_shown(name, given.text if given is not None else '')} {text}"


def _shown(name: str, value: str) -> str:
    """Return a value as it may be shown, or what stands for a secret."""
    if not value or name in SECRETS or _SECRET_SIGNS.search(value):
        return "the value"
    return f'"{excerpt(value)}"'
