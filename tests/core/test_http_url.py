"""Which texts are addresses that HTTP can ask: one answer for settings, rules, receivers and links."""

import pytest

from alertd.core.http_url import has_login, host_in_ascii, is_http_url, split_http_url


@pytest.mark.parametrize(
    ("text", "is_url"),
    [
        pytest.param("https://example.com", True, id="a host"),
        pytest.param("http://10.0.0.1:9093/hook?a=b#c", True, id="an address, a port, a query"),
        pytest.param("https://[2001:db8::1]:8443/x", True, id="IPv6"),
        pytest.param("HTTPS://EXAMPLE.COM", True, id="capitals"),
        pytest.param("http://1.example:80", True, id="a label that is a number"),
        pytest.param("http://0xcafe.example", True, id="a label that looks like a number"),
        pytest.param("http://127.1", False, id="an address with a part left out"),
        pytest.param("http://2130706433", False, id="an address as one number"),
        pytest.param("http://0x7f000001", False, id="an address in hexadecimal"),
        pytest.param("http://127.0.0.0X1.", False, id="its last part in hexadecimal"),
        pytest.param("http://0x", False, id="its beginning alone, which counts as 0"),
        pytest.param(f"http://{'a.' * 126}a", True, id="as long as a name may be"),
        pytest.param(f"http://{'a.' * 126}aa", False, id="longer than a name may be"),
        pytest.param("", False, id="nothing"),
        pytest.param("example.com/hook", False, id="no scheme"),
        pytest.param("ftp://example.com", False, id="another scheme"),
        pytest.param("https://", False, id="no host"),
        pytest.param("https://:443/x", False, id="a port without a host"),
        pytest.param("https://example.com:0", False, id="port 0"),
        pytest.param("https://example.com:99999", False, id="a port that does not exist"),
        pytest.param("https://example.com:https", False, id="a port in words"),
        pytest.param("https://[2001:db8::1/x", False, id="a bracket that does not close"),
        pytest.param("https://example.com/a b", False, id="a blank"),
        pytest.param("https://example.com/a\n", False, id="a line end, as a file of a secret has"),
        pytest.param("https://example.com/\x1b[0m", False, id="a control character"),
        pytest.param("https://münchen.example", False, id="letters that no request line takes"),
    ],
)
def test_url_then_whether_it_can_be_asked(text: str, is_url: bool) -> None:
    """A URL that fails at the first alert is worse than none."""
    assert is_http_url(text) is is_url


@pytest.mark.parametrize(
    ("text", "is_given"),
    [
        ("https://user:pass@host", True),
        ("https://user@host", True),
        ("https://@host", True),
        ("https://host/@x", False),
    ],
)
def test_login_then_found_where_it_stands(text: str, is_given: bool) -> None:
    """An @ in the path is none."""
    parts = split_http_url(text)
    assert parts is not None
    assert has_login(parts) is is_given


@pytest.mark.parametrize(
    ("text", "host"),
    [
        pytest.param("https://münchen.example/x", "xn--mnchen-3ya.example", id="letters beyond ASCII"),
        pytest.param("https://MÜNCHEN.example/X", "xn--mnchen-3ya.example", id="capitals"),
        pytest.param("https://munich.example", "", id="nothing to respell"),
        pytest.param("https://munich.example/straße", "", id="letters elsewhere"),
        pytest.param("https://münchen.example/a b", "", id="another mistake besides"),
        pytest.param("https://münchen..example", "", id="no name in any spelling"),
    ],
)
def test_host_when_its_letters_are_all_that_is_wrong_then_its_other_spelling_is_offered(text: str, host: str) -> None:
    """Whoever pasted the address from a browser need not know how it is spelt on the wire."""
    assert host_in_ascii(text) == host
