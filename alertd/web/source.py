"""Where a request comes from: the address of the connection, or the one that a nearby proxy reports."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import web

_CLIENT_PREFIX = 64
"""Prefix length of an IPv6 network assigned to one customer, who can choose any address within it."""


def peer_of(request: web.BaseRequest) -> str:
    """Return the address of the other end of the connection; empty if unknown."""
    found = request.transport.get_extra_info("peername") if request.transport is not None else None
    return str(found[0]) if isinstance(found, tuple) and found else ""


def source_of(request: web.BaseRequest) -> str:
    """
    Return the source by which failures are counted: an address, or an IPv6 network.

    Of a local proxy's header only the last entry counts, which the proxy added: visitors can forge the rest.
    """
    peer = peer_of(request)
    address = _address(peer)
    if address is not None and (address.is_loopback or address.is_private):
        said = _address(",".join(request.headers.getall("X-Forwarded-For", ())).rpartition(",")[2].strip())
        address = said or address
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, _CLIENT_PREFIX), strict=False))
    return str(address) if address is not None else peer


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return None
