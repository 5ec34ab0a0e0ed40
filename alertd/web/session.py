"""
Authorises changes over HTTP: sessions of people who gave the token once, and scripts that send the token itself.

A session is a signed cookie; the key lives as long as the process, so a restart ends every session. Time comes from a
clock that never steps. Nothing here knows HTTP.
"""

import base64
import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable

from alertd.core.dataclass import dataclass
from alertd.core.printable import one_line

SESSION_S = 12 * 3600
"""Length of a session: a working day and a night on call; after that the token is required again."""
_MOST_FAILURES = 10
_FAILURES_FOR_S = 60.0
_LONGEST_NAME = 60
_LONGEST_COOKIE = 1000
_MOST_NOTICES = 100
_MOST_SOURCES = 1024
"""Maximum number of sources whose wrong tokens are counted; the one with the oldest failure is dropped first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who gave the token."""

    name: str
    """The name they gave; empty for scripts without one."""
    mark: str = ""
    """The session's id; empty if the request itself carries the token."""
    csrf: str = ""
    """The anti-forgery token in the session's forms."""


class Sessions:
    """
    Opens and reads sessions, for the life of the process.

    Args:
        token: ALERTD_HTTP_TOKEN; if empty, nobody can sign in.
        timer: Seconds on a clock that never steps and counts suspended time: a session ends while a laptop sleeps.
    """

    def __init__(self, token: str, *, timer: Callable[[], float]) -> None:
        self._token = token.encode()
        self._key = hmac.digest(secrets.token_bytes(32), self._token, hashlib.sha256)
        self._timer = timer
        self._failures: dict[str, deque[float]] = {}
        """Times of each source's failures, the most recent source last."""
        self._ended: dict[str, float] = {}
        self._notices: dict[str, Notice] = {}

    @property
    def is_possible(self) -> bool:
        """Whether a token is set."""
        return bool(self._token)

    def is_token(self, text: str) -> bool:
        """Return whether a text is the token."""
        return self.is_possible and hmac.compare_digest(_bytes(text), self._token)

    def wait_s(self, source: str) -> int:
        """
        Return for how many seconds tokens of a source are refused, because too many were wrong recently; 0 if accepted.

        Each source waits for its own failures only: nobody can lock others out.
        """
        failures = self._failures.get(source)
        if failures is None or len(failures) < _MOST_FAILURES:
            return 0
        return max(0, int(failures[0] + _FAILURES_FOR_S - self._timer()) + 1)

    def note_failure(self, source: str) -> None:
        """Count a wrong token."""
        failures = self._failures.pop(source, None) or deque(maxlen=_MOST_FAILURES)
        failures.append(self._timer())
        self._failures[source] = failures
        if len(self._failures) > _MOST_SOURCES:
            del self._failures[next(iter(self._failures))]

    def open(self, token: str, name: str) -> str | None:
        """Return the cookie of a new session; None if the token is wrong."""
        if not self.is_token(token):
            return None
        until = int(self._timer()) + SESSION_S
        shown = base64.urlsafe_b64encode(clean_name(name).encode()).decode()
        body = f"{until}.{secrets.token_hex(16)}.{shown}"
        return f"{body}.{self._sign(body)}"

    def visitor(self, cookie: str) -> Visitor | None:
        """Return whose session a cookie is; None if it is invalid or has expired."""
        body, _, signature = cookie[:_LONGEST_COOKIE].rpartition(".")
        if not self.is_possible or not hmac.compare_digest(_bytes(self._sign(body)), _bytes(signature)):
            return None
        # The signature is valid, so it has the format that `open` wrote.
        until, mark, shown = body.split(".")
        if int(until) <= self._timer() or mark in self._ended:
            return None
        name = base64.urlsafe_b64decode(shown).decode()
        return Visitor(name=name, mark=mark, csrf=self._sign(f"csrf.{mark}"))

    def is_csrf_of(self, visitor: Visitor, text: str) -> bool:
        """Return whether a form belongs to the session."""
        return bool(visitor.csrf) and hmac.compare_digest(_bytes(visitor.csrf), _bytes(text))

    def end(self, visitor: Visitor) -> None:
        """End a session before it expires."""
        now = self._timer()
        self._ended = {mark: until for mark, until in self._ended.items() if until > now}
        self._ended[visitor.mark] = now + SESSION_S

    def note(self, visitor: Visitor, notice: "Notice") -> None:
        """Store a notice for the session's next page."""
        self._notices.pop(visitor.mark, None)
        self._notices = dict([*self._notices.items()][-_MOST_NOTICES:]) | {visitor.mark: notice}

    def take_notice(self, visitor: Visitor | None) -> "Notice | None":
        """Return the notice for this page, once."""
        return self._notices.pop(visitor.mark, None) if visitor is not None else None

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, _bytes(text), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The outcome of a request."""

    text: str
    is_done: bool


def clean_name(text: str) -> str:
    """Return a name in the form that histories allow: one line of printable characters."""
    return one_line(text)[:_LONGEST_NAME]


def _bytes(text: str) -> bytes:
    """Return the original bytes of a header: invalid UTF-8 is decoded to lone surrogates."""
    return text.encode(errors="surrogateescape")
