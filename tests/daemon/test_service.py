"""The whole service in this process: every part is connected to the others, and every setting reaches its part."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from alertd.clock import SystemClock
from alertd.core.actions import ActionRequest, Verb
from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.requests import Acknowledge
from alertd.daemon import actions as actions_module
from alertd.daemon.control_socket import ask, socket_path
from alertd.daemon.cycle import Cycle
from alertd.daemon.service import SPEND_KEPT
from alertd.errors import StoreError
from tests.core.builders import HOUR, NOW
from tests.daemon.serving import SLACK_RULES, Served, serving, until
from tests.doubles import SlackChannel
from tests.e2e.test_slack_app import actions, element
from tests.ports import free_port
from tests.web.house import TOKEN, Account
from tests.web.test_actions_page import Rented

ROOT = "trainer-a is at $84.00 a day"
WITH_ACTION = """
actions:
  - {name: stop, type: stop_instance, accounts: {default: {api_key_env: STOP_KEY}}, approvers: [U0000DANA]}
receivers:"""
REPORTS = """
reports:
  - {name: daily, schedule: "0 14 * * *", timezone: Europe/Berlin, group_by: [category], notify: [finops]}
rules:
"""


async def shown(served: Served, count: int = 1) -> list[dict[str, Any]]:
    """Wait for so many messages in Slack."""
    await until(lambda: len(served.slack.shown()) >= count)
    return served.slack.shown()


async def alerts(served: Served) -> dict[str, Alert]:
    """Return the stored alerts, by rule."""
    return {alert.rule: alert for alert in await served.app.gateway.call(lambda store: store.alerts.all_alerts())}


async def test_message_when_the_rule_has_a_summary_then_that_is_its_first_line_with_a_link_to_the_page(
    tmp_path: Path,
) -> None:
    """Both come from the rules and the settings by way of the plan."""
    async with serving(tmp_path, external_url="https://alertd.example.com") as served:
        (root,) = await shown(served)
        (alert,) = (await alerts(served)).values()
    assert ROOT in root["text"]
    assert f"https://alertd.example.com/alerts/{alert.fingerprint}" in json.dumps(root["blocks"])


async def test_manager_when_the_service_runs_then_hears_of_its_start_each_poll_and_its_stop(tmp_path: Path) -> None:
    """`systemctl status` shows the last line, and a unit that depends on alertd waits for the first."""
    async with serving(tmp_path) as served:
        await served.polled()
        manager, next_at = served.manager, await served.app.gateway.call(lambda store: store.meta.next_poll_at)
    assert manager.heard == ["READY=1", "STATUS=1 firing, last poll 12:05 UTC ok", "STOPPING=1"]
    assert next_at is not None
    assert timedelta(minutes=9) < next_at - NOW <= timedelta(minutes=10)


COMMANDS = {
    "alerts": ("WARNING trainer-a (gpu-1) spent $84.00 on gpu in 24h (", ""),
    "spend": ("$53.25 on 2026-01-10 (Europe/Berlin), billed through", "\n$45.50 gpu\n$7.75 llm"),
    "spend month": ("$", "in January 2026 (Europe/Berlin)"),
    "running": ("trainer-a (gpu-1): $3.50 an hour, billed for 9 d 23 h, H100", ""),
    "budgets": ("There are no budgets", ""),
    "bills": ("$1,200.00 owed in all", "2025-12: $1,200.00, overdue"),
    "balance": ("No balance is read", ""),
    "status": ("alertd ", "1 firing, 0 pending\nLast poll <!date^1768046700^"),
}


async def test_command_when_typed_in_slack_then_answered_from_what_the_service_knows(tmp_path: Path) -> None:
    """Each word needs another part of the service, and `ALERTD_SLACK_USERS` says who may ask."""
    async with serving(tmp_path, slack_users="U0000DANA, U0000ERIN") as served:
        await served.polled()
        for text, (starts, contains) in COMMANDS.items():
            answer = await served.asked_in_slack(text, user="U0000ERIN")
            assert (answer.startswith(starts), contains in answer) == (True, True), answer
        assert "ALERTD_SLACK_USERS" in await served.asked_in_slack("alerts", user="U0000KIM")
        # What was read once of an account that the rules lack now stays stored, and is no part of what is asked about.
        served.app.cycle.use(replace(served.app.cycle.plan, accounts={"other": served.account}))
        assert "$53.25" not in await served.asked_in_slack("spend")


async def test_silence_when_chosen_by_button_or_typed_then_the_month_ends_by_the_zone_of_the_rules(
    tmp_path: Path,
) -> None:
    """`timezone:` reaches both, and a press is followed by the message's new buttons."""
    async with serving(tmp_path) as served:
        (root,) = await shown(served)
        await until(lambda: served.slack.is_connected)
        await served.slack.press(element(root, "alertd_silence", "month-end"), ts=root["ts"])
        await until(lambda: "alertd_unsilence" in actions(served.slack.shown()[0]))
        await served.asked_in_slack("silence owner=gpu-2 month-end training")
        silences = await served.app.gateway.call(lambda store: store.silences.unended())
    ends = datetime.fromisoformat("2026-02-01T00:00+01:00")
    assert [(silence.author, silence.ends_at) for silence in silences] == [("dana", ends)] * 2


