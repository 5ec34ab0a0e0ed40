"""What an answer over HTTP means for a delivery."""

from collections.abc import Mapping
from dataclasses import dataclass

from alertd.clock import utc_now
from alertd.core.retry_after import retry_after
from alertd.notify.base import (
    ConfigurationRefused,
    ContentRefused,
    NotSent,
    Outcome,
    Unknown,
)
from alertd.notify.text import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How outcomes speak of whom is posted to."""

    what: str
    credentials: str
    takes: str
    """What its URL must take."""
    path: str = ""
    """What stands in the URL after the one that was set: no secret."""

    def remedy(self, status: int) -> str:
        """Return what to do about an answer."""
        if status in {401, 403}:
            return f"check {self.credentials} and the URL"
        if status in {404, 410}:
            return "check the URL"
        if status < 400:
            return "redirects are not followed; set the URL that it leads to"
        return f"check that the URL takes {self.takes}"


WEBHOOK = Endpoint(what="the webhook", credentials="the bearer token", takes="Alertmanager's webhook format by POST")


def outcome_of_answer(*, status: int, headers: Mapping[str, str], body: str, endpoint: Endpoint = WEBHOOK) -> Outcome:
    """Return what an answer other than 2xx means; *body* must hold no secret."""
    said = f"{endpoint.what} answered {status}" + (f" ({quoted(body)})" if body else "")
    if status in {408, 425, 429}:
        return NotSent(said, retry_after(headers, now=utc_now()))
    if status in {400, 413, 422}:
        return ContentRefused(said)
    if 300 <= status < 500:
        return ConfigurationRefused(f"{said}; {endpoint.remedy(status)}")
    return Unknown(said)
