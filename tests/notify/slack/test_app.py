"""The Slack app answers whoever asks, also where something is wrong with alertd itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from slack_sdk.socket_mode.request import SocketModeRequest

from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import AddSilence, ExpireSilence, Request
from alertd.core.muted import Muted, MuteKind
from alertd.notify.slack.actions import buttons, read_press, request_of
from alertd.notify.slack.app import SlackApp, SlackAppConfig
from tests.builders import alert_facts, firing_message
from tests.doubles import BOT_TOKEN
from tests.ports import free_port
from tests.socket_double import APP_TOKEN, SocketSlackDouble

NOW = datetime(2026, 1, 10, 14, 30, tzinfo=UTC)
USER = {"id": "U1", "username": "dana", "team_id": "T1"}
PRESS = {
    "type": "block_actions",
    "user": USER,
    "channel": {"id": "C1"},
    "actions": [{"action_id": "alertd_silence", "action_ts": "1.2", "value": "99999w|1c00c82c6fe2430d|1"}],
}
COMMAND = {"user_id": "U1", "channel_id": "C1", "team_id": "T1", "user_name": "dana", "text": "silence owner=a 1h"}


class Client:
    """Slack's end: keeps what each person was answered."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.web_client = self

    async def send_socket_mode_response(self, _response: object) -> None:
        """Confirm."""

    async def chat_postEphemeral(self, *, channel: str, user: str, text: str) -> None:  # noqa: N802 -- slack-sdk's
        assert (channel, user) == ("C1", "U1")
        self.heard.append(text)


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        pytest.param("slash_commands", COMMAND, "Not done: alertd failed at it", id="a fault of ours"),
        pytest.param("interactive", PRESS, 'Not done: "99999w" is too long', id="a button with a wrong value"),
    ],
)
async def test_request_when_it_fails_then_the_person_is_answered(
    kind: str, payload: dict[str, Any], words: str
) -> None:
    """Silence after a command reads as success."""

    async def carry_out(_request: Request) -> RequestOutcome:
        raise OverflowError

    async def command(_text: str, _person: str) -> str:
        raise OverflowError

    config = SlackAppConfig(app_token="xapp-1", bot_token="xoxb-1", base_url="http://localhost")
    app, client = SlackApp(config, carry_out=carry_out, command=command, now=lambda: NOW), Client()
    app._team_id = "T1"
    await app._on_request(client, SocketModeRequest(type=kind, envelope_id="e", payload=payload))  # type: ignore[arg-type]
    (text,) = client.heard
    assert text.startswith(words)


def test_unsilence_when_pressed_then_ends_the_silence_whatever_its_words_are() -> None:
    """Who silenced it, and why, is for people to read; the button carries the silence itself."""
    facts = replace(alert_facts(), muted=Muted(kind=MuteKind.SILENCE, id="51133ce0", by="dana silenced it"))
    (row,) = buttons(firing_message(alerts=(facts,)))
    elements = row["elements"]
    assert isinstance(elements, list)
    pressed = {**elements[-1], "action_ts": "1.2"}
    press = read_press({"user": USER, "channel": {"id": "C1"}, "actions": [pressed]})
    assert request_of(press, now=NOW) == ExpireSilence(id="51133ce0", by="dana")


@pytest.mark.parametrize("kind", ["slash_commands", "interactive"])
async def test_answer_then_shows_instants_by_the_readers_clock_and_escapes_the_rest(kind: str) -> None:
    """UTC makes people count at night; what came from a bill still forms no mention."""

    async def carry_out(_request: Request) -> RequestOutcome:
        return RequestOutcome(text="until 2026-01-31 23:00 UTC, <!here>\nfrom 2026-01-10 13:00 UTC", change=None)

    async def command(_text: str, _person: str) -> str:
        return (await carry_out(ExpireSilence(id="12ab", by="dana"))).text

    config = SlackAppConfig(app_token="xapp-1", bot_token="xoxb-1", base_url="http://localhost")
    app, client = (
        SlackApp(config, carry_out=carry_out, command=command, now=lambda: NOW, timezone=lambda: "Europe/Berlin"),
        Client(),
    )
    app._team_id = "T1"
    value = "1h|1c00c82c6fe2430d|1"
    press = {**PRESS, "actions": [{"action_id": "alertd_silence", "action_ts": "1.2", "value": value}]}
    payload = COMMAND if kind == "slash_commands" else press
    await app._on_request(client, SocketModeRequest(type=kind, envelope_id="e", payload=payload))  # type: ignore[arg-type]
    (heard,) = client.heard
    assert heard.split("\n") == [
        "until <!date^1769900400^{date_short_pretty} {time}|Feb 1 00:00 CET>, &lt;!here&gt;",
        "from <!date^1768050000^{date_short_pretty} {time}|14:00 CET>",
    ]


