"""How alertd connects to other hosts: built once from the environment, and passed to every client."""

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from alertd.core.dataclass import dataclass
from alertd.errors import SettingsError
from alertd.settings.outgoing.proxies import Proxies, Proxy, read_proxies
from alertd.settings.outgoing.tls import Trust, read_trust

if TYPE_CHECKING:
    import ssl

    import aiohttp
    import httpx
    from aiohttp.abc import AbstractResolver

    from alertd.settings.outgoing.turns import Turns

_READ_BYTES = 256 * 1024
"""
Bytes that httpx takes from a connection at a time: all that asyncio reads at once. With httpx's own 64 KiB, handing a
large answer on takes as long as decoding it.
"""


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """
    Proxies and TLS for outgoing connections; the default connects directly and trusts the system's certificates.

    It lives as long as the process. The contexts are made when they are first asked for, and then shared: making one
    costs some 30 ms.
    """

    proxies: Proxies = field(default_factory=Proxies)
    trust: Trust = field(default_factory=Trust)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Outgoing":
        """
        Read and check every variable.

        Raises:
            SettingsError: One cannot be used; a line each, with name, value and remedy.
        """
        proxies, wrong_proxies = read_proxies(environment)
        trust, wrong_files = read_trust(environment)
        if problems := wrong_proxies + wrong_files:
            raise SettingsError("\n".join(problems))
        return cls(proxies=proxies, trust=trust)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return warnings about settings that work but deserve attention."""
        if not self.trust.key_log:
            return ()
        text = (
            f'SSLKEYLOGFILE: "{self.trust.key_log}" gets the keys of every connection, with which secrets can be '
            "read on their way; unset it when you have finished debugging"
        )
        return (text,)

    @cached_property
    def tls(self) -> "ssl.SSLContext":
        """The context for HTTP, shared by all clients, which may set its application protocols."""
        return self.trust.context()

    @cached_property
    def turns(self) -> "Turns":
        """Decides which answer with bills is read next, over all accounts."""
        from alertd.settings.outgoing.turns import Turns  # noqa: PLC0415 -- most commands connect to nobody

        return Turns()

    @cached_property
    def mail_tls(self) -> "ssl.SSLContext":
        """The context for mail, on which no HTTP client has set its application protocols."""
        return self.trust.context()

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy for a URL; None for a direct connection."""
        return self.proxies.proxy_for(url)

    def http_client(
        self,
        url: str,
        *,
        timeout: "httpx.Timeout",
        headers: Mapping[str, str] | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> "httpx.AsyncClient":
        """
        Return a client for requests to one host, which reads nothing of the environment and follows no redirect.

        Args:
            url: Any URL of that host: its proxy is chosen by it.
            transport: Used instead of the network.
        """
        import httpcore  # noqa: PLC0415 -- most commands connect to nobody
        import httpx  # noqa: PLC0415

        httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = _READ_BYTES
        proxy = None if transport is not None else self.proxy_for(url)
        proxy_tls = self.tls if proxy is not None and proxy.is_encrypted else None
        return httpx.AsyncClient(
            proxy=None if proxy is None else httpx.Proxy(proxy.url, ssl_context=proxy_tls),
            transport=transport,
            verify=transport is not None or self.tls,
            trust_env=False,
            timeout=timeout,
            headers=headers,
            follow_redirects=False,
        )

    def aiohttp_connector(self, url: str, *, resolver: "AbstractResolver | None" = None) -> "aiohttp.TCPConnector":
        """
        Return a connector for requests to the host of a URL, through its proxy where that speaks SOCKS.

        Args:
            resolver: Finds the host's addresses where no proxy does.
        """
        import aiohttp  # noqa: PLC0415 -- Slack alone needs it

        proxy = self.proxy_for(url)
        if proxy is None:
            return aiohttp.TCPConnector(force_close=True, ssl=self.tls, resolver=resolver)
        if not proxy.is_socks:
            return aiohttp.TCPConnector(force_close=True, ssl=self.tls)
        from aiohttp_socks import ProxyConnector  # noqa: PLC0415 -- of an extra, which the check has found

        # The proxy resolves names: hosts that need a proxy often cannot.
        socks = f"socks5://{proxy.url.partition('://')[2]}"
        return ProxyConnector.from_url(socks, rdns=True, force_close=True, ssl=self.tls)

    def aiohttp_proxy(self, url: str) -> str | None:
        """Return the HTTP proxy for aiohttp's requests to a URL; None without a proxy or if it speaks SOCKS."""
        proxy = self.proxy_for(url)
        return None if proxy is None or proxy.is_socks else proxy.url
