"""Which texts are valid HTTP URLs and hosts, judged by syntax alone."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LONGEST_NAME = 253


def is_host(text: str) -> bool:
    """
    Return whether an ASCII text can be a host: an address without brackets, or a name.

    Resolvers and browsers take a name whose last part is a number for an address in an obscure spelling (`127.1`,
    `2130706433`): only the usual spelling is accepted.
    """
    try:
        ip_address(text)
    except ValueError:
        is_name = len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None
        last = text.rstrip(".").rpartition(".")[2].lower()
        return is_name and not last.isdigit() and re.fullmatch(r"0x[0-9a-f]*", last) is None
    return True


def split_http_url(text: str) -> SplitResult | None:
    """Return the parts of an http or https URL with a host, in ASCII and without blanks; None for any other text."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in {"http", "https"} and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole else None


def is_http_url(text: str) -> bool:
    """Return whether a text is a URL that can be requested without changes."""
    return split_http_url(text) is not None


def is_link(text: str) -> bool:
    """Return whether a text can stand as a link in any message: a URL, without characters that end links somewhere."""
    return is_http_url(text) and not any(character in '<>"|' for character in text)


def host_in_ascii(text: str) -> str:
    """Return the IDNA form of a URL's host if its non-ASCII letters are all that makes the URL invalid; else empty."""
    try:
        host = urlsplit(text).hostname or ""
        spelt = host.encode("idna").decode("ascii")
    except ValueError:
        return ""
    return spelt if not host.isascii() and split_http_url(text.lower().replace(host, spelt, 1)) else ""


def has_login(parts: SplitResult) -> bool:
    """Return whether a URL contains a user or a password, even empty ones."""
    return "@" in parts.netloc
