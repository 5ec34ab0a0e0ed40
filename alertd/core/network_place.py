"""
Whether a host is this machine, a link-local address or a cloud's metadata service, without any lookup.

People who may edit the rules may choose where messages go. Metadata services hand out credentials to every program on
their machine, so a rules file must not be able to address one, under any spelling of its address.
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
            "192.0.0.192",  # Oracle Cloud, formerly
            "fd00:ec2::254",  # AWS
            "fd00:42::42",  # Scaleway
            "fd00:c1::a9fe:a9fe",  # Oracle Cloud
            "fd20:ce::254",  # Google Cloud
        ),
    )
)
PLAIN_HTTP = "a secret would leave without encryption; write https://"
"""The error text for a URL that `sends_in_clear`."""
OFF_LIMITS_PLACE = "a link-local address or a cloud's metadata service, to which alertd sends nothing"
OFF_LIMITS = f"this is {OFF_LIMITS_PLACE}"
"""The error text for a host that is off limits."""
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96")))
"""Networks whose last 32 bits are an IPv4 address: RFC 6052, RFC 8215, RFC 2765."""
_COMPATIBLE = IPv6Network("::/96")
_NUMBER = re.compile(r"0[xX](?P<hexadecimal>[0-9a-fA-F]*)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*)")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, so that nothing sent to it crosses a network."""
    name = host.rstrip(".").casefold()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


def sends_in_clear(url: str) -> bool:
    """Return whether data sent to a URL could be read in transit: it uses plain HTTP to another machine."""
    parts = split_http_url(url)
    return parts is not None and parts.scheme == "http" and not is_loopback(parts.hostname or "")


def is_off_limits(host: str) -> bool:
    """Return whether a host, by name or address, is link-local or a cloud's metadata service."""
    name = host.rstrip(".").casefold()
    if name in _METADATA_NAMES or (name.startswith("instance-data") and name.endswith(_METADATA_SUFFIXES)):
        return True
    # Only link-local addresses have a zone, and no other host contains a percent sign.
    if "%" in name:
        return True
    address = _address(name)
    return address is not None and (address.is_link_local or address in _METADATA_PLACES)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host spells, as the system would parse it; None for a name that needs a lookup."""
    try:
        address = ip_address(name)
    except ValueError:
        return _old_address(name)
    if isinstance(address, IPv4Address):
        return address
    return _carried(address) or address


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address to which packets for an IPv6 address are delivered; None if there is none."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    is_embedded = any(address in network for network in _TRANSLATED)
    is_embedded = is_embedded or (address in _COMPATIBLE and int(address) > 0xFFFF)
    return IPv4Address(int(address) & 0xFFFFFFFF) if is_embedded else None


def _old_address(name: str) -> IPv4Address | None:
    """Parse other forms that `inet_aton` accepts: `2852039166`, `0xa9fea9fe`, `169.16689662`, `0251.0376.0251.0376`."""
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
