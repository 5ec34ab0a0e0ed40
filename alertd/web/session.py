"""
Who may change anything over HTTP: sessions of people who showed the token once, and the token itself of scripts.

A session is a signed cookie; the key lives as long as the process, so a restart ends every session. Time is kept by a
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
"""A working day and a night's duty; then the token is asked for again."""
_MOST_FAILURES = 10
_FAILURES_FOR_S = 60.0
_LONGEST_NAME = 60
_LONGEST_COOKIE = 1000
_MOST_NOTICES = 100
_MOST_SOURCES = 1024
"""Sources whose wrong tokens are counted; the one that was wrong longest ago is forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who showed the token."""

    name: str
    """As they gave it; empty for scripts that did not say."""
    mark: str = ""
    """Distinguishes a session from others; empty where the request itself carries the token."""
    csrf: str = ""
    """What forms of the session carry."""


class Sessions:
    """
    Opens and reads sessions, for as long as the process lives.

    Args:
        token: ALERTD_HTTP_TOKEN; empty where none is set: then nobody is let in.
        timer: Seconds on a clock that never steps and counts suspended time: a session ends while a laptop sleeps.
    """

    def __init__(self, token: str, *, timer: Callable[[], float]) -> None:
        self._token = token.encode()
        self._key = hmac.digest(secrets.token_bytes(32), self._token, hashlib.sha256)
        self._timer = timer
        self._failures: dict[str, deque[float]] = {}
        """When each source was wrong, the latest source last."""
        self._ended: dict[str, float] = {}
        self._notices: dict[str, Notice] = {}

    @property
    def is_possible(self) -> bool:
        """Whether there is a token at all."""
        return bool(self._token)

    def is_token(self, text: str) -> bool:
        """Return whether a text is the token."""
        return self.is_possible and hmac.compare_digest(_bytes(text), self._token)

    def wait_s(self, source: str) -> int:
        """
        For how long no token of a source is looked at, because too many were wrong of late; 0 for not at all.

        Each source waits for its own mistakes: nobody can keep others out.
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
        """Return the cookie of a new session, None where the token is wrong."""
        if not self.is_token(token):
            return None
        until = int(self._timer()) + SESSION_S
        shown = base64.urlsafe_b64encode(clean_name(name).encode()).decode()
        body = f"{until}.{secrets.token_hex(16)}.{shown}"
        return f"{body}.{self._sign(body)}"

    def visitor(self, cookie: str) -> Visitor | None:
        """Return whose session a cookie is, None where it is none, or over."""
        body, _, signature = cookie[:_LONGEST_COOKIE].rpartition(".")
        if not self.is_possible or not hmac.compare_digest(_bytes(self._sign(body)), _bytes(signature)):
            return None
        # Signed, so it has the shape that `open` gave it.
        until, mark, shown = body.split(".")
        if int(until) <= self._timer() or mark in self._ended:
            return None
        name = base64.urlsafe_b64decode(shown).decode()
        return Visitor(name=name, mark=mark, csrf=self._sign(f"csrf.{mark}"))

    def is_csrf_of(self, visitor: Visitor, text: str) -> bool:
        """Return whether a form was made for the session."""
        return bool(visitor.csrf) and hmac.compare_digest(_bytes(visitor.csrf), _bytes(text))

    def end(self, visitor: Visitor) -> None:
        """End a session before its time."""
        now = self._timer()
        self._ended = {mark: until for mark, until in self._ended.items() if until > now}
        self._ended[visitor.mark] = now + SESSION_S

    def note(self, visitor: Visitor, notice: "Notice") -> None:
        """Keep what is to be said on the session's next page."""
        self._notices.pop(visitor.mark, None)
        self._notices = dict([*self._notices.items()][-_MOST_NOTICES:]) | {visitor.mark: notice}

    def take_notice(self, visitor: Visitor | None) -> "Notice | None":
        """Return what is to be said on this page, once."""
        return self._notices.pop(visitor.mark, None) if visitor is not None else None

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, _bytes(text), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What came of something that somebody asked for."""

    text: str
    is_done: bool


def clean_name(text: str) -> str:
    """Return a name as it may stand in a history: one line of printable characters."""
    return one_line(text)[:_LONGEST_NAME]


def _bytes(text: str) -> bytes:
    """Return what was sent: bytes of headers that are no UTF-8 stand in texts as lone surrogates."""
    return text.encode(errors="surrogateescape")
