"""Stopping from Slack: the button with Slack's own question, who may press it, and what a press asks for."""

from dataclasses import replace
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.request import SocketModeRequest

from alertd.core.actions import Act, Offer, Verb
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.messages.message import Message
from alertd.notify.slack.actions import NotOurs, buttons, read_press, request_of
from alertd.notify.slack.app import SlackApp, SlackAppConfig
from alertd.notify.slack.blocks import blocks
from tests.block_kit import violations
from tests.builders import alert_facts, firing_message, storm_message
from tests.notify.slack.test_app import NOW, USER, Client

STOP = Offer(
    verb=Verb.STOP,
    action="stop",
    name="notebook-9\u202e <!channel>",
    consequences=("It is one H100 and costs $7.30 an hour.", "Its disk is still billed. " + "x" * 400),
)
START = Offer(verb=Verb.START, action="stop", name="notebook-9", consequences=(), request="a1b2c3d4")


def offering(offer: Offer | None, **parts: Any) -> Message:
    return firing_message(alerts=(replace(alert_facts(), offer=offer, episode=3),), **parts)


def button(message: Message, action: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [e for row in buttons(message) for e in row["elements"]]  # type: ignore[attr-defined]
    return next((one for one in found if one.get("action_id") == action), {})


def pressed(message: Message, action: str, user: str = "U1") -> dict[str, Any]:
    return {
        "type": "block_actions",
        "user": {**USER, "id": user},
        "channel": {"id": "C1"},
        "actions": [{**button(message, action), "action_ts": "1.2"}],
    }


def test_button_when_offered_then_asks_before_it_counts_and_fits_slack() -> None:
    """Whoever presses at night reads first what it means; names cannot style it or notify anybody."""
    message = offering(STOP)
    stop = button(message, "alertd_stop")
    assert stop["style"] == "danger"
    asked = stop["confirm"]
    assert "Stop notebook-9" in asked["title"]["text"]
    assert "<!channel>" not in asked["title"]["text"]
    assert "\u202e" not in asked["title"]["text"]
    assert asked["text"]["text"].startswith("It is one H100 and costs $7.30 an hour. Its disk is still billed.")
    assert len(asked["text"]["text"]) <= 300
    assert (asked["confirm"]["text"], asked["deny"]["text"], asked["style"]) == ("Stop it", "Keep it running", "danger")
    assert violations(blocks(message, "key", has_buttons=True)) == []


@pytest.mark.parametrize("reason", NotifyReason)
def test_button_when_nothing_is_offered_then_none(reason: NotifyReason) -> None:
    """It is there where it can do something."""
    assert button(offering(None, reason=reason), "alertd_stop") == {}
    assert button(offering(None, reason=reason), "alertd_start") == {}


WITH_BUTTONS = {
    NotifyReason.FIRST,
    NotifyReason.STORM,
    NotifyReason.ESCALATED,
    NotifyReason.CORRECTED,
    NotifyReason.UPDATED,
}


@pytest.mark.parametrize("reason", NotifyReason)
def test_buttons_when_a_message_is_of_each_kind_then_below_what_stays_up_to_date_alone(reason: NotifyReason) -> None:
    """A reply stays as it was sent: its buttons would offer what was done long ago."""
    rows = list(buttons(offering(STOP, reason=reason)))
    shown = {element.get("action_id") for row in rows for element in row["elements"]}  # type: ignore[attr-defined]
    if reason is NotifyReason.ACTION:
        assert shown == {"alertd_start"}
    else:
        assert shown - {None} == ({"alertd_ack", "alertd_silence", "alertd_stop"} if reason in WITH_BUTTONS else set())


KEEP = {
    "1h": "Keep it 1 h more",
    "24h": "Keep it 24 h more",
    "month-end": "Keep it until the month ends",
    "resolved": "Keep it until it stops",
}
SILENCE = {"1h": "1 h", "24h": "24 h", "month-end": "the month ends", "resolved": "the alert ends"}


@pytest.mark.parametrize(("kind", "words"), [("running", KEEP), ("rolling_spend", SILENCE)])
def test_menu_when_opened_then_each_choice_is_as_long_as_it_says(kind: str, words: dict[str, str]) -> None:
    """Of what runs on purpose it says that it runs on; the choice is the same."""
    facts = replace(alert_facts(), episode=3)
    facts = replace(facts, labels=(*((k, v) for k, v in facts.labels if k != "type"), ("type", kind)))
    options = button(firing_message(alerts=(facts,)), "alertd_silence")["options"]
    assert [one["value"] for one in options] == [f"{length}|{facts.fingerprint}|3" for length in words]
    for one, text in zip(options, words.values(), strict=True):
        assert text in one["text"]["text"]


ABOUT = "1c00c82c6fe2430d"


@pytest.mark.parametrize(
    ("action", "value", "is_ours"),
    [
        ("alertd_ack", f"{ABOUT}|3", True),
        ("alertd_ack", ABOUT, False),
        ("alertd_ack", f"{ABOUT}|", False),
        ("alertd_ack", "", False),
        ("alertd_silence", f"1h|{ABOUT}|3", True),
        ("alertd_silence", f"1h|{ABOUT}", False),
        ("alertd_stop", f"stop|{ABOUT}|3", True),
        ("alertd_stop", f"stop|{ABOUT}", False),
        ("alertd_start", f"stop|{ABOUT}|x", False),
        ("alertd_unsilence", "3f9a1c02", True),
        ("alertd_other", f"{ABOUT}|3", False),
    ],
)
def test_press_when_its_button_does_not_name_the_episode_then_it_is_none_of_ours(
    action: str, value: str, *, is_ours: bool
) -> None:
    """A button of yesterday's alert must not act on today's."""
    payload = {"user": USER, "channel": {"id": "C1"}, "actions": [{"action_id": action, "value": value}]}
    if is_ours:
        assert read_press(payload).value == value
    else:
        with pytest.raises(NotOurs):
            read_press(payload)


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"id": "U1", "username": "dana", "name": "dana.k"}, "dana"),
        ({"id": "U1", "name": "dana.k"}, "dana.k"),
        ({"id": "U1"}, "U1"),
    ],
)
def test_press_when_read_then_names_whoever_pressed_as_well_as_slack_does(user: dict[str, str], name: str) -> None:
    payload = {"user": user, "actions": [{"action_id": "alertd_ack", "value": f"{ABOUT}|3"}]}
    assert read_press(payload).by == name


