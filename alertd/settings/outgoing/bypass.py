"""
Which hosts bypass the proxy: `NO_PROXY` as curl and browsers read it. Pure.

Source: https://everything.curl.dev/usingcurl/proxies/env.html (commas or blanks, leading dots, `*`, CIDR), Chromium's
net/docs/proxy.md (semicolons, `*.example.com`, `<local>`, ports, schemes).
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from alertd.core.dataclass import dataclass
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
    Read a list of hosts that bypass the proxy.

    Raises:
        ValueError: An entry is invalid; the text shows it and says what to write.
    """
    return tuple(_entry(word) for word in _SEPARATORS.split(text) if word)


def is_bypassed(entries: Iterable[Bypass], *, scheme: str, host: str, port: int | None) -> bool:
    """Return whether any entry covers the host of a URL; loopback is always covered: a proxy has its own."""
    plain = _plain_host(host)
    address = _address(plain)
    if plain == "localhost" or plain.endswith(".localhost") or (address is not None and address.is_loopback):
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
