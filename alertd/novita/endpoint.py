"""
The key and the base URL of an account, checked before the first request.

Finds what could never work, or would leak the key, while the user can still be shown the setting at fault.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from alertd.core.http_url import host_in_ascii, split_http_url
from alertd.core.printable import shorten
from alertd.core.spend.bill import KEY_CATEGORIES
from alertd.errors import SettingsError

VENDOR_HOST = "api.novita.ai"
_QUOTES = frozenset("\"'`")
_LONGEST_KEY = 4096
"""Maximum characters of a key: headers take hardly more, and no real key has a tenth of it."""
_API_PATH = "/openapi/v1"
_BILLING_PAGE = "https://novita.ai/billing"
_GPU_PAGE = "https://novita.ai/gpus-console"
# Source: README of https://github.com/novitalabs/novita-mcp-server, which also names the page of keys.
_CONSOLE_PAGES: Mapping[str, str] = {
    "gpu": _GPU_PAGE,
    "serverless": f"{_GPU_PAGE}/serverless",
    **dict.fromkeys(KEY_CATEGORIES, "https://novita.ai/settings/key-management"),
}


def checked_key(api_key: str, *, account: str, key_source: str) -> str:
    """
    Return the key without the trailing white space of secret files.

    Raises:
        SettingsError: It is empty, in quotes, or invalid in a header; HTTP libraries repeat such a header in
            clear text.
    """
    key = api_key.strip()
    if not key:
        raise SettingsError(f'account "{account}": no API key; set {key_source}')
    if len(key) > _LONGEST_KEY:
        raise SettingsError(f'account "{account}": the API key has {len(key):,} characters; check {key_source}')
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        raise SettingsError(f'account "{account}": the API key is in quotes, which no key has; check {key_source}')
    if not all("!" <= character <= "~" for character in key):
        raise SettingsError(f'account "{account}": the API key holds characters that no key has; check {key_source}')
    return key


def checked_base_url(base_url: str, *, account: str) -> str:
    """
    Return the base URL without a trailing slash.

    Raises:
        SettingsError: It is not an http or https URL, or holds credentials, which would be sent instead of the key.
    """
    base_url = base_url.strip().rstrip("/")
    url = split_http_url(base_url)
    if "@" in base_url:
        raise SettingsError(f'account "{account}": base_url must not hold credentials; write https://api.novita.ai')
    if spelt := host_in_ascii(base_url):
        raise SettingsError(f'account "{account}": base_url has a host with letters beyond ASCII; write {spelt} for it')
    if url is not None and url.path.endswith(_API_PATH):
        raise SettingsError(
            f'account "{account}": base_url ends with {_API_PATH}, which alertd appends itself; leave it out'
        )
    if url is None or url.query or url.fragment:
        raise SettingsError(
            f'account "{account}": base_url "{shorten(base_url)}" cannot be used; write https://api.novita.ai'
        )
    return base_url


def billing_page(base_url: str) -> str:
    """
    Return the page where an account's bills are paid; empty if the API is not the vendor's own.

    Source: https://github.com/novitalabs/novita-skills, skills/novita-docs/references/quick-start.md.
    """
    return _BILLING_PAGE if urlsplit(base_url).hostname == VENDOR_HOST else ""


def console_pages(base_url: str) -> Mapping[str, str]:
    """
    Return the page where owners are managed, by category; empty if the API is not the vendor's own.

    No console address of a single instance is known, so this is the list.
    """
    return _CONSOLE_PAGES if urlsplit(base_url).hostname == VENDOR_HOST else {}


def shown_location(location: str) -> str:
    """Return the target of a redirect, without credentials and query, which may hold secrets."""
    try:
        url = urlsplit(location)
    except ValueError:
        return ""
    return shorten(urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", "")), 200)