def test_buttons_of_a_storm_then_are_about_its_worst_alone() -> None:
    """The first of the list is what a press is worth most for; where all has ended nothing is left to press."""
    worst, other = replace(alert_facts(), offer=STOP, episode=3), replace(alert_facts(2), offer=STOP)
    message = storm_message(alerts=(worst, other))
    note, row = buttons(message)
    assert note["elements"][0]["text"] == "For the first of these alerts alone:"  # type: ignore[index]
    pressed_ids = [element["action_id"] for element in row["elements"]]  # type: ignore[attr-defined]
    assert pressed_ids == ["alertd_ack", "alertd_silence", "alertd_stop"]
    assert button(message, "alertd_ack")["value"] == f"{worst.fingerprint}|3"
    assert list(buttons(replace(message, is_resolved=True))) == []
    assert list(buttons(replace(message, alerts=(replace(worst, is_resolved=True), other)))) == []
    taken = replace(message, alerts=(replace(worst, acknowledged_by="dana"), other))
    assert button(taken, "alertd_ack") == {}


def test_start_again_when_stopped_then_below_what_came_of_it_alone() -> None:
    """The thread's message of the stop has it, and no other button."""
    message = offering(START, reason=NotifyReason.ACTION)
    ((row,),) = [list(buttons(message))]
    assert [element["action_id"] for element in row["elements"]] == ["alertd_start"]  # type: ignore[attr-defined]
    assert button(message, "alertd_start")["confirm"]["title"]["text"] == "Start notebook-9 again?"
    assert violations(blocks(message, "key", has_buttons=True)) == []


