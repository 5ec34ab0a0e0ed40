"""
What a status other than 2xx means: reads the body with care, and chooses the exception.

The reason decides before the status, because proxies and brands change statuses more often than reasons.
"""

import re
from datetime import timedelta

from alertd.core.dataclass import dataclass
from alertd.core.printable import shorten
from alertd.errors import (
    ApiCategoryUnknown,
    ApiError,
    ApiKeyRefused,
    ApiRangeTooLong,
    ApiRequestRefused,
    ApiThrottled,
    ApiUnavailable,
)
from alertd.novita.shape import UnexpectedShape, decode_object, plain_text

MAX_REFUSAL_BYTES = 64 * 1024
"""Maximum bytes read of an error's body: far more than any reason needs."""

MAX_MARKUP_BYTES = 8 * 1024
"""Maximum bytes of a proxy's HTML that are searched for text."""

MAX_MESSAGE_CHARACTERS = 200

KEY_REASONS = frozenset({"FAILED_TO_AUTH", "INVALID_API_KEY", "ACCESS_DENY"})
THROTTLE_REASONS = frozenset({"LIST_BILL_TOO_FAST", "RATE_LIMIT_EXCEEDED"})
CATEGORY_REASON = "INVALID_PRODUCT_CATEGORY"
FAILURE_REASONS = frozenset({"LIST_BILL_ERROR"})

REDIRECT_REMEDY = "not followed, so that the key stays with its host: set base_url to the final address"

_MARKUP = re.compile(r"<(?:script|style)\b.*?</(?:script|style)\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class RangeRefused(ApiRangeTooLong):
    """A refusal that a shorter range may cure; `text` is the message, without account and request."""

    def __init__(self, text: str, *, account: str, what: str) -> None:
        self.text = text
        super().__init__(text, account=account, what=what)

    def as_final(self) -> ApiRequestRefused:
        """Return the error for a request whose range cannot be shortened."""
        return ApiRequestRefused(self.text, account=self.account, what=self.what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The content of an error answer; its texts are safe to show."""

    status: int
    reason: str = ""
    message: str = ""
    location: str = ""
    """Target of a redirect, without query and credentials."""

    def __str__(self) -> str:
        name = f"{self.status} {self.reason}".strip()
        return f"{name}: {self.message}" if self.message else name


def read_refusal(status: int, body: bytes, *, location: str = "") -> Refusal:
    """Read an error's body: JSON with any of reason and message, or a proxy's HTML, or nothing."""
    try:
        fields = decode_object(body)
        reason = plain_text(fields["reason"]) if "reason" in fields else ""
        message = next(
            (text for key in ("message", "error") if key in fields and (text := plain_text(fields[key]))), ""
        )
    except UnexpectedShape:
        reason, message = "", _MARKUP.sub(" ", body[:MAX_MARKUP_BYTES].decode("utf-8", "replace"))
    message = " ".join(message.split())
    return Refusal(
        status=status, reason=shorten(reason), message=shorten(message, MAX_MESSAGE_CHARACTERS), location=location
    )


def error_of(
    refusal: Refusal, *, account: str, what: str, parameters: str, key_source: str, retry_after: timedelta | None
) -> ApiError:
    """
    Return the exception for a refusal.

    Args:
        refusal: What the API said.
        account: The account's name.
        what: What was requested, for people.
        parameters: The query, shown if the request itself may be at fault.
        key_source: The setting that holds the key.
        retry_after: The answer's header.
    """
    reason, status = refusal.reason, refusal.status
    if reason in THROTTLE_REASONS or status == 429:
        wait = f", wait {retry_after.total_seconds():.0f} s" if retry_after else ""
        return ApiThrottled(f"too many requests ({refusal}){wait}", account=account, what=what, retry_after=retry_after)
    kind: type[ApiError]
    if reason in KEY_REASONS or status in {401, 403}:
        kind = ApiKeyRefused
        text = f"key refused ({f'{status} {reason or refusal.message}'.strip()}); set {key_source} to a valid key"
    elif reason == CATEGORY_REASON:
        kind, text = ApiCategoryUnknown, f"this account has no such product category ({refusal})"
    elif reason in FAILURE_REASONS or status >= 500 or status in {408, 425}:
        kind, text = ApiUnavailable, f"the API failed ({refusal})"
    elif 300 <= status < 400:
        kind, text = ApiRequestRefused, f"redirected ({status}) to {refusal.location or 'nowhere'}; {REDIRECT_REMEDY}"
    elif status == 400 and reason != "INVALID_BILL_CYCLE":
        kind, text = RangeRefused, f"request refused ({refusal}); asked {parameters}"
    else:
        remedy = "; is base_url right?" if status == 404 else ""
        kind, text = ApiRequestRefused, f"request refused ({refusal}); asked {parameters}{remedy}"
    return kind(text, account=account, what=what)
