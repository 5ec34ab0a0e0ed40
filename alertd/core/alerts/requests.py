"""
Requests of people: acknowledge an alert, add and end silences, have an action carried out. Pure: from text to a
request.

Commands, Slack and the status page pass text in, and everything that they accept is decided here, so that all of them
accept the same. `check` enforces the limits, also for requests that another process made.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from alertd.core.actions import Act
from alertd.core.calendar import Period, end_of
from alertd.core.dataclass import dataclass
from alertd.core.labels import Patterns
from alertd.core.money import Usd, parse_written
from alertd.core.times import parse_duration, parse_instant, parse_zone
from alertd.core.words import format_instant, quote

LONGEST_SILENCE = timedelta(days=3660)
"""Longest silence, ten years: anything longer is a typo, and an end beyond the calendar cannot be stored."""
LONGEST_COMMENT = 200
"""Maximum characters of a comment, which is shown in one line of lists and messages."""
LONGEST_NAME = 100
"""Maximum characters of the requester's name."""
LONGEST_PATTERNS = 2000
"""Maximum characters of the values of one matcher."""
MOST_MATCHERS = 20
"""Maximum number of matchers; no alert has as many labels."""
PERIOD_ENDS = {
    "day-end": Period.DAY,
    "week-end": Period.WEEK,
    "month-end": Period.MONTH,
    "quarter-end": Period.QUARTER,
}
RESOLVED = "resolved"
"""The end of a silence that lasts until the currently firing alerts have ended."""
_FINGERPRINT = re.compile("[0-9a-f]{4,16}")
_WHOLE_FINGERPRINT = 16
_HEX_DIGITS = frozenset("0123456789abcdef")
_LABEL_NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]{0,99}")
_EXAMPLE_VALUE = re.compile(r"[A-Za-z0-9_.@*?!,-]{1,60}")
_EPISODE = re.compile("[0-9]{1,9}")
_ENDS = "24h, month-end, resolved, a time like 2026-12-01T08:00Z, or an amount like +$200"
# Format characters that change the reading order, which could make one author look like another.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TOO_LONG = f"the longest is {LONGEST_SILENCE.days}d"

T = TypeVar("T")


class RequestError(Exception):
    """A request cannot be carried out; the text says why and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Acknowledges an alert: it is neither repeated nor escalated until its severity rises."""

    fingerprint: str
    """Or the beginning of one that no other shares."""
    by: str
    undo: bool = False
    """Withdraw an acknowledgement."""
    episode: int | None = None
    """The episode of the alert; None for the current one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSilence:
    """Mutes notifications of matching alerts; at least one of the three ends is given."""

    id: str
    matchers: tuple[tuple[str, Patterns], ...]
    by: str
    comment: str = ""
    ends_at: datetime | None = None
    until_resolved: bool = False
    """Only for alerts firing now, until they end."""
    until_spend: Usd | None = None
    """Only for alerts firing now, until they end or cost this much more, in 1e-10 USD."""
    episode: int | None = None
    """The episode, if it is about one alert; None for the current one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireSilence:
    """End a silence now."""

    id: str
    """Or the beginning of one that no other shares."""
    by: str


Request = Acknowledge | AddSilence | ExpireSilence | Act


class RequestTextError(RequestError):
    """
    A text is not a valid request.

    Args:
        part: The name of the request's field that is wrong.
    """

    def __init__(self, part: str, text: str) -> None:
        super().__init__(text)
        self.part = part


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceText:
    """A silence as written; absent parts are empty. Of several ends, the earliest counts."""

    matchers: Sequence[str] = ()
    """Each is `label=value`, a fingerprint, or a prefix of one."""
    alert: str = ""
    """The fingerprint of the single alert, instead of matchers."""
    by: str
    lasting: str = ""
    """A duration."""
    until: str = ""
    """A time with its zone, the end of a period, or `resolved`."""
    until_spend: str = ""
    """An amount in USD."""
    comment: str = ""
    timezone: str = "UTC"
    """The time zone of the calendar periods."""
    episode: str = ""
    """The episode of the alert; empty for the current one."""


def end_parts(text: str) -> dict[str, str]:
    """Return an end of any kind in the field of `SilenceText` that it belongs to."""
    if text.startswith(("+", "$")):
        return {"until_spend": text}
    if text in {*PERIOD_ENDS, RESOLVED} or "-" in text[1:]:
        return {"until": text}
    return {"lasting": text}


def split_silence(words: Sequence[str], *, by: str) -> SilenceText:
    """
    Parse a silence written as a sentence: matchers, then its end, then the reason.

    Raises:
        RequestTextError: There are no matchers, or nothing comes after them.
    """
    rest, matchers = list(words), list[str]()
    while rest and _is_matcher(rest[0], is_first=not matchers):
        matchers.append(rest.pop(0))
    if not matchers or not rest:
        raise RequestTextError("matchers", "write /alertd silence owner=gpu-1 24h, and why")
    end, *why = rest
    return SilenceText(matchers=matchers, by=by, comment=" ".join(why), **end_parts(end))


