"""
The API of one account: everything that can be read.

Decides what is asked for and in which pieces; how, is the transport's. All or nothing: a call returns everything it was
asked for, or raises.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from alertd.core.hours import SECONDS_PER_HOUR, HourRange, hour_of, start_of
from alertd.core.resources import Listing, ResourceKind
from alertd.core.spend.bill import (
    SUBSCRIPTION,
    SUBSCRIPTION_CATEGORIES,
    ApiKey,
    Balance,
    BillRows,
    KeyBills,
    MonthlyBill,
    Term,
)
from alertd.core.spend.subscription import rows_of
from alertd.core.utilization import Sample
from alertd.errors import ApiCategoryUnknown, ApiUnavailable
from alertd.novita.balance import decode_balance
from alertd.novita.columns import BillColumns
from alertd.novita.keys import KeyColumns
from alertd.novita.monthly import decode_monthly_bills
from alertd.novita.ranges import KEY_BILLS_LIMIT_DAYS, RangeLimit, first_piece, shorter
from alertd.novita.refusal import RangeRefused
from alertd.novita.resources import ENDPOINTS, INSTANCES, decode_endpoints, decode_instances, read_pages
from alertd.novita.resources import PAGE_SIZE as RESOURCE_PAGE_SIZE
from alertd.novita.stream import BillStream
from alertd.novita.subscriptions import decode_terms
from alertd.novita.transport import ApiRequest, Transport
from alertd.novita.utilization import METRICS, decode_metrics, samples_of

BILL_LIST = "/openapi/v1/billing/bill/list"
KEY_BILL_LIST = "/openapi/v1/billing/apikey/bill/list"
SUBSCRIPTION_BILL_LIST = "/openapi/v1/billing/bill/monthly/list"
BALANCE = "/openapi/v1/billing/balance/detail"
MONTHLY_BILL = "/openapi/v1/billing/monthly/bill"

FINE_S, COARSE_S = 60, 300
"""Seconds between samples of utilisation; the finer one for ranges up to `FINE_FOR`."""
FINE_FOR = timedelta(hours=6)
PAGE_SIZE = 100
MAX_PAGES = 100
"""Page limit, 10,000 monthly bills: a service that continues beyond it repeats itself or counts wrongly."""

Columns = TypeVar("Columns", bound=BillColumns)
AnswerT = TypeVar("AnswerT")


class NovitaClient:
    """
    Reads the bills of one account, for as long as its settings apply. Close it, or use it as a context manager.

    Args:
        transport: The account's own, closed with this.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.account = transport.account
        self._is_percent = False
        self._limit = RangeLimit()
        self._key_limit = RangeLimit(KEY_BILLS_LIMIT_DAYS)
        self._term_limit = RangeLimit()

    def __repr__(self) -> str:
        return f"NovitaClient(account={self.account!r}, base_url={self._transport.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        await self._transport.close()

    async def ask_time(self) -> None:
        """
        Make the API answer, to hear its `Date`; a refusal has one too.

        Raises:
            ApiUnavailable: It did not answer.
        """
        await self._transport.knock(BALANCE)

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        """
        Read the hourly bill rows of a product category, as received: some may start outside the range.

        Args:
            category: A productCategory, or SUBSCRIPTION: then the rows are the charges of the terms bought.
            span: Any length; requested in pieces within the API's limit, which is learnt from refusals.

        Raises:
            ApiError: One of its kinds; nothing is returned then, not even what was read before.
        """
        if category == SUBSCRIPTION:
            terms, is_listed = await self._read_terms(span)
            return rows_of(terms, is_listed=is_listed)
        return await self._read_range(category, span, self._limit, self._read_piece)

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        """
        Read the hourly rows of a category by API key, with the keys' names; otherwise like `read_bills`.

        Args:
            category: One of KEY_CATEGORIES.
            span: Any length.

        Raises:
            ApiError: One of its kinds; ApiRequestRefused also if the API does not have such bills.
        """
        keys: dict[str, ApiKey] = {}

        async def read(category: str, piece: HourRange) -> BillRows:
            found = await self._read_key_piece(category, piece)
            keys.update((key.key_id, key) for key in found.keys)
            return found.rows

        rows = await self._read_range(category, span, self._key_limit, read)
        return KeyBills(rows=rows, keys=tuple(keys.values()))

    async def read_balance(self, read_at: datetime) -> Balance:
        """
        Read the balance.

        Args:
            read_at: The current time.

        Raises:
            ApiError: One of its kinds; ApiRequestRefused also if the API does not offer it.
        """
        request = ApiRequest(
            path=BALANCE, parameters={}, what="balance", lacking="the API does not offer the balance of this account"
        )
        return await self._transport.read_whole(request, partial(decode_balance, account=self.account, read_at=read_at))

    async def _read_terms(self, span: HourRange) -> tuple[tuple[Term, ...], bool]:
        """Return the fixed terms bought, of every category that the account has, and whether any answer had a list."""
        terms: list[Term] = []
        has_list = False
        for category in SUBSCRIPTION_CATEGORIES:
            try:
                async for _, found in _in_pieces(span, self._term_limit, partial(self._read_term_piece, category)):
                    terms += found[0]
                    has_list |= found[1]
            except ApiCategoryUnknown:
                # This brand does not sell that category by the month; the others are complete without it.
                continue
        return tuple(term for term in terms if hour_of(term.bought_at) in span), has_list

    async def read_resources(self, kind: ResourceKind) -> Listing:
        """
        Read the instances or the serverless endpoints, beside the bills: one request, without retries.

        Raises:
            ApiError: One of its kinds; its text quotes nothing of the answer.
        """
        match kind:
            case ResourceKind.ENDPOINT:
                request = ApiRequest(path=ENDPOINTS, parameters={}, what="serverless endpoints")
                return await self._transport.read_beside(request, decode_endpoints)
            case ResourceKind.INSTANCE:
                return await read_pages(self._read_instances, account=self.account, what="instances")

    async def _read_instances(self, page: int) -> Listing:
        parameters = {"pageSize": str(RESOURCE_PAGE_SIZE), "pageNum": str(page)}
        request = ApiRequest(path=INSTANCES, parameters=parameters, what="instances")
        return await self._transport.read_beside(request, decode_instances)

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[Sample, ...]:
        """
        Read how busy the GPUs of an instance were, beside the bills.

        The API's unit is undocumented: once a value above 1 was seen, values are percentages, for this client's life.

        Raises:
            ApiError: One of its kinds; its text quotes nothing of the answer.
        """
        start_s, end_s = int(start.timestamp()), int(end.timestamp())
        interval_s = FINE_S if end - start <= FINE_FOR else COARSE_S
        query = {"instanceId": owner, "startTime": start_s, "endTime": end_s, "interval": interval_s}
        parameters = {name: str(value) for name, value in query.items()}
        request = ApiRequest(path=METRICS, parameters=parameters, what="utilisation")
        decode = partial(decode_metrics, start_s=start_s, end_s=end_s)
        metrics = await self._transport.read_beside(request, decode)
        self._is_percent |= metrics.is_percent
        return samples_of(metrics, is_percent=self._is_percent)

    async def _read_term_piece(self, category: str, piece: HourRange) -> tuple[list[Term], bool]:
        request = ApiRequest(
            path=SUBSCRIPTION_BILL_LIST,
            parameters={
                "category": category,
                **_seconds(piece),
            },
            what=f"{category} subscriptions {_span_text(piece)}",
            lacking="the API does not offer the subscriptions of this account",
            has_range=True,
            is_one_of_several=True,
        )
        return await self._transport.read_whole(request, partial(decode_terms, account=self.account, category=category))

    async def _read_range(
        self,
        category: str,
        span: HourRange,
        limit: RangeLimit,
        read: Callable[[str, HourRange], Awaitable[BillRows]],
    ) -> BillRows:
        """Read a range in pieces within the API's limit, which is learnt from refusals."""
        columns: BillColumns | None = None
        async for piece, rows in _in_pieces(span, limit, partial(read, category)):
            if piece == span:
                return rows
            columns = columns or BillColumns(account=self.account, category=category)
            columns.extend(rows)
        return (columns or BillColumns(account=self.account, category=category)).to_rows()

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        """
        Read the monthly bills from a month on.

        A bill that is on several pages counts as on the last of them, which was read later.

        Args:
            start_month: `YYYY-MM`.

        Raises:
            ApiError: One of its kinds.
        """
        bills: dict[str, MonthlyBill] = {}
        for page in range(1, MAX_PAGES + 1):
            read = {bill.bill_id: bill for bill in await self._read_page(start_month, page)}
            brings_new = not read.keys() <= bills.keys()
            bills |= read
            # The service fills in months, so a short page need not be the last; and it may repeat its last page.
            if not brings_new:
                return tuple(bills.values())
        raise ApiUnavailable(
            f"page {MAX_PAGES} still brought bills not seen before; not believed",
            account=self.account,
            what=f"monthly bills from {start_month}",
        )

    async def _read_piece(self, category: str, piece: HourRange) -> BillRows:
        request = ApiRequest(
            path=BILL_LIST,
            parameters={
                "cycleType": "Hour",
                "productCategory": category,
                **_seconds(piece),
            },
            what=f"{category} bills {_span_text(piece)}",
        )
        new = partial(BillColumns, account=self.account, category=category)
        return (await self._read_columns(request, new)).to_rows()

    async def _read_key_piece(self, category: str, piece: HourRange) -> KeyBills:
        request = ApiRequest(
            path=KEY_BILL_LIST,
            parameters={
                "cycleType": "Hour",
                "category": category,
                **_seconds(piece),
            },
            what=f"{category} bills by API key {_span_text(piece)}",
            lacking=f"the API does not offer {category} spend by API key for this account",
        )
        new = partial(KeyColumns, account=self.account, category=category)
        return (await self._read_columns(request, new)).to_bills()

    async def _read_columns(self, request: ApiRequest, new: Callable[[], Columns]) -> Columns:
        bounds = self._transport.bounds

        async def read(pieces: AsyncIterator[bytes], deadline: asyncio.Timeout) -> Columns:
            columns = new()
            stream = BillStream(columns)
            size, stream_until = 0, asyncio.get_running_loop().time() + bounds.stream_s
            async for data in pieces:
                if size < bounds.stream_from_bytes <= (size := size + len(data)):
                    deadline.reschedule(stream_until)
                stream.push(data)
                if stream.is_due:
                    # Here, a millisecond at a time, as threads would only wait for each other; and one answer after
                    # another, so that between two of them the loop does everything else.
                    async with self._transport.turns.decoding:
                        stream.decode()
            stream.finish()
            return columns

        return await self._transport.ask(request, read, limit=bounds.bill_list_bytes)

    async def _read_page(self, start_month: str, page: int) -> list[MonthlyBill]:
        request = ApiRequest(
            path=MONTHLY_BILL,
            parameters={"startMonth": start_month, "page": str(page), "pageSize": str(PAGE_SIZE)},
            what=f"monthly bills from {start_month}, page {page}",
        )
        decode = partial(decode_monthly_bills, account=self.account, is_first=page == 1)
        return await self._transport.read_whole(request, decode)


async def _in_pieces(
    span: HourRange, limit: RangeLimit, ask: Callable[[HourRange], Awaitable[AnswerT]]
) -> AsyncIterator[tuple[HourRange, AnswerT]]:
    """Yield a range's pieces with their answers; their length follows the limit learnt from refusals."""
    position, days = span.start, limit.days
    while position < span.end:
        piece = first_piece(HourRange(position, span.end), days)
        try:
            answer = await ask(piece)
        except RangeRefused as refused:
            fewer = shorter(piece, refused.text)
            if fewer is None:
                raise refused.as_final() from None
            days = fewer
            continue
        limit.learn(days)
        position = piece.end
        yield piece, answer


def _seconds(piece: HourRange) -> dict[str, str]:
    """Return a range as the API asks for it: from the first second to the last one, included."""
    return {"startTime": str(piece.start * SECONDS_PER_HOUR), "endTime": str(piece.end * SECONDS_PER_HOUR - 1)}


def _span_text(piece: HourRange) -> str:
    return f"{start_of(piece.start):%Y-%m-%dT%HZ} to {start_of(piece.end):%Y-%m-%dT%HZ}"
