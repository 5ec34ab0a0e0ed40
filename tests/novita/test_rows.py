"""The fields of a row: times, methods and money in every spelling that has been seen, and the refusal of others."""

import json
from typing import Any

import pytest

from alertd.core.spend.bill import BillRows
from alertd.novita.columns import BillColumns
from alertd.novita.shape import UnexpectedShape
from alertd.novita.stream import BillStream

START = 1764547200  # 2025-12-01T00:00Z
HOUR = START // 3600
CENT = 10**8
FULL_WIDTH = {ord("0") + n: 0xFF10 + n for n in range(10)}
START_FULL_WIDTH = str(START).translate(FULL_WIDTH)
ISO_FULL_WIDTH = "2025-12-01T00:00:00Z".translate(FULL_WIDTH)


def decode(*rows: dict[str, Any] | str) -> BillRows:
    """Decode rows, given as objects or as their JSON where the spelling of a number matters."""
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    stream = BillStream(BillColumns(account="prod", category="gpu"))
    stream.push(('{"bills":[' + ",".join(texts) + "]}").encode())
    return stream.finish().to_rows()


@pytest.mark.parametrize(
    ("start", "end", "hour", "span"),
    [
        pytest.param('"1764547200"', '"1764550799"', HOUR, 1, id="text, end inclusive"),
        pytest.param("1764547200", "1764550799", HOUR, 1, id="numbers"),
        pytest.param("1764547200.0", "1764550799.9", HOUR, 1, id="numbers with a point"),
        pytest.param("1.7645472e9", "null", HOUR, 1, id="number with an exponent, no end"),
        pytest.param("1764547200000", "1764550799999", HOUR, 1, id="milliseconds"),
        pytest.param('"1764547200123"', '"1764550799"', HOUR, 1, id="milliseconds as text, end in seconds"),
        pytest.param('"2025-12-01T00:00:00Z"', '"2025-12-01T00:59:59Z"', HOUR, 1, id="ISO 8601 with Z"),
        pytest.param('"2025-12-01T08:00:00+08:00"', '"2025-12-01 08:59:59.999+0800"', HOUR, 1, id="ISO 8601 with zone"),
        pytest.param('"2025-12-01 00:00:00"', '"2025-12-01T23:59:59"', HOUR, 24, id="ISO 8601 without zone is UTC"),
        pytest.param('"1764547200"', '"1764550800"', HOUR, 1, id="an end on the hour is exclusive"),
        pytest.param('"1764547200"', '"1764550801"', HOUR, 2, id="an end one second on touches the next hour"),
        pytest.param('"1764547200"', '"1764547200"', HOUR, 1, id="an end at the start is one hour"),
        pytest.param('"1764547200"', '"1764633599"', HOUR, 24, id="a day"),
        pytest.param('"1764549000"', '"1764552600"', HOUR, 2, id="half past to half past touches two hours"),
        pytest.param('"1764547200"', '"1764500000"', HOUR, 1, id="an end before the start"),
        pytest.param('"1764547200"', '"0"', HOUR, 1, id="a zero for no end"),
        pytest.param('"1764547200"', '" "', HOUR, 1, id="a blank end"),
        pytest.param('" 1764547200 "', f'"{START + 366 * 86400 - 1}"', HOUR, 366 * 24, id="a year"),
    ],
)
def test_times_when_spelled_in_any_way_seen_then_are_the_hours_covered(
    start: str, end: str, hour: int, span: int
) -> None:
    """An hour too many would bill the next hour for one second of this."""
    read = decode(f'{{"startTime":{start},"endTime":{end},"amount":"1"}}')
    assert (read.hour.tolist(), read.span.tolist()) == ([hour], [span])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            '"amount":"10000","voucherAmount":"2500","payAmount":"7500"', (100, 25, 75), id="integers as text"
        ),
        pytest.param('"amount":10000,"voucherAmount":2500,"payAmount":7500', (100, 25, 75), id="integers as numbers"),
        pytest.param(
            '"amountDecimal":"1.5","voucherAmountDecimal":"0.5","payableDecimal":"1","amount":"9"',
            (150, 50, 100),
            id="decimals win",
        ),
        pytest.param(
            '"amountDecimal":"1.5","voucherAmountDecimal":"0.5","payAmount":"1"',
            (150, 50, 100),
            id="two decimals give the third",
        ),
        pytest.param(
            '"voucherAmountDecimal":"0.5","payableDecimal":"1","amount":"1"',
            (150, 50, 100),
            id="the total of two decimals",
        ),
        pytest.param('"amountDecimal":"1.5","payableDecimal":"1"', (150, 50, 100), id="the voucher of two decimals"),
        pytest.param(
            '"amountDecimal":"1.5","voucherAmount":"0","payAmount":"15000"',
            (150, 0, 150),
            id="one decimal, the rest integers",
        ),
        pytest.param(
            '"amountDecimal":"","voucherAmountDecimal":" ","amount":"10000"', (100, 0, 100), id="blank is absent"
        ),
        pytest.param('"amount":"10000"', (100, 0, 100), id="an amount alone is paid in cash"),
        pytest.param('"voucherAmount":"100","payAmount":"200"', (3, 1, 2), id="the total of two integers"),
        pytest.param('"amount":"300","payAmount":"200"', (3, 1, 2), id="the voucher of two integers"),
        pytest.param(
            '"amountDecimal":"-1.5","voucherAmountDecimal":"0","payableDecimal":"-1.5"', (-150, 0, -150), id="a credit"
        ),
        pytest.param(
            '"amountDecimal":" 1.5 ","voucherAmountDecimal":"+0","payableDecimal":"15e-1"',
            (150, 0, 150),
            id="odd numbers",
        ),
        pytest.param(
            '"amountDecimal":1.50,"voucherAmountDecimal":0.0,"payableDecimal":1.5e0', (150, 0, 150), id="JSON numbers"
        ),
        pytest.param('"amount":null,"amountDecimal":2', (200, 0, 200), id="a whole JSON number of USD"),
    ],
)
def test_amounts_when_some_are_missing_then_what_is_certain_is_derived(
    fields: str, expected: tuple[int, int, int]
) -> None:
    """The integers drop charges below a hundredth of a cent, so they come last."""
    read = decode(f'{{"startTime":"{START}",{fields}}}')
    assert (read.amount[0] / CENT, read.voucher[0] / CENT, read.pay[0] / CENT) == expected