@pytest.mark.parametrize(
    ("offer", "reason", "action", "undo"),
    [
        pytest.param(STOP, NotifyReason.FIRST, "alertd_stop", False, id="a stop"),
        pytest.param(START, NotifyReason.ACTION, "alertd_start", True, id="a start"),
    ],
)
def test_press_when_read_then_asks_for_the_action_of_that_life_of_the_alert(
    offer: Offer, reason: NotifyReason, action: str, *, undo: bool
) -> None:
    """The same press, delivered twice, is the same request."""
    payload = pressed(offering(offer, reason=reason), action)
    press = read_press(payload)
    asked = request_of(press, now=NOW)
    assert isinstance(asked, Act)
    assert (asked.action, asked.fingerprint, asked.episode, asked.undo) == ("stop", f"{1:016x}", 3, undo)
    assert (asked.by, asked.person) == ("dana", "slack:U1")
    assert request_of(read_press(payload), now=NOW) == asked
    assert press.needs_approval_of == "stop"


class Groups(Client):
    """Slack's end with one user group."""

    def __init__(self, members: list[str] | None) -> None:
        super().__init__()
        self.members = members
        self.lists = 0

    async def usergroups_users_list(self, *, usergroup: str) -> dict[str, Any]:
        self.lists += 1
        if self.members is None:
            raise SlackApiError("no", Refused({"ok": False, "error": "missing_scope"}))  # type: ignore[no-untyped-call]
        assert usergroup == "S04TEAM01"
        return {"ok": True, "users": self.members}


class Refused:
    """An answer that refuses."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def get(self, name: str, default: object = None) -> object:
        return self.data.get(name, default)


@pytest.mark.parametrize(
    ("approvers", "members", "words", "lists"),
    [
        pytest.param(("U1",), [], "", 0, id="a member by id: Slack is not asked"),
        pytest.param(("U9", "S04TEAM01"), ["U2", "U1"], "", 1, id="a member of a group, asked for once"),
        pytest.param(("U9",), [], "you are not among the approvers", 0, id="somebody else"),
        pytest.param(("S04TEAM01",), ["U2"], "you are not among the approvers", 1, id="not of the group"),
        pytest.param(("S04TEAM01",), None, "give the app the scope usergroups:read", 2, id="a group unread"),
        pytest.param((), [], "you are not among the approvers", 0, id="an action that is gone from the rules"),
    ],
)
async def test_press_when_not_an_approver_then_refused_in_words_for_the_presser_alone(
    approvers: tuple[str, ...], members: list[str] | None, words: str, lists: int
) -> None:
    """A group that cannot be read lets nobody in."""
    asked: list[Request] = []

    async def carry_out(request: Request) -> RequestOutcome:
        asked.append(request)
        return RequestOutcome(text="Request a1b2c3d4", change=None)

    async def command(_text: str, _person: str) -> str:
        raise NotImplementedError

    config = SlackAppConfig(app_token="xapp-1", bot_token="xoxb-1", base_url="http://localhost")
    client = Groups(members)
    app = SlackApp(
        config,
        carry_out=carry_out,
        command=command,
        now=lambda: NOW,
        approvers_of=lambda action: approvers if action == "stop" else (),
    )
    app._team_id = "T1"
    payload = pressed(offering(STOP), "alertd_stop")
    for _ in range(2):
        await app._on_request(client, SocketModeRequest(type="interactive", envelope_id="e", payload=payload))  # type: ignore[arg-type]
    assert len(client.heard) == 2
    assert all(words in text for text in client.heard)
    assert len(asked) == (0 if words else 2)
    assert client.lists == lists
