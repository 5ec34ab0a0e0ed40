"""Where to listen, and who may ask: pure decisions from the settings and a request's headers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from alertd.errors import SettingsError

OFF = "off"
_SETTING = "ALERTD_HTTP_LISTEN"
_PATTERN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+):(?P<port>[0-9]{1,5})")
_LARGEST_PORT = 65535
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""What probes ask without a token: they show no figures."""
_PROXY_HEADERS = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address to listen on, the token that others than this host need, and where a proxy makes it known."""

    host: str
    port: int
    token: str = ""
    external_url: str = ""
    """Under which people reach it through a proxy; its host may be asked for."""

    def __repr__(self) -> str:
        return f"Listen(host={self.host!r}, port={self.port!r}, external_url={self.external_url!r})"

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can reach it."""
        return is_loopback(self.host)

    @property
    def external_host(self) -> str:
        """The host, and the port where there is one, of the external URL; empty where there is none."""
        return urlsplit(self.external_url).netloc.rpartition("@")[2].lower()

    def is_host_refused(self, host: str) -> bool:
        """
        Return whether a `Host` is none of ours.

        A page in a browser can make it ask loopback addresses under a name of its own: such names are refused.
        """
        if not self.is_loopback or (self.external_host and host.lower() == self.external_host):
            return False
        name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
        return name.strip("[]").lower() not in _LOOPBACK_NAMES

    def needs_token(self, *, path: str, headers: Mapping[str, str]) -> bool:
        """Return whether a request must show the token to be answered at all: it may come from beyond this host."""
        if path in OPEN_PATHS:
            return False
        is_passed_on = any(name.lower() in _PROXY_HEADERS for name in headers)
        is_external = bool(self.external_host) and headers.get("Host", "").lower() == self.external_host
        return not self.is_loopback or is_passed_on or is_external


def is_loopback(host: str) -> bool:
    """Return whether an address or name can be reached from this host alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_listen(text: str, *, token: str, external_url: str = "") -> Listen | None:
    """
    Read `127.0.0.1:9464`, `[::1]:9464`, `0.0.0.0:9464`; None for `off`.

    Args:
        external_url: Where a proxy makes it known; empty where none does.

    Raises:
        SettingsError: It is no such address, or reaches beyond loopback without a token.
    """
    if text.strip().lower() == OFF:
        return None
    match = _PATTERN.fullmatch(text.strip())
    if match is None or int(match["port"]) > _LARGEST_PORT:
        raise SettingsError(f'{_SETTING}: "{text}" is not host:port; write 127.0.0.1:9464, or {OFF}')
    host = match["host"].strip("[]")
    if not token and not is_loopback(host):
        raise SettingsError(
            f"{_SETTING}: {text} can be reached from other hosts; set ALERTD_HTTP_TOKEN too, or listen on 127.0.0.1"
        )
    return Listen(host=host, port=int(match["port"]), token=token, external_url=external_url)
