"""
What kind of place a host is: this machine, or the link that clouds hand their credentials out on. Nothing is looked up.

Whoever may edit the rules may choose where messages go. Metadata services answer every program of their machine, so
none of them may be asked on behalf of a rules file, under any spelling of its address.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from alertd.core.http_url import split_http_url

_METADATA_NAMES = frozenset(
    {
        "instance-data",
        "metadata",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
        "rancher-metadata",
    }
)
_METADATA_SUFFIXES = (".ec2.internal", ".metadata.google.internal")
_METADATA_PLACES = frozenset(
    map(
        ip_address,
        (
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle Cloud, in former times
            "fd00:ec2::254",  # AWS
            "fd00:42::42",  # Scaleway
            "fd00:c1::a9fe:a9fe",  # Oracle Cloud
            "fd20:ce::254",  # Google Cloud
        ),
    )
)
PLAIN_HTTP = "a secret would leave without encryption; write https://"
"""What an error says of a URL that `sends_in_clear`."""
OFF_LIMITS_PLACE = "a link-local address or a cloud's metadata service, to which alertd sends nothing"
OFF_LIMITS = f"this is {OFF_LIMITS_PLACE}"
"""What an error says of a host that is off limits."""
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96")))
"""Behind whose last 32 bits another protocol's address stands: RFC 6052, RFC 8215, RFC 2765."""
_COMPATIBLE = IPv6Network("::/96")
_NUMBER = re.compile(r"0[xX](?P<hexadecimal>[0-9a-fA-F]*)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*)")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself: what is sent there passes no wire."""
    name = host.rstrip(".").casefold()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


def sends_in_clear(url: str) -> bool:
    """Return whether what is sent to a URL can be read on its way: it is plain HTTP, and not to this machine."""
    parts = split_http_url(url)
    return parts is not None and parts.scheme == "http" and not is_loopback(parts.hostname or "")


def is_off_limits(host: str) -> bool:
    """Return whether a host, by name or address, is link-local or a cloud's metadata service."""
    name = host.rstrip(".").casefold()
    if name in _METADATA_NAMES or (name.startswith("instance-data") and name.endswith(_METADATA_SUFFIXES)):
        return True
    # A zone is part of link-local addresses alone, and no host has a percent sign otherwise.
    if "%" in name:
        return True
    address = _address(name)
    return address is not None and (address.is_link_local or address in _METADATA_PLACES)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host's name spells, as connecting to it would; None for a name to be looked up."""
    try:
        address = ip_address(name)
    except ValueError:
        return _old_address(name)
    if isinstance(address, IPv4Address):
        return address
    return _carried(address) or address


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 address end at."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    is_embedded = any(address in network for network in _TRANSLATED)
    is_embedded = is_embedded or (address in _COMPATIBLE and int(address) > 0xFFFF)
    return IPv4Address(int(address) & 0xFFFFFFFF) if is_embedded else None


def _old_address(name: str) -> IPv4Address | None:
    """Read what `inet_aton` takes besides: `2852039166`, `0xa9fea9fe`, `169.16689662`, `0251.0376.0251.0376`."""
    parts = name.split(".")
    if len(parts) > 4:
        return None
    numbers = [_number(part) for part in parts]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return None
    *first, last = known
    if any(number > 0xFF for number in first) or last >= 256 ** (5 - len(known)):
        return None
    return IPv4Address(sum(number << (24 - 8 * place) for place, number in enumerate(first)) + last)


def _number(text: str) -> int | None:
    match = _NUMBER.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        return None
    if match["hexadecimal"] is not None:
        return int(match["hexadecimal"] or "0", 16)
    return int(match["octal"], 8) if match["octal"] is not None else int(match["decimal"])
