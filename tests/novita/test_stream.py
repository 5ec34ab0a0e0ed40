"""A bill list decoded in parts: equal to a slow oracle however it is cut, and never a part taken for the whole."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.spend.bill import BillRows, Series
from alertd.novita.columns import BillColumns
from alertd.novita.shape import UnexpectedShape
from alertd.novita.stream import CHUNK_BYTES, WINDOW_BYTES, BillStream
from tests.examples import examples

START = 1764547200
ROW = {"startTime": str(START), "endTime": str(START + 3599), "ownerID": "gpu-1", "amountDecimal": "1.5"}


def decode(body: bytes, *cuts: int) -> BillRows:
    stream = BillStream(BillColumns(account="prod", category="gpu"))
    for start, end in zip((0, *cuts), (*cuts, len(body)), strict=True):
        stream.push(body[start:end])
        # Not only when it is due: every place of a cut is a place to go wrong.
        stream._advance()
        stream.decode()
    return stream.finish().to_rows()


def records(rows: BillRows) -> list[tuple[Series, int, int, int, int, int]]:
    columns = (rows.hour, rows.span, rows.amount, rows.voucher, rows.pay)
    return [
        (rows.names[name], *rest)
        for name, *rest in zip(rows.series.tolist(), *(c.tolist() for c in columns), strict=True)
    ]


# --- the oracle: json and Decimal, one row at a time, nothing shared with the code under test


def slow_units(value: Any, per_usd: int) -> int | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return int((Decimal(value) * 10**10 / per_usd).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def slow_seconds(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and "T" in value:
        return int((datetime.fromisoformat(value) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1))
    number = Decimal(value)
    return int(number / 1000 if number > 10**11 else number)


def slow_record(row: dict[str, Any]) -> tuple[Series, int, int, int, int, int]:
    decimal = [slow_units(row.get(k), 1) for k in ("amountDecimal", "voucherAmountDecimal", "payableDecimal")]
    whole = [slow_units(row.get(k), 10**4) for k in ("amount", "voucherAmount", "payAmount")]
    if decimal.count(None) == 1:
        a, v, p = decimal
        decimal = [v + p if a is None else a, a - p if v is None else v, a - v if p is None else p]  # type: ignore[operator]
    amount, voucher, pay = (w if d is None else d for d, w in zip(decimal, whole, strict=True))
    if amount is None:
        amount = voucher + pay  # type: ignore[operator]
    if voucher is None:
        voucher = 0 if pay is None else amount - pay
    if pay is None:
        pay = amount - voucher
    start, end = slow_seconds(row["startTime"]), slow_seconds(row.get("endTime"))
    assert start is not None
    touched = {start // 3600}
    if end is not None and end > start:
        last = end - 1 if end % 3600 == 0 else end
        touched = set(range(start // 3600, last // 3600 + 1))
    name = {k: "" if row.get(k) is None else str(row[k]) for k in ("category", "ownerID", "productName", "productId")}
    method = {"1": "on-demand", "2": "subscription", "4": "spot"}.get(str(row.get("billingMethod") or ""))
    series = Series(
        account="prod",
        category="gpu",
        subcategory=name["category"],
        owner=name["ownerID"],
        product=name["productName"],
        product_id=name["productId"],
        billing_method=method or str(row.get("billingMethod") or ""),
    )
    return series, min(touched), len(touched), amount, voucher, pay


class Number(float):
    """A JSON number written with exactly these digits; `float` in name only, as json knows no other way."""

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, 0)
        made.text = text  # type: ignore[attr-defined]
        return made

    def __repr__(self) -> str:
        return str(self.text)  # type: ignore[attr-defined]


def dump(value: Any) -> str:
    """Write JSON with numbers as they are spelled."""
    if isinstance(value, Number):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value)


def oracle(body: str) -> list[tuple[Series, int, int, int, int, int]]:
    return [slow_record(row) for row in json.loads(body, parse_float=Decimal).get("bills") or []]


money = st.decimals(min_value=-90_000, max_value=900_000, places=12, allow_nan=False).map(
    lambda d: f"{d:f}"
) | st.sampled_from(["0", "0.0000000001", "1.50", "12", "-0.5", "1e-7", "2.5E2"])
written_money = money | money.map(Number) | st.sampled_from(["", " ", None])
names = (
    st.none()
    | st.integers(0, 99)
    | st.text(max_size=6)
    | st.sampled_from(['},{"', "}]}", '\\"', "a}\\", "\x00\t", "[{", "]"])
)
starts = st.integers(START, START + 40 * 86400)
nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["}", "]", '"', "},{"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["bills", "}", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


SPELLINGS: list[Callable[[int], Any]] = [
    str,
    int,
    lambda seconds: Number(f"{seconds}.0"),
    lambda seconds: seconds * 1000 + 7,
    lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat(),
]


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(starts)
    end = draw(st.none() | st.integers(-4000, 200_000).map(lambda s: start + s))
    spell = draw(st.sampled_from(SPELLINGS))
    row: dict[str, Any] = {
        "startTime": spell(start),
        "endTime": None if end is None else spell(end),
        "amount": draw(st.integers(-9, 10**9).map(str)),
    }
    for key in ("amountDecimal", "voucherAmountDecimal", "payableDecimal"):
        row[key] = draw(written_money)
    for key in ("voucherAmount", "payAmount"):
        row[key] = draw(st.none() | st.integers(0, 10**9) | st.just(""))
    for key in ("ownerID", "productName", "category", "productId"):
        row[key] = draw(names)
    row["billingMethod"] = draw(st.sampled_from([None, 1, "2", 4, 9, "x"]))
    row["billNum0"] = draw(nested)
    return {key: row[key] for key in draw(st.permutations(sorted(row)))}


@st.composite
def bodies(draw: st.DrawFn) -> str:
    around = {key: draw(nested) for key in draw(st.lists(st.sampled_from(["userId", "b", "}"]), unique=True))}
    around["bills"] = draw(st.lists(rows(), max_size=8))
    return dump({key: around[key] for key in draw(st.permutations(sorted(around)))})


@examples(5, thorough=100)
@given(bodies(), st.data())
def test_bill_list_when_cut_anyhow_then_equals_the_slow_oracle(body: str, data: st.DataObject) -> None:
    """Speed must not cost a digit: whatever the spelling and the chunks, the money is that of Decimal."""
    raw = body.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    assert records(decode(raw, *cuts)) == oracle(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"bills":[' + b",".join([json.dumps(ROW).encode()] * 3) + b"]}", id="usual"),
        pytest.param(
            b'{"userId":"u","bills": [ ' + json.dumps(ROW | {"productName": "}]}"}).encode() + b' ],"x":[{"y":"]"}]}',
            id="braces around",
        ),
        pytest.param(b'{"bills":[]}', id="empty"),
        pytest.param(b'{"code":0,"bills":null}', id="null"),
        pytest.param(b'{"message":"success"}', id="missing"),
    ],
)
def test_body_when_cut_at_any_byte_then_is_refused(body: bytes) -> None:
    """A partial sum would resolve alerts that should fire."""
    decode(body)
    for length in range(len(body)):
        with pytest.raises(UnexpectedShape):
            decode(body[:length], length // 2)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Chunks and windows of a sixteenth of their size, so that a body of many of them is soon read."""
    monkeypatch.setattr("alertd.novita.stream.CHUNK_BYTES", CHUNK_BYTES // 16)
    monkeypatch.setattr("alertd.novita.stream.WINDOW_BYTES", WINDOW_BYTES // 16)
    return CHUNK_BYTES // 16


def test_large_body_when_cut_inside_any_part_then_is_refused(small_chunks: int) -> None:
    """The way through many chunks has the same promise as the way through one."""
    body = json.dumps({"bills": [ROW | {"ownerID": f"gpu-{n}"} for n in range(2_000)], "end": "x"}).encode()
    assert len(body) > 2 * small_chunks + 1000
    assert len(decode(body, *range(4096, len(body), 4096))) == 2_000
    for length in (small_chunks, 2 * small_chunks + 17, len(body) - 1, len(body) - 11, len(body) - 15):
        with pytest.raises(UnexpectedShape):
            decode(body[:length], *range(4096, length, 4096))


HOSTILE = {
    "braces in strings": ROW | {"productName": '},{"' * 30},
    "brackets in strings": ROW | {"productName": "}]" * 60},
    "nested lists": ROW | {"extra": [[{"bills": [{}]}, {}], {}]},
    "quotes and backslashes": ROW | {"productName": '\\"},{\\\\"}]' * 10},
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in HOSTILE.items()])
def test_hostile_rows_when_many_chunks_then_all_are_read(row: dict[str, Any], small_chunks: int) -> None:
    """Where no guess succeeds the exact way finds every row, without falling behind."""
    count = 4 * small_chunks // len(json.dumps(row))
    body = json.dumps({"bills": [row] * count}).encode()
    read = decode(body, *range(4096, len(body), 4096))
    assert len(read) == count
    assert int(read.amount.sum()) == count * 15 * 10**9


@pytest.mark.usefixtures("small_chunks")
def test_scan_when_guesses_fail_then_still_finds_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact way has to stand alone: a body without any likely cut is as valid as another."""
    monkeypatch.setattr("alertd.novita.stream.MAX_GUESSES", 0)
    body = json.dumps({"bills": [ROW | {"x": [n, {}]} for n in range(2_000)], "y": [1]}).encode()
    assert len(decode(body, *range(4096, len(body), 4096))) == 2_000


BROKEN = [
    pytest.param('{"bills":[{"startTime":1,"amount":1},]}', "trailing comma", id="comma at the end"),
    pytest.param(
        '{"bills":[{"startTime":1,"amount":1}{"startTime":1,"amount":1}]}', "not a list of rows", id="no comma"
    ),
    pytest.param('{"bills":[{"startTime":1,"amount":1}}', "breaks off|neither a comma", id="brace for bracket"),
    pytest.param('{"bills":[{"startTime":1,"amount":1}}}', "neither a comma", id="braces for brackets"),
    pytest.param('{"bills":[1,2]}', "not a list of rows", id="rows that are numbers"),
    pytest.param('{"bills":[null]}', "not a list of rows", id="rows that are null"),
    pytest.param('{"bills":{"a":1}}', "not a list of rows", id="bills is an object"),
    pytest.param('{"bills":"none"}', "not a list of rows", id="bills is text"),
    pytest.param(
        '{"b\\u0069lls":[{"startTime":1,"amount":1}]}', "not a list of rows", id="bills spelled with an escape"
    ),
    pytest.param('{"bills":[],"bills":[{"startTime":1,"amount":1}]}', "twice", id="bills twice"),
    pytest.param('{"bills":[{"startTime":1,"amount":1}],"bills":[]}', "twice", id="bills twice, last empty"),
    pytest.param('{"data":{"bills":[{"startTime":1,"amount":1}]}}', "may hold them", id="rows elsewhere"),
    pytest.param('{"bills":null,"items":[{"amount":1}]}', "may hold them", id="rows under another name"),
    pytest.param('{"code":500,"reason":"LIST_BILL_ERROR","message":"no"}', "LIST_BILL_ERROR", id="error as answer"),
    pytest.param('{"code":429,"bills":[]}', "reports an error", id="error beside an empty list"),
    pytest.param('{"code":"500","bills":[{"startTime":1,"amount":1}]}', "reports an error", id="error beside rows"),
    pytest.param('{"ok":false}', "reports an error", id="a gateway's no"),
    pytest.param('{"success":"false","bills":null}', "reports an error", id="a no as a word"),
    pytest.param('{"status":"error"}', "reports an error", id="a status that is none"),
    pytest.param('{"statusCode":401}', "reports an error", id="another status inside"),
    pytest.param('{"errors":["no"]}', "reports an error", id="a list of errors"),
    pytest.param('{"message":"please sign in"}', "reports an error", id="a message alone"),
    pytest.param('{"error":"no","bills":[]}', "reports an error", id="error text beside an empty list"),
    pytest.param('[{"startTime":1,"amount":1}]', "one complete JSON object", id="a list"),
    pytest.param("<html>502</html>", "one complete JSON object", id="HTML"),
    pytest.param("", "one complete JSON object", id="nothing"),
    pytest.param('{"bills":[{"startTime":1,"amount":1}]}x', "one complete JSON object", id="text after"),
    pytest.param('{"bills":[' + '{"x":' * 100_000 + "1" + "}" * 100_000 + "]}", "not a list of rows", id="too deep"),
    pytest.param('{"a":' * 100_000 + "1" + "}" * 100_000, "one complete JSON object", id="too deep around"),
]


@pytest.mark.parametrize(("body", "text"), BROKEN)
def test_body_when_not_a_list_of_rows_then_says_what_it_is(body: str, text: str) -> None:
    """Each of these was once 'no rows' to some client, and no rows reads as nothing spent."""
    with pytest.raises(UnexpectedShape, match=text):
        decode(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        '{"bills":null,"code":0,"message":"ok"}',
        '{"code":"200","reason":"","total":0,"items":[],"page":{}}',
        '{"reason":"SUCCESS","error":null}',
        " {} \n",
        '{"note":"\\ud800","bills":[]}',
        '{"bills":[ ],"other":[{"a":1}]}',
    ],
)
def test_body_when_it_has_nothing_to_bill_then_is_no_rows(body: str) -> None:
    """Nothing to bill is spelled in many ways, none of which is an error."""
    assert len(decode(body.encode())) == 0


def test_list_when_it_ends_after_a_comma_in_another_chunk_then_is_refused() -> None:
    """Where the comma was taken with the chunk before, only the memory of it says."""
    body = json.dumps({"bills": [ROW, 0]}).encode()
    comma = body.index(b", 0]") + 1
    broken = body[:comma] + b" ]}"
    stream = BillStream(BillColumns(account="prod", category="gpu"))
    stream.push(broken[:comma])
    while stream._advance():
        pass
    stream.push(broken[comma:])
    with pytest.raises(UnexpectedShape, match="a comma and no row after it"):
        stream.finish()


def test_row_when_larger_than_a_chunk_then_is_refused() -> None:
    """Otherwise one row could ask for any amount of memory, however it arrives."""
    body = json.dumps({"bills": [ROW, ROW | {"x": "y" * CHUNK_BYTES}]}).encode()
    for cuts in ((), range(65536, len(body), 65536)):
        with pytest.raises(UnexpectedShape, match=r"bills\[1\]: a row larger than 1 MiB"):
            decode(body, *cuts)


@pytest.mark.parametrize("place", ["head", "tail", "no bills"])
def test_envelope_when_larger_than_its_bound_then_is_refused(place: str) -> None:
    """What stands beside the rows is kept to the end, so it has to be small."""
    filler = {"x": "y" * CHUNK_BYTES}
    fields = {"head": filler | {"bills": [ROW]}, "tail": {"bills": [ROW]} | filler, "no bills": filler}[place]
    body = json.dumps(fields).encode()
    for cuts in ((), range(65536, len(body), 65536)):
        with pytest.raises(UnexpectedShape, match="more than 1 MiB beside the rows"):
            decode(body, *cuts)


def test_text_when_it_is_no_unicode_then_is_replaced() -> None:
    """A lone surrogate would crash the store and every message that names the owner."""
    body = (
        b'{"bills":[{"startTime":"1764547200","amount":"1","ownerID":"a\\ud800b",'
        b'"productName":"\xff\xed\xa0\x80","category":"\\ud83d\\ude00\\\\ud800"}]}'
    )
    (name,) = decode(body).names
    assert name.owner == "a\ufffdb"
    assert set(name.product) == {"\ufffd"}
    assert name.subcategory == "\U0001f600\\ud800"
    name.product.encode()


def test_columns_when_joined_then_names_are_shared_and_rows_keep_their_order() -> None:
    """Pieces of a range must read as if they had come at once."""
    first = decode(json.dumps({"bills": [ROW, ROW | {"ownerID": "gpu-2"}]}).encode())
    second = decode(
        json.dumps(
            {"bills": [ROW | {"ownerID": "gpu-3"}, ROW | {"ownerID": "gpu-2", "amountDecimal": "1.00000000001"}]}
        ).encode()
    )
    columns = BillColumns(account="prod", category="gpu")
    columns.extend(first)
    columns.extend(second)
    joined = columns.to_rows()
    assert records(joined) == records(first) + records(second)
    assert len(joined.names) == 3
    assert joined.rounded == 1
    columns = BillColumns(account="prod", category="gpu")
    for piece in (second, first, second, first):
        columns.extend(piece)
    assert columns.to_rows().rounded == 2, "of all pieces"


def test_row_when_larger_than_what_is_decoded_at_a_time_then_is_read_like_others() -> None:
    """A chunk is decoded in windows; a row that no window holds is still one of the rows."""
    long = ROW | {"productName": "x" * (2 * WINDOW_BYTES)}
    rows = [ROW] * 2000 + [long] + [ROW] * 2000
    body = json.dumps({"bills": rows}).encode()
    found = decode(body, *range(50_000, len(body), 50_000))
    assert len(found) == len(rows)
    assert [len(found.names[n].product) for n in found.series[[1999, 2000, 2001]].tolist()] == [0, 2 * WINDOW_BYTES, 0]
