"""Buttons and the slash command in Slack, through the real daemon over Socket Mode."""

import asyncio
import json
from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from tests.doubles import BOT_TOKEN
from tests.e2e.daemon import Alertd, LoopThread, no_traceback, wait_for
from tests.e2e.test_once import spend
from tests.e2e.world import BillingWorld
from tests.socket_double import APP_TOKEN, SocketSlackDouble

RULES = """\
version: 1
receivers: [{name: finops, type: slack, channel: "#finops"}]
defaults: {notify: [finops]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: 5}}
"""


@pytest.fixture
def slack(alertd: Alertd, loop_thread: LoopThread) -> SocketSlackDouble:
    double = loop_thread.enter(SocketSlackDouble())
    double._ts = int(alertd.now())
    alertd.env |= {
        "ALERTD_SLACK_BASE_URL": double.base_url,
        "ALERTD_SLACK_BOT_TOKEN": BOT_TOKEN,
        "ALERTD_SLACK_APP_TOKEN": APP_TOKEN,
    }
    return double


def do(loop_thread: LoopThread, what: Coroutine[Any, Any, None]) -> None:
    """Act for a person in the double's own loop."""
    asyncio.run_coroutine_threadsafe(what, loop_thread._loop).result(10)


def element(message: dict[str, Any], action_id: str, choice: str = "") -> dict[str, Any]:
    """What Slack says was pressed."""
    (row,) = (block for block in message["blocks"] if block["type"] == "actions")
    (found,) = (one for one in row["elements"] if one["action_id"] == action_id)
    if found["type"] == "button":
        return {"action_id": action_id, "type": "button", "value": found["value"]}
    (option,) = (one for one in found["options"] if one["value"].startswith(f"{choice}|"))
    return {"action_id": action_id, "type": "static_select", "selected_option": option}


def heard(slack: SocketSlackDouble, count: int) -> bool:
    return len(slack.whispers) == count


def actions(message: dict[str, Any]) -> list[str]:
    rows = [block for block in message["blocks"] if block["type"] == "actions"]
    return [one["action_id"] for row in rows for one in row["elements"]]


def begin(alertd: Alertd, world: BillingWorld, slack: SocketSlackDouble) -> dict[str, Any]:
    spend(world, "gpu-1")
    wait_for(lambda: slack.shown() and slack.is_connected, why="the alert, and the connection")
    return slack.shown()[0]


def test_acknowledge_when_pressed_then_shown_notified_in_the_thread_and_kept(
    alertd: Alertd, world: BillingWorld, slack: SocketSlackDouble, loop_thread: LoopThread
) -> None:
    """Who looks after it is what the others need to know; a second press changes nothing."""
    alertd.rules(RULES)
    with alertd.running():
        root = begin(alertd, world, slack)
        press = element(root, "alertd_ack")
        do(loop_thread, slack.press(press, times=2, ts=root["ts"]))
        wait_for(lambda: "alertd_ack" not in actions(slack.shown()[0]), why="the button goes")
        do(loop_thread, slack.press(press, user="U0000ERIN"))
        wait_for(lambda: len(slack.whispers) == 3, why="an answer to each press")
        assert [user for user, _ in slack.whispers] == ["U0000DANA", "U0000DANA", "U0000ERIN"]
        assert "acknowledged by dana already" in slack.whispers[2][1]
        alertd.wait_cycles(2)
    (alert,) = json.loads(alertd.run("alerts", "--json").out)
    assert alert["acknowledged_by"] == "dana"
    root, reply = slack.shown()
    assert reply["thread_ts"] == root["ts"]
    assert "Acknowledged by dana" in reply["text"]
    assert "Acknowledged by dana" in json.dumps(root["blocks"])
    assert actions(reply) == []


@pytest.mark.slow
def test_silence_when_chosen_then_nothing_is_notified_until_it_is_taken_back(
    alertd: Alertd, world: BillingWorld, slack: SocketSlackDouble, loop_thread: LoopThread
) -> None:
    """One press delivered twice is one silence; Unsilence ends it, and says so."""
    alertd.rules(RULES.replace("warning: 5}", "warning: 5, critical: 50}"))
    with alertd.running():
        root = begin(alertd, world, slack)
        do(loop_thread, slack.press(element(root, "alertd_silence", "24h"), times=2, ts=root["ts"]))
        wait_for(lambda: "alertd_unsilence" in actions(slack.shown()[0]), why="the button turns")
        (silence,) = json.loads(alertd.run("silence", "list", "--json").out)
        assert (silence["author"], silence["comment"]) == ("dana", "by button")
        spend(world, "gpu-1", usd="90")
        alertd.wait_cycles(2)
        assert len(slack.shown()) == 1
        do(loop_thread, slack.press(element(slack.shown()[0], "alertd_unsilence")))
        wait_for(lambda: len(slack.shown()) == 2, why="what was withheld")
        assert slack.shown()[1]["text"].startswith("CRITICAL")
        wait_for(lambda: "alertd_silence" in actions(slack.shown()[0]), why="the button turns back")
        wait_for(lambda: slack.shown()[0]["text"].startswith("CRITICAL"), why="the first message says so too")


