"""
Secrets in texts: which parts of a URL are secret, and how secrets are hidden wherever a text is shown.

Logs, errors and outcomes of deliveries all go by these rules.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

MASK = "********"
SHORTEST = 6
"""Length in characters from which a secret is hidden inside words too: shorter ones occur in them by chance."""
_PASSWORD_OPTIONS = frozenset({"password", "sslpassword"})
"""Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS."""


class Mask:
    """
    Replaces known secrets in texts, as they are written, decoded and percent-encoded.

    Args:
        secrets: Empty ones and None are left out.
    """

    def __init__(self, secrets: Iterable[str | None]) -> None:
        known = {form for one in secrets if one for form in (one, unquote(one), quote(one, safe=""))}
        # The longest first: a secret may contain another one.
        found = map(_pattern, sorted(known, key=len, reverse=True))
        self._pattern = re.compile("|".join(found)) if known else None

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced by stars."""
        return self._pattern.sub(MASK, text) if self._pattern is not None else text


def _pattern(secret: str) -> str:
    pattern = re.escape(secret)
    if len(secret) >= SHORTEST:
        return pattern
    before, after = (r"\b" if re.match(r"\w", edge) else "" for edge in (secret[0], secret[-1]))
    return f"{before}{pattern}{after}"


def passwords_of(url: str) -> tuple[str, ...]:
    """Return the passwords in a URL, in its login and in its options, as written and decoded; sorted."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    found = [parts.password or "", *(text for name, text in _options(parts.query) if name in _PASSWORD_OPTIONS)]
    return tuple(sorted({form for one in found if one for form in (one, unquote(one))}))


def secrets_of(url: str, *, known_path: str = "") -> tuple[str, ...]:
    """
    Return the texts that must not be shown of a URL that is a secret: itself, its path, its options and its passwords.

    Args:
        known_path: The end of the path that is no secret.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    path = parts.path.removesuffix(known_path).strip("/")
    shown = [path if len(path) >= SHORTEST else f"/{path}"] if path else []
    options = (text for _, text in _options(parts.query) if len(text) >= SHORTEST)
    return (url, *shown, parts.query, *options, *passwords_of(url))


def _options(query: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each option; unlike in a form, a plus is no blank."""
    for option in query.split("&"):
        name, _, text = option.partition("=")
        yield unquote(name), text