def _is_matcher(word: str, *, is_first: bool) -> bool:
    if "=" in word:
        return True
    # 1000d could also be a fingerprint prefix: after a matcher it is a duration.
    is_end = not is_first and re.fullmatch("[0-9]+d", word) is not None
    return _FINGERPRINT.fullmatch(word.lower()) is not None and not is_end


def parse_silence(written: SilenceText, *, id: str, now: datetime) -> AddSilence:  # noqa: A002 -- the field's name
    """
    Read a silence.

    Raises:
        RequestTextError: A part of it cannot be parsed or is out of bounds.
        RequestError: It would be over already.
    """
    request = AddSilence(
        id=id,
        matchers=tuple(sorted(_matchers(written), key=lambda matcher: matcher[0])),
        by=_line(written.by),
        comment=_line(written.comment),
        ends_at=min(_ends(written, now), default=None),
        until_resolved=written.until == RESOLVED,
        until_spend=_amount(written.until_spend) if written.until_spend else None,
        episode=_episode(written.episode),
    )
    check(request, now)
    return request


def parse_acknowledgement(fingerprint: str, *, by: str, undo: bool = False, episode: str = "") -> Acknowledge:
    """
    Parse the request to acknowledge an alert, or to withdraw that.

    Raises:
        RequestTextError: A part of it cannot be read.
        RequestError: No alert can have that name.
    """
    name = _digits(fingerprint, "alert", "`alertd alerts --all` lists them")
    request = Acknowledge(fingerprint=name, by=_line(by), undo=undo, episode=_episode(episode))
    _check_line("by", request.by)
    return request


def parse_expiry(id: str, *, by: str) -> ExpireSilence:  # noqa: A002 -- the field's name
    """
    Parse the request to end a silence.

    Raises:
        RequestTextError: A part of it cannot be read.
        RequestError: No silence can have that name.
    """
    request = ExpireSilence(id=_digits(id, "active silence", "`alertd silence list` shows them"), by=_line(by))
    _check_line("by", request.by)
    return request


def check(request: Request, now: datetime) -> None:
    """
    Check a request against the limits, whoever made it.

    Raises:
        RequestTextError: It is out of bounds.
        RequestError: It would be over already.
    """
    _check_line("by", request.by)
    if not isinstance(request, AddSilence):
        return
    _check_line("comment", request.comment)
    _check_matchers(request.matchers)
    if request.ends_at is None and not request.until_resolved and request.until_spend is None:
        raise RequestTextError("lasting", f"a silence needs an end: {_ENDS}")
    if request.until_spend is not None and request.until_spend <= 0:
        raise RequestTextError("until_spend", "the amount that ends a silence must be above zero; write it like +$200")
    if request.ends_at is None:
        return
    if request.ends_at <= now:
        raise RequestError(
            f"the silence would have ended at {format_instant(request.ends_at)}, "
            "which is in the past; choose a later time"
        )
    if request.ends_at - now > LONGEST_SILENCE:
        raise RequestTextError("until", f"the silence would end on {request.ends_at:%Y-%m-%d}; {_TOO_LONG}")


def _check_matchers(matchers: Sequence[tuple[str, Patterns]]) -> None:
    if not matchers:
        raise RequestTextError(
            "matchers", "a silence without matchers would withhold everything; name at least one, like owner=gpu-1"
        )
    if len(matchers) > MOST_MATCHERS:
        raise RequestTextError("matchers", f"these are {len(matchers)} matchers; write at most {MOST_MATCHERS}")
    names = [name for name, _ in matchers]
    for name, patterns in matchers:
        if names.count(name) > 1:
            raise RequestTextError("matchers", f'"{name}" is matched twice; join its values: {name}=a,b')
        _check_patterns(name, patterns)
    if not any(text for _, patterns in matchers for text in patterns.texts):
        fits = " and ".join(names)
        raise RequestTextError(
            "matchers", f"without a value this fits every alert that has no {fits}; name a value, like {names[0]}=gpu-1"
        )


def _check_patterns(name: str, patterns: Patterns) -> None:
    if not _LABEL_NAME.fullmatch(name):
        remedy = f", like {name[:-1]}=!gpu-1" if name.endswith("!") else ""
        raise RequestTextError("matchers", f"{quote(name)} is not the name of a label; write name=value{remedy}")
    if sum(map(len, patterns.texts)) > LONGEST_PATTERNS:
        raise RequestTextError("matchers", f"the values of {name} are longer than {LONGEST_PATTERNS} characters; use *")
    for text in patterns.texts:
        if _unseen(text):
            raise RequestTextError(
                "matchers", f"{name}={quote(text)} has characters that cannot be seen; write ? for each of them"
            )


