"""
Which requests the API accepts, and the errors with which it refuses the others.

Decides whether a caller and a query are acceptable; answers nothing.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from alertd.simulator.meters import DAY_S
from alertd.simulator.monthly import FIRST_MONTH
from alertd.simulator.subscriptions import SUBSCRIPTION_CATEGORIES
from alertd.simulator.world import CATEGORIES

KEY_CATEGORIES = ("llm", "gen_api", "web_search")
"""The categories that `apikey/bill/list` knows."""

KEY_BILLS_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
"""The earliest bills that `apikey/bill/list` has."""

KEY_BILLS_HOURLY_DAYS = 7
MAX_RANGE_DAYS = 31
MAX_UNIX_S = 253_402_300_799
"""The last second of the year 9999."""

# A library that does not say who it works for has been answered 403.
_LIBRARY_AGENT = re.compile(r"\s*$|python-|python/|aiohttp|httpx|urllib|requests", re.IGNORECASE)


class Refusal(Exception):
    """A request that the service answers with an error body; never leaves the simulator."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class Cycle(StrEnum):
    """The values of `cycleType`."""

    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillQuery:
    """A valid query for usage bills: [start_s, end_s), Unix seconds; an empty filter lets everything pass."""

    cycle: Cycle
    category: str
    start_s: int
    end_s: int
    owner_id: str = ""
    product_name: str = ""
    subcategory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """One page of a list."""

    page: int
    page_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyQuery:
    """A valid query for monthly bills; *page* counts from 1."""

    start_month: datetime
    page: int
    page_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TermQuery:
    """What `bill/monthly/list` was asked; Unix seconds, `end_s` not included."""

    category: str
    start_s: int
    end_s: int

    def takes(self, category: str) -> bool:
        """Return whether the query covers a category."""
        return self.category in {category, "summary"}


def check_caller(headers: Mapping[str, str], *, api_keys: Collection[str], must_name_itself: bool = True) -> str:
    """
    Return the caller's key; raise `Refusal` unless it is one of *api_keys*.

    Args:
        must_name_itself: Refuse a library's default User-Agent, as the billing paths do; other clients send nothing
            else, and are answered.
    """
    if must_name_itself and _LIBRARY_AGENT.match(headers.get("User-Agent", "")):
        raise Refusal(403, "ACCESS_DENY", "access denied: send a User-Agent that names your application")
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refusal(401, "FAILED_TO_AUTH", "failed to auth: send Authorization: Bearer <API key>")
    if key.strip() not in api_keys:
        raise Refusal(403, "INVALID_API_KEY", "invalid api key")
    return key.strip()


def parse_bill_query(parameters: Mapping[str, str], *, range_limit_days: int, missing: frozenset[str]) -> BillQuery:
    """
    Return the query for `bill/list`.

    Args:
        range_limit_days: The longest range that is answered.
        missing: Product categories that this account does not have.

    Raises:
        Refusal: 400 with the reason of the first mistake.
    """
    cycle = _parse_cycle(parameters)
    category = parameters.get("productCategory", "")
    if category not in {*CATEGORIES, "summary"} - missing:
        raise Refusal(400, "INVALID_PRODUCT_CATEGORY", f"invalid product category: {category!r}")
    start_s, end_s = _parse_range(parameters, range_limit_days)
    return BillQuery(
        cycle=cycle,
        category=category,
        start_s=start_s,
        end_s=end_s,
        owner_id=parameters.get("ownerId", ""),
        product_name=parameters.get("productName", ""),
        subcategory=parameters.get("category", ""),
    )


def parse_key_query(parameters: Mapping[str, str]) -> BillQuery:
    """Return the query for `apikey/bill/list`; raise `Refusal` (400) when it is not valid."""
    cycle = _parse_cycle(parameters)
    category = parameters.get("category", "")
    if category not in KEY_CATEGORIES:
        raise Refusal(400, "INVALID_PRODUCT_CATEGORY", f"category must be one of {', '.join(KEY_CATEGORIES)}")
    limit_days = KEY_BILLS_HOURLY_DAYS if cycle is Cycle.HOUR else MAX_RANGE_DAYS
    start_s, end_s = _parse_range(parameters, limit_days)
    return BillQuery(
        cycle=cycle, category=category, start_s=max(start_s, int(KEY_BILLS_SINCE.timestamp())), end_s=end_s
    )


def parse_term_query(parameters: Mapping[str, str]) -> TermQuery:
    """Return the query for `bill/monthly/list`; raise `Refusal` (400) when it is not valid."""
    category = parameters.get("category", "")
    if category not in {*SUBSCRIPTION_CATEGORIES, "summary"}:
        raise Refusal(400, "INVALID_PRODUCT_CATEGORY", f"invalid product category: {category!r}")
    start_s, end_s = _parse_range(parameters, MAX_RANGE_DAYS)
    return TermQuery(category=category, start_s=start_s, end_s=end_s)


def parse_monthly_query(parameters: Mapping[str, str]) -> MonthlyQuery:
    """Return the query for `monthly/bill`; raise `Refusal` (400) when it is not valid."""
    text = parameters.get("startMonth", "")
    try:
        start_month = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC) if text else FIRST_MONTH
    except ValueError:
        raise Refusal(400, "INVALID_PARAMETER", f"startMonth must be YYYY-MM, not {text!r}") from None
    return MonthlyQuery(
        start_month=start_month,
        page=_parse_whole_number(parameters, "page", most=100_000, default="1"),
        page_size=_parse_whole_number(parameters, "pageSize", most=1000, default="20"),
    )


def parse_page_query(parameters: Mapping[str, str]) -> PageQuery:
    """Return the query for the list of instances; raise `Refusal` (400) when it is not valid."""
    page = parameters.get("pageNum", "1")
    if not (page.isascii() and page.isdigit() and len(page) < 6):
        raise Refusal(400, "INVALID_PARAMETER", f"pageNum must be a whole number, not {page!r}")
    return PageQuery(page=int(page), page_size=_parse_whole_number(parameters, "pageSize", most=1000, default="20"))


def _parse_cycle(parameters: Mapping[str, str]) -> Cycle:
    text = parameters.get("cycleType", "")
    try:
        return Cycle(text)
    except ValueError:
        raise Refusal(400, "INVALID_BILL_CYCLE", f"invalid bill cycle: {text!r}") from None


def _parse_range(parameters: Mapping[str, str], limit_days: int) -> tuple[int, int]:
    start_s = _parse_whole_number(parameters, "startTime", most=MAX_UNIX_S)
    # The query names the last second included.
    end_s = _parse_whole_number(parameters, "endTime", most=MAX_UNIX_S) + 1
    if end_s <= start_s:
        raise Refusal(400, "INVALID_TIME_RANGE", "endTime must not be before startTime")
    if end_s - start_s > limit_days * DAY_S:
        raise Refusal(400, "INVALID_TIME_RANGE", f"the time range must not exceed {limit_days} days")
    return start_s, end_s


def _parse_whole_number(parameters: Mapping[str, str], name: str, *, most: int, default: str = "") -> int:
    text = parameters.get(name, default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= most):
        raise Refusal(400, "INVALID_PARAMETER", f"{name} must be a whole number from 1 to {most}, not {text!r}")
    return int(text)
