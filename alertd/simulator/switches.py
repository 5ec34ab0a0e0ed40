"""
Instances that are stopped and started by request: what the API answers, and what that does to the bills.

A stop takes as long as the world says; the hour under way is billed whole, and nothing after it. Only a key with the
right to it may switch anything.
Source: https://novita.ai/docs/api-reference/gpu-instance-stop-instance
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from alertd.simulator.meters import HOUR_S, Meter
from alertd.simulator.queries import Refusal
from alertd.simulator.resources import INSTANCE, instance
from alertd.simulator.world import World

STOP = f"{INSTANCE}/stop"
START = f"{INSTANCE}/start"
_BUSY = {STOP: "stopping", START: "starting"}
_AFTER = {STOP: "exited", START: "running"}
_RUNNING = frozenset({"running"})


@dataclass(frozen=True, slots=True)
class _Switch:
    """What was asked of an instance last."""

    path: str
    at: datetime


class Switches:
    """
    Keeps what was asked of instances; lives as long as its server.

    Args:
        action_key: The key that may stop and start.
        takes: How long a stop or start is under way.
    """

    def __init__(self, *, action_key: str, takes: timedelta) -> None:
        self._action_key = action_key
        self._takes = takes
        self._switched: dict[str, _Switch] = {}
        self.calls: list[tuple[str, str]] = []
        """Path and instance of each call that was taken."""

    def states(self, now: datetime) -> dict[str, str]:
        """Return the states of instances that were switched."""
        return {
            name: (_BUSY if now < switch.at + self._takes else _AFTER)[switch.path]
            for name, switch in self._switched.items()
        }

    def call(self, world: World, path: str, body: bytes, *, key: str, now: datetime) -> World:
        """Switch an instance and return the world after it; raise `Refusal` where the API refuses."""
        name = _instance_id(body)
        state = str(instance(world, name, now, self.states(now))["status"])
        if key != self._action_key:
            raise Refusal(403, "ACCESS_DENY", "this API key may not change instances")
        if (state in _RUNNING) is not (path == STOP) or state in _BUSY.values():
            raise Refusal(400, "INVALID_INSTANCE_STATUS", f"instance is {state}")
        self._switched[name] = _Switch(path, now)
        self.calls.append((path, name))
        return _stopped(world, name, now) if path == STOP else _started(world, name, now)


def _instance_id(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body, type=dict[str, str])["instanceId"])
    except (msgspec.MsgspecError, KeyError):
        raise Refusal(400, "INVALID_PARAMETER", "instanceId is required") from None


def _hour_end(now: datetime) -> datetime:
    return datetime.fromtimestamp(-(-int(now.timestamp()) // HOUR_S) * HOUR_S, now.tzinfo)


def _is_open(meter: Meter, name: str, now: datetime) -> bool:
    return meter.owner_id == name and meter.category == "gpu" and (meter.ends_at is None or meter.ends_at > now)


def _stopped(world: World, name: str, now: datetime) -> World:
    end = _hour_end(now)
    return replace(
        world, meters=tuple(replace(one, ends_at=end) if _is_open(one, name, now) else one for one in world.meters)
    )


def _started(world: World, name: str, now: datetime) -> World:
    begin = _hour_end(now)
    ended = [one for one in world.meters if one.owner_id == name and one.category == "gpu" and one.ends_at is not None]
    again = tuple(replace(one, starts_at=max(begin, one.ends_at or begin), ends_at=None) for one in ended[-1:])
    return replace(world, meters=(*world.meters, *again))
