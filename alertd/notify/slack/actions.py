"""
The buttons below an alert in Slack: their blocks, and the request of a press. Pure.

A button carries the alert and its episode, so that a button of yesterday's alert has no effect today.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from alertd.core.actions import Act, Offer
from alertd.core.alerts.acting import parse_action
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.requests import (
    Request,
    SilenceText,
    end_parts,
    parse_acknowledgement,
    parse_expiry,
    parse_silence,
)
from alertd.core.alerts.silence import SilenceLength
from alertd.core.dataclass import dataclass
from alertd.core.messages.message import AlertFacts, Message
from alertd.core.printable import one_line
from alertd.core.rules.running import RunningRule
from alertd.notify.slack.text import escaped

Block = dict[str, object]

_ACK, _SILENCE, _UNSILENCE = "alertd_ack", "alertd_silence", "alertd_unsilence"
_STOP, _START = "alertd_stop", "alertd_start"
_FOR_THE_WORST = "For the first of these alerts alone:"
_ACTIONS = frozenset({_STOP, _START})
"""Buttons for the approvers of an action only."""
_WITH_BUTTONS = frozenset(
    {
        NotifyReason.FIRST,
        NotifyReason.STORM,
        NotifyReason.ESCALATED,
        NotifyReason.CORRECTED,
        NotifyReason.UPDATED,
    }
)
"""Messages that start a thread and are kept up to date, unlike replies."""


class NotOurs(Exception):
    """The pressed button is not alertd's, or not of this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A pressed button and its content."""

    action: str
    value: str
    by: str
    mark: str
    """Id of the press, the same if it is delivered twice."""
    user_id: str
    team_id: str
    channel_id: str

    @property
    def needs_approval_of(self) -> str:
        """The action whose approvers may press; empty if everybody may."""
        return self.value.partition("|")[0] if self.action in _ACTIONS else ""


def buttons(message: Message) -> Iterator[Block]:
    """Yield the row of buttons of a message about one firing alert, or of a storm's worst; nothing below any other."""
    if len(message.alerts) == 1 and message.reason is NotifyReason.ACTION:
        yield from _undo(message.alerts[0])
    is_storm = message.reason is NotifyReason.STORM
    if not (len(message.alerts) == 1 or is_storm) or message.is_resolved or message.reason not in _WITH_BUTTONS:
        return
    alert = message.alerts[0]
    if alert.is_resolved:
        # A storm continues without its first alert.
        return
    elements: list[Block] = []
    if alert.acknowledged_by is None:
        elements.append({**_button(_ACK, "Acknowledge", _about(alert)), "style": "primary"})
    if alert.muted is not None and alert.muted.is_silence:
        elements.append(_button(_UNSILENCE, "Unsilence", alert.muted.id))
    else:
        elements.append(_silence_menu(alert))
    if alert.offer is not None:
        elements.append(_stop_button(alert, alert.offer))
    if is_storm:
        yield {"type": "context", "elements": [_plain(_FOR_THE_WORST)]}
    yield {"type": "actions", "elements": elements}


def _undo(alert: AlertFacts) -> Iterator[Block]:
    if alert.offer is None:
        return
    name = one_line(alert.offer.name)
    confirm = _confirm(f"Start {name} again?", "It runs, and costs, from then on.", ("Start it", "Leave it"))
    button = _button(_START, "Start again", f"{alert.offer.action}|{_about(alert)}")
    yield {"type": "actions", "elements": [{**button, "confirm": confirm}]}


def _stop_button(alert: AlertFacts, offer: Offer) -> Block:
    name, text = one_line(offer.name), " ".join(map(one_line, offer.consequences))
    confirm = {**_confirm(f"Stop {name}?", text, ("Stop it", "Keep it running")), "style": "danger"}
    button = _button(_STOP, "Stop instance…", f"{offer.action}|{_about(alert)}")
    return {**button, "style": "danger", "confirm": confirm}