async def test_stop_when_pressed_by_an_approver_then_called_shown_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The button needs the rules' approvers, the worker, the outbox and the figures."""
    monkeypatch.setattr(actions_module, "LOOK_EVERY_S", 0.01)
    account = Rented()
    rules = SLACK_RULES.replace("\nreceivers:", WITH_ACTION).replace(
        "    summary:", "    actions: [stop]\n    summary:"
    )
    async with serving(tmp_path, rules=rules, account=account, instances={("stop", "default"): account}) as served:
        (root,) = await shown(served)
        await until(lambda: served.slack.is_connected)
        press = element(root, "alertd_stop")
        await served.slack.press(press, user="U0000KIM", ts=root["ts"])
        await until(lambda: len(served.slack.whispers) == 1)
        assert "you are not among the approvers" in served.slack.whispers[0][1]
        assert account.calls == []
        # Slack delivers a press again where the confirmation was late: it is answered again, and one request.
        await served.slack.press(press, ts=root["ts"], times=2)
        await until(lambda: account.calls == [Verb.STOP] and len(served.slack.whispers) == 3)
        await until(lambda: any("Stopped by dana" in message["text"] for message in served.slack.shown()))
        assert served.app.figures.actions["requested"] == served.app.figures.actions["done"] == 1


async def test_action_when_it_is_new_in_an_edit_then_its_approvers_press_and_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload swaps approvers and keys too."""
    monkeypatch.setattr(actions_module, "LOOK_EVERY_S", 0.01)
    account = Rented()
    rules = SLACK_RULES.replace("\nreceivers:", WITH_ACTION)
    rules = rules.replace("    summary:", "    actions: [stop]\n    summary:")
    async with serving(tmp_path, account=account, instances_after={("stop", "default"): account}) as served:
        await shown(served)
        await until(lambda: served.slack.is_connected)
        served.edit(rules)
        await served.settled(2)
        (alert,) = (await alerts(served)).values()
        await served.slack.press({"action_id": "alertd_stop", "type": "button", "value": f"stop|{alert.fingerprint}|1"})
        await until(lambda: served.app.figures.actions["done"] == 1)
    assert account.calls == [Verb.STOP]


async def test_receiver_when_it_is_put_right_then_a_reread_sends_what_was_blocked_at_once(tmp_path: Path) -> None:
    """Whoever made the channel does not wait for an hour."""
    rules = SLACK_RULES.replace("#finops", "#nowhere")
    async with serving(tmp_path, rules=rules) as served:
        await until(lambda: served.app.figures.notifications["finops", "blocked"] == 1)
        served.slack.channels["C0000NOWHERE"] = SlackChannel(name="nowhere")
        served.edit(rules + "\n")
        await until(lambda: len(served.slack.shown("nowhere")) == 1)
    assert ROOT in served.slack.shown("nowhere")[0]["text"]


async def test_page_when_an_alert_is_acknowledged_there_then_slack_shows_it(tmp_path: Path) -> None:
    """The settings of the page reach it, its requests reach the cycle, and what comes of them the outbox."""
    port = free_port()
    page: dict[str, Any] = {
        "http_listen": f"127.0.0.1:{port}",
        "http_token": SecretStr(TOKEN),
        "http_public_read": True,
    }
    async with serving(tmp_path, **page) as served, aiohttp.ClientSession() as session:
        await until(lambda: served.app.figures.notifications["finops", "delivered"] == 1)
        await served.polled()
        (alert,) = (await alerts(served)).values()
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            metrics = await answer.text()
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert answer.status == 200
        headers = {"Authorization": f"Bearer {TOKEN}"}
        path = f"http://127.0.0.1:{port}/alerts/{alert.fingerprint}/acknowledge"
        async with session.post(path, data={"episode": "1", "name": "erin"}, headers=headers) as answer:
            assert answer.status < 400
        async with session.post(path, data={"episode": "1"}) as answer:
            assert answer.status in {401, 403}
        await until(lambda: "alertd_ack" not in actions(served.slack.shown()[0]))
        assert (await alerts(served))["gpu-24h"].acknowledged_by is not None
    assert 'alertd_notification_attempts_total{receiver="finops",result="delivered"} 1.0' in metrics
    assert "alertd_spend_month_usd" in metrics


@pytest.mark.parametrize(("broken", "word"), [(set(), "ok"), ({"llm"}, "not complete")])
async def test_status_when_a_poll_ends_then_says_whether_all_was_read(
    tmp_path: Path, broken: set[str], word: str
) -> None:
    """`systemctl status` is where somebody looks first."""
    async with serving(tmp_path, account=Account(broken=broken)) as served:
        await served.polled()
    assert f"STATUS=1 firing, last poll 12:05 UTC {word}" in served.manager.heard


async def test_status_when_a_poll_fails_then_counts_what_fires_since_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is given up where the store failed, and systemd then said that nothing fires."""
    async with serving(tmp_path) as served:
        await served.polled()

        async def failing(*_: object, **__: object) -> None:
            served.app.cycle.forget()
            raise StoreError("the disk is full")

        monkeypatch.setattr(served.app.cycle, "run", failing)
        served.clock[0] += HOUR
        served.service._poll_asked.set()
        await served.polled(2)
    assert "STATUS=1 firing, last poll 13:05 UTC failed" in served.manager.heard


