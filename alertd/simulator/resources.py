"""
The instances and serverless endpoints of a world, as their lists show them: with every field that the vendor documents,
secrets included.

Decides what is listed and in which state; a world's meters say when it runs.
Source: https://novita.ai/docs/api-reference/gpu-instance-list-instances
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from alertd.simulator.meters import HOUR_S, Meter, runs_in
from alertd.simulator.noise import draw
from alertd.simulator.queries import Refusal
from alertd.simulator.world import World

INSTANCES = "/gpu-instance/openapi/v1/gpu/instances"
INSTANCE = "/gpu-instance/openapi/v1/gpu/instance"
METRICS = "/openapi/v1/metrics/gpu/instance"
ENDPOINTS = "/gpu-instance/openapi/v1/endpoints"

KEPT_AFTER_END = timedelta(days=7)
"""How long an instance stays listed after it was stopped for good."""
MOST_POINTS = 5000
"""Maximum number of points in one answer."""
_BACK_HOURS = 24 * 31
"""How far back the last start or stop is searched for."""
SECRET = "sim-secret-6b1d"  # noqa: S105 -- opens nothing
"""The value of every secret field: it must never be displayed anywhere."""


def instances(world: World, now: datetime, states: Mapping[str, str]) -> list[dict[str, object]]:
    """Return every instance in the list; *states* overrides those that were stopped or started on request."""
    return [_instance(world, meter, now, states) for meter in _listed(world, "gpu", now)]


def instance(world: World, instance_id: str, now: datetime, states: Mapping[str, str]) -> dict[str, object]:
    """Return one instance with the fields that only its own answer has; raise `Refusal` (404) if unknown."""
    meter = next((meter for meter in _listed(world, "gpu", now) if meter.owner_id == instance_id), None)
    if meter is None:
        raise Refusal(404, "INSTANCE_NOT_FOUND", f"no such instance: {instance_id!r}")
    started, stopped = _turns(world, meter, now)
    times = {"createdAt": started, "lastStartedAt": started, "lastStoppedAt": stopped}
    return _instance(world, meter, now, states) | {name: str(at) for name, at in times.items()}


def encode_instances(found: list[dict[str, object]], page_size: int, page: int) -> Iterator[bytes]:
    """Yield the body of one page; pages count from 1, and a lower number gives the first page."""
    first = (max(page, 1) - 1) * page_size
    shown = found[first : first + page_size]
    yield msgspec.json.encode({"instances": shown, "pageSize": page_size, "pageNum": page, "total": len(found)})


def encode_endpoints(world: World, now: datetime) -> Iterator[bytes]:
    """Yield the body of the list of serverless endpoints."""
    found = [
        {
            "id": meter.owner_id,
            "name": meter.owner_name or meter.owner_id,
            "appName": meter.owner_id,
            "state": {"state": "serving" if _is_running(world, meter, now) else "stopped", "error": "", "message": ""},
            "workerConfig": {"minNum": 0, "maxNum": 2, "gpuNum": 1, "cudaVersion": "12.4"},
            "workers": [],
            "envs": [{"key": "HF_TOKEN", "value": SECRET}],
            "image": {"image": "registry.invalid/worker:1", "authId": SECRET, "command": f"serve --key {SECRET}"},
        }
        for meter in _listed(world, "serverless", now)
    ]
    yield msgspec.json.encode({"endpoints": found, "total": len(found)})


def encode_metrics(world: World, query: Mapping[str, str], now: datetime) -> Iterator[bytes]:
    """
    Yield the body of an instance's metrics, in percent, for the requested seconds; raise `Refusal` (404) if unknown.

    An invalid parameter is silently replaced by the last minute, as the vendor documents.
    """
    meter = next((one for one in _listed(world, "gpu", now) if one.owner_id == query.get("instanceId", "")), None)
    if meter is None:
        raise Refusal(404, "INSTANCE_NOT_FOUND", "no such instance")
    now_s = int(now.timestamp())
    start_s, end_s, step_s = (_whole(query.get(name, "")) for name in ("startTime", "endTime", "interval"))
    if not 0 < start_s < end_s <= now_s + 1 or (end_s - start_s) // max(step_s, 16) > MOST_POINTS:
        start_s, end_s = now_s - 60, now_s
    step_s = step_s if step_s > 15 else 60
    instants = range(-(-start_s // step_s) * step_s, end_s, step_s)
    busy = [(at, _busy_percent(world, meter, at)) for at in instants if _runs_at(world, meter, at)]
    gpu = [{"timestamp": str(at), "value": value} for at, value in busy]
    flat = [{"timestamp": str(at), "value": 12.5} for at, _ in busy]
    yield msgspec.json.encode(
        {
            "cpuUtilization": flat,
            "memUtilization": flat,
            "rootDiskUtilization": flat,
            "gpuUtilization": {"avg": gpu, "gpuIds": [{"gpuId": "0", "items": gpu}]},
            "gpuMemUtilization": {"avg": flat, "gpuIds": [{"gpuId": "0", "items": flat}]},
        }
    )


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _runs_at(world: World, meter: Meter, at_s: int) -> bool:
    return runs_in(meter, seed=world.seed, hour_s=at_s // HOUR_S * HOUR_S)


def _busy_percent(world: World, meter: Meter, at_s: int) -> float:
    if meter.idle_from is not None and at_s >= meter.idle_from.timestamp():
        return 0.0
    return 55.0 + draw(world.seed, "busy", meter.owner_id, at_s)[0] % 400 / 10


def _listed(world: World, category: str, now: datetime) -> Iterator[Meter]:
    seen = set()
    for meter in world.meters:
        is_begun = meter.starts_at is None or meter.starts_at <= now
        is_kept = meter.ends_at is None or now < meter.ends_at + KEPT_AFTER_END
        is_machine = meter.category == category and meter.usd_per_hour > 0 and not meter.is_daily
        if is_machine and is_begun and is_kept and meter.owner_id not in seen:
            seen.add(meter.owner_id)
            yield meter


def _is_running(world: World, meter: Meter, now: datetime) -> bool:
    return runs_in(meter, seed=world.seed, hour_s=int(now.timestamp()) // HOUR_S * HOUR_S)


def _instance(world: World, meter: Meter, now: datetime, states: Mapping[str, str]) -> dict[str, object]:
    running = "running" if _is_running(world, meter, now) else "exited"
    product = meter.product_name
    return {
        "id": meter.owner_id,
        "name": meter.owner_name or meter.owner_id,
        "clusterId": "1",
        "clusterName": "us-dallas-01",
        "status": states.get(meter.owner_id, running),
        "imageUrl": "registry.invalid/pytorch:2.8",
        "imageAuthId": SECRET,
        "command": f"jupyter lab --token {SECRET}",
        "cpuNum": "16",
        "memory": "128",
        "gpuNum": "1",
        "portMappings": [{"port": 8888, "endpoint": f"https://{SECRET}.invalid", "type": "http"}],
        "productId": f"product-{meter.subcategory.lower()}",
        "productName": product,
        "rootfsSize": 60,
        "volumeMounts": [],
        "statusError": {"state": "", "message": SECRET},
        "envs": [{"key": "WANDB_API_KEY", "value": SECRET}],
        "kind": "gpu",
        "endTime": "-1",
        "billingMode": "onDemand",
        "spotStatus": "",
        "spotReclaimTime": "0",
        "keepDataDay": 7,
        "sshCommand": f"ssh root@host.invalid -p 22 # {SECRET}",
        "sshPassword": SECRET,
        "connectComponentSSH": {"user": "root", "password": SECRET, "status": "running"},
        "connectComponentWebTerminal": {"address": f"https://{SECRET}.invalid", "status": "running"},
        "connectComponentJupyter": {"address": f"https://x.invalid/?token={SECRET}", "status": "running"},
        "connectComponentLog": {"address": f"https://x.invalid/{SECRET}"},
    }


def _turns(world: World, meter: Meter, now: datetime) -> tuple[int, int]:
    """Return when it last started and last stopped, Unix seconds; 0 if that was before the searched period."""
    hour_s = int(now.timestamp()) // HOUR_S * HOUR_S
    runs = [runs_in(meter, seed=world.seed, hour_s=hour_s - back * HOUR_S) for back in range(_BACK_HOURS)]
    turns = [(hour_s - back * HOUR_S, runs[back]) for back in range(_BACK_HOURS - 1) if runs[back] != runs[back + 1]]
    started = next((at for at, is_on in turns if is_on), 0)
    return started, next((at for at, is_on in turns if not is_on), 0)
