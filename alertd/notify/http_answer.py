"""
What an HTTP answer means for a delivery.

A status alone proves little: proxies, sign-in pages and gateways answer 200 for receivers that never saw the request.
"""

import json
import re
from collections.abc import Mapping

from alertd.clock import utc_now
from alertd.core.dataclass import dataclass
from alertd.core.retry_after import retry_after
from alertd.notify.base import (
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    NotSent,
    Outcome,
    Unknown,
)
from alertd.notify.text import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The receiver's name in outcomes."""

    what: str
    credentials: str
    takes: str
    """What its URL must accept."""
    path: str = ""
    """The path that is appended to the configured URL; not secret."""
    success: tuple[int, str] | None = None
    """The only status, and `status` in its JSON, that confirm a request; None for any of ARRIVED."""

    def remedy(self, status: int) -> str:
        """Return the remedy for an answer."""
        if status in {401, 403}:
            return f"check {self.credentials} and the URL"
        if status in {404, 410}:
            return "check the URL"
        if status < 400:
            return "redirects are not followed; set the URL that it leads to"
        return f"check that the URL takes {self.takes}"


WEBHOOK = Endpoint(what="the webhook", credentials="the bearer token", takes="Alertmanager's webhook format by POST")


ARRIVED = frozenset({200, 201, 202, 204})
"""Statuses that confirm a complete request; 203 comes from a proxy, 206 and 207 are partial."""
_PAGE = re.compile(
    r"(?:<!--.*?-->|<\?xml.*?\?>|\s)*+<(?:!doctype|html|head|body|meta|title|script|noscript|style|link|base|form|iframe|"
    r"frameset|div|main|center|table|img|h[1-6]|p)\b",
    re.IGNORECASE | re.DOTALL,
)
_FAILED = frozenset(
    {"error", "fail", "failed", "failure", "ko", "nok", "rejected", "denied", "invalid", "unauthorized"}
)
_ERRORS = ("error", "errors", "errormessage", "error_message")
_ERROR_NUMBERS = ("errcode", "errorcode", "error_code", "err_code", "errno")
"""0 on success, as with DingTalk and WeCom, which answer 200 to everything."""
_RELAY_FAILED = "webhook message delivery failed"
"""The beginning of Microsoft Teams' answer of status 200 to a message that it dropped."""
_NO = ("false", "no", "0")
_WELL = frozenset({"", "0", "false", "none", "ok", "success", "succeeded"})


def doubt(status: int, body: str, success: tuple[int, str] | None = None) -> str:
    """
    Return why a 2xx answer does not prove that the request arrived; empty if it does.

    Args:
        body: The beginning of the body.
        success: Like `Endpoint.success`.
    """
    if status not in ARRIVED:
        return "which does not say that the request was accepted"
    text = body.lstrip("\ufeff \t\r\n")
    if _PAGE.match(text):
        return "with a web page, as sign-in pages and proxies do"
    is_failure = text.casefold().startswith(_RELAY_FAILED) or _is_failure(answer_of(text))
    if is_failure:
        return "and its body says that it failed"
    is_success = success is None or (status, answer_of(text).get("status")) == success
    return "" if is_success else "which is not how it says that it took a request"


def answer_of(body: str) -> dict[str, object]:
    """Return the JSON object in a body; an empty one if it is something else."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _is_failure(answer: Mapping[str, object]) -> bool:
    said = {key.casefold(): value for key, value in answer.items()}
    if any(str(said.get(key)).casefold() in _NO for key in ("ok", "success")):
        return True
    if any(map(said.get, _ERRORS)) or any(str(said.get(key)).casefold() in _FAILED for key in ("status", "result")):
        return True
    if any(str(said.get(key, 0)).casefold() not in _WELL for key in _ERROR_NUMBERS):
        return True
    codes = [said.get(key) for key in ("status", "statuscode", "code")]
    # Feishu answers 200 with a `code` of its own and a `msg`; others count successes from 1000 on, and say so.
    is_own = "msg" in said and str(said["msg"]).casefold() not in _WELL
    return any(isinstance(code, int) and (400 <= code < 600 or (is_own and code >= 600)) for code in codes)


def outcome_of_answer(*, status: int, headers: Mapping[str, str], body: str, endpoint: Endpoint = WEBHOOK) -> Outcome:
    """Return what an answer means; *body* must hold no secret."""
    said = f"{endpoint.what} answered {status}" + (f" ({quoted(body)})" if body else "")
    if 200 <= status < 300:
        why = doubt(status, body, endpoint.success)
        return Unknown(f"{said}, {why}; check the URL and what stands before it") if why else Delivered()
    if status in {408, 425, 429}:
        return NotSent(said, retry_after(headers, now=utc_now()))
    if status in {400, 413, 422}:
        return ContentRefused(said)
    if 300 <= status < 500:
        return ConfigurationRefused(f"{said}; {endpoint.remedy(status)}")
    return Unknown(said)