@pytest.mark.slow
def test_button_when_the_alert_has_ended_or_the_person_may_not_then_harmless(
    alertd: Alertd, world: BillingWorld, slack: SocketSlackDouble, loop_thread: LoopThread
) -> None:
    """Old messages keep their buttons, and shared channels have people of other companies."""
    alertd.is_stepped = True
    alertd.rules(RULES)
    alertd.env["ALERTD_SLACK_USERS"] = "U0000DANA, U0000ERIN"
    with alertd.running():
        root = begin(alertd, world, slack)
        press = element(root, "alertd_ack")
        do(loop_thread, slack.press(press, team="T0000AWAY"))
        do(loop_thread, slack.press(press, user="U0000MALLORY"))
        do(loop_thread, slack.press({"action_id": "other_app", "value": "x"}))
        do(loop_thread, slack.press({"action_id": "alertd_ack", "value": "nonsense"}))
        do(loop_thread, slack.press({"action_id": "alertd_ack", "value": f"{'0' * 16}|1"}))
        wait_for(lambda: len(slack.whispers) == 3, why="three answers")
        assert ["this workspace" in slack.whispers[0][1], "ALERTD_SLACK_USERS" in slack.whispers[1][1]] == [True, True]
        assert slack.whispers[2][1].startswith("Not done: there is no alert")
        world.rows = []
        # Bills that are gone are believed when a second read, minutes later, lacks them too.
        alertd.wait_cycles(2)
        alertd.step(301)
        wait_for(lambda: slack.shown()[0]["text"].startswith("RESOLVED"), why="the end")
        assert actions(slack.shown()[0]) == []
        do(loop_thread, slack.press(press))
        wait_for(lambda: len(slack.whispers) == 4, why="the answer")
        assert "has already ended" in slack.whispers[3][1]
    assert no_traceback(alertd.log.read_text())


@pytest.mark.slow
def test_command_when_typed_then_answered_to_the_person_alone(
    alertd: Alertd, world: BillingWorld, slack: SocketSlackDouble, loop_thread: LoopThread
) -> None:
    """What fires and what is spent, without leaving the channel."""
    alertd.rules(RULES)
    answers: list[str] = []
    with alertd.running():
        begin(alertd, world, slack)
        # The message may be out before the cycle that wrote it is over.
        alertd.wait_cycles(1)
        commands = ("", "spend month", "silence owner=gpu-1 2h training <@U1> run", "silence owner=gpu-1", "dance")
        for n, text in enumerate(commands, 1):
            do(loop_thread, slack.type_command(text))
            wait_for(partial(heard, slack, n), why=text)
            answers.append(slack.whispers[-1][1])
        do(loop_thread, slack.type_command("alerts", team="T0000AWAY"))
        wait_for(lambda: len(slack.whispers) == 6, why="the refusal")
    assert answers[0].startswith("WARNING gpu-1 spent $9.00 on gpu in 24h (")
    # In a month's first hour the last billed hour is of the month before, and so is what is answered.
    billed = datetime.fromtimestamp(world.hour(1), UTC)
    first, *others = answers[1].splitlines()
    assert first.startswith(f"$9.00 in {billed:%B %Y} (UTC), billed through ")
    assert others == ["$9.00 gpu"]
    assert answers[2].startswith("Silence ")
    assert "training &lt;@U1&gt; run" in alertd.run("silence", "list").out.replace("<@U1>", "&lt;@U1&gt;")
    assert answers[3] == "Not done: write /alertd silence owner=gpu-1 24h, and why"
    assert answers[4].startswith("There is no `/alertd dance`")
    assert "this workspace" in slack.whispers[5][1]


@pytest.mark.slow
def test_connection_when_slack_hangs_up_then_made_anew(
    alertd: Alertd, world: BillingWorld, slack: SocketSlackDouble, loop_thread: LoopThread
) -> None:
    """Slack closes each connection every few hours."""
    alertd.rules(RULES)
    with alertd.running():
        root = begin(alertd, world, slack)
        do(loop_thread, slack.hang_up())
        wait_for(lambda: slack.is_connected, why="another connection")
        do(loop_thread, slack.press(element(root, "alertd_ack"), ts=root["ts"]))
        wait_for(lambda: slack.whispers, why="it works again")


@pytest.mark.slow
def test_app_token_when_refused_then_said_with_the_remedy_and_the_rest_works(
    alertd: Alertd, world: BillingWorld, slack: SocketSlackDouble
) -> None:
    """Buttons are a convenience: alerts do not wait for them."""
    alertd.env["ALERTD_SLACK_APP_TOKEN"] = "xapp-wrong-one"
    alertd.rules(RULES)
    with alertd.running():
        spend(world, "gpu-1")
        wait_for(slack.shown, why="the alert")
        (event,) = wait_for(lambda: alertd.events("slack connection refused"), why="the word")
    assert (event["error"], "xapp-" in event["remedy"]) == ("invalid_auth", True)
    assert "xapp-wrong-one" not in alertd.log.read_text()
    assert no_traceback(alertd.log.read_text())
