"""
Guards the HTTP server: which requests are answered, who sends them, and signing in and out.

It refuses foreign host names, requests from other hosts without the token, and writes that another site made a
browser send. Handlers decide about everything else.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlencode, urlsplit

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Middleware

from alertd.errors import AlertdError
from alertd.log import Repeats, get_logger
from alertd.settings.listen import Listen
from alertd.web.connections import Connection
from alertd.web.session import SESSION_S, Sessions, Visitor
from alertd.web.styles import page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
COOKIE = "alertd_session"
STATIC = "/static/"
LOGIN = "/login"
_BEARER = "bearer"
_ANSWER_S = 30.0
"""Seconds for a request's body and its processing: a store that does not answer must not hold connections."""
_MALFORMED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With no referrer at all, browsers would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Runs before every handler of a server."""

    def __init__(self, listen: Listen, *, sessions: Sessions) -> None:
        self._listen = listen
        self._sessions = sessions
        self._trouble = Repeats()

    def routes(self) -> list[web.RouteDef]:
        """Return the paths for signing in and out."""
        return [web.get(LOGIN, self._form), web.post(LOGIN, self._sign_in), web.post("/logout", self._sign_out)]

    @property
    def middleware(self) -> Middleware:
        """The middleware for every request."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if isinstance(request.protocol, Connection):
                request.protocol.began()
            response = await self._answer_in_time(request, handler)
            if response.content_type == "text/html" and "gzip" in request.headers.get("Accept-Encoding", ""):
                response.headers["Vary"] = "Accept-Encoding"
                response.enable_compression(web.ContentCoding.gzip)
            return response

        return guard

    @staticmethod
    async def protect(_: web.Request, response: web.StreamResponse) -> None:
        """Add the security headers to a response, whoever made it."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        # Do not reveal libraries and versions.
        response.headers["Server"] = "alertd"

    async def _answer_in_time(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await self._answer(request, handler)
        except TimeoutError:
            if not request.content.is_eof():
                return self._refuse(request, HTTPStatus.REQUEST_TIMEOUT, "the request was not complete in time")
            self._trouble.warning("page took too long", path=request.path)
            words = "this took too long; see `alertd status`, and alertd's log for what it waits for"
            return self._refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, words)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return self._turned_away(request) or await self._handled(request, handler)

    def _turned_away(self, request: web.Request) -> web.StreamResponse | None:
        """Return the refusal for a request that is not allowed; None if it is."""
        if any(map(self._listen.is_host_refused, _asked_hosts(request))):
            words = "ask for localhost or 127.0.0.1; behind a proxy set ALERTD_EXTERNAL_URL to the page's address"
            return self._refuse(request, HTTPStatus.MISDIRECTED_REQUEST, words)
        if (refused := self._judge_bearer(request)) is not None:
            return refused
        is_open = request.path == LOGIN or request.path.startswith(STATIC)
        needs_token = not is_open and self._listen.needs_token(
            path=request.path,
            headers=request.headers,
            peer=peer_of(request),
            is_http_1_0=request.version < HttpVersion11,
        )
        if needs_token and self.visitor(request) is None:
            return self._ask_for_token(request)
        if self._may_be_signed_in(request):
            return self._come_again(request.path_qs)
        return None

    def _may_be_signed_in(self, request: web.Request) -> bool:
        """Return whether another site linked to a page: browsers then withhold the session's cookie."""
        is_page = request.method == "GET" and wants_html(request) and not request.path.startswith(STATIC)
        is_led_here = request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
        has_session = self._sessions.is_possible and self.visitor(request) is None
        return is_page and is_led_here and has_session and not request.headers.get("Authorization")

    async def _handled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            status = HTTPStatus(error.status)
            if status in _MALFORMED:
                self._trouble.warning("malformed request", source=source_of(request), error=error.reason)
            refused = self._refuse(request, status, _WORDS.get(status, error.reason))
            refused.headers.update({name: error.headers[name] for name in ("Allow",) if name in error.headers})
            return refused
        except AlertdError as error:
            return self._refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except Exception:  # noqa: BLE001 -- the boundary to browsers: one page must not end the serving
            get_logger().exception("page failed", path=request.path)
            words = "this page failed; alertd itself keeps running. Its log has the reason"
            return self._refuse(request, HTTPStatus.INTERNAL_SERVER_ERROR, words)

    def visitor(self, request: web.Request) -> Visitor | None:
        """Return the requester; None if the token was never given."""
        if (token := _bearer(request)) is not None:
            return Visitor(name="") if self._sessions.is_token(token) else None
        return self._sessions.visitor(request.cookies.get(COOKIE, ""))

    def _judge_bearer(self, request: web.Request) -> web.Response | None:
        """Count a script's wrong token; refuse one whose source sent too many wrong tokens recently."""
        token = _bearer(request)
        if token is None or not self._sessions.is_possible:
            return None
        source = source_of(request)
        wait_s = self._sessions.wait_s(source)
        if wait_s:
            refused = self._refuse(request, HTTPStatus.TOO_MANY_REQUESTS, f"too many wrong tokens: wait {wait_s} s")
            refused.headers["Retry-After"] = str(wait_s)
            return refused
        if not self._sessions.is_token(token):
            self._note_failure(source)
        return None

    def _note_failure(self, source: str) -> None:
        self._sessions.note_failure(source)
        self._trouble.warning("wrong token", source=source)

    def _ask_for_token(self, request: web.Request) -> web.StreamResponse:
        if not self._sessions.is_possible:
            words = "this may come from another host, through a proxy: set ALERTD_HTTP_TOKEN, which such requests need"
            return self._refuse(request, HTTPStatus.FORBIDDEN, words)
        if request.method == "GET" and wants_html(request) and not request.headers.get("Authorization"):
            if request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
                return self._come_again(request.path_qs)
            return see_other(f"{LOGIN}?{urlencode({'next': request.path_qs})}")
        words = "send Authorization: Bearer and ALERTD_HTTP_TOKEN"
        refused = self._refuse(request, HTTPStatus.UNAUTHORIZED, words)
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused

    def _come_again(self, path: str) -> web.Response:
        """
        Make the browser repeat the request from our own page.

        It withholds the session's cookie when a link from another site, a mail or a chat leads here, and sends it
        when our own page does.
        """
        response = page("onward.html", {"path": own_path(path)})
        response.headers["Refresh"] = f"0; url={own_path(path)}"
        return response

    def _refuse(self, request: web.Request, status: HTTPStatus, words: str) -> web.Response:
        if wants_html(request):
            return page("refusal.html", {"heading": status.phrase, "words": words}, status=status)
        return web.Response(status=status, text=f"{words}\n")

    async def require_own(self, request: web.Request) -> Visitor:
        """
        Return the requester of a write, after checking that the request is intended.

        Raises:
            HTTPException: There is no token, or another site made a browser send this.
        """
        visitor = self.visitor(request)
        if visitor is None:
            raise web.HTTPUnauthorized
        if not visitor.mark:
            # The request carries the token itself, which another site cannot make a browser do.
            return visitor
        if not self._is_from_here(request):
            raise web.HTTPForbidden
        form = await read_form(request)
        if not self._sessions.is_csrf_of(visitor, form.get("csrf", "")):
            raise web.HTTPForbidden
        return visitor

    def _is_from_here(self, request: web.Request) -> bool:
        """Return whether one of our own pages sent the request, as far as the browser says."""
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None and site not in {"same-origin", "none"}:
            return False
        origin = request.headers.get("Origin")
        ours = {request.headers.get("Host", "").lower(), self._listen.external_host} - {""}
        # Compared as text: a browser's serialised origin needs no parser, and any other form is not ours.
        return origin is None or origin.lower().partition("://")[2] in ours

    async def _form(self, request: web.Request) -> web.StreamResponse:
        return self._login_page(request.query.get("next", "/"), HTTPStatus.OK, "")

    def _login_page(self, next_path: str, status: HTTPStatus, words: str) -> web.Response:
        context = {"words": words, "next_path": own_path(next_path), "is_possible": self._sessions.is_possible}
        return page("login.html", context, status=status)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        if not self._is_from_here(request):
            raise web.HTTPForbidden
        form = await read_form(request)
        token, name, next_path = (form.get(field, "") for field in ("token", "name", "next"))
        source = source_of(request)
        wait_s = self._sessions.wait_s(source)
        if wait_s:
            words = f"Too many wrong tokens: wait {wait_s} s."
            refused = self._login_page(next_path, HTTPStatus.TOO_MANY_REQUESTS, words)
            refused.headers["Retry-After"] = str(wait_s)
            return refused
        cookie = self._sessions.open(token.strip(), name)
        if cookie is None:
            self._note_failure(source)
            return self._login_page(next_path, HTTPStatus.UNAUTHORIZED, "That is not the value of ALERTD_HTTP_TOKEN.")
        answer = see_other(own_path(next_path))
        self._set_cookie(answer, request, cookie, SESSION_S)
        return answer

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        visitor = await self.require_own(request)
        self._sessions.end(visitor)
        answer = see_other("/")
        self._set_cookie(answer, request, "", 0)
        return answer

    def _set_cookie(self, answer: web.Response, request: web.Request, value: str, max_age_s: int) -> None:
        schemes = {request.scheme, request.headers.get("X-Forwarded-Proto", "")}
        if request.headers.get("Host", "").lower() == self._listen.external_host:
            schemes.add(urlsplit(self._listen.external_url).scheme)
        answer.set_cookie(
            COOKIE, value, max_age=max_age_s, path="/", httponly=True, samesite="Strict", secure="https" in schemes
        )


