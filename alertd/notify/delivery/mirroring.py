"""
Sends what fires again and again to receivers that keep alerts themselves: they forget it at a restart, and end what is
not sent any more.

What is sent again is no notification: it is not in the outbox, and what fails is tried at the next interval.
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
"""So long a receiver that restarted may lack an alert; Prometheus has the same."""


class Notified(Protocol):
    """What mirroring asks of the store."""

    async def mirrored(self, receiver: str, recipient: str, now: datetime) -> tuple[AlertFacts, ...]:
        """Return the alerts notified to a recipient that still fire or ended lately, in their present state."""


class Mirroring:
    """
    Repeats alerts to every mirror among the notifiers in use; lives as long as the delivery.

    Args:
        delivery: Whose lanes it shares, so that no end is overtaken by an older "it fires".
        now: The time.
    """

    def __init__(self, *, delivery: Delivery, notified: Notified, now: Callable[[], datetime]) -> None:
        self._delivery = delivery
        self._told = notified
        self._now = now
        self._failing: dict[Lane, str] = {}
        self._log = get_logger()

    async def mirror(self) -> None:
        """Make one round; a lane in which something is being sent is left to the next."""
        notifiers = self._delivery.notifiers
        lanes = [(name, recipient) for name, notifier in notifiers.items() for recipient in _mirrored(notifier)]
        await asyncio.gather(*(self._delivery.alone(lane, partial(self._tell, notifiers, lane)) for lane in lanes))

    async def _tell(self, notifiers: Mapping[str, Notifier], lane: Lane) -> None:
        """Send to one recipient; where that begins to fail, or works again, the log says so once."""
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
