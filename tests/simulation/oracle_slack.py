"""What must hold of Slack: the first message of each life of an alert shows how the alert stands now."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from tests.simulation.oracle_messages import Inboxes
from tests.simulation.oracle_notified import Moment, Notified
from tests.simulation.oracle_seen import Seen
from tests.simulation.receivers import SETTLED_AFTER_S, Network
from tests.simulation.slack import RECEIVER


def check_first_messages(
    seen: Mapping[str, Seen], network: Network, inboxes: Inboxes, notified: Notified, at: Moment
) -> Iterator[str]:
    """Yield which first messages show something else, long after it changed."""
    if at.now_s - at.up_since_s < SETTLED_AFTER_S or not at.is_clock_sure:
        return
    messages = {message["ts"]: message for message in network.slack.messages}
    for (fingerprint, starts_at), ts in inboxes.roots.items():
        since_s = notified.shown_since_s(fingerprint, at.now_s)
        if at.now_s - since_s < SETTLED_AFTER_S or network.had_trouble(since_s - SETTLED_AFTER_S, at.now_s, RECEIVER):
            continue
        one, message = seen.get(fingerprint), messages[ts]
        is_open = one is not None and one.state == "firing"
        is_shown = is_open and one is not None and _is_same(one.started_at, starts_at)
        expected = one.severity.upper() if one is not None and is_shown else "RESOLVED"
        who = f"slack: the first message of {fingerprint}"
        if ts in inboxes.storms:
            continue
        if not message["text"].startswith(f"{expected}:"):
            yield f"{who} is to show {expected}, and says {message['text'][:60]!r}"
        by = one.acknowledged_by if one is not None and is_shown else None
        if by is not None and f"Acknowledged by {by}" not in json.dumps(message["blocks"]):
            yield f"{who} does not say that {by} acknowledged it"


def _is_same(one: str, other: str) -> bool:
    return datetime.fromisoformat(one) == datetime.fromisoformat(other)
