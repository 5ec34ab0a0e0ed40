"""
Which proxy a URL is asked through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in capitals or not.

They belong to the system and were usually set by somebody else, so each is checked before anything connects. Nothing is
looked up or connected here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from alertd.core.dataclass import dataclass
from alertd.core.network_place import is_loopback
from alertd.core.printable import excerpt

_SEPARATORS = re.compile(r"[\s,;]+")
_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PORT = re.compile(r":(?P<port>[0-9]*)$")
_HOST = re.compile(r"[\w*?.-]+")
_LOCAL = "<local>"
"""A host without a dot, in browsers' lists."""
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SAME_SCHEME = {"ws": "http", "wss": "https"}
_LARGEST_PORT = 65535

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Bypass:
    """One entry of a list: a host, a domain, a pattern or a network, with or without scheme and port."""

    scheme: str = ""
    port: int | None = None
    network: Network | None = None
    name: str = ""
    """A host with its subdomains; with `*` a pattern; `<local>` for any host without a dot."""

    def covers(self, scheme: str, host: str, port: int | None) -> bool:
        """Return whether a URL's host bypasses the proxy."""
        scheme = _SAME_SCHEME.get(scheme, scheme)
        if self.scheme and self.scheme != scheme:
            return False
        if self.port is not None and self.port != (port or _DEFAULT_PORTS.get(scheme)):
            return False
        host = _plain_host(host)
        address = _address(host)
        if self.network is not None:
            return address is not None and address in self.network
        if self.name == _LOCAL:
            return address is None and "." not in host
        if "*" in self.name or "?" in self.name:
            return fnmatchcase(host, self.name)
        return address is None and (host == self.name or host.endswith(f".{self.name}"))


def parse_bypass(text: str) -> tuple[Bypass, ...]:
    """
    Read a list of hosts that bypass the proxy, `NO_PROXY`, as curl and browsers do.

    Source: https://everything.curl.dev/usingcurl/proxies/env.html (commas or blanks, leading dots, `*`, CIDR),
    Chromium's net/docs/proxy.md (semicolons, `*.example.com`, `<local>`, ports, schemes).

    Raises:
        ValueError: An entry is invalid; the text shows it and says what to write.
    """
    return tuple(_entry(word) for word in _SEPARATORS.split(text) if word)


def is_bypassed(entries: Iterable[Bypass], *, scheme: str, host: str, port: int | None) -> bool:
    """Return whether any entry covers the host of a URL; loopback is always covered: a proxy has its own."""
    plain = _plain_host(host)
    if is_loopback(plain):
        return True
    return any(entry.covers(scheme, host, port) for entry in entries)


def _entry(word: str) -> Bypass:
    if word.casefold() == _LOCAL:
        return Bypass(name=_LOCAL)
    rest, scheme = word, ""
    if found := _SCHEME.match(rest):
        scheme, rest = found["scheme"].lower(), rest[found.end() :].rstrip("/")
    try:
        # Try the word unchanged first: the colons of an IPv6 address do not start a port.
        network, port = _network(rest), None
        if network is None:
            rest, port = _without_port(rest)
            network = _network(rest)
        if network is not None:
            return Bypass(scheme=scheme, port=port, network=network)
        return Bypass(scheme=scheme, port=port, name=_name(rest))
    except ValueError:
        raise ValueError(
            f'"{excerpt(word)}" is not a host, domain, network or address; write example.com, .example.com, '
            "10.0.0.0/8, [::1] or host:port, with commas between them"
        ) from None


def _without_port(text: str) -> tuple[str, int | None]:
    found = _PORT.search(text)
    if found is None:
        return text, None
    port = int(found["port"] or "0")
    if not 0 < port <= _LARGEST_PORT:
        raise ValueError(text)
    return text[: found.start()], port


def _network(text: str) -> Network | None:
    """Return the network of an address or of CIDR notation; None if the text is neither."""
    if "/" not in text:
        address = _address(_unbracketed(text))
        return None if address is None else ip_network(address)
    host, _, size = text.partition("/")
    # Host bits may be set: curl ignores them, and 10.1.2.3/8 says plainly what is meant.
    return ip_network(f"{_unbracketed(host)}/{size}", strict=False)


def _unbracketed(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _name(text: str) -> str:
    # *.example.com and .example.com are taken as example.com and all below it, as curl does.
    name = text.casefold().removesuffix(".").removeprefix("*.").removeprefix(".")
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    if not _HOST.fullmatch(name):
        raise ValueError(text)
    return name


def _plain_host(host: str) -> str:
    return _unbracketed(host).casefold().partition("%")[0].removesuffix(".")


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


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
