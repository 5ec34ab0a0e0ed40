"""Where to listen, and who may ask: pure decisions from the settings and a request's headers."""

import hmac
import re
from dataclasses import dataclass
from ipaddress import ip_address

from alertd.errors import SettingsError

OFF = "off"
_SETTING = "ALERTD_HTTP_LISTEN"
_PATTERN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+):(?P<port>[0-9]{1,5})")
_LARGEST_PORT = 65535
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""What probes ask without a token: they tell no figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address to listen on, and the token that others than this host need."""

    host: str
    port: int
    token: str = ""

    def __repr__(self) -> str:
        return f"Listen(host={self.host!r}, port={self.port!r})"

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can reach it."""
        return is_loopback(self.host)

    def refusal(self, *, path: str, host: str, authorization: str) -> tuple[int, str] | None:
        """
        Return status and text for a request that is refused, None where it may be answered.

        A page in a browser can make it ask loopback addresses under a name of its own: such names are refused.
        """
        if self.is_loopback:
            name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
            if name.strip("[]").lower() not in _LOOPBACK_NAMES:
                return 421, "ask for localhost or 127.0.0.1\n"
            return None
        is_known = hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode())
        return None if is_known or path in OPEN_PATHS else (401, "send Authorization: Bearer and ALERTD_HTTP_TOKEN\n")


def is_loopback(host: str) -> bool:
    """Return whether an address or name can be reached from this host alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_listen(text: str, *, token: str) -> Listen | None:
    """
    Read `127.0.0.1:9464`, `[::1]:9464`, `0.0.0.0:9464`; None for `off`.

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
    return Listen(host=host, port=int(match["port"]), token=token)
