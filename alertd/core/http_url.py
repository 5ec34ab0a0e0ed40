"""Which texts are addresses that HTTP can ask, and what their hosts are; nothing is looked up."""

from urllib.parse import SplitResult, urlsplit


def split_http_url(text: str) -> SplitResult | None:
    """Return the parts of an http or https URL with a host, in ASCII and without blanks; None for any other text."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole else None


def is_http_url(text: str) -> bool:
    """Return whether a text can be requested as it is."""
    return split_http_url(text) is not None


def has_login(parts: SplitResult) -> bool:
    """Return whether a user or a password stands in a URL, be they empty."""
    return "@" in parts.netloc