_WORDS = {
    HTTPStatus.UNAUTHORIZED: "sign in with the token first; scripts send Authorization: Bearer and ALERTD_HTTP_TOKEN",
    HTTPStatus.FORBIDDEN: "this was not sent by a page of this alertd, or its session is over: open the page again",
    HTTPStatus.NOT_FOUND: "there is no such page",
    HTTPStatus.METHOD_NOT_ALLOWED: "this page cannot be asked like that",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "that is more than any form here sends",
}


def _asked_hosts(request: web.Request) -> list[str]:
    """
    Return every host that a request names: each `Host`, and the one in the request line if that has a full URL.

    Source: RFC 9112, 3.2.2 (the absolute form replaces the header) and 3.2 (one header at most).
    """
    hosts = request.headers.getall("Host", [""])
    target = request.raw_path
    if target.startswith(("/", "*")):
        return hosts
    return [*hosts, re.split(r"[/?#\\]", target.partition("://")[2] or target, maxsplit=1)[0]]


def _bearer(request: web.Request) -> str | None:
    """Return the token that a script sends; None without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == _BEARER else None


def wants_html(request: web.Request) -> bool:
    """Return whether the request comes from a person's browser."""
    return "text/html" in request.headers.get("Accept", "")


def see_other(path: str) -> web.Response:
    """Return a redirect to another page."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})


def own_path(text: str) -> str:
    """Return a path of this server; anything that leads elsewhere becomes the start page."""
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_own else "/"


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


_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1"})
"""Charsets of browsers and scripts; others may decode to invalid text, or slowly."""


async def read_form(request: web.Request) -> Mapping[str, str]:
    """
    Return the fields of a form, the first of each name; empty if the request has no form.

    Raises:
        HTTPUnsupportedMediaType: Its charset is not supported.
        HTTPBadRequest: It is declared as a form but is not one.
        HTTPRequestEntityTooLarge: It is larger than any form of ours.
    """
    try:
        is_known = (request.charset or "utf-8").lower() in _CHARSETS
        # Text that cannot be encoded again would break histories and logs.
        pairs = [
            (name.encode().decode(), text.encode().decode())
            for name, text in ((await request.post()).items() if is_known else ())
            if isinstance(text, str)
        ]
    except ConnectionError as error:
        # Nobody reads the answer any more; it is logged like every malformed request.
        raise web.HTTPBadRequest(reason="the form was cut off") from error
    except (web.HTTPException, OSError, TimeoutError):
        raise
    except Exception as error:
        # Form parsers raise whatever their codecs, decompressors and assertions raise.
        raise web.HTTPBadRequest(reason=f"the form cannot be read ({type(error).__name__})") from error
    if not is_known:
        raise web.HTTPUnsupportedMediaType(reason="the form's charset is not UTF-8")
    return dict(reversed(pairs))
