"""
Repeats firing alerts to receivers that keep alerts themselves, which forget them at a restart and end alerts that are
no longer sent.

A repeat is not a notification: it is not in the outbox, and failures are retried at the next interval.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from alertd.core.messages.message import AlertFacts
from alertd.errors import StoreError
from alertd.log import get_logger
from alertd.notify.base import Delivered, Mirror, Notifier, Outcome, Unknown
from alertd.notify.delivery.attempt import answered
from alertd.notify.delivery.deliver import Delivery
from alertd.notify.delivery.order import Lane

MIRROR_EVERY = timedelta(minutes=1)
"""Seconds that a restarted receiver may lack an alert, the same as with Prometheus."""


class Notified(Protocol):
    """The interface of the store for mirroring."""

    async def mirrored(self, receiver: str, recipient: str, now: datetime) -> tuple[AlertFacts, ...]:
        """Return the alerts notified to a recipient that still fire or ended recently, in their current states."""


class Mirroring:
    """
    Repeats alerts to every mirror among the notifiers, for the life of the delivery.

    Args:
        delivery: The delivery whose lanes it shares, so that an end is never overtaken by an older firing state.
        now: The time.
    """

    def __init__(self, *, delivery: Delivery, notified: Notified, now: Callable[[], datetime]) -> None:
        self._delivery = delivery
        self._told = notified
        self._now = now
        self._failing: dict[Lane, str] = {}
        self._log = get_logger()

    async def mirror(self) -> None:
        """Send to every recipient once; a busy lane is left to the next round."""
        notifiers = self._delivery.notifiers
        lanes = [(name, recipient) for name, notifier in notifiers.items() for recipient in _mirrored(notifier)]
        await asyncio.gather(*(self._delivery.alone(lane, partial(self._tell, notifiers, lane)) for lane in lanes))

    async def _tell(self, notifiers: Mapping[str, Notifier], lane: Lane) -> None:
        """Send to one recipient; log once when that begins to fail and when it works again."""
        receiver, recipient = lane
        try:
            alerts = await self._told.mirrored(receiver, recipient, self._now())
        except StoreError as fault:
            self._log.error("alerts to mirror not read", receiver=receiver, error=str(fault))
            return
        if not alerts:
            return
        notifier = notifiers[receiver]
        assert isinstance(notifier, Mirror)
        outcome = await answered(
            notifier, partial(notifier.mirror, alerts, recipient=recipient), Outcome, otherwise=Unknown
        )
        error = "" if isinstance(outcome, Delivered) else outcome.reason
        if bool(error) != bool(self._failing.get(lane)):
            facts = {"receiver": receiver, "recipient": recipient, "alerts": len(alerts)}
            if error:
                self._log.warning("mirroring failed", **facts, error=error)
            else:
                self._log.info("mirroring recovered", **facts)
        self._failing[lane] = error


def _mirrored(notifier: Notifier) -> tuple[str, ...]:
    return notifier.recipients if isinstance(notifier, Mirror) else ()