async def test_rules_when_edited_badly_twice_and_then_well_then_each_edit_counts_and_is_polled_for(
    tmp_path: Path,
) -> None:
    """The second mistake is another one than the first, and whoever repaired the file waits for the poll."""
    async with serving(tmp_path) as served:
        await served.polled()
        cycle = served.app.cycle

        def failed(count: int, word: str) -> bool:
            file = cycle.rules_file
            return file.failures == count and any(word in fault for fault in file.faults)

        served.edit(SLACK_RULES.replace("window:", "windw:"))
        await until(lambda: failed(1, "windw"))
        await served.polled(2)
        since = cycle.rules_file.broken_since
        served.clock[0] += HOUR
        served.edit(SLACK_RULES.replace("group_by:", "grup_by:"))
        await until(lambda: failed(2, "grup_by"))
        await served.polled(3)
        assert cycle.rules_file.broken_since == since == NOW
        stored = await served.app.gateway.call(lambda store: store.meta.rules_file)
        assert stored == cycle.rules_file
        assert {name: alert.state for name, alert in (await alerts(served)).items()} == {
            "gpu-24h": AlertState.FIRING,
            "alertd-rules": AlertState.FIRING,
        }
        served.edit(SLACK_RULES.replace("name: gpu-24h", "name: gpu-day"))
        await until(lambda: cycle.rules_file.broken_since is None)
        await served.polled(4)
        assert cycle.rules_file == replace(
            cycle.rules_file, faults=(), failures=2, changes="1 rule added (gpu-day), 1 rule removed (gpu-24h)", rules=1
        )
        assert cycle.rules_file.loaded_at == served.clock[0]
        assert {name: alert.state for name, alert in (await alerts(served)).items()} == {
            "gpu-24h": AlertState.RESOLVED,
            "gpu-day": AlertState.FIRING,
            "alertd-rules": AlertState.RESOLVED,
        }
        assert served.manager.heard.count("RELOADING=1") == 3
        assert served.manager.heard.count("READY=1") == 4


async def test_rules_when_edited_twice_then_the_summaries_receivers_and_zone_in_force_are_the_last(
    tmp_path: Path,
) -> None:
    """A reload swaps all of the plan, and the next one swaps it again."""
    async with serving(tmp_path) as served:
        await shown(served)
        await served.polled()
        for number, channel in enumerate(("research", "secret"), 2):
            served.edit(
                SLACK_RULES.replace("#finops", f"#{channel}")
                .replace("name: finops", f"name: team-{number}")
                .replace("[finops]", f"[team-{number}]")
                .replace("Berlin", "Paris" if number == 2 else "Lisbon")
                .replace("gpu-24h", f"gpu-{number}")
                .replace("is at", f"costs{number}")
            )
            await until(lambda: len(served.slack.shown(channel)) > 0)  # noqa: B023 -- awaited within the turn
            assert f"trainer-a costs{number} $84.00 a day" in served.slack.shown(channel)[-1]["text"]
        await served.asked_in_slack("silence owner=gpu-2 month-end training")
        (silence,) = await served.app.gateway.call(lambda store: store.silences.unended())
    assert silence.ends_at == datetime.fromisoformat("2026-02-01T00:00+00:00")


