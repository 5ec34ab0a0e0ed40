"""
Decode a bill of a million rows in chunks: rows a second, memory above idle, and the ratio to msgspec.Raw.

Run by hand: `python -m tests.bench.decode [rows] [decimal|integer|number]`. Each measurement has its own process,
because memory is released late. The baseline is `msgspec.Raw`, which finds the rows without reading their contents.
"""

# ruff: noqa: T201 -- it prints its figures

import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

READ_BYTES = 64 * 1024
"""The number of bytes that httpx reads from a socket at a time."""
ROUNDS = 3


def write_bill(path: Path, rows: int, style: str) -> None:
    """Write rows of about 480 bytes: a month of hours for each of many owners, a fifth of the rows with a voucher."""
    rng = random.Random(7)
    with path.open("w") as file:
        file.write('{"bills":[')
        for n in range(rows):
            file.write("," * (n > 0) + json.dumps(bill_row(n, rng, style), separators=(",", ":")))
        file.write("]}")


def bill_row(n: int, rng: random.Random, style: str) -> dict[str, object]:
    start = 1764547200 + n % 744 * 3600
    amount = rng.randrange(10**11)
    voucher = amount // 3 if rng.random() < 0.2 else 0
    row: dict[str, object] = {
        "userId": "0f3c9d2e",
        "startTime": str(start),
        "endTime": str(start + 3599),
        "billingMethod": "1",
        "productName": "H100 SXM 80GB",
        "category": "Compute",
        "ownerID": f"gpu-{n // 744:08x}",
        "billNum0": "1",
        "basePrice0": "25000",
        "discountPrice0": "25000",
        "amount": str(amount // 10**6),
        "voucherAmount": str(voucher // 10**6),
        "payAmount": str((amount - voucher) // 10**6),
        "payAmountDisplay": "2.50",
        "pricePrecision": "4",
        "productId": "prod-77",
        "requestCount": "0",
    }
    if style != "integer":
        usd = [f"{units // 10**10}.{units % 10**10:010d}" for units in (amount, voucher, amount - voucher)]
        row |= dict(
            zip(
                ("amountDecimal", "voucherAmountDecimal", "payableDecimal"),
                map(float, usd) if style == "number" else usd,
                strict=True,
            )
        )
    return row


def pieces(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while data := file.read(READ_BYTES):
            yield data


def measure_raw(path: str) -> None:
    import msgspec  # noqa: PLC0415 -- each process loads only what it measures

    body = Path(path).read_bytes()
    start = time.perf_counter()
    msgspec.json.decode(body, type=dict[str, list[msgspec.Raw]])
    report(start)


def measure_alertd(path: str) -> None:
    from alertd.novita.columns import BillColumns  # noqa: PLC0415
    from alertd.novita.stream import BillStream  # noqa: PLC0415

    idle_kib = peak_kib()
    start = time.perf_counter()
    stream = BillStream(BillColumns(account="default", category="gpu"))
    for data in pieces(path):
        stream.push(data)
        if stream.is_due:
            stream.decode()
    rows = stream.finish().to_rows()
    assert len(rows.names) == -(-len(rows) // 744)
    report(start, idle_kib)


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def report(start: float, idle_kib: int = 0) -> None:
    print(time.perf_counter() - start, (peak_kib() - idle_kib) / 1024)


def measure(what: str, path: Path) -> tuple[float, float]:
    """Return seconds and MiB of one run in a new process."""
    run = subprocess.run([sys.executable, __file__, what, str(path)], check=True, capture_output=True, text=True)
    seconds, mib = map(float, run.stdout.split())
    return seconds, mib


def main(rows: int, style: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bill.json"
        write_bill(path, rows, style)
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB, amounts as {style}")
        ratios, speeds, peaks = [], [], []
        for _ in range(ROUNDS):
            floor_s, _ = measure("--raw", path)
            seconds, mib = measure("--alertd", path)
            ratios.append(seconds / floor_s)
            speeds.append(rows / seconds)
            peaks.append(mib)
        print(f"median of {ROUNDS}: {statistics.median(speeds):,.0f} rows/s")
        print(f"{statistics.median(ratios):.1f} x msgspec.Raw, round by round")
        print(f"{max(peaks):.0f} MiB above idle at the most")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--raw", body]:
            measure_raw(body)
        case ["--alertd", body]:
            measure_alertd(body)
        case arguments:
            count, spelled, *_ = [*arguments, *["1000000", "decimal"][len(arguments) :]]
            main(int(count), spelled)
