"""
The exceptions of alertd, by two questions: may it be retried, and who has to fix it.

    AlertdError                     every error that a user may see; its text is the whole message
    ├── UserError                   the user's to fix: exit 1, no retry
    │   ├── RulesError              the rules file: carries every problem with its place
    │   └── SettingsError           environment, .env, secret files
    ├── StoreError                  the database: held by another, newer, damaged, not reached
    └── ApiError                    the billing API; `account` and `what` say of which request
        ├── ApiUnavailable          transient: 5xx, cut, time-out, not the expected shape; retried within the cycle
        ├── ApiThrottled            transient: 429; `retry_after`
        ├── ApiKeyRefused           401/403: the user's to fix, no retry in this cycle
        ├── ApiCategoryUnknown      400 INVALID_PRODUCT_CATEGORY: the category is dropped for this run
        ├── ApiRangeTooLong         400 that a shorter range may cure
        └── ApiRequestRefused       any other 4xx: ours to fix, reported with the request's parameters
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

ErrorT = TypeVar("ErrorT", bound="UserError")


class AlertdError(Exception):
    """An error whose text is written for the person who runs alertd."""


class UserError(AlertdError):
    """Something that the user can fix; never retried."""

    is_absence = False
    """Whether a setting is merely absent on this machine, for example where rules are checked that run elsewhere."""


def absence(error: ErrorT) -> ErrorT:
    """Return an error, marked as the absence of a setting on this machine."""
    error.is_absence = True
    return error


class SettingsError(UserError):
    """A setting is missing or wrong; the text names it, never its secret value."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault in a file: where (lines and columns count from 1) and what, with the remedy."""

    path: str
    line: int
    column: int
    text: str
    is_absence: bool = field(default=False, compare=False)
    """Whether a setting is merely absent on this machine."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.text}"


class RulesError(UserError):
    """The rules cannot be used; `problems` holds every fault found, sorted by place."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class StoreError(AlertdError):
    """The store cannot be used as it is; the text says what to do."""


class ApiError(AlertdError):
    """A request to the billing API failed; the text names account, request and remedy, never the key."""

    def __init__(self, text: str, *, account: str, what: str) -> None:
        self.account = account
        self.what = what
        self.brief = text
        """The text without account and request, for places that name them already."""
        super().__init__(f'account "{account}": {what}: {text}')


class ApiUnavailable(ApiError):
    """The API, or the way to it, failed; the next cycle tries again."""


class ApiThrottled(ApiError):
    """The API asks to wait (429)."""

    def __init__(self, text: str, *, account: str, what: str, retry_after: timedelta | None) -> None:
        self.retry_after = retry_after
        super().__init__(text, account=account, what=what)


class ApiKeyRefused(ApiError):
    """The key is wrong or not allowed (401, 403)."""


class ApiCategoryUnknown(ApiError):
    """This account or brand has no such product category."""


class ApiRangeTooLong(ApiError):
    """The API refused the request in a way that a shorter time range may cure."""


class ApiRequestRefused(ApiError):
    """The API refused the request because of a mistake of alertd's."""
