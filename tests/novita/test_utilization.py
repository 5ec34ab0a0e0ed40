"""Metrics of an instance: percent or share, what was asked for or a default, and no secret of an answer."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alertd.clock import elapsed_s, utc_now
from alertd.core.utilization import Sample
from alertd.errors import ApiUnavailable
from alertd.novita.client import NovitaClient
from alertd.novita.shape import UnexpectedShape
from alertd.novita.transport import Transport
from alertd.novita.utilization import decode_metrics, samples_of
from tests.e2e.world import API_KEY, BillingWorld

AT = 1773316800
SECRET = "canary-51ce"


def points(*values: object, first: int = AT) -> list[dict[str, object]]:
    return [{"timestamp": str(first + 60 * n), "value": value} for n, value in enumerate(values)]


def answer(gpu: Any, **more: Any) -> bytes:
    return json.dumps({"gpuUtilization": gpu, SECRET: SECRET, **more}).encode()


def read(body: bytes) -> tuple[Sample, ...]:
    metrics = decode_metrics(body, start_s=AT, end_s=AT + 600)
    return samples_of(metrics, is_percent=metrics.is_percent)


@pytest.mark.parametrize(
    ("body", "shares"),
    [
        pytest.param(answer({"avg": points(50, "0.5")}), [500_000, 5_000], id="percent, as numbers and as text"),
        pytest.param(answer({"avg": points(0.5, 0)}), [500_000, 0], id="shares"),
        pytest.param(
            answer({"avg": points(0.5)}, cpuUtilization=points(1.2)), [5_000], id="percent, which the CPU gives away"
        ),
        pytest.param(answer({"avg": points(0.5)}, memUtilization=points(1.2)), [5_000], id="or the memory"),
        pytest.param(answer({"avg": points(0.5)}, rootDiskUtilization=points(0.1, 1.2)), [5_000], id="or the disk"),
        pytest.param(
            answer({"avg": points(0.5)}, gpuMemUtilization={"avg": points(1.2)}), [5_000], id="or the GPU's memory"
        ),
        pytest.param(answer({"avg": points(0.5)}, cpuUtilization=points(1)), [500_000], id="none of them above one"),
        pytest.param(answer({"avg": points(1)}), [1_000_000], id="one is a whole share"),
        pytest.param(answer({"avg": points(None, "x", {}, 40)}), [400_000], id="gaps and nonsense"),
        pytest.param(answer({"avg": points(-1, 101, "NaN", "Infinity", 3)}), [30_000], id="no utilisation at all"),
        pytest.param(
            answer({"avg": [], "gpuIds": [{"items": points(100, 0)}, {"items": points(0, 50)}]}),
            [500_000, 250_000],
            id="the mean over the GPUs",
        ),
        pytest.param(
            answer({"avg": points(30), "gpuIds": [{"items": points(100)}, {"items": points(0)}]}),
            [300_000],
            id="the API's own mean where there is one",
        ),
        pytest.param(
            answer({"gpuIds": [{"items": points(80, 80)}, {"items": points(20)}]}),
            [500_000],
            id="only where all GPUs were sampled",
        ),
        pytest.param(answer({"avg": points(9, first=AT - 6000)}), [], id="not what was asked for"),
        pytest.param(answer({"avg": points(7, 8, 9, first=AT + 540)}), [70_000, 80_000], id="through its end alone"),
        pytest.param(answer({"avg": points(7, 8, 9, first=AT - 60)}), [80_000, 90_000], id="from its beginning on"),
        pytest.param(answer({"avg": None}), [], id="nothing"),
        pytest.param(answer(None), [], id="nothing at all"),
        pytest.param(b"{}", [], id="an empty answer"),
    ],
)
def test_metrics_when_decoded_then_shares(body: bytes, shares: list[int]) -> None:
    """In millionths, of the time that was asked for."""
    assert [share for _, share in read(body)] == shares


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>" + SECRET.encode(),
        b"[]",
        answer([SECRET]),
        answer({"avg": SECRET}),
        answer({"avg": [SECRET]}),
        b'{"code": 500, "message": "' + SECRET.encode() + b'"}',
    ],
)
def test_metrics_when_there_are_none_then_refused_without_a_word_of_it(body: bytes) -> None:
    """An error would carry secrets into the log and the status."""
    with pytest.raises(UnexpectedShape) as refused:
        read(body)
    assert SECRET not in repr(refused.value)
    assert refused.value.__context__ is None


@pytest.fixture
def world() -> Iterator[BillingWorld]:
    with BillingWorld() as billing:
        yield billing


async def test_client_when_percent_was_seen_once_then_so_are_all_others(world: BillingWorld) -> None:
    """A value of 0.8 alone says nothing; that another instance was at 40 says it."""
    world.beside["metrics"] = lambda query: {
        "gpuUtilization": {"avg": points(40 if query["instanceId"] == "i-1" else 0.8)}
    }
    start = datetime.fromtimestamp(AT, UTC)
    async with NovitaClient(
        Transport(account="prod", api_key=API_KEY, base_url=world.url, now=utc_now, elapsed=elapsed_s)
    ) as client:
        for owner, share in (("i-2", 800_000), ("i-1", 400_000), ("i-2", 8_000)):
            found = await client.read_utilization(owner, start, start + timedelta(minutes=10))
            assert found == ((AT, share),)
    assert world.asked_beside[0][1] == {
        "instanceId": "i-2",
        "startTime": str(AT),
        "endTime": str(AT + 600),
        "interval": "60",
    }


async def test_client_when_the_account_has_no_metrics_then_says_so(world: BillingWorld) -> None:
    """The rule decides nothing then."""
    world.beside["metrics"] = lambda _: {"code": 500, "message": SECRET}
    start = datetime.fromtimestamp(AT, UTC)
    async with NovitaClient(
        Transport(account="prod", api_key=API_KEY, base_url=world.url, now=utc_now, elapsed=elapsed_s)
    ) as client:
        with pytest.raises(ApiUnavailable, match="not the metrics") as raised:
            await client.read_utilization("i-1", start, start + timedelta(hours=9))
    assert SECRET not in str(raised.value)
    assert world.asked_beside[0][1]["interval"] == "300"