def test_silence_until_the_month_ends_when_pressed_then_by_the_zone_of_the_rules() -> None:
    """The choice names no zone, so it is the one that the team reads by."""
    press = read_press(
        {
            **PRESS,
            "actions": [{"action_id": "alertd_silence", "action_ts": "1.2", "value": "month-end|1c00c82c6fe2430d|1"}],
        }
    )
    asked = request_of(press, now=NOW, timezone="Europe/Berlin")
    assert isinstance(asked, AddSilence)
    assert asked.ends_at == datetime(2026, 1, 31, 23, tzinfo=UTC)
    (row,) = buttons(firing_message())
    assert "UTC" not in str(row)


@dataclass
class Desk:
    """A Slack app whose every way out is written down."""

    users: frozenset[str] = frozenset()
    approvers: tuple[str, ...] = ()
    asked: list[object] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)

    async def hear(self, kind: str, payload: dict[str, Any]) -> list[str]:
        """Deliver a request; return what the person is answered."""

        async def carry_out(request: Request) -> RequestOutcome:
            self.asked.append(request)
            return RequestOutcome(text="done", change=None)

        async def command(text: str, person: str) -> str:
            self.asked.append((text, person))
            return "done"

        def approvers_of(action: str) -> Sequence[str]:
            self.looked_up.append(action)
            return self.approvers

        config = SlackAppConfig(app_token="xapp-1", bot_token="xoxb-1", base_url="http://localhost", users=self.users)
        app, client = (
            SlackApp(
                config,
                carry_out=carry_out,
                command=command,
                now=lambda: NOW,
                approvers_of=approvers_of,
                timezone=lambda: "Europe/Berlin",
            ),
            Client(),
        )
        app._team_id = "T1"
        await app._on_request(client, SocketModeRequest(type=kind, envelope_id="e", payload=payload))  # type: ignore[arg-type]
        return client.heard


def a_press(action: str, value: str, **user: str) -> dict[str, Any]:
    button = {"action_id": action, "action_ts": "1.2", "value": value}
    return {**PRESS, "user": {**USER, **user}, "actions": [button]}


ACK = ("alertd_ack", "1c00c82c6fe2430d|1")
STOP = ("alertd_stop", "stop|1c00c82c6fe2430d|1")
WORKSPACE = "Not done: only members of this workspace may do this."
USERS = "Not done: you are not among those who may do this (ALERTD_SLACK_USERS)."
APPROVERS = "Not done: you are not among the approvers of this action in the rules file."


@pytest.mark.parametrize(
    ("users", "approvers", "payload", "answer"),
    [
        pytest.param((), (), a_press(*ACK), "done", id="a member"),
        pytest.param((), (), a_press(*ACK, team_id="T2"), WORKSPACE, id="of another workspace"),
        pytest.param((), (), COMMAND, "done", id="a member's command"),
        pytest.param((), (), {**COMMAND, "team_id": "T2"}, WORKSPACE, id="a command of another workspace"),
        pytest.param(("U1",), (), a_press(*ACK), "done", id="one of the users"),
        pytest.param(("U2",), (), a_press(*ACK), USERS, id="none of the users"),
        pytest.param(("U2",), (), COMMAND, USERS, id="a command of none of the users"),
        pytest.param((), ("U1",), a_press(*STOP), "done", id="an approver"),
        pytest.param((), ("U2",), a_press(*STOP), APPROVERS, id="no approver"),
        pytest.param(("U2",), ("U1",), a_press(*STOP), USERS, id="an approver, and none of the users"),
        pytest.param((), ("U1",), a_press(*STOP, team_id="T2"), WORKSPACE, id="an approver elsewhere"),
        pytest.param((), ("U2",), a_press(*ACK), "done", id="no approver is needed to acknowledge"),
    ],
)
async def test_request_when_somebody_may_not_ask_then_refused_and_nothing_is_done(
    users: tuple[str, ...], approvers: tuple[str, ...], payload: dict[str, Any], answer: str
) -> None:
    """Who may is decided before anything is: by workspace, by the setting, and for actions by the rules file."""
    desk = Desk(users=frozenset(users), approvers=approvers)
    kind = "slash_commands" if "text" in payload else "interactive"
    assert await desk.hear(kind, payload) == [answer]
    assert bool(desk.asked) is (answer == "done")
    # Slack is not asked for the members of groups where the press is refused anyhow.
    is_asked_for = "alertd_stop" in str(payload) and answer in {"done", APPROVERS}
    assert desk.looked_up == (["stop"] if is_asked_for else [])


@pytest.mark.parametrize(
    ("name", "person"), [pytest.param("dana", "dana", id="by name"), pytest.param("", "U1", id="by id without one")]
)
async def test_command_when_typed_then_handed_on_with_who_typed_it(name: str, person: str) -> None:
    """Histories name people as the workspace does."""
    desk = Desk()
    await desk.hear("slash_commands", {**COMMAND, "user_name": name})
    assert desk.asked == [("silence owner=a 1h", person)]