def test_json_number_when_a_float_would_round_it_then_every_digit_is_kept() -> None:
    """0.1 + 0.2 is not the place to lose money; 10 million with ten digits has more than a float holds."""
    read = decode(
        f'{{"startTime":{START},"amountDecimal":9999999.9999999999,"voucherAmountDecimal":0.1,"payableDecimal":-9456789.0123456789}}'
    )
    assert (read.amount[0], read.voucher[0], read.pay[0]) == (10**17 - 1, 10**9, -94567890123456789)


@pytest.mark.parametrize("odd", ["", ',"ownerID":1.5'], ids=["fast way", "exact way"])
@pytest.mark.parametrize(
    "neighbour", [{"amount": "1"}, {"amountDecimal": "1", "voucherAmountDecimal": "0", "payableDecimal": "1"}]
)
def test_rows_when_digits_are_finer_than_the_scale_then_are_rounded_half_even_and_counted(
    neighbour: dict[str, str], odd: str
) -> None:
    """Rounding is allowed only where it is seen; a row counts once, and alike whatever stands beside it."""
    fields = '"amountDecimal":"0.00000000005","voucherAmountDecimal":"0","payableDecimal":"0.00000000015"'
    read = decode(f'{{"startTime":"{START}",{fields}{odd}}}', {"startTime": START} | neighbour)
    assert (read.amount[0], read.pay[0], read.rounded) == (0, 2, 1)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "on-demand"),
        ("1", "on-demand"),
        (2, "subscription"),
        ("4", "spot"),
        (3, "3"),
        ("prepaid", "prepaid"),
        (None, ""),
        ("", ""),
    ],
)
def test_billing_method_when_known_then_has_its_name(value: object, name: str) -> None:
    """Rules filter by the name; a number not known yet must still be tellable from the others."""
    assert decode({"startTime": START, "amount": 1, "billingMethod": value}).names[0].billing_method == name


