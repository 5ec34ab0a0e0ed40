"""
Which certificates alertd trusts: SSL_CERT_FILE, SSL_CERT_DIR, SSLKEYLOGFILE, and for Apprise REQUESTS_CA_BUNDLE.

Libraries read these on import or when they connect, and fail with obscure errors; here they are read
once, checked, and turned into contexts that every client shares.
"""

import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alertd.core.dataclass import dataclass

if TYPE_CHECKING:
    import ssl

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
    """Return the certificate settings of an environment, and a line for each variable that cannot be used."""
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
