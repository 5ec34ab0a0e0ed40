"""Where to listen, and which requests are allowed: pure decisions from the settings and a request's headers."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from alertd.core.dataclass import dataclass
from alertd.core.http_url import is_host
from alertd.core.network_place import is_loopback
from alertd.core.printable import excerpt
from alertd.errors import SettingsError

OFF = "off"
_SETTING = "ALERTD_HTTP_LISTEN"
_PATTERN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+):(?P<port>[0-9]{1,5})")
_LARGEST_PORT = 65535
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Paths for probes, which need no token because they show no figures."""
_PROXY_HEADERS = frozenset(
    {
        "akamai-origin-hop",
        "client-ip",
        "front-end-https",
        "http-client-ip",
        "incap-client-ip",
        "max-forwards",
        "proxy-client-ip",
        "surrogate-capability",
        "true-client-ip",
        "via",
        "x-coming-from",
        "x-host",
        "x-https",
        "x-ip",
        "x-port",
        "x-proto",
        "x-rewrite-url",
        "x-scheme",
        "x-user-ip",
        "x-url-scheme",
        "x-varnish",
    }
)
_PROXY_PREFIXES = (
    "ali-",
    "cdn-",
    "cf-",
    "cloudfront-",
    "eo-",
    "fastly-",
    "fly-",
    "forwarded",
    "remote-",
    "ssl-client-",
    "tailscale-",
    "wl-proxy-",
    "x-akamai-",
    "x-amz-cf-",
    "x-amzn-",
    "x-appengine-",
    "x-arr-",
    "x-auth-request-",
    "x-authentik-",
    "x-azure-",
    "x-cdn",
    "x-client-",
    "x-cloud-trace-",
    "x-cluster-",
    "x-envoy-",
    "x-forward",
    "x-goog-",
    "x-haproxy-",
    "x-iap-",
    "x-nginx-",
    "x-origin",
    "x-pomerium-",
    "x-proxy",
    "x-real-",
    "x-remote-",
    "x-ssl-",
    "x-sucuri-",
    "x-traefik-",
    "x-vercel-",
    "x-webauth-",
)
"""Prefixes of headers that proxies, load balancers and content networks add to forwarded requests."""
SHORTEST_TOKEN = 16
"""Minimum characters of a token; shorter ones can be guessed, or read over a shoulder."""
_MAKES_ONE = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address to listen on, the token that requests need, and the URL at which a proxy publishes it."""

    host: str
    port: int
    token: str = ""
    external_url: str = ""
    """The URL at which people reach it through a proxy; requests may name its host."""
    public_read: bool = False
    """Whether reading needs no token even if one is set."""

    def __repr__(self) -> str:
        return f"Listen(host={self.host!r}, port={self.port!r}, external_url={self.external_url!r})"

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can reach it."""
        return is_loopback(self.host)

    @property
    def external_host(self) -> str:
        """The host of the external URL, with its port if it has one; empty if there is no external URL."""
        return urlsplit(self.external_url).netloc.rpartition("@")[2].lower()

    def is_host_refused(self, host: str) -> bool:
        """
        Return whether requests with a `Host` are refused; only on loopback.

        A page in a browser can make it send requests to loopback addresses under the page's own host name (DNS
        rebinding), so on loopback all host names are refused except loopback names and the external URL's.
        """
        if not self.is_loopback or (self.external_host and host.lower() == self.external_host):
            return False
        return not _is_loopback_name(host)

    def needs_token(self, *, path: str, headers: Mapping[str, str], peer: str, is_http_1_0: bool = False) -> bool:
        """
        Return whether a request must have the token to be answered at all.

        If a token is set without `public_read`, every request except probes needs it: a proxy on this host in its
        default configuration forwards requests that appear to come from this host. Without a token only direct requests
        of this host are answered.

        Args:
            peer: The address from which it came.
            is_http_1_0: Whether it uses HTTP 1.0, which hardly any client but a proxy does.
        """
        if path in OPEN_PATHS:
            return False
        if self.token:
            return not self.public_read
        is_direct = self.is_loopback and is_loopback(peer) and _is_loopback_name(headers.get("Host", ""))
        return not is_direct or is_http_1_0 or any(map(_is_of_proxies, headers))


def _is_loopback_name(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
    return name.strip("[]").lower() in _LOOPBACK_NAMES


def _is_of_proxies(header: str) -> bool:
    # Some proxies forward names with underscores, which the programs they forward to treat as the same.
    name = header.lower().replace("_", "-")
    return name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIXES)


def parse_listen(text: str, *, token: str, external_url: str = "", public_read: bool = False) -> Listen | None:
    """
    Parse `127.0.0.1:9464`, `[::1]:9464` or `0.0.0.0:9464`; None for `off`.

    Args:
        external_url: The URL at which a proxy publishes it; empty without one.
        public_read: Whether reading needs no token.

    Raises:
        SettingsError: It is not a valid address, is not loopback and has no token, or the token is too short.
    """
    if text.strip().lower() == OFF:
        return None
    match = _PATTERN.fullmatch(text.strip())
    if match is None or int(match["port"]) > _LARGEST_PORT:
        raise SettingsError(f'{_SETTING}: "{excerpt(text)}" is not host:port; write 127.0.0.1:9464, or {OFF}')
    host = match["host"].strip("[]")
    if not is_host(host):
        raise SettingsError(
            f'{_SETTING}: "{excerpt(text)}": "{excerpt(host)}" is not the address of a host; '
            f"write 127.0.0.1:9464, or {OFF}"
        )
    if not token and not is_loopback(host):
        raise SettingsError(
            f"{_SETTING}: {text} can be reached from other hosts; set ALERTD_HTTP_TOKEN too, or listen on 127.0.0.1"
        )
    if token and len(token) < SHORTEST_TOKEN:
        raise SettingsError(
            f"ALERTD_HTTP_TOKEN: has {len(token)} characters and needs {SHORTEST_TOKEN}, or it can be guessed; "
            f"make one with {_MAKES_ONE}"
        )
    return Listen(host=host, port=int(match["port"]), token=token, external_url=external_url, public_read=public_read)
