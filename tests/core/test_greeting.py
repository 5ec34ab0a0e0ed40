"""How this host names itself to mail servers: never by a name that they cannot know."""

import socket

import pytest

from alertd.core.greeting import address_literal, is_greeting
from alertd.notify.email.smtp import greeting


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("alertd.example.com", True),
        ("a-1.b.example", True),
        ("[192.0.2.1]", True),
        ("[IPv6:2001:db8::1]", True),
        ("[ipv6:2001:db8::1]", True),
        ("localhost", False),
        ("localhost.localdomain", False),
        ("x.localhost", False),
        ("alertd", False),
        ("192.0.2.1", False),
        ("[2001:db8::1]", False),
        ("[IPv6:192.0.2.1]", False),
        ("[999.1.1.1]", False),
        ("1.0.0.0.ip6.arpa", False),
        ("-a.example.com", False),
        ("a_b.example.com", False),
        ("a b.example.com", False),
        ("a.example.com\r\nMAIL FROM:<x>", False),
        ("münchen.example", False),
        ("a." * 130 + "example", False),
        ("", False),
    ],
)
def test_text_then_whether_servers_take_it(text: str, is_one: bool) -> None:
    """A full host name or an address literal. Source: RFC 5321, 4.1.1.1."""
    assert is_greeting(text) is is_one


@pytest.mark.parametrize(
    ("address", "literal"),
    [
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("::ffff:192.0.2.1", "[192.0.2.1]"),
        ("fe80::1%eth0", "[IPv6:fe80::1]"),
    ],
)
def test_address_then_as_a_greeting_writes_it(address: str, literal: str) -> None:
    """What the server sees the connection come from."""
    assert address_literal(address) == literal
    assert is_greeting(literal)


@pytest.mark.parametrize(
    ("name", "greets"),
    [
        ("host.example.com", "host.example.com"),
        ("host.example.com.", "host.example.com"),
        ("localhost", "[192.0.2.7]"),
        ("localhost.localdomain", "[192.0.2.7]"),
        ("bare", "[192.0.2.7]"),
    ],
)
async def test_host_then_greets_by_its_full_name_else_its_address(
    name: str, greets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers are called localhost, or by a bare id."""
    monkeypatch.setattr(socket, "getfqdn", lambda: name)
    assert await greeting(None, "192.0.2.7") == greets
    assert await greeting("mail.example.org", "192.0.2.7") == "mail.example.org"
