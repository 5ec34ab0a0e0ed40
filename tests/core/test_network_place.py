"""Where a host is, under every spelling that connecting to it would take."""

import pytest

from alertd.core.network_place import is_loopback, is_off_limits, sends_in_clear


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "169.254.169.254.",
        "2852039166",
        "0xA9FEA9FE",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.16689662",
        "fe80::1",
        "febf::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "METADATA.GOOGLE.INTERNAL.",
        "metadata",
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
        "rancher-metadata",
        "0x00000000a9fea9fe",
        "000000000000000000025177524776",
        "::ffff:0:a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
    ],
)
def test_metadata_when_spelled_anyhow_then_off_limits(host: str) -> None:
    """An attacker writes the address as no filter expects it."""
    assert is_off_limits(host)
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "10.0.0.1",
        "192.168.1.1",
        "169.253.1.1",
        "fd00::1",
        "2001:db8::1",
        "alertmanager",
        "metadata.example.com",
        "2852039165x",
        "1.2.3.4.5",
        "999999999999",
        "08.1.1.1",
        "",
    ],
)
def test_ordinary_host_then_neither(host: str) -> None:
    """Private networks are where many receivers are."""
    assert not is_off_limits(host)
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.0.0.1",
        "127.8.8.8",
        "127.1",
        "0x7f000001",
        "::1",
        "::ffff:127.0.0.1",
    ],
)
def test_this_machine_then_loopback(host: str) -> None:
    """What is sent there passes no wire."""
    assert is_loopback(host)
    assert not is_off_limits(host)


@pytest.mark.parametrize(
    ("url", "is_clear"),
    [
        ("http://example.com/hook", True),
        ("http://10.0.0.1:9093", True),
        ("HTTP://EXAMPLE.COM", True),
        ("http://localhost.example.com", True),
        ("https://example.com/hook", False),
        ("http://127.0.0.1:9093", False),
        ("http://[::1]:9093", False),
        ("http://localhost/hook", False),
        ("nonsense", False),
    ],
)
def test_url_then_whether_others_can_read_along(url: str, is_clear: bool) -> None:
    """TLS or this machine."""
    assert sends_in_clear(url) is is_clear
