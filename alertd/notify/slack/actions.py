"""
The buttons below an alert in Slack: how they look, and what a press asks for. Pure.

A press carries which episode of which alert it is about, so that a button of yesterday's alert asks for nothing today.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.requests import Acknowledge, AddSilence, ExpireSilence, Request
from alertd.core.alerts.silence import SilenceLength
from alertd.core.labels import Patterns
from alertd.core.messages.message import AlertFacts, Message

Block = dict[str, object]

_ACK, _SILENCE, _UNSILENCE = "alertd_ack", "alertd_silence", "alertd_unsilence"
_WITH_BUTTONS = frozenset({NotifyReason.FIRST, NotifyReason.ESCALATED, NotifyReason.CORRECTED, NotifyReason.UPDATED})
"""What stands at the top of a thread and is kept up to date; replies below it are not."""


class NotOurs(Exception):
    """What was pressed is no button of alertd, or not one of this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button that somebody pressed."""

    request: Request
    user_id: str
    team_id: str
    channel_id: str


def buttons(message: Message) -> Iterator[Block]:
    """Yield the row of buttons of a message about one firing alert; nothing below any other."""
    if len(message.alerts) != 1 or message.is_resolved or message.reason not in _WITH_BUTTONS:
        return
    (alert,) = message.alerts
    elements: list[Block] = []
    if alert.acknowledged_by is None:
        elements.append({**_button(_ACK, "Acknowledge", _about(alert)), "style": "primary"})
    if alert.silenced_by is None:
        elements.append(_silence_menu(alert))
    else:
        elements.append(_button(_UNSILENCE, "Unsilence", alert.silenced_by.partition(" ")[0]))
    yield {"type": "actions", "elements": elements}


def _button(action: str, text: str, value: str) -> Block:
    return {"type": "button", "action_id": action, "text": _plain(text), "value": value}


def _silence_menu(alert: AlertFacts) -> Block:
    options = [{"text": _plain(each.words), "value": f"{each}|{_about(alert)}"} for each in SilenceLength]
    return {"type": "static_select", "action_id": _SILENCE, "placeholder": _plain("Silence…"), "options": options}


def _about(alert: AlertFacts) -> str:
    return f"{alert.fingerprint}|{alert.episode}"


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def read_press(payload: Mapping[str, object], *, now: datetime) -> Press:
    """
    Return what a `block_actions` payload asks for.

    Source of its shape: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload

    Raises:
        NotOurs: It is none of alertd's buttons.
    """
    user, channel, action = (_part(payload, name) for name in ("user", "channel", "actions"))
    name = _text(user, "username") or _text(user, "name") or _text(user, "id")
    mark = f"{_text(action, 'action_ts')} {_text(user, 'id')} {_text(_part(payload, 'message'), 'ts')}"
    chosen = _part(action, "selected_option")
    value = _text(chosen, "value") or _text(action, "value")
    request = _request(_text(action, "action_id"), value, by=name, mark=mark, now=now)
    return Press(
        request=request,
        user_id=_text(user, "id"),
        team_id=_text(user, "team_id"),
        channel_id=_text(channel, "id"),
    )


def _part(payload: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = payload.get(name)
    if isinstance(found, list):
        found = found[0] if found else None
    return found if isinstance(found, Mapping) else {}


def _text(part: Mapping[str, object], name: str) -> str:
    found = part.get(name)
    return found if isinstance(found, str) else ""


def _request(action: str, value: str, *, by: str, mark: str, now: datetime) -> Request:
    if action == _UNSILENCE and value:
        return ExpireSilence(id=value, by=by)
    choice, about = ("", value) if action == _ACK else (value.partition("|")[0], value.partition("|")[2])
    fingerprint, _, episode = about.partition("|")
    if not fingerprint or not episode.isdigit():
        raise NotOurs
    if action == _ACK:
        return Acknowledge(fingerprint=fingerprint, episode=int(episode), by=by)
    if action != _SILENCE or choice not in set(SilenceLength):
        raise NotOurs
    length = SilenceLength(choice)
    return AddSilence(
        # The same press, delivered twice, is the same silence.
        id=hashlib.sha256(json.dumps([mark, value]).encode()).hexdigest()[:8],
        matchers=(("fingerprint", Patterns((fingerprint,))),),
        by=by,
        comment="by button",
        ends_at=length.ends_at(now),
        until_resolved=length is SilenceLength.RESOLVED,
        episode=int(episode),
    )
