"""
Add a picture to a delivered message: an extra, after the outcome is recorded, tried once and never missed.

Whatever goes wrong here changes nothing about the message, which stands and is told of no second time.
"""

import asyncio

from alertd.log import get_logger
from alertd.notify.base import Delivered, Envelope, Illustrator, Notifier, Outcome


async def illustrate(notifier: Notifier, envelope: Envelope, outcome: Outcome) -> None:
    """Let a notifier add the picture that a message just delivered lacks; raises nothing."""
    if not isinstance(notifier, Illustrator) or not isinstance(outcome, Delivered) or envelope.edits:
        return
    try:
        async with asyncio.timeout(notifier.deadline.total_seconds()):
            await notifier.illustrate(envelope, outcome.ref)
    except TimeoutError:
        get_logger().warning("picture not added", key=envelope.key, error="no answer in time")
    except Exception:  # noqa: BLE001 -- a plugin's fault must not stop the others; the message itself stands
        get_logger().exception("notifier raised over a picture", key=envelope.key)
