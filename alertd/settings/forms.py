"""
Forms of settings: functions that parse and check the text of a setting. Pure.

Each form returns the value to use, or raises ValueError with the end of a sentence that begins with the value:
"is not a duration; write 30s, 10m, 2h or 1d". The value itself is not repeated, because it may be a secret.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path

from alertd.core.address import is_address
from alertd.core.greeting import address_literal, is_greeting
from alertd.core.http_url import has_login, host_in_ascii, is_host, split_http_url
from alertd.core.network_place import PLAIN_HTTP, sends_in_clear
from alertd.core.slack_ids import parse_member_id
from alertd.settings.plain_forms import Form, log_format, log_level, one_of, poll_interval, settle_delay, yes_or_no

_NOT_IN_PAGE_URLS = frozenset("@?#\\\"<>|'")
_LARGEST_PORT = 65535
_LONGEST_SENDER = 400
_API_PATH = "/openapi/v1"
_QUOTES = frozenset("\"'`\u201c\u201d")


def login(value: str) -> str:
    """Return a user name or password without control characters."""
    if any(character < " " or character == "\x7f" for character in value.strip()):
        raise ValueError("has line breaks or control characters; copy it again")
    return value


def header_token(value: str) -> str:
    """Return a token that an HTTP header can hold; its length is checked in `listen`."""
    if not all(" " <= character <= "~" for character in value.strip()):
        raise ValueError("has characters that no request can carry; write letters, digits, - and _")
    return value


def quoted_key(value: str) -> str:
    """Return a key; refuse one in quotes, which was copied from a place where a shell removes them."""
    text = value.strip()
    if text[:1] in _QUOTES or text[-1:] in _QUOTES:
        raise ValueError("is in quotes, which would be a part of it; write it without them")
    return value


def port(value: str) -> int:
    """Parse a port number."""
    if not value.isascii() or not value.isdigit() or len(value) > 5 or not 0 < int(value) <= _LARGEST_PORT:
        raise ValueError(f"is not a port; write a number from 1 to {_LARGEST_PORT}")
    return int(value)


def host(value: str) -> str:
    """Return a host's name in ASCII or its address, without brackets; refuse a port, scheme or login."""
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


def greeting(value: str) -> str:
    """Return the name with which a host greets a mail server: its full name, or its address in brackets."""
    bare = value[1:-1].removeprefix("IPv6:") if value.startswith("[") and value.endswith("]") else value
    try:
        return address_literal(bare)
    except ValueError:
        pass
    if not is_greeting(value):
        raise ValueError("is not a full host name; write alertd.example.com, or an address like [192.0.2.7]")
    return value


def base_url(example: str) -> Callable[[str], str]:
    """Return the form of a URL to which paths are appended."""

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


def secret_url(example: str, *, path_on: str = "") -> Callable[[str], str]:
    """Return the form of a URL that is a secret as such; on the host *path_on* it must have a path."""

    def read(value: str) -> str:
        parts = split_http_url(value)
        if parts is None:
            raise ValueError(_no_address(value, f"one like {example}"))
        if path_on and parts.hostname == path_on and not parts.path.strip("/"):
            raise ValueError(f"has no path, which is what counts in it; copy all of it, {example}")
        return value

    return read


def token(prefix: str, *, other: str, variable: str, also: str = "") -> Callable[[str], str]:
    """Return the form of a Slack token; *other* is the prefix of tokens for *variable*, *also* a rarer valid prefix."""

    def read(text: str) -> str:
        if text.startswith(other):
            raise ValueError(f"is of another kind ({other}…); it belongs in {variable}, and {prefix}… here")
        if not all("!" <= character <= "~" for character in text):
            raise ValueError("has blanks or characters that no token has; copy it again")
        if text and (text[:1] in _QUOTES or text[-1] in _QUOTES or not text.removeprefix(prefix)):
            raise ValueError(f"is not a token; copy all of it, {prefix}…, without quotes")
        if text and not text.startswith((prefix, also or prefix)):
            raise ValueError(f"is not a token of this kind; copy the one that begins with {prefix}")
        return text

    return read


