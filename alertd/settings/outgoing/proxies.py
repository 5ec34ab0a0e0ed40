"""
Which proxy a URL is asked through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in capitals or not.

They belong to the system and were usually set by somebody else, so each is checked before anything connects. Nothing is
looked up or connected here.
"""

import re
from collections.abc import Mapping
from dataclasses import field
from importlib.util import find_spec
from urllib.parse import SplitResult, urlsplit

from alertd.core.dataclass import dataclass
from alertd.settings.outgoing.bypass import Bypass, is_bypassed, parse_bypass

_SCHEMES = ("http", "https", "socks5", "socks5h")
_SOCKS = frozenset({"socks5", "socks5h"})
_SOCKS_PACKAGES = ("socksio", "aiohttp_socks")
"""One for httpx, one for aiohttp, on which Slack's library builds."""
_HAS_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_LOOKED_UP = {"ws": "http", "wss": "https"}
_EXAMPLE = "http://proxy.example.com:3128"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that clients can use; its URL may hold a password."""

    variable: str
    url: str = field(repr=False)

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, which needs packages of its own."""
        return urlsplit(self.url).scheme in _SOCKS

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken with the proxy itself."""
        return urlsplit(self.url).scheme == "https"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies by URL scheme, and the hosts that bypass them."""

    by_scheme: Mapping[str, Proxy] = field(default_factory=dict)
    bypassed: tuple[Bypass, ...] = ()

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy for an http, https, ws or wss URL; None for a direct connection."""
        parts = urlsplit(url)
        scheme = _LOOKED_UP.get(parts.scheme, parts.scheme)
        proxy = self.by_scheme.get(scheme)
        if proxy is None or is_bypassed(self.bypassed, scheme=scheme, host=parts.hostname or "", port=parts.port):
            return None
        return proxy


def read_proxies(environment: Mapping[str, str]) -> tuple[Proxies, list[str]]:
    """Return the proxies of an environment, and a line for each variable that cannot be used."""
    problems: list[str] = []
    found: dict[str, Proxy] = {}
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        variable, value = _first(environment, name)
        if not value:
            continue
        try:
            found[name] = Proxy(variable=variable, url=checked_proxy_url(value))
        except ValueError as error:
            problems.append(f"{variable}: {error}")
    variable, value = _first(environment, "no_proxy")
    bypassed: tuple[Bypass, ...] = ()
    try:
        bypassed = parse_bypass(value)
    except ValueError as error:
        # Without a proxy the list has no effect.
        if found or problems:
            problems.append(f"{variable}: {error}")
    by_scheme = {
        scheme: proxy
        for scheme in ("http", "https")
        if (proxy := found.get(f"{scheme}_proxy") or found.get("all_proxy")) is not None
    }
    return Proxies(by_scheme=by_scheme, bypassed=bypassed), problems


def _first(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return a variable and its value; lower case takes precedence, as in curl, and an empty value counts as unset."""
    for variable in (name, name.upper()):
        if value := environment.get(variable, "").strip():
            return variable, value
    return name.upper(), ""


def checked_proxy_url(text: str) -> str:
    """
    Return a proxy's URL in the form that clients accept; `host:port` means http, as in curl.

    Raises:
        ValueError: It cannot be used; the text shows it without login and says what to write.
    """
    url = text if _HAS_SCHEME.match(text) else f"http://{text}"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        parts, port, host = urlsplit(""), None, None
    scheme = parts.scheme.lower()
    if host is not None and scheme not in _SCHEMES:
        raise ValueError(
            f'"{shown_proxy(text)}" is of a kind that is not supported ({scheme}); write {_EXAMPLE}, https://… '
            "or socks5h://…, or unset it"
        )
    is_plain = text.isprintable() and " " not in text and "\\" not in text
    if host is None or port == 0 or not is_plain or not _is_host(host):
        raise ValueError(f'"{shown_proxy(text)}" is not a proxy\'s URL; write {_EXAMPLE}, or unset it')
    if scheme in _SOCKS and not all(map(find_spec, _SOCKS_PACKAGES)):
        raise ValueError(
            f'"{shown_proxy(text)}" is a SOCKS proxy, which needs another package: pip install "alertd[socks]"; '
            f"or write {_EXAMPLE}"
        )
    # Path, query and fragment mean nothing for a proxy, and curl drops them too.
    return SplitResult(scheme, parts.netloc, "", "", "").geturl()


def _is_host(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host.strip("."))


def shown_proxy(text: str) -> str:
    """Return a proxy's URL for display: without login and control characters, at most 100 characters."""
    scheme, separator, rest = text.rpartition("://")
    plain = f"{scheme}{separator}{rest.rpartition('@')[2]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in plain)[:100]
