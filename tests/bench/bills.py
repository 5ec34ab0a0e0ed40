"""A bill of a quarter of a million rows: decoded, filed and stored."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from alertd.core.hours import HourRange, hour_of
from alertd.core.spend.bill import BillRows
from alertd.core.spend.ledger import CategoryBook, SeriesTable, file_rows
from alertd.novita.columns import BillColumns
from alertd.novita.stream import BillStream
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.bench.decode import pieces, write_bill
from tests.bench.measure import Row, cpu_ms, in_turn, peak_mib

ROWS = 250_000
NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
FIRST = 1764547200 // 3600


class _Amount(msgspec.Struct):
    amountDecimal: str  # noqa: N815 -- the API's name


class _Bill(msgspec.Struct):
    bills: list[_Amount]


def decode_and_store() -> Iterator[Row]:
    """Decode, then the first ingest, then what a cell takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bill.json"
        write_bill(path, ROWS, "decimal")
        found: list[BillRows] = []

        def decode() -> None:
            stream = BillStream(BillColumns(account="default", category="gpu"))
            for data in pieces(str(path)):
                stream.push(data)
                if stream.is_due:
                    stream.decode()
            found[:] = [stream.finish().to_rows()]

        def floor() -> None:
            bill = msgspec.json.decode(path.read_bytes(), type=_Bill)
            for row in bill.bills:
                int(row.amountDecimal.replace(".", ""))

        idle = peak_mib()
        decode()
        grown = peak_mib() - idle
        floor_ms, decode_ms = in_turn(floor, decode, rounds=3)
        what = f"{ROWS:,} rows; floor: msgspec and one exact amount a row"
        yield Row(
            name="decode", what=what, floor_ms=floor_ms, alertd_ms=decode_ms, target="1.67", size=f"+{grown:.0f} MiB"
        )
        (rows,) = found
        blobs = [rows.amount.tobytes(), rows.voucher.tobytes(), rows.pay.tobytes()]
        blob_ms = cpu_ms(lambda: Path(folder, "blobs").write_bytes(b"".join(blobs)))
        sizes: list[int] = []
        ingest_ms = cpu_ms(lambda: sizes.append(_ingest(Path(folder), rows)))
        what = f"{ROWS:,} rows filed and committed; floor: their amounts written as they are"
        yield Row(
            name="first ingest",
            what=what,
            floor_ms=blob_ms,
            alertd_ms=ingest_ms,
            target=f"{ROWS // 300:,} ms",
            size=f"{sizes[0] / len(rows):.1f} bytes a cell (target 15)",
        )


def _ingest(folder: Path, rows: BillRows) -> int:
    table, book = SeriesTable(), CategoryBook(account="default", category="gpu")
    filing = file_rows(book, table, rows, HourRange(FIRST, hour_of(NOW) + 1), read_at=NOW)
    store = Store.open(f"sqlite:///{folder}/alertd.db", now=NOW)
    store.save_facts(table, books=[BookChange(book=filing.book, blocks=filing.blocks)])
    store.close()
    return (folder / "alertd.db").stat().st_size
