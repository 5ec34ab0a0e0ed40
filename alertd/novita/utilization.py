"""
The metrics of one instance: JSON -> samples of its GPUs' utilisation.

Decides which samples belong to the requested period, and whether numbers are percentages or fractions. As with all
data read beside the bills, no error quotes anything from an answer.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

import msgspec

from alertd.core.dataclass import dataclass
from alertd.core.utilization import WHOLE, Sample
from alertd.novita.shape import UnexpectedShape, check_envelope, decode_object, scalar_of
from alertd.novita.wire import read_seconds

METRICS = "/openapi/v1/metrics/gpu/instance"

_NULL = msgspec.Raw(b"null")
_PERCENT = 100
_OTHERS = ("cpuUtilization", "memUtilization", "rootDiskUtilization")
_OF_GPUS = ("gpuUtilization", "gpuMemUtilization")
_WRONG = "not the metrics of an instance"


class _Point(msgspec.Struct, gc=False):
    timestamp: msgspec.Raw = _NULL
    value: msgspec.Raw = _NULL


class _OneGpu(msgspec.Struct, gc=False):
    items: msgspec.Raw = _NULL


class _Gpus(msgspec.Struct, gc=False):
    avg: msgspec.Raw = _NULL
    gpu_ids: msgspec.Raw = msgspec.field(default=_NULL, name="gpuIds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The GPU metrics of an answer; values as received."""

    points: tuple[tuple[int, Decimal], ...]
    """(Unix seconds, the mean over the GPUs)."""
    is_percent: bool
    """Whether some value of the answer is above 1, so that all are percentages."""


def decode_metrics(body: bytes, *, start_s: int, end_s: int) -> Metrics:
    """
    Decode an answer; an invalid parameter may have been replaced silently, so only the requested period counts.

    Raises:
        UnexpectedShape: It is not such an answer; the text quotes nothing from it.
    """
    try:
        envelope = decode_object(body)
        others = {name: envelope.pop(name, _NULL) for name in _OTHERS}
        gpus = {name: _gpus(envelope.pop(name, _NULL)) for name in _OF_GPUS}
        check_envelope(envelope, rows_key=_OF_GPUS[0], has_list=True, has_rows=False)
        values = [value for raw in others.values() for _, value in _points(raw)]
        values += [value for series in gpus.values() for points in series for _, value in points]
        mean = _mean(gpus[_OF_GPUS[0]])
    except (UnexpectedShape, msgspec.DecodeError, RecursionError, ValueError):
        mean, values = None, []
    if mean is None:
        # Raised outside the handler: the caught exception quotes the answer.
        raise UnexpectedShape(_WRONG)
    points = tuple((seconds, value) for seconds, value in mean if start_s <= seconds <= end_s)
    return Metrics(points=points, is_percent=any(value > 1 for value in values))


def samples_of(metrics: Metrics, *, is_percent: bool) -> tuple[Sample, ...]:
    """Return the samples in millionths; values that are neither a percentage nor a fraction are left out."""
    most = _PERCENT if is_percent else 1
    return tuple(
        (seconds, int(value * WHOLE / most)) for seconds, value in metrics.points if Decimal(0) <= value <= most
    )


def _gpus(raw: msgspec.Raw) -> list[list[tuple[int, Decimal]]]:
    """Return the mean as one series if the answer has it, else a series for each GPU."""
    if bytes(raw) == b"null":
        return []
    found = msgspec.json.decode(raw, type=_Gpus)
    average = _points(found.avg)
    if average:
        return [average]
    if bytes(found.gpu_ids) == b"null":
        return []
    return [_points(one.items) for one in msgspec.json.decode(found.gpu_ids, type=list[_OneGpu])]


def _mean(series: list[list[tuple[int, Decimal]]]) -> Iterator[tuple[int, Decimal]] | list[tuple[int, Decimal]]:
    """Return the mean over the GPUs at each instant at which all of them were sampled."""
    if len(series) == 1:
        return series[0]
    by_instant: dict[int, list[Decimal]] = {}
    for points in series:
        for seconds, value in points:
            by_instant.setdefault(seconds, []).append(value)
    whole = (pair for pair in sorted(by_instant.items()) if len(pair[1]) == len(series))
    return [(seconds, sum(values, Decimal(0)) / len(values)) for seconds, values in whole]


def _points(raw: msgspec.Raw) -> list[tuple[int, Decimal]]:
    if bytes(raw) == b"null":
        return []
    each = map(_point, msgspec.json.decode(raw, type=list[_Point]))
    return [point for point in each if point is not None]


def _point(point: _Point) -> tuple[int, Decimal] | None:
    """Return a point; None if its time or value is missing, which is a gap in the metrics."""
    try:
        seconds = read_seconds(scalar_of(point.timestamp, "", ""), "")
        value = Decimal(str(scalar_of(point.value, "", "")))
    except (UnexpectedShape, InvalidOperation, msgspec.DecodeError, ValueError):
        return None
    return (seconds, value) if seconds is not None and value.is_finite() else None