async def test_owners_when_edited_twice_then_spend_is_summed_by_the_last_teams(tmp_path: Path) -> None:
    """What was summed by the teams of before is no view of the bills any more."""
    rules = SLACK_RULES.replace("[owner]", "[team]")
    found, changes = [], []
    async with serving(tmp_path, rules=rules) as served:
        await served.settled(1)
        for turn, team in ((2, "lab"), (3, "ops")):
            served.edit(rules.replace("team: research", f"team: {team}"))
            await served.settled(turn)
            firing = [one for one in (await served.app.gateway.alerts())[0] if one.state is AlertState.FIRING]
            found.append([dict(one.group)["team"] for one in firing])
            changes.append(served.app.cycle.rules_file.changes)
        served.edit(f"# The same rules.\n{served.path.read_text(encoding='utf-8')}")
        await served.settled(4)
        changes.append(served.app.cycle.rules_file.changes)
    assert found == [["lab"], ["ops"]]
    assert changes == ["owners changed", "owners changed", ""], "each is compared with the one before"


async def test_report_when_its_time_has_come_then_filed_after_the_poll_and_once(tmp_path: Path) -> None:
    """No clock of its own: a poll that ended asks for what is due."""
    rules = SLACK_RULES.replace("rules:\n", REPORTS, 1)
    async with serving(tmp_path) as served:
        await shown(served)
        served.edit(rules)
        await served.settled(2)
        # 14:00 in Berlin is 13:00 UTC.
        served.clock[0] += HOUR
        for turn in (3, 4):
            served.edit(rules + "\n" * turn)
            await served.settled(turn)
        _, report = await shown(served, 2)
        filed = await served.app.gateway.call(lambda store: store.meta.with_prefix("report_sent:"))
        assert len(served.slack.shown()) == 2
    assert "thread_ts" not in report
    assert list(filed) == ["daily"]


async def test_old_data_when_a_day_has_passed_then_deleted_again_and_forgotten(tmp_path: Path) -> None:
    """What is pruned is in memory no more: store and memory are one."""
    async with serving(tmp_path) as served:
        gateway, cycle, pruned = served.app.gateway, served.app.cycle, list[object]()
        await served.settled(1)
        for turn, later in ((2, 23 * HOUR), (3, SPEND_KEPT)):
            served.clock[0] += later
            served.edit(SLACK_RULES + "\n" * turn)
            await served.settled(turn)
            pruned.append(await gateway.call(lambda store: store.meta.pruned_at))
            await cycle.held()
            assert cycle.state.books == (await gateway.load()).books
    assert pruned == [NOW, NOW + 23 * HOUR + SPEND_KEPT]


async def test_command_when_it_asks_over_the_socket_then_done_and_shown(tmp_path: Path) -> None:
    """`alertd ack` reaches the service that runs."""
    async with serving(tmp_path) as served:
        await shown(served)
        (alert,) = (await alerts(served)).values()
        text = await ask(socket_path(tmp_path / "alertd.db"), Acknowledge(fingerprint=alert.fingerprint, by="kim"))
        await until(lambda: "alertd_ack" not in actions(served.slack.shown()[0]))
    assert "is acknowledged" in text


async def test_stop_when_the_host_sleeps_before_the_call_then_it_is_not_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that is opened in the morning must not stop what was meant in the evening."""
    clock, account, step = Sleeping(), Rented(), Cycle.move_action

    async def sleep_after(cycle: Cycle, before: ActionRequest, after: ActionRequest, now: datetime) -> bool:
        is_stored = await step(cycle, before, after, now)
        clock.slept_s += actions_module.STALE_S + 1
        return is_stored

    monkeypatch.setattr(Cycle, "move_action", sleep_after)
    rules = SLACK_RULES.replace("\nreceivers:", WITH_ACTION).replace(
        "    summary:", "    actions: [stop]\n    summary:"
    )
    instances = {("stop", "default"): account}
    async with serving(tmp_path, rules=rules, account=account, instances=instances, clock=clock) as served:
        (root,) = await shown(served)
        await until(lambda: served.slack.is_connected)
        await served.slack.press(element(root, "alertd_stop"), ts=root["ts"])
        await until(lambda: served.app.figures.actions["failed"] == 1)
    assert account.calls == []


class Sleeping(SystemClock):
    """The system's clocks, one of which counts the time that the host slept."""

    slept_s = 0.0

    def elapsed_s(self) -> float:
        return super().elapsed_s() + self.slept_s
