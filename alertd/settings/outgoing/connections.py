"""How alertd connects to other hosts: built once from the environment, and passed to every client."""

import os
import stat
from collections.abc import Mapping
from dataclasses import field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alertd.core.dataclass import dataclass
from alertd.errors import SettingsError
from alertd.settings.outgoing.proxies import Proxies, Proxy, read_proxies

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


_LARGEST_BUNDLE = 32 << 20
_PEM = "a file of certificates in PEM form"
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The first is for all of alertd, the others for Apprise only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Files that were checked; empty where the variable is not set."""

    certificates: str = ""
    folders: tuple[str, ...] = ()
    key_log: str = ""

    def context(self) -> "ssl.SSLContext":
        """
        Return a new context for clients: certificates and host names are checked.

        Raises:
            OSError, ssl.SSLError: A file has changed since it was checked.
        """
        import ssl  # noqa: PLC0415 -- for those who connect

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificates or self.folders:
            if self.certificates:
                context.load_verify_locations(cafile=self.certificates)
            for folder in self.folders:
                context.load_verify_locations(capath=folder)
        else:
            # The system's, which an administrator may have added to, and Mozilla's for images that have none.
            context.set_default_verify_paths()
            import certifi  # noqa: PLC0415 -- as above

            context.load_verify_locations(cafile=certifi.where())
        if self.key_log:
            context.keylog_filename = self.key_log
        return context


def read_trust(environment: Mapping[str, str]) -> tuple[Trust, list[str]]:
    """
    Return the certificate settings of an environment, and a line for each variable that cannot be used.

    Libraries read these on import or when they connect, and fail with obscure errors; here they are read once and
    checked.
    """
    values = {name: environment.get(name, "").strip() for name in (*_BUNDLES, "SSL_CERT_DIR", "SSLKEYLOGFILE")}
    checks = (
        ("SSL_CERT_FILE", _bundle_fault),
        ("SSL_CERT_DIR", _folders_fault),
        ("SSLKEYLOGFILE", _key_log_fault),
        ("REQUESTS_CA_BUNDLE", _bundle_or_folder_fault),
        ("CURL_CA_BUNDLE", _bundle_or_folder_fault),
    )
    problems = [
        f'{name}: "{_shown(value)}" {fault}'
        for name, check in checks
        if (value := values[name]) and (fault := check(value))
    ]
    trust = Trust(
        certificates=values["SSL_CERT_FILE"],
        folders=tuple(filter(_is_folder, values["SSL_CERT_DIR"].split(os.pathsep))),
        key_log=values["SSLKEYLOGFILE"],
    )
    return trust, problems


def _bundle_fault(value: str) -> str:
    """Return why a certificate file cannot be used, with the remedy; empty if it is valid."""
    import ssl  # noqa: PLC0415 -- where a file is named

    remedy = f"write the path of {_PEM}, or unset it"
    try:
        status = Path(value).stat()
        if not stat.S_ISREG(status.st_mode):
            return f"is a folder or no ordinary file; {remedy}"
        if status.st_size > _LARGEST_BUNDLE:
            return f"is larger than {_LARGEST_BUNDLE >> 20} MiB; {remedy}"
        _load(value, status.st_mtime_ns, status.st_size)
    except ssl.SSLError:
        return f"holds no certificate that can be read; {remedy}"
    except (OSError, ValueError) as error:
        return f"cannot be read: {_why(error)}; {remedy}"
    return ""


@cache
def _load(bundle: str, _modified_ns: int, _size: int) -> None:
    """Read a certificate file, only once even if several variables name it: it takes about 30 ms."""
    import ssl  # noqa: PLC0415 -- as above

    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=bundle)


def _bundle_or_folder_fault(value: str) -> str:
    return "" if _is_folder(value) else _bundle_fault(value)


def _folders_fault(value: str) -> str:
    folders = [folder for folder in value.split(os.pathsep) if folder]
    # OpenSSL silently skips missing folders; without any, it would only report that no certificate is trusted.
    if any(map(_is_folder, folders)):
        return ""
    return "is not a folder that can be read; write the path of a folder of certificates, or unset it"


def _is_folder(path: str) -> bool:
    try:
        return bool(path) and Path(path).is_dir() and os.access(path, os.R_OK | os.X_OK)
    except (OSError, ValueError):
        return False


def _key_log_fault(value: str) -> str:
    remedy = "it is only for debugging TLS: unset it"
    path = Path(value)
    try:
        # A FIFO would wait for a reader.
        if path.exists() and not path.is_file() and not path.is_char_device():
            return f"is a folder or no ordinary file; {remedy}"
        if path.is_symlink() and not path.exists():
            return f"is a link to nowhere; {remedy}"
        place = path if path.exists() else path.parent
        if not place.exists():
            return f"cannot be written: its folder is not there; {remedy}"
        if not os.access(place, os.W_OK):
            return f"cannot be written: {os.strerror(13)}; {remedy}"
    except (OSError, ValueError) as error:
        return f"cannot be written: {_why(error)}; {remedy}"
    return ""


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "its name is none that a file can have"


def _shown(value: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in value)[:200]


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

        # httpx has no option for it: this is set on httpcore's class, and so for every connection of the process.
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
