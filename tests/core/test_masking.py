"""Secrets are hidden by one set of rules, in whatever form a text repeats them."""

import pytest

from alertd.core.masking import Mask, passwords_of, secrets_of


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        pytest.param("hunter2", "is hunter2 right?", "is ******** right?", id="as it is written"),
        pytest.param("hunter2", "myhunter2x", "my********x", id="inside a word"),
        pytest.param("p%40ss/word", "p@ss/word", "********", id="decoded"),
        pytest.param("p@ss/word", "at p%40ss%2Fword", "at ********", id="percent-encoded"),
        pytest.param("me", "some text, me: me!", "some text, ********: ********!", id="a short one as a word alone"),
        pytest.param("/x", "at host/x or /xy", "at host******** or /xy", id="a short one with a slash"),
        pytest.param("a.c", "abc a.c", "abc ********", id="as text, not as a pattern"),
        pytest.param("", "nothing", "nothing", id="an empty one"),
    ],
)
def test_text_when_it_repeats_a_secret_then_stars(secret: str, text: str, shown: str) -> None:
    """Servers and libraries repeat what they were given in forms of their own."""
    assert Mask([secret, None])(text) == shown


def test_text_when_one_secret_contains_another_then_nothing_of_the_longer_is_left() -> None:
    """The shorter one would leave the rest of the longer one to be read."""
    assert Mask(["secret", "secret-and-more"])("secret-and-more") == "********"


@pytest.mark.parametrize(
    ("url", "passwords"),
    [
        pytest.param("postgresql://me:hun%2Fter@db/x", ("hun%2Fter", "hun/ter"), id="in the login"),
        pytest.param("postgresql://db/x?password=a+b%21", ("a+b!", "a+b%21"), id="as an option, where a plus is one"),
        pytest.param("postgresql://db/x?sslpassword=key&a=b", ("key",), id="of the client's key"),
        pytest.param("postgresql://db/x?pass%77ord=odd", ("odd",), id="an option whose name is encoded"),
        pytest.param("postgresql://me@db/x?application_name=alertd", (), id="none"),
        pytest.param("http://[::1", (), id="not a URL"),
    ],
)
def test_url_when_it_holds_passwords_then_all_of_them(url: str, passwords: tuple[str, ...]) -> None:
    """A password that one reader of the URL overlooks is shown by it."""
    assert passwords_of(url) == passwords


@pytest.mark.parametrize(
    ("url", "text"),
    [
        pytest.param("https://h.example/services/T0/xyz", "no hook services/T0/xyz", id="its path"),
        pytest.param("https://h.example/p?key=canary-1", "bad key canary-1", id="an option of it"),
        pytest.param("https://h.example/p?canary-2", "bad canary-2", id="its query"),
        pytest.param("https://me:canary-3@h.example/", "login canary-3", id="its password"),
    ],
)
def test_url_when_it_is_a_secret_then_no_part_of_it_is_shown(url: str, text: str) -> None:
    """Many services identify a sender by the URL alone."""
    shown = Mask(secrets_of(url))(f"{text} at {url}")
    assert "canary" not in shown
    assert "xyz" not in shown


def test_url_when_a_part_of_its_path_is_known_then_that_is_shown() -> None:
    """The path of an API is no secret, and says where a request went."""
    found = secrets_of("https://am.example/team/api/v2/alerts", known_path="/api/v2/alerts")
    assert Mask(found)("POST /api/v2/alerts") == "POST /api/v2/alerts"
