"""What the billing and the resource API answer, as their decoders take it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from alertd.novita.balance import decode_balance
from alertd.novita.columns import BillColumns
from alertd.novita.keys import KeyColumns
from alertd.novita.monthly import decode_monthly_bills
from alertd.novita.refusal import read_refusal
from alertd.novita.resources import decode_endpoints, decode_instances
from alertd.novita.shape import UnexpectedShape
from alertd.novita.stream import BillStream
from alertd.novita.subscriptions import decode_terms
from alertd.novita.utilization import decode_metrics
from tests.fuzz.engine import Entrance, plain

_NOW = datetime(2026, 1, 10, 12, 5, tzinfo=UTC)
_SECOND = int(_NOW.timestamp())


def _json(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


_ROW = {
    "startTime": "1764547200",
    "endTime": "1764550799",
    "ownerID": "gpu-1",
    "productName": "H100",
    "amountDecimal": "1.5",
    "voucherAmount": "2500",
    "payAmount": 12_500,
    "apiKey": "sk-1",
    "apiKeyName": "ci",
}
_MONTHLY = {
    "billId": "b-12",
    "billingMonth": "2025-12",
    "totalAmount": "1000000",
    "originTotalAmount": "1200000",
    "voucherPayAmount": "200000",
    "cashPayAmount": "700000",
    "debtAmount": "100000",
    "repaidAmount": "50000",
    "status": "overdue",
    "invoiceUrl": "https://example.com/i.pdf",
}
_TERM = {
    "productName": "H100",
    "ownerID": "inst-9",
    "tradeMode": "monthly",
    "tradeType": "monthly_new_buy",
    "amount": "5000000",
    "voucherAmount": "1000000",
    "payAmount": "4000000",
    "createTime": "1764547200",
    "startTime": "1764547200",
    "endTime": "1767139199",
}
_POINT = {"timestamp": str(_SECOND - 60), "value": 12.5}
_INSTANCE = {"id": "i-1", "name": "x", "status": "running", "gpuNum": "1", "createdAt": "1764547200"}


def of_the_api() -> Iterator[Entrance]:
    for name, columns in (("bills", BillColumns), ("key-bills", KeyColumns)):
        yield Entrance(
            name=name, seeds=_json({"bills": [_ROW, _ROW]}, {"code": 0, "bills": []}), take=plain(_streamed(columns))
        )
    decoders: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
        "monthly": (
            lambda data: len(decode_monthly_bills(data, account="a")),
            _json({"data": [_MONTHLY]}, {"bills": []}),
        ),
        "terms": (lambda data: len(decode_terms(data, account="a", category="gpu")[0]), _json({"bills": [_TERM]})),
        "balance": (
            lambda data: decode_balance(data, account="a", read_at=_NOW).account,
            _json({"availableBalance": "100", "cashBalance": "50", "creditLimit": "0", "pendingCharges": 5}),
        ),
        "instances": (decode_instances, _json({"instances": [_INSTANCE], "total": 1, "pageSize": 10})),
        "endpoints": (decode_endpoints, _json({"endpoints": [_INSTANCE | {"workers": 2}], "total": 1})),
        "utilization": (
            lambda data: decode_metrics(data, start_s=_SECOND - 7200, end_s=_SECOND).is_percent,
            _json(
                {"gpuUtilization": {"avg": [_POINT, _POINT | {"value": "0.5"}], "gpuIds": [{"items": [_POINT]}]}},
                {"gpuUtilization": {"avg": []}, "cpuUtilization": [_POINT], "gpuMemUtilization": {"gpuIds": None}},
            ),
        ),
        "refusals": (
            lambda data: str(read_refusal(500, data)),
            [*_json({"code": 403, "reason": "INVALID_API_KEY", "message": "no"}), b"<html><body>502</body></html>"],
        ),
    }
    for name, (decode, seeds) in decoders.items():
        yield Entrance(name=name, seeds=seeds, take=plain(_decoded(decode)))


def _streamed(columns: type[BillColumns]) -> Callable[[bytes], str]:
    def take(data: bytes) -> str:
        stream = BillStream(columns(account="a", category="gpu"))
        try:
            for start in range(0, len(data), 997):
                stream.push(data[start : start + 997])
                stream.decode()
            return str(len(stream.finish()))
        except UnexpectedShape as error:
            return str(error)

    return take


def _decoded(decode: Callable[[bytes], object]) -> Callable[[bytes], str]:
    def take(data: bytes) -> str:
        try:
            return str(decode(data))
        except UnexpectedShape as error:
            return str(error)

    return take
