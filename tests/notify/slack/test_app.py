"""The Slack app answers whoever asks, also where something is wrong with alertd itself."""

from dataclasses import replace
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
