"""The guard over real HTTP: who is answered, how one signs in, and that no other site's page can have anything done."""

import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs
from yarl import URL

from alertd.errors import StoreError
from alertd.settings.listen import Listen
from alertd.web.guard import Guard
from alertd.web.server import serve
from alertd.web.session import SESSION_S, Notice, Sessions, clean_name
from alertd.web.standby import StandbyPages
from tests.web.house import TOKEN, Account, House, house, usual_rows

EXTERNAL = "https://alertd.example.com"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    # One alert and its page are enough to guard.
    async with house(tmp_path, account=Account(rows=usual_rows()[:20])) as found:
        yield found


async def test_page_then_its_headers_let_nothing_foreign_in(home: House) -> None:
    """What a customer's bill says can run no script, whatever a template forgets."""
    async with home.session.get(f"{home.url}/", headers={"Accept": "text/html"}) as answer:
        headers, text = answer.headers, await answer.text()
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "alertd"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert " style=" not in text
    assert " onclick=" not in text


async def test_files_then_are_kept_for_good_under_their_own_path(home: House) -> None:
    """An open page asks for figures only; another version has other paths."""
    _, text = await home.get("/")
    paths = {part.partition('"')[0] for part in text.split('="') if part.startswith("/static/")}
    assert len(paths) == 5
    for path in paths:
        async with home.session.get(f"{home.url}{path}") as answer:
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            content = await answer.read()
        async with home.session.get(
            f"{home.url}{path}", headers={"Accept-Encoding": "identity"}, auto_decompress=False
        ) as answer:
            assert ("Content-Encoding" in answer.headers, await answer.read()) == (False, content)
    stale = paths.pop().replace("/static/", "/static/0")
    assert (await home.get(stale))[0] == 404
    assert (await home.get("/static/x/..%2f..%2fserver.py"))[0] == 404


