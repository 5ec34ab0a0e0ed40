"""
How a host identifies itself to a mail server: by its full name, or by its address in brackets.

Many servers reject a greeting of `localhost` or a bare name, most of them only at RCPT TO. Source: RFC 5321, sections
2.3.5, 4.1.1.1 and 4.1.3.
"""

import re
from ipaddress import IPv6Address, ip_address

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_FULL_NAME = re.compile(rf"(?:{_LABEL}\.)+(?=[A-Za-z0-9-]*[A-Za-z]){_LABEL}")
_LITERAL = re.compile(r"\[(IPv6:)?([0-9A-Fa-f.:]+)\]", re.IGNORECASE)
_NO_NAMES = (".localhost", ".localdomain", ".arpa", ".invalid")
"""Suffixes of default host names, which no other host can resolve."""


def is_greeting(text: str) -> bool:
    """Return whether a text is a full host name or an address literal, and not a merely local name."""
    if match := _LITERAL.fullmatch(text):
        try:
            return isinstance(ip_address(match[2]), IPv6Address) == bool(match[1])
        except ValueError:
            return False
    return len(text) <= 255 and bool(_FULL_NAME.fullmatch(text)) and not text.casefold().endswith(_NO_NAMES)


def address_literal(address: str) -> str:
    """Return an address as a literal for the greeting: `[192.0.2.1]`, `[IPv6:2001:db8::1]`."""
    known = ip_address(address.partition("%")[0])
    if isinstance(known, IPv6Address) and known.ipv4_mapped is None:
        return f"[IPv6:{known}]"
    return f"[{known.ipv4_mapped if isinstance(known, IPv6Address) else known}]"