def _check_line(part: str, text: str) -> None:
    what, longest = ("the comment", LONGEST_COMMENT) if part == "comment" else ("the name of who asks", LONGEST_NAME)
    if part == "by" and not text.strip():
        raise RequestTextError(part, f"{what} is empty; say who asks")
    if len(text) > longest:
        raise RequestTextError(part, f"{what} has {len(text)} characters; write at most {longest}")
    if _unseen(text):
        raise RequestTextError(part, f"{what}, {quote(text)}, has characters that cannot be seen; leave them out")


def _unseen(text: str) -> bool:
    return any(unicodedata.category(letter) in _UNSEEN or letter in _TURNING for letter in text)


def _line(text: str) -> str:
    """Return a text in one line."""
    return " ".join(text.split())


def _digits(text: str, what: str, remedy: str) -> str:
    digits = text.strip().lower()
    if len(digits) > _WHOLE_FINGERPRINT or not _HEX_DIGITS.issuperset(digits):
        raise RequestError(f"there is no {what} {quote(text)}; {remedy}")
    return digits


def _episode(text: str) -> int | None:
    if text and not _EPISODE.fullmatch(text):
        raise RequestTextError("episode", f"{quote(text)} is not an episode of an alert")
    return int(text) if text else None


def _matchers(written: SilenceText) -> Iterator[tuple[str, Patterns]]:
    if written.alert or not written.matchers:
        digits = _digits(written.alert, "alert", "`alertd alerts --all` lists them")
        if not _FINGERPRINT.fullmatch(digits):
            raise RequestError(f"there is no alert {quote(digits)}; write at least 4 of its digits")
        yield _one_alert(digits)
    yield from map(_matcher, written.matchers)


def _one_alert(digits: str) -> tuple[str, Patterns]:
    return "fingerprint", Patterns((digits if len(digits) == _WHOLE_FINGERPRINT else f"{digits}*",))


def _matcher(text: str) -> tuple[str, Patterns]:
    name, equals, value = (part.strip() for part in text.partition("="))
    digits = name.lower()
    if not equals and not _FINGERPRINT.fullmatch(digits):
        example = f", like owner={name}, " if _EXAMPLE_VALUE.fullmatch(name) else " "
        raise RequestTextError(
            "matchers", f"{quote(text)} is neither label=value{example}nor the fingerprint of an alert"
        )
    if not equals:
        return _one_alert(digits)
    if not name:
        raise RequestTextError("matchers", f"{quote(text)} names no label; write it like owner=gpu-1")
    return name, Patterns(tuple(_values(name, value)))


def _values(name: str, value: str) -> Iterator[str]:
    parts = [part.strip() for part in value.split(",")]
    for part in parts:
        if not part and len(parts) > 1:
            raise RequestTextError("matchers", f"{name}={quote(value)} has a comma without a value beside it")
        if part.startswith(("=", "~")):
            raise RequestTextError(
                "matchers", f"{name}={quote(value)}: write values and globs after one =, like {name}=gpu-*"
            )
        if part.startswith(('"', "'", "\u201c")):
            raise RequestTextError("matchers", f"{name}={quote(value)}: write the value without quotes; ? fits a blank")
        yield part


def _ends(written: SilenceText, now: datetime) -> Iterator[datetime]:
    """Yield the instants that end a silence; ends that its alerts decide have none."""
    zone = _read("timezone", parse_zone, written.timezone)
    if written.lasting:
        lasting = _read("lasting", parse_duration, written.lasting)
        if lasting > LONGEST_SILENCE:
            raise RequestTextError("lasting", f"{quote(written.lasting)} is too long; {_TOO_LONG}")
        yield now + lasting
    if written.until in PERIOD_ENDS:
        yield end_of(now, PERIOD_ENDS[written.until], zone)
    elif written.until and written.until != RESOLVED:
        yield _read("until", parse_instant, written.until, ways=f"; or {', '.join(PERIOD_ENDS)} or {RESOLVED}")


def _amount(text: str) -> Usd:
    try:
        amount = parse_written(text.removeprefix("+"))
    except ValueError as error:
        reason = str(error) if "USD" in str(error) and "is not an amount" not in str(error) else ""
        shown = f"{quote(text)} is not an amount above zero"
        raise RequestTextError("until_spend", reason or f"{shown}; write it like +$200") from None
    if amount <= 0:
        raise RequestTextError("until_spend", f"{quote(text)} is not an amount above zero; write it like +$200")
    return amount


def _read(part: str, parse: Callable[[str], T], text: str, *, ways: str = "") -> T:
    """Parse a part with a function that raises ValueError."""
    try:
        return parse(text)
    except ValueError as error:
        raise RequestTextError(part, f"{error}{ways}") from None