async def test_page_when_the_browser_can_then_it_comes_compressed(home: House) -> None:
    """A phone on a train waits for a fifth of the bytes."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        headers = {"Accept": "text/html", "Accept-Encoding": "gzip"}
        async with session.get(f"{home.url}/", headers=headers) as answer:
            content = await answer.read()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(content) * 3 < len(gzip.decompress(content))


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("GET", "/", {"Host": "evil.example"}, 421, id="another name"),
        pytest.param("POST", "/login", {"Host": "evil.example"}, 421, id="another name, signing in"),
        pytest.param("GET", "/nothing", {}, 404, id="no such page"),
        pytest.param("POST", "/", {}, 405, id="another method"),
        pytest.param("DELETE", "/alerts/1234", {}, 405, id="another method still"),
        pytest.param("GET", "/alerts/1234/acknowledge", {}, 405, id="a link cannot acknowledge"),
        pytest.param("POST", "/alerts/1234/acknowledge", {}, 401, id="nobody acknowledges"),
        pytest.param("POST", "/alerts/1234/silence", {}, 401, id="nobody silences"),
        pytest.param("POST", "/silences/1234/expire", {}, 401, id="nobody ends a silence"),
        pytest.param("POST", "/logout", {}, 401, id="nobody signs out"),
        pytest.param("POST", "/logout", {"Authorization": "Bearer wrong"}, 401, id="a wrong token"),
        pytest.param("POST", "/logout", {"Authorization": "Bearer \xff"}, 401, id="no text at all"),
        pytest.param("POST", "/logout", {"Cookie": "alertd_session=1.2.3.4"}, 401, id="a made-up session"),
    ],
)
async def test_request_when_it_must_not_be_answered_then_refused_in_its_own_language(
    home: House, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """A person gets a page with words, a program one line, and neither a trace."""
    for accept in ("text/html", "*/*"):
        sent = {"Accept": accept, **headers}
        async with home.session.request(method, f"{home.url}{path}", headers=sent, allow_redirects=False) as answer:
            text = await answer.text()
        assert answer.status == status, text
        assert "Traceback" not in text
        assert text.startswith("<!DOCTYPE html>") == (accept == sent["Accept"] == "text/html" and status >= 400)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        pytest.param({}, {}, 303, id="our own form"),
        pytest.param({}, {"Origin": "self", "Sec-Fetch-Site": "same-origin"}, 303, id="our own form in a browser"),
        pytest.param({"csrf": ""}, {}, 403, id="without the form's mark"),
        pytest.param({"csrf": "0" * 64}, {}, 403, id="another mark"),
        pytest.param({}, {"Origin": "http://evil.example"}, 403, id="another site"),
        pytest.param({}, {"Origin": "null"}, 403, id="a site that hides"),
        pytest.param({}, {"Sec-Fetch-Site": "cross-site"}, 403, id="another site, as the browser says"),
        pytest.param({}, {"Sec-Fetch-Site": "same-site"}, 403, id="a neighbour"),
    ],
)
async def test_write_when_another_site_sends_it_then_refused(
    home: House, fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    """Somebody signed in must be able to open any page of the world."""
    csrf = await home.sign_in()
    sent = {name: home.url if text == "self" else text for name, text in headers.items()}
    data = {"csrf": csrf, "back": "/", **fields}
    path = f"{home.url}/alerts/{home.alert().fingerprint}/acknowledge"
    async with home.session.post(path, data=data, headers=sent, allow_redirects=False) as answer:
        assert answer.status == status
    assert (home.alert().acknowledged_by is not None) == (status == 303)


async def test_sign_in_then_the_cookie_is_kept_from_scripts_and_other_sites(home: House) -> None:
    """A session is as good as the token for twelve hours."""
    fields = {"token": f" {TOKEN}\n", "name": "dana", "next": "/spend?by=team"}
    async with home.session.post(f"{home.url}/login", data=fields, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert (answer.status, answer.headers["Location"]) == (303, "/spend?by=team")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={SESSION_S}"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    headers = {"X-Forwarded-Proto": "https"}
    async with home.session.post(f"{home.url}/login", data=fields, headers=headers, allow_redirects=False) as answer:
        assert "Secure" in answer.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "/\r\nX: y", "", "javascript:x"]
)
async def test_sign_in_when_it_is_to_lead_elsewhere_then_to_the_beginning(home: House, path: str) -> None:
    """A link to our own form must not end on another's page."""
    fields = {"token": TOKEN, "name": "", "next": path}
    async with home.session.post(f"{home.url}/login", data=fields, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")


async def test_sign_out_then_the_session_is_over_even_for_a_copy_of_its_cookie(home: House) -> None:
    """Who leaves a shared screen leaves nothing behind."""
    csrf = await home.sign_in()
    copied = {
        "Cookie": f"alertd_session={home.session.cookie_jar.filter_cookies(URL(home.url))['alertd_session'].value}"
    }
    assert "Sign out" in (await home.get("/"))[1]
    await home.session.post(f"{home.url}/logout", data={"csrf": csrf})
    assert "Sign out" not in (await home.get("/"))[1]
    async with aiohttp.ClientSession() as other, other.get(f"{home.url}/", headers=copied) as answer:
        assert "Sign out" not in await answer.text()


async def guess(home: House, source: str, *, bearer: bool = False) -> tuple[int, str]:
    """Show a wrong token from somewhere behind a proxy of this host."""
    headers = {"X-Forwarded-For": f"198.51.100.1, {source}"} | ({"Authorization": "Bearer guess"} if bearer else {})
    path, data = ("/logout", {}) if bearer else ("/login", {"token": "guess"})
    async with home.session.post(f"{home.url}{path}", data=data, headers=headers) as answer:
        return answer.status, answer.headers.get("Retry-After", "")


@pytest.mark.parametrize("bearer", [False, True], ids=["on the page", "as bearer token"])
async def test_token_when_guessed_then_its_source_waits_and_no_other(home: House, bearer: bool) -> None:
    """Ten guesses a minute find no token, and whoever guesses keeps nobody else out."""
    with capture_logs() as log:
        for _ in range(10):
            assert (await guess(home, "203.0.113.9", bearer=bearer))[0] == 401
        status, wait = await guess(home, "203.0.113.9", bearer=bearer)
        assert (status, 0 < int(wait) <= 61) == (429, True)
        assert (await guess(home, "203.0.113.10", bearer=bearer))[0] == 401
        async with home.session.post(f"{home.url}/login", data={"token": TOKEN}, allow_redirects=False) as answer:
            assert answer.status == 303
    wrong = [(line["event"], line["source"]) for line in log]
    assert wrong == [("wrong token", "203.0.113.9"), ("wrong token", "203.0.113.10")]


async def test_sign_in_when_guessed_then_says_so(home: House) -> None:
    """A person who mistyped reads what is meant, and for how long to wait."""
    for _ in range(10):
        async with home.session.post(f"{home.url}/login", data={"token": "guess"}) as answer:
            assert "That is not the value of" in await answer.text()
    async with home.session.post(f"{home.url}/login", data={"token": TOKEN}) as answer:
        assert (answer.status, "Too many wrong tokens: wait" in await answer.text()) == (429, True)


async def test_reading_when_a_token_is_set_then_asks_for_it_but_probes_need_none(tmp_path: Path) -> None:
    """A person is led to signing in, a program is refused, whether or not a proxy stands before it."""
    async with house(tmp_path, public_read=False) as home:
        for passed_on in ({}, {"X-Forwarded-For": "203.0.113.9"}):
            assert (await home.get("/", **passed_on))[0] == 303
            assert (await home.get("/metrics", Accept="*/*", **passed_on))[0] == 401
            assert (await home.get("/api/v1/alerts", Accept="*/*", Authorization=f"Bearer {TOKEN}"))[0] == 200
            assert (await home.get("/healthz", **passed_on))[0] == 200


async def test_page_when_there_is_no_token_then_shows_the_commands_instead(tmp_path: Path) -> None:
    """Reading needs none on this host; nobody can change anything, and the page says how else."""
    async with house(tmp_path, token="") as home:
        fingerprint = home.alert().fingerprint
        _, text = await home.get(f"/alerts/{fingerprint}")
        assert f"alertd ack {fingerprint}" in text
        assert "Sign in" not in text
        assert "Nobody can sign in" in (await home.get("/login"))[1]
        async with home.session.post(f"{home.url}/login", data={"token": ""}) as answer:
            assert answer.status == 401
        bearer = {"Authorization": "Bearer "}
        async with home.session.post(f"{home.url}/alerts/{fingerprint}/acknowledge", headers=bearer) as answer:
            assert answer.status == 401
        status, text = await home.get("/", **{"X-Forwarded-For": "203.0.113.9"})
        assert (status, "set ALERTD_HTTP_TOKEN" in text) == (403, True)


async def test_page_when_a_proxy_makes_it_known_then_its_name_is_answered_to_those_with_the_token(
    tmp_path: Path,
) -> None:
    """Through the proxy anybody might ask."""
    async with house(tmp_path, external_url=EXTERNAL, public_read=False) as home:
        name = {"Host": "alertd.example.com"}
        assert (await home.get("/", **name))[0] == 303
        # A link from another site comes without the cookie; asked from our own page, the browser sends it.
        status, text = await home.get("/alerts/ab?x=1", **name, **{"Sec-Fetch-Site": "cross-site"})
        assert (status, '<a href="/alerts/ab?x=1">' in text) == (200, True)
        assert (await home.get("/", **name, Authorization=f"Bearer {TOKEN}"))[0] == 200
        assert (await home.get("/", Host="alertd.example.org"))[0] == 421
        fields = {"token": TOKEN, "name": "dana", "next": "/"}
        headers = {**name, "Origin": EXTERNAL}
        async with home.session.post(
            f"{home.url}/login", data=fields, headers=headers, allow_redirects=False
        ) as answer:
            assert (answer.status, "Secure" in answer.headers["Set-Cookie"]) == (303, True)
        async with home.session.post(f"{home.url}/login", data=fields, allow_redirects=False) as answer:
            assert (answer.status, "Secure" in answer.headers["Set-Cookie"]) == (303, False)


async def test_page_when_the_store_fails_then_says_what_to_do(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one page that is looked at when something is wrong must not be a trace."""

    async def fail(*_arguments: object, **_named: object) -> None:
        raise StoreError("alertd.db is damaged; restore a copy: `alertd db backup` makes them")

    monkeypatch.setattr(home.app.gateway, "call", fail)
    status, text = await home.get("/")
    assert (status, "restore a copy" in text) == (503, True)

    async def trip(*_arguments: object, **_named: object) -> None:
        raise TypeError("not callable")

    monkeypatch.setattr(home.app.gateway, "call", trip)
    status, text = await home.get("/")
    assert (status, "TypeError" in text) == (500, False)


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def test_session_when_its_time_is_over_then_it_is_none() -> None:
    """A laptop that was left open is no key for ever."""
    watch = Watch()
    sessions = Sessions(TOKEN, timer=watch)
    cookie = sessions.open(TOKEN, "dana")
    assert cookie is not None
    watch.s += SESSION_S - 1
    visitor = sessions.visitor(cookie)
    assert visitor is not None
    assert visitor.name == "dana"
    watch.s += 1
    assert sessions.visitor(cookie) is None


def test_session_when_others_sign_out_later_then_it_stays_ended() -> None:
    """A cookie that was copied must not come back to life because somebody else leaves."""
    watch = Watch()
    sessions = Sessions(TOKEN, timer=watch)
    cookies = [sessions.open(TOKEN, name) or "" for name in ("dana", "kim", "lee")]
    for cookie in cookies:
        visitor = sessions.visitor(cookie)
        assert visitor is not None
        sessions.end(visitor)
        watch.s += 60
    assert [sessions.visitor(cookie) for cookie in cookies] == [None, None, None]


def test_session_when_another_one_is_open_then_neither_takes_the_others_form_end_or_word() -> None:
    """Two people at one page: what one of them may do is not the other's."""
    sessions = Sessions(TOKEN, timer=Watch())
    dana, kim = (sessions.visitor(sessions.open(TOKEN, name) or "") for name in ("dana", "kim"))
    assert dana is not None
    assert kim is not None
    assert sessions.is_csrf_of(dana, dana.csrf)
    assert not sessions.is_csrf_of(dana, kim.csrf)
    assert not sessions.is_csrf_of(dana, "")
    sessions.note(dana, Notice(text="done", is_done=True))
    assert sessions.take_notice(kim) is None
    assert sessions.take_notice(dana) == Notice(text="done", is_done=True)
    assert sessions.take_notice(dana) is None


async def test_page_when_asked_by_a_wrong_method_then_says_which_it_has(home: House) -> None:
    """RFC 9110, 15.5.6: an answer of 405 names them."""
    async with home.session.delete(f"{home.url}/spend", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")


def test_session_when_anything_of_the_cookie_is_changed_then_it_is_none() -> None:
    """Neither its end nor its name can be written by who holds it; nor does another process know it."""
    sessions = Sessions(TOKEN, timer=Watch())
    cookie = sessions.open(TOKEN, "dana") or ""
    assert sessions.visitor(cookie) is not None
    for place in range(len(cookie)):
        assert sessions.visitor(f"{cookie[:place]}{'0' if cookie[place] != '0' else '1'}{cookie[place + 1 :]}") is None
    assert Sessions(TOKEN, timer=Watch()).visitor(cookie) is None
    assert sessions.visitor("") is None
    assert sessions.visitor("\udcff.\udcff") is None


def test_source_when_a_minute_has_passed_then_it_may_try_again() -> None:
    """Guessing slows signing in, it does not lock it."""
    watch = Watch()
    sessions = Sessions(TOKEN, timer=watch)
    for _ in range(10):
        sessions.note_failure("198.51.100.1")
        watch.s += 1
    assert sessions.wait_s("198.51.100.1") == timedelta(minutes=1).total_seconds() - 9
    assert sessions.wait_s("198.51.100.2") == 0
    watch.s += timedelta(minutes=1).total_seconds() - 9
    assert sessions.wait_s("198.51.100.1") == 0


def test_sources_when_there_are_very_many_then_the_first_are_forgotten() -> None:
    """Who has a network of addresses must not fill memory with them."""
    sessions = Sessions(TOKEN, timer=Watch())
    for number in range(3000):
        for _ in range(10):
            sessions.note_failure(str(number))
    assert sessions.wait_s("0") == 0
    assert sessions.wait_s("2999") > 0


def test_source_when_it_goes_on_then_others_are_forgotten_before_it() -> None:
    """However long ago it began: else whoever guesses from many addresses gets rid of the wait for one."""
    sessions = Sessions(TOKEN, timer=Watch())
    for source in [*["guesser"] * 10, *map(str, range(1000)), "guesser", *map(str, range(1000, 1100))]:
        sessions.note_failure(source)
    assert sessions.wait_s("guesser") > 0


def test_sessions_when_shown_then_hold_no_secret() -> None:
    """A trace may show any object."""
    assert TOKEN not in repr(Sessions(TOKEN, timer=Watch()))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("  Dana\n\tScully ", "Dana Scully", id="one line"),
        pytest.param("a\x1b[31mb\u202e", "a [31mb", id="no control"),
        pytest.param("x" * 100, "x" * 60, id="short"),
    ],
)
def test_name_then_fits_a_history(text: str, name: str) -> None:
    """It is shown in messages, logs and terminals."""
    assert clean_name(text) == name


async def test_page_of_a_daemon_that_stands_by_then_says_so() -> None:
    """Who opens it on the wrong host is notified why there is nothing to see."""
    listen = Listen(host="127.0.0.1", port=0)
    guard = Guard(listen, sessions=Sessions("", timer=Watch()))
    async with serve(listen, guard, StandbyPages(tuple).routes()) as port, aiohttp.ClientSession() as session:
        for accept in ("text/html", "*/*"):
            async with session.get(f"http://127.0.0.1:{port}/", headers={"Accept": accept}) as answer:
                text = await answer.text()
            assert (answer.status, "standing by: another alertd holds the lease" in text) == (503, True)
            assert text.startswith("<!DOCTYPE html>") == (accept == "text/html")