def members(value: str) -> str:
    """Return member ids separated by commas, extracted from pasted mentions and links."""
    found = []
    for text in re.split(r"[,;\s]+", value):
        if text:
            try:
                found.append(parse_member_id(text))
            except ValueError as error:
                raise ValueError(f"has something else than ids: {error}") from None
    if not found:
        # An empty list would mean that everybody is allowed.
        raise ValueError('names nobody; write ids like U04ABCDEF (in Slack: profile, "Copy member ID")')
    return ",".join(found)


def sender(value: str) -> str:
    """Return the sender's mail address, with or without a name before it."""
    from email.utils import getaddresses  # noqa: PLC0415 -- only if mail is sent

    # The length is limited, because the parser recurses into nested comments.
    found = [] if len(value) > _LONGEST_SENDER else getaddresses([value])
    is_closed = value.count("<") == value.count(">") <= 1
    if len(found) != 1 or not is_address(found[0][1]) or not is_closed:
        raise ValueError("is not a mail address; write alertd@example.com, or Budget alerts <alertd@example.com>")
    return value


def page_url(value: str) -> str:
    """Return the URL of the status page, without a trailing slash."""
    # Paths cannot follow a query or a fragment, and a login is a secret, which messages must not contain.
    is_plain = value.isascii() and not _NOT_IN_PAGE_URLS & set(value)
    if spelt := host_in_ascii(value):
        raise ValueError(f"has a host with letters beyond ASCII; write {spelt} for it")
    if not is_plain or split_http_url(value) is None:
        raise ValueError("is not an address that people can open; write https://alertd.example.com")
    return value.rstrip("/")


def bearer_token(value: str) -> str:
    """Return a token that can follow `Authorization: Bearer`."""
    if " " in value.strip():
        raise ValueError('has blanks, which no token has; leave out "Bearer" if it stands there, and copy it again')
    return quoted_key(header_token(value))


bot_token = token("xoxb-", other="xapp-", variable="ALERTD_SLACK_APP_TOKEN", also="xoxe.")
slack_webhook_url = secret_url("https://hooks.slack.com/services/…", path_on="hooks.slack.com")


def _as_written(value: str) -> str:
    return value


FORMS: Mapping[str, Form] = {
    # First, because the checks of other settings depend on it.
    "allow_plain_http": yes_or_no,
    "rules": Path,
    "database_url": _as_written,
    "novita_api_key": quoted_key,
    "novita_base_url": base_url("https://api.novita.ai"),
    "poll_interval": poll_interval,
    "settle_delay": settle_delay,
    "clock": one_of("checked", "system"),
    "slack_bot_token": bot_token,
    "slack_app_token": token("xapp-", other="xoxb-", variable="ALERTD_SLACK_BOT_TOKEN"),
    "slack_users": members,
    "slack_webhook_url": slack_webhook_url,
    "slack_base_url": base_url("https://slack.com/api/"),
    "smtp_host": host,
    "smtp_port": port,
    "smtp_username": login,
    "smtp_password": login,
    "smtp_security": one_of("starttls", "tls", "none"),
    "smtp_from": sender,
    "smtp_ehlo": greeting,
    "external_url": page_url,
    "http_listen": _as_written,
    "http_token": header_token,
    "http_public_read": yes_or_no,
    "heartbeat_url": secret_url("https://hc-ping.com/…"),
    "log_format": log_format,
    "log_level": log_level,
}
"""The form of each setting, in the order of checking and display."""
_GUARDED = frozenset({"novita_base_url", "slack_base_url", "slack_webhook_url", "heartbeat_url"})
"""The settings whose URLs receive or contain secrets."""


def formed(name: str, text: str, *, allows_plain_http: bool) -> object:
    """
    Return the parsed value of a setting.

    Raises:
        ValueError: It is not valid, or a secret would be sent unencrypted without `allows_plain_http`.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("is not UTF-8")
    value = FORMS[name](text)
    if name in _GUARDED and not allows_plain_http and sends_in_clear(text):
        raise ValueError(f"{PLAIN_HTTP}, or set ALERTD_ALLOW_PLAIN_HTTP=true")
    return value