def _confirm(title: str, text: str, words: tuple[str, str]) -> Block:
    """
    Return Slack's confirmation dialog for a press.

    Source of the limits: https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
    """
    yes, no = words
    return {
        "title": _plain(escaped(title, 100)),
        "text": _plain(escaped(text, 300)),
        "confirm": _plain(yes),
        "deny": _plain(no),
    }


def _button(action: str, text: str, value: str) -> Block:
    return {"type": "button", "action_id": action, "text": _plain(text), "value": value}


def _silence_menu(alert: AlertFacts) -> Block:
    # Spend on purpose is not a fault: silencing the alert keeps the instance running.
    is_run = dict(alert.labels).get("type") == RunningRule.TYPE
    words = {each: _KEEP[each] if is_run else each.words.removesuffix(" (UTC)") for each in SilenceLength}
    options = [{"text": _plain(text), "value": f"{each}|{_about(alert)}"} for each, text in words.items()]
    placeholder = _plain("Keep it running…" if is_run else "Silence…")
    return {"type": "static_select", "action_id": _SILENCE, "placeholder": placeholder, "options": options}


_KEEP = {
    SilenceLength.HOUR: "Keep it 1 h more",
    SilenceLength.DAY: "Keep it 24 h more",
    SilenceLength.MONTH_END: "Keep it until the month ends",
    SilenceLength.RESOLVED: "Keep it until it stops",
}


def _about(alert: AlertFacts) -> str:
    return f"{alert.fingerprint}|{alert.episode}"


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def read_press(payload: Mapping[str, object]) -> Press:
    """
    Return the pressed button of a `block_actions` payload.

    Source of its shape: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload

    Raises:
        NotOurs: It is not one of alertd's buttons.
    """
    user, channel, action = (_part(payload, name) for name in ("user", "channel", "actions"))
    name = _text(user, "username") or _text(user, "name") or _text(user, "id")
    mark = f"{_text(action, 'action_ts')} {_text(user, 'id')} {_text(_part(payload, 'message'), 'ts')}"
    chosen = _part(action, "selected_option")
    value = _text(chosen, "value") or _text(action, "value")
    pressed = _text(action, "action_id")
    if pressed not in {_ACK, _SILENCE, _UNSILENCE, *_ACTIONS} or not value:
        raise NotOurs
    if pressed != _UNSILENCE and not value.rpartition("|")[2].isdecimal():
        # Without the episode it could refer to yesterday's alert.
        raise NotOurs
    return Press(
        action=pressed,
        value=value,
        by=name,
        mark=mark,
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


def request_of(press: Press, *, now: datetime, timezone: str = "UTC") -> Request:
    """
    Return the request of a press.

    Args:
        timezone: The zone in which a month ends.

    Raises:
        RequestError: It asks for what cannot be.
    """
    if press.action == _UNSILENCE:
        return parse_expiry(press.value, by=press.by)
    if press.action in _ACTIONS:
        return _act_of(press)
    end, about = ("", press.value) if press.action == _ACK else press.value.partition("|")[::2]
    fingerprint, _, episode = about.partition("|")
    if press.action == _ACK:
        return parse_acknowledgement(fingerprint, by=press.by, episode=episode)
    written = SilenceText(
        alert=fingerprint, by=press.by, comment="by button", episode=episode, timezone=timezone, **end_parts(end)
    )
    return parse_silence(written, id=_id_of(press), now=now)


def _act_of(press: Press) -> Request:
    action, _, about = press.value.partition("|")
    fingerprint, _, episode = about.partition("|")
    asked = Act(
        id=_id_of(press),
        fingerprint=fingerprint,
        by=press.by,
        person=f"slack:{press.user_id}",
        action=action,
        undo=press.action == _START,
    )
    return parse_action(asked, episode=episode)


def _id_of(press: Press) -> str:
    """Return an id that is the same if a press is delivered twice."""
    return hashlib.sha256(json.dumps([press.mark, press.value]).encode()).hexdigest()[:8]
