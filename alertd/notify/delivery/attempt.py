"""One attempt to send, within its deadline; whatever goes wrong in it has an outcome."""

import asyncio

from alertd.log import get_logger
from alertd.notify.base import Editor, Envelope, Notifier, Outcome, Unknown


async def attempt(notifier: Notifier, envelope: Envelope) -> Outcome:
    """Make one attempt within the notifier's deadline; whatever goes wrong in it has an outcome."""
    try:
        async with asyncio.timeout(notifier.deadline.total_seconds()):
            if envelope.edits and isinstance(notifier, Editor):
                return await notifier.edit(envelope)
            return await notifier.send(envelope)
    except TimeoutError:
        return Unknown(f"no answer within {notifier.deadline.total_seconds():.0f} s")
    except Exception as error:  # noqa: BLE001 -- a plugin's fault must not stop the others; unclassified is unknown
        get_logger().exception("notifier raised", key=envelope.key)
        return Unknown(f"{type(error).__name__} in the notifier")
