"""Where to listen, and who may ask: decisions from settings and headers alone."""

import pytest

from alertd.errors import SettingsError
from alertd.web.listen import Listen, parse_listen


@pytest.mark.parametrize(
    ("listen", "host", "is_refused"),
    [
        pytest.param("127.0.0.1", "127.0.0.1:9464", False, id="loopback"),
        pytest.param("127.0.0.1", "LOCALHOST", False, id="its name"),
        pytest.param("::1", "[::1]:9464", False, id="loopback, version 6"),
        pytest.param("127.0.0.1", "", True, id="no name at all"),
        pytest.param("127.0.0.1", "evil.example:9464", True, id="another name"),
        pytest.param("127.0.0.1", "127.0.0.1.evil.example", True, id="a name that begins like ours"),
        pytest.param("127.0.0.1", "Alertd.example.com", False, id="the name that the proxy makes known"),
        pytest.param("127.0.0.1", "alertd.example.com:80", True, id="the same at another port"),
        pytest.param("0.0.0.0", "anything.example", False, id="beyond loopback the token decides"),
    ],
)
def test_host_then_only_our_own_names(listen: str, host: str, is_refused: bool) -> None:
    """A page in somebody's browser can make it ask this host under a name of its own."""
    found = Listen(host=listen, port=9464, token="t", external_url="https://u:p@alertd.example.com/x")
    assert found.is_host_refused(host) == is_refused


@pytest.mark.parametrize(
    ("listen", "path", "headers", "needs"),
    [
        pytest.param("127.0.0.1", "/", {"Host": "localhost"}, False, id="this host reads"),
        pytest.param("127.0.0.1", "/", {"Host": "alertd.example.com"}, True, id="the external name"),
        pytest.param("127.0.0.1", "/", {"Host": "localhost", "X-Forwarded-For": "::1"}, True, id="passed on"),
        pytest.param("127.0.0.1", "/", {"Host": "localhost", "forwarded": "for=a"}, True, id="passed on, as RFC 7239"),
        pytest.param("0.0.0.0", "/", {"Host": "localhost"}, True, id="beyond loopback"),
        pytest.param("0.0.0.0", "/readyz", {"Host": "localhost"}, False, id="a probe"),
    ],
)
def test_token_then_needed_by_what_may_come_from_elsewhere(
    listen: str, path: str, headers: dict[str, str], needs: bool
) -> None:
    """What an account spends is not for everybody on the network."""
    found = Listen(host=listen, port=9464, token="t", external_url="https://alertd.example.com")
    assert found.needs_token(path=path, headers=headers) == needs


def test_listen_when_shown_then_without_its_token() -> None:
    """A trace may show any object."""
    assert "canary" not in repr(parse_listen("127.0.0.1:1", token="canary"))


def test_listen_when_it_reaches_further_without_a_token_then_refused() -> None:
    """Whoever opens it to the network must mean it."""
    with pytest.raises(SettingsError, match="set ALERTD_HTTP_TOKEN too"):
        parse_listen("192.0.2.1:9464", token="")
    assert parse_listen("192.0.2.1:9464", token="t") is not None
    assert parse_listen("off", token="") is None