def test_names_when_null_number_or_control_characters_then_are_kept_as_text() -> None:
    """A row without an owner is still money."""
    (name,) = decode(
        {"startTime": START, "amount": 1, "ownerID": None, "productName": "a\x00\nb", "category": 7, "userId": [{}]}
    ).names
    assert (name.owner, name.product, name.subcategory, name.product_id) == ("", "a\x00\nb", "7", "")
    assert (name.account, name.category) == ("prod", "gpu")


def test_rows_when_of_one_series_then_share_its_name() -> None:
    """A million rows of a thousand owners must not hold a million names; `1` and "1" are one method."""
    read = decode(
        *(
            {"startTime": START + 3600 * n, "amount": n, "ownerID": "a", "billingMethod": m}
            for n, m in enumerate([1, "1", 1])
        )
    )
    assert read.names[0].owner == "a"
    assert (len(read.names), read.series.tolist()) == (1, [0, 0, 0])


GOOD = {"startTime": START, "amount": "1"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"startTime": None}, r"bills\[1\].startTime: nothing is not a time", id="no start"),
        pytest.param({"startTime": ""}, "startTime: .* is not a time", id="blank start"),
        pytest.param({"startTime": "0"}, "startTime: .* is not a time", id="zero start"),
        pytest.param({"startTime": "soon"}, 'startTime: "soon" is not a time', id="start is a word"),
        pytest.param({"startTime": START_FULL_WIDTH}, "startTime: .* is not a time", id="full-width digits of a time"),
        pytest.param({"startTime": ISO_FULL_WIDTH}, "startTime: .* is not a time", id="full-width digits of a date"),
        pytest.param({"startTime": "1_764_547_200"}, "startTime: .* is not a time", id="underscores in a time"),
        pytest.param({"startTime": 1764547200000000}, "startTime: .* is not a time", id="microseconds"),
        pytest.param({"startTime": "1e99"}, "startTime: .* is not a time", id="start beyond all time"),
        pytest.param({"endTime": "never"}, 'endTime: "never" is not a time', id="end is a word"),
        pytest.param({"endTime": START + 367 * 86400}, "endTime: .* more than a year", id="longer than a year"),
        pytest.param({"amount": None}, "amount: nothing is not an amount", id="no amount"),
        pytest.param({"amount": " "}, "amount: .* is not an amount", id="blank amount"),
        pytest.param(
            {"amount": None, "payAmount": "1"}, "amount: nothing is not an amount", id="cash alone is no total"
        ),
        pytest.param({"amountDecimal": "NaN"}, r'bills\[1\].amountDecimal: "NaN" is not an amount', id="NaN"),
        pytest.param({"amountDecimal": "Infinity"}, "amountDecimal: .* is not an amount", id="infinity"),
        pytest.param({"amountDecimal": "1_0"}, "amountDecimal: .* is not an amount", id="underscores"),
        pytest.param({"amountDecimal": "\uff11\uff10"}, "amountDecimal: .* is not an amount", id="full-width digits"),
        pytest.param({"amountDecimal": "²"}, "amountDecimal: .* is not an amount", id="superscript"),
        pytest.param({"amountDecimal": "1,000"}, "amountDecimal: .* is not an amount", id="comma"),
        pytest.param({"amountDecimal": "1.2.3"}, "amountDecimal: .* is not an amount", id="two points"),
        pytest.param({"amountDecimal": "1-2"}, "amountDecimal: .* is not an amount", id="a difference"),
        pytest.param({"amountDecimal": "."}, "amountDecimal: .* is not an amount", id="a point"),
        pytest.param({"amountDecimal": "-"}, "amountDecimal: .* is not an amount", id="a sign"),
        pytest.param({"amountDecimal": "$5"}, "amountDecimal: .* is not an amount", id="a currency"),
        pytest.param({"amountDecimal": True}, "amountDecimal: true is neither", id="true"),
        pytest.param({"ownerID": {"id": 1}}, "ownerID: .* is neither text nor a number", id="an object for a name"),
        pytest.param({"amountDecimal": "922337204"}, "amountDecimal: .* does not fit", id="too large"),
        pytest.param({"amountDecimal": "9" * 400}, "amountDecimal: .* does not fit", id="far too large"),
        pytest.param({"amountDecimal": "9" * 9000}, "amountDecimal: .* is not an amount", id="absurdly long"),
        pytest.param({"amount": "9223372036855"}, r"\.amount: .* does not fit", id="integer too large"),
        pytest.param(
            {"amountDecimal": None, "voucherAmountDecimal": "900000000", "payableDecimal": "900000000"},
            "too large for one row",
            id="a sum too large",
        ),
        *(
            pytest.param({field: amount}, "10 million USD", id=f"a slip of units: {field} {amount}")
            for field in ("amountDecimal", "voucherAmountDecimal", "payableDecimal")
            for amount in ("500000000", "-10000000.0000000001")
        ),
        pytest.param({"amount": "100000000001"}, "10000000.0001 USD", id="a slip of units in an integer"),
        pytest.param({"voucherAmount": "x"}, "voucherAmount: .* is not an amount", id="garbage in the voucher"),
    ],
)
def test_row_when_a_field_cannot_be_read_then_the_whole_answer_is_refused(fields: dict[str, Any], text: str) -> None:
    """A row left out silently is spend that nobody is notified of; the message must name field and value."""
    with pytest.raises(UnexpectedShape, match=text) as caught:
        decode(GOOD, GOOD | fields)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "number", ["1_0", "\uff11", "\u00b2", "1e", "NaN", "1-2", "1.-2", "--1", "922337203.6854775808", "-1e9", "9" * 9000]
)
@pytest.mark.parametrize("field", ["amountDecimal", "voucherAmountDecimal", "payableDecimal"])
def test_rows_when_all_alike_then_a_bad_amount_is_still_refused(field: str, number: str) -> None:
    """Rows that have all three decimals are read by the fast way, which must be as strict."""
    row = {"startTime": START, "amountDecimal": "1", "voucherAmountDecimal": "0", "payableDecimal": "1"}
    with pytest.raises(UnexpectedShape, match=rf"bills\[1\]\.{field}: "):
        decode(row, row | {field: number})


@pytest.mark.parametrize("field", ["amountDecimal", "voucherAmountDecimal", "payableDecimal"])
def test_rows_when_all_alike_then_a_slip_of_units_is_still_refused(field: str) -> None:
    """$10 million are the most that a row may have, whichever way it is read."""
    row = {"startTime": START, "amountDecimal": "10000000", "voucherAmountDecimal": "0", "payableDecimal": "10000000"}
    assert decode(row).amount[0] == 10**17
    with pytest.raises(UnexpectedShape, match=r"bills\[1\]: 10000000.01 USD is too large for one row"):
        decode(row, row | {field: "10000000.01"})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1_0", "01", "+1", ".5", "1e", "0x1"])
def test_number_when_no_json_then_the_answer_is_refused(number: str) -> None:
    """Python's json would take NaN; money must not."""
    with pytest.raises(UnexpectedShape):
        decode(f'{{"startTime":{START},"amountDecimal":{number}}}')
