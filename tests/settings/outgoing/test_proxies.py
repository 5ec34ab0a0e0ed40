"""Which proxy a URL goes through, and what is said of a variable that no client could use."""

import pytest

from alertd.errors import SettingsError
from alertd.settings.outgoing import proxies
from alertd.settings.outgoing.connections import Outgoing

URL = "https://api.novita.ai/openapi"


def proxy_of(environment: dict[str, str], url: str = URL) -> str | None:
    found = Outgoing.from_environment(environment).proxy_for(url)
    return None if found is None else found.url


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        pytest.param({}, URL, None, id="nothing set"),
        pytest.param({"HTTPS_PROXY": "http://p:3128"}, URL, "http://p:3128", id="as it is"),
        pytest.param({"HTTPS_PROXY": "p:3128"}, URL, "http://p:3128", id="no scheme means http, as in curl"),
        pytest.param({"HTTPS_PROXY": "p"}, URL, "http://p", id="a name alone"),
        pytest.param({"HTTPS_PROXY": " http://p:3128/ "}, URL, "http://p:3128", id="blanks and a slash"),
        pytest.param({"HTTPS_PROXY": "HTTP://p:3128"}, URL, "http://p:3128", id="capitals"),
        pytest.param({"HTTPS_PROXY": "https://u:p%40w@p:3128"}, URL, "https://u:p%40w@p:3128", id="a login"),
        pytest.param({"HTTPS_PROXY": "http://[2001:db8::9]:3128"}, URL, "http://[2001:db8::9]:3128", id="IPv6"),
        pytest.param({"https_proxy": "http://a", "HTTPS_PROXY": "http://b"}, URL, "http://a", id="small letters first"),
        pytest.param({"https_proxy": "", "HTTPS_PROXY": "http://b"}, URL, "http://b", id="set to nothing is not set"),
        pytest.param({"HTTPS_PROXY": " "}, URL, None, id="blanks are nothing"),
        pytest.param({"HTTP_PROXY": "http://a"}, URL, None, id="that of http is for http"),
        pytest.param({"HTTP_PROXY": "http://a"}, "http://x.test/", "http://a", id="plain http"),
        pytest.param({"ALL_PROXY": "http://a"}, URL, "http://a", id="one for all"),
        pytest.param({"ALL_PROXY": "http://a", "HTTPS_PROXY": "http://b"}, URL, "http://b", id="its own goes first"),
        pytest.param({"HTTPS_PROXY": "http://a"}, "wss://wss-primary.slack.com/x", "http://a", id="sockets of Slack"),
        pytest.param({"HTTPS_PROXY": "http://a", "NO_PROXY": "novita.ai"}, URL, None, id="let past"),
        pytest.param({"HTTP_PROXY": "http://a"}, "http://127.0.0.1:8090/", None, id="loopback"),
        pytest.param({"HTTPS_PROXY": "socks5h://p:1080"}, URL, "socks5h://p:1080", id="SOCKS"),
        pytest.param({"NO_PROXY": "10.0.0.0/99"}, URL, None, id="without a proxy nobody reads the list"),
    ],
)
def test_proxy_when_variables_are_set_then_chosen_as_curl_does(
    environment: dict[str, str], url: str, expected: str | None
) -> None:
    """Whoever set them has tried them with curl."""
    assert proxy_of(environment, url) == expected


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param({"HTTPS_PROXY": "ftp://x:1"}, 'HTTPS_PROXY: "ftp://x:1" is of a kind that is not supported (ftp)'),
        pytest.param({"HTTP_PROXY": "socks4://x:1"}, "HTTP_PROXY: "),
        pytest.param({"ALL_PROXY": "socks://x:1"}, "not supported (socks)"),
        pytest.param({"https_proxy": "http://x:99999"}, 'https_proxy: "http://x:99999" is not a proxy\'s URL'),
        pytest.param({"HTTPS_PROXY": "http://x:port"}, "write http://proxy.example.com:3128, or unset it"),
        pytest.param({"HTTPS_PROXY": "http://[::1"}, "HTTPS_PROXY: "),
        pytest.param({"HTTPS_PROXY": "http://"}, "HTTPS_PROXY: "),
        pytest.param({"HTTPS_PROXY": "http://a b:1"}, "HTTPS_PROXY: "),
        pytest.param({"HTTPS_PROXY": "http://p\x1b[2J:1"}, "\\x1b[2J"),
        pytest.param({"HTTPS_PROXY": "file:///etc/passwd"}, "HTTPS_PROXY: "),
        pytest.param({"HTTPS_PROXY": "http://.:1"}, "HTTPS_PROXY: "),
        pytest.param({"HTTPS_PROXY": "http://p", "NO_PROXY": "a/\x1b[2J"}, 'NO_PROXY: "a/\\x1b[2J"'),
        pytest.param({"HTTPS_PROXY": "http://p", "NO_PROXY": "a/" * 5_000}, '/a…" is not a host'),
        pytest.param({"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/33"}, 'NO_PROXY: "10.0.0.0/33" is not a host'),
    ],
)
def test_proxy_when_no_client_could_use_it_then_one_line_names_variable_value_and_remedy(
    environment: dict[str, str], words: str
) -> None:
    """Libraries would raise in the middle of the first request."""
    with pytest.raises(SettingsError) as caught:
        Outgoing.from_environment(environment)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert "\x1b" not in str(caught.value)


def test_proxies_when_several_are_wrong_then_each_has_its_line_and_no_password() -> None:
    """All at once; and a login stands in many a proxy's URL."""
    with pytest.raises(SettingsError) as caught:
        Outgoing.from_environment({"HTTP_PROXY": "ftp://u:canary@x:1", "HTTPS_PROXY": "canary:pw@x:99999"})
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["HTTP_PROXY", "HTTPS_PROXY"]
    assert "canary" not in str(caught.value)


def test_socks_when_its_packages_are_missing_then_the_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base installation has none of them."""
    monkeypatch.setattr(proxies, "_SOCKS_PACKAGES", ("no_such_package",))
    with pytest.raises(SettingsError, match=r'HTTPS_PROXY: "socks5://x:1" is a SOCKS proxy.*alertd\[socks\]'):
        Outgoing.from_environment({"HTTPS_PROXY": "socks5://u:canary@x:1"})