@pytest.mark.parametrize(("kind", "payload"), [("interactive", PRESS), ("slash_commands", COMMAND)])
async def test_request_when_it_comes_then_confirmed_to_slack_before_anything_is_done(
    kind: str, payload: dict[str, Any]
) -> None:
    """Slack shows an error after three seconds, and carrying out may wait for a decision."""
    steps = list[str]()

    class Noting(Client):
        async def send_socket_mode_response(self, response: object) -> None:
            steps.append(f"confirmed {getattr(response, 'envelope_id', '')}")

        async def chat_postEphemeral(self, *, channel: str, user: str, text: str) -> None:  # noqa: N802 -- slack-sdk's
            steps.append("answered")

    async def command(_text: str, _person: str) -> str:
        steps.append("done")
        return "done"

    async def carry_out(_request: Request) -> RequestOutcome:
        steps.append("done")
        return RequestOutcome(text="done", change=None)

    config = SlackAppConfig(app_token="xapp-1", bot_token="xoxb-1", base_url="http://localhost", users=frozenset())
    app = SlackApp(config, carry_out=carry_out, command=command, now=lambda: NOW)
    app._team_id = "T1"
    if kind == "interactive":
        payload = a_press(*ACK)
    await app._on_request(Noting(), SocketModeRequest(type=kind, envelope_id="e7", payload=payload))  # type: ignore[arg-type]
    assert steps == ["confirmed e7", "done", "answered"]


async def test_month_end_when_pressed_then_by_the_zone_of_the_rules() -> None:
    """The app hands its own zone on."""
    desk = Desk()
    await desk.hear("interactive", a_press("alertd_silence", "month-end|1c00c82c6fe2430d|1"))
    (asked,) = desk.asked
    assert isinstance(asked, AddSilence)
    assert asked.ends_at == datetime(2026, 1, 31, 23, tzinfo=UTC)


def test_silence_when_pressed_twice_then_two_presses_are_two_and_one_delivered_twice_is_one() -> None:
    """Slack repeats what it thinks was not heard; a person who presses again means it."""

    def pressed(ts: str, message: str, user: str = "U1") -> str:
        payload = a_press("alertd_silence", "1h|1c00c82c6fe2430d|1", id=user)
        payload["actions"][0]["action_ts"] = ts
        asked = request_of(read_press({**payload, "message": {"ts": message}}), now=NOW)
        assert isinstance(asked, AddSilence)
        return asked.id

    assert pressed("1.2", "9.1") == pressed("1.2", "9.1")
    assert len({pressed("1.2", "9.1"), pressed("1.3", "9.1"), pressed("1.2", "9.2"), pressed("1.2", "9.1", "U2")}) == 4


def test_choice_when_made_then_it_counts_and_not_what_the_menu_itself_carries() -> None:
    """Source: a static_select's payload has the chosen option, and its value, under selected_option."""
    payload = a_press("alertd_silence", "24h|1c00c82c6fe2430d|1")
    payload["actions"][0]["selected_option"] = {"value": "1h|1c00c82c6fe2430d|1"}
    assert read_press(payload).value == "1h|1c00c82c6fe2430d|1"


def test_buttons_when_something_else_withholds_it_then_there_is_nothing_to_unsilence() -> None:
    """An inhibition ends by itself; a button for it would end nothing."""
    inhibited = replace(alert_facts(), muted=Muted(kind=MuteKind.INHIBITION, id="f" * 16, by="other"))
    (row,) = buttons(firing_message(alerts=(inhibited,)))
    assert [one["action_id"] for one in row["elements"]] == ["alertd_ack", "alertd_silence"]  # type: ignore[attr-defined]
    acknowledged = replace(alert_facts(), acknowledged_by="kim", muted=Muted(kind=MuteKind.SILENCE, id="s", by="kim"))
    (row,) = buttons(firing_message(alerts=(acknowledged,)))
    assert [one["action_id"] for one in row["elements"]] == ["alertd_unsilence"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("bot_token", "app_token", "is_there", "wait_s"),
    [
        pytest.param("xoxb-wrong", APP_TOKEN, True, 300.0, id="a wrong bot token"),
        pytest.param(BOT_TOKEN, "xapp-wrong", True, 300.0, id="a wrong app token"),
        pytest.param(BOT_TOKEN, APP_TOKEN, False, 30.0, id="nobody there"),
    ],
)
async def test_connection_when_not_opened_then_tried_again_soon_and_a_refused_token_seldom(
    bot_token: str, app_token: str, is_there: bool, wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack counts refusals, and a network that is back should not be waited for."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise asyncio.CancelledError

    async with SocketSlackDouble() as slack:
        base_url = slack.base_url if is_there else f"http://127.0.0.1:{free_port()}/api/"
        config = SlackAppConfig(app_token=app_token, bot_token=bot_token, base_url=base_url)
        app = SlackApp(config, carry_out=never, command=never, now=lambda: NOW)
        monkeypatch.setattr("alertd.notify.slack.app.asyncio.sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await app.run()
        monkeypatch.undo()
    assert waits == [wait_s, wait_s]


async def never(*_: object) -> Any:
    """Nothing is asked of alertd."""
    raise AssertionError
