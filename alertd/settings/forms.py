"""
What a setting's value may be like. Pure.

Each form returns the value that is used, or raises ValueError with the end of a sentence that begins with the value:
"is not a duration; write 30s, 10m, 2h or 1d". The value itself is not repeated: it may be a secret.
"""

import re
from collections.abc import Callable
from email.utils import getaddresses
from ipaddress import IPv6Address, ip_address

from pydantic import SecretStr

from alertd.core.address import is_address
from alertd.core.http_url import has_login, host_in_ascii, is_host, split_http_url
from alertd.core.slack_ids import parse_member_id

_NOT_IN_PAGE_URLS = frozenset("@?#\\\"<>|'")
_LARGEST_PORT = 65535
_LONGEST_SENDER = 400
_API_PATH = "/openapi/v1"
_QUOTES = frozenset("\"'`\u201c\u201d")


def login(value: SecretStr | str | None) -> SecretStr | str | None:
    """Return a name or a password that a login may use."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
    if any(character < " " or character == "\x7f" for character in text.strip()):
        raise ValueError("has line breaks or control characters; copy it again")
    return value


def header_token(value: SecretStr | None) -> SecretStr | None:
    """Return a token that a request's header can carry; its length is for the server to judge."""
    text = "" if value is None else value.get_secret_value().strip()
    if not all(" " <= character <= "~" for character in text):
        raise ValueError("has characters that no request can carry; write letters, digits, - and _")
    return value


def quoted_key(value: SecretStr | None) -> SecretStr | None:
    """Return a key; one in quotes was copied from a place where a shell takes them away."""
    text = "" if value is None else value.get_secret_value().strip()
    if text[:1] in _QUOTES or text[-1:] in _QUOTES:
        raise ValueError("is in quotes, which would be a part of it; write it without them")
    return value


def port(value: object) -> object:
    """Read a port's number."""
    if not isinstance(value, str):
        return value
    if not value.isascii() or not value.isdigit() or len(value) > 5 or not 0 < int(value) <= _LARGEST_PORT:
        raise ValueError(f"is not a port; write a number from 1 to {_LARGEST_PORT}")
    return int(value)


def host(value: str | None) -> str | None:
    """Return a host by name or address, without port, scheme or login; IPv6 with or without brackets."""
    if value is None:
        return None
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return str(ip_address(bare))
    except ValueError:
        pass
    try:
        name = value if value.isascii() else value.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not is_host(name):
        raise ValueError("is not a host alone; write smtp.example.com, without scheme and port")
    return name


def greeting(value: str | None) -> str | None:
    """Return how a host greets a mail server: its full name, or its address in brackets."""
    if value is None:
        return None
    bare = value[1:-1].removeprefix("IPv6:") if value.startswith("[") and value.endswith("]") else value
    try:
        address = ip_address(bare)
    except ValueError:
        pass
    else:
        return f"[IPv6:{address}]" if isinstance(address, IPv6Address) else f"[{address}]"
    if not is_host(value) or "." not in value.rstrip("."):
        raise ValueError("is not a full host name; write alertd.example.com, or an address like [192.0.2.7]")
    return value


def base_url(example: str) -> Callable[[str], str]:
    """Return the form of an address that paths are put behind."""

    def read(value: str) -> str:
        parts = split_http_url(value)
        if parts is None:
            raise ValueError(_no_address(value, example))
        if parts.path.rstrip("/").endswith(_API_PATH):
            raise ValueError(f"ends with {_API_PATH}, which alertd appends itself; leave it out")
        if has_login(parts) or parts.query or parts.fragment:
            raise ValueError(f"holds a login, a query or a fragment, which has no place there; write {example}")
        return value

    return read


def _no_address(value: str, example: str) -> str:
    if spelt := host_in_ascii(value):
        return f"has a host with letters beyond ASCII; write {spelt} for it"
    return f"is not an http or https address; write {example}"


def secret_url(example: str, *, path_on: str = "") -> Callable[[SecretStr | None], SecretStr | None]:
    """Return the form of an address that is all secret; *path_on* names the host on which the path is what counts."""

    def read(value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        parts = split_http_url(value.get_secret_value())
        if parts is None:
            raise ValueError(_no_address(value.get_secret_value(), f"one like {example}"))
        if path_on and parts.hostname == path_on and not parts.path.strip("/"):
            raise ValueError(f"has no path, which is what counts in it; copy all of it, {example}")
        return value

    return read


def token(prefix: str, *, other: str, variable: str, also: str = "") -> Callable[[SecretStr | None], SecretStr | None]:
    """Return the form of a token of Slack; *other* begins that of another setting, *variable*, *also* a rarer kind."""

    def read(value: SecretStr | None) -> SecretStr | None:
        text = "" if value is None else value.get_secret_value()
        if text.startswith(other):
            raise ValueError(f"is of another kind ({other}…); it belongs in {variable}, and {prefix}… here")
        if not all("!" <= character <= "~" for character in text):
            raise ValueError("has blanks or characters that no token has; copy it again")
        if text and (text[:1] in _QUOTES or text[-1] in _QUOTES or not text.removeprefix(prefix)):
            raise ValueError(f"is not a token; copy all of it, {prefix}…, without quotes")
        if text and not text.startswith((prefix, also or prefix)):
            raise ValueError(f"is not a token of this kind; copy the one that begins with {prefix}")
        return value

    return read


def members(value: str | None) -> str | None:
    """Return member ids with commas between them; pasted mentions and links stand for the ids in them."""
    if value is None:
        return None
    found = []
    for text in re.split(r"[,;\s]+", value):
        if text:
            try:
                found.append(parse_member_id(text))
            except ValueError as error:
                raise ValueError(f"has something else than ids: {error}") from None
    if not found:
        # Taken for a list of nobody it would let everybody in.
        raise ValueError('names nobody; write ids like U04ABCDEF (in Slack: profile, "Copy member ID")')
    return ",".join(found)


def sender(value: str | None) -> str | None:
    """Return the address that mail comes from, with or without a name before it."""
    # Longer ones are no address, and the library goes as deep as they are nested; of several it takes the first.
    found = [] if value is None or len(value) > _LONGEST_SENDER else getaddresses([value])
    is_closed = value is None or value.count("<") == value.count(">") <= 1
    if value is not None and (len(found) != 1 or not is_address(found[0][1]) or not is_closed):
        raise ValueError("is not a mail address; write alertd@example.com, or Budget alerts <alertd@example.com>")
    return value


def page_url(value: str | None) -> str | None:
    """Return an address that pages stand below, without a slash at its end."""
    if value is None:
        return None
    # A login, a query or a fragment has no place before a path, and messages are none for secrets.
    is_plain = value.isascii() and not _NOT_IN_PAGE_URLS & set(value)
    if spelt := host_in_ascii(value):
        raise ValueError(f"has a host with letters beyond ASCII; write {spelt} for it")
    if not is_plain or split_http_url(value) is None:
        raise ValueError("is not an address that people can open; write https://alertd.example.com")
    return value.rstrip("/")


def bearer_token(value: SecretStr | None) -> SecretStr | None:
    """Return what can stand behind `Authorization: Bearer`."""
    text = "" if value is None else value.get_secret_value().strip()
    if " " in text:
        raise ValueError('has blanks, which no token has; leave out "Bearer" if it stands there, and copy it again')
    return quoted_key(header_token(value))


bot_token = token("xoxb-", other="xapp-", variable="ALERTD_SLACK_APP_TOKEN", also="xoxe.")
slack_webhook_url = secret_url("https://hooks.slack.com/services/…", path_on="hooks.slack.com")
