"""`NO_PROXY` means what curl and browsers take it for."""

from urllib.parse import urlsplit

import pytest

from alertd.settings.outgoing.proxies import is_bypassed, parse_bypass


def bypassed(text: str, url: str) -> bool:
    parts = urlsplit(url)
    return is_bypassed(parse_bypass(text), scheme=parts.scheme, host=parts.hostname or "", port=parts.port)


@pytest.mark.parametrize(
    ("text", "url", "expected"),
    [
        ("example.com", "https://example.com/x", True),
        ("example.com", "https://hooks.example.com/x", True),
        ("example.com", "https://badexample.com/x", False),
        (".example.com", "https://hooks.example.com/", True),
        (".example.com", "https://example.com/", True),
        ("*.example.com", "https://a.b.example.com/", True),
        ("EXAMPLE.com.", "https://Example.COM/", True),
        ("a.test, example.com", "https://example.com/", True),
        ("a.test example.com", "https://example.com/", True),
        ("a.test;example.com", "https://example.com/", True),
        (" , ,example.com,, ", "https://example.com/", True),
        ("*", "https://anything.test/", True),
        ("10.0.*", "https://10.0.3.4/", True),
        ("*internal*", "https://x.internal.test/", True),
        ("<local>", "https://intranet/", True),
        ("<local>", "https://intranet.test/", False),
        ("10.0.0.0/8", "https://10.9.8.7/", True),
        ("10.1.2.3/8", "https://10.9.8.7/", True),
        ("10.0.0.0/8", "https://11.0.0.1/", False),
        ("10.0.0.0/8", "https://10.example.com/", False),
        ("192.168.1.7", "https://192.168.1.7/", True),
        ("192.168.1.7", "https://192.168.1.70/", False),
        ("fd00::/8", "https://[fd12::1]/", True),
        ("[fd00::]/8", "https://[fd12::1]/", True),
        ("[2001:db8::1]", "https://[2001:db8:0::1]/", True),
        ("2001:db8::1", "https://[2001:db8::1]:8443/", True),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443/", True),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]/", False),
        ("10.0.0.1", "https://[::ffff:10.0.0.1]/", True),
        ("example.com:8443", "https://example.com:8443/", True),
        ("example.com:8443", "https://example.com/", False),
        ("example.com:443", "https://example.com/", True),
        ("10.0.0.1:80", "http://10.0.0.1/", True),
        ("https://example.com", "https://example.com/", True),
        ("https://example.com", "http://example.com/", False),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        ("", "https://localhost/", True),
        ("", "http://127.9.9.9:8090/", True),
        ("", "http://[::1]:8090/", True),
        ("", "https://example.com/", False),
        ("wss.example.com", "wss://wss.example.com/link", True),
    ],
)
def test_bypass_list_when_read_then_covers_what_curl_and_browsers_let_past(text: str, url: str, expected: bool) -> None:
    """Each form is in use somewhere; loopback has no proxy that could reach it."""
    assert bypassed(text, url) is expected


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "example.com:99999", "example.com:0", "exa mple.com,[::1", "fd00::/129", "a/b", "http://"]
)
def test_bypass_list_when_an_entry_means_nothing_then_it_is_shown(text: str) -> None:
    """An entry that is passed over sends requests where they must not go."""
    with pytest.raises(ValueError, match=r"is not a host, domain, network or address; write example\.com"):
        parse_bypass(text)
