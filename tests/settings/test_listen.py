"""Where to listen, and who may ask: decisions from settings and headers alone."""

import socket

import pytest

from alertd.errors import SettingsError
from alertd.settings.listen import Listen, parse_listen
from alertd.web.server import socket_for_both


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


TOKEN = "sixteen-letters!"
PASSED_ON = [
    "Forwarded",
    "X-Forwarded-For",
    "x-forwarded-proto",
    "X-Forwarded-Client-Cert",
    "X-Real-IP",
    "Via",
    "CF-Connecting-IP",
    "CF-Ray",
    "True-Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "Fastly-Client-IP",
    "X-Original-Forwarded-For",
    "X-Envoy-External-Address",
    "CDN-Loop",
    "X-Azure-ClientIP",
    "Fly-Client-IP",
    "X-Amzn-Trace-Id",
    "X-ProxyUser-Ip",
    "X_Forwarded_For",
    "x_real_ip",
    "Forwarded-For",
    "X-Forward-For",
    "Max-Forwards",
    "WL-Proxy-Client-IP",
    "Proxy-Client-IP",
    "X-Originating-IP",
    "X-SSL-Client-Cert",
    "X-Auth-Request-User",
    "Remote-User",
    "EO-Connecting-IP",
]


@pytest.mark.parametrize(
    ("path", "headers", "peer", "needs"),
    [
        pytest.param("/", {"Host": "localhost"}, "127.0.0.1", False, id="this host reads"),
        pytest.param("/metrics", {"Host": "[::1]:9464"}, "::1", False, id="by version 6"),
        pytest.param("/", {"Host": "alertd.example.com"}, "127.0.0.1", True, id="the external name"),
        pytest.param("/", {"Host": "localhost"}, "192.0.2.1", True, id="from elsewhere"),
        pytest.param("/", {"Host": "localhost"}, "", True, id="from nobody knows where"),
        *(
            pytest.param("/", {"Host": "localhost", name: "x"}, "127.0.0.1", True, id=f"passed on with {name}")
            for name in PASSED_ON
        ),
        pytest.param("/readyz", {"Host": "localhost", "Via": "x"}, "192.0.2.1", False, id="a probe"),
    ],
)
def test_reading_without_a_token_then_only_for_this_host_itself(
    path: str, headers: dict[str, str], peer: str, needs: bool
) -> None:
    """What an account spends is not for everybody on the network."""
    found = Listen(host="127.0.0.1", port=9464, external_url="https://alertd.example.com")
    assert found.needs_token(path=path, headers=headers, peer=peer) == needs


def test_reading_when_a_token_is_set_then_needs_it_from_everywhere_unless_public() -> None:
    """A proxy as it is installed passes requests on that look like this host's own."""
    own = {"Host": "127.0.0.1:9464"}
    found = Listen(host="127.0.0.1", port=9464, token=TOKEN)
    assert found.needs_token(path="/", headers=own, peer="127.0.0.1")
    assert not found.needs_token(path="/healthz", headers=own, peer="127.0.0.1")
    public = Listen(host="0.0.0.0", port=9464, token=TOKEN, public_read=True)
    assert not public.needs_token(path="/", headers={**own, "Via": "x"}, peer="192.0.2.1")


def test_reading_when_asked_in_the_old_http_of_proxies_then_not_open() -> None:
    """nginx without a line of configuration adds no header, and speaks HTTP/1.0."""
    found = Listen(host="127.0.0.1", port=9464)
    assert found.needs_token(path="/", headers={"Host": "127.0.0.1:9464"}, peer="127.0.0.1", is_http_1_0=True)


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "0.0.0.0:1"])
def test_token_when_short_then_refused_with_a_command_that_makes_one(listen: str) -> None:
    """What can be guessed is worse than none: it looks like a lock."""
    short = TOKEN[:-1]
    with pytest.raises(SettingsError, match=r"ALERTD_HTTP_TOKEN: has 15 characters and needs 16.*token_urlsafe") as why:
        parse_listen(listen, token=short)
    assert short not in str(why.value)
    assert parse_listen(listen, token=TOKEN) is not None


def test_listen_when_shown_then_without_its_token() -> None:
    """A trace may show any object."""
    assert "canary" not in repr(parse_listen("127.0.0.1:1", token="canary-0123456789"))


def test_listen_when_it_reaches_further_without_a_token_then_refused() -> None:
    """Whoever opens it to the network must mean it."""
    with pytest.raises(SettingsError, match="set ALERTD_HTTP_TOKEN too"):
        parse_listen("192.0.2.1:9464", token="")
    assert parse_listen("192.0.2.1:9464", token=TOKEN) is not None
    assert parse_listen("off", token="") is None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this system has no IPv6")
def test_socket_when_for_every_address_then_ipv4_and_ipv6_reach_it() -> None:
    """`[::]` is what people write for "everywhere"."""
    with socket_for_both(0) as listening:
        port = listening.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), timeout=10).close()
