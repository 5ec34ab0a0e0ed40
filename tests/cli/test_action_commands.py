"""`alertd stop` and `alertd actions`: who is asked back, what is carried out where no daemon runs, and how it ends."""

import json
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from alertd.cli import stop
from alertd.core.actions import Act, ActionRequest, ActionState, CallAnswer, CallResult, Sight, Verb
from alertd.core.alert import Address, Rate
from alertd.core.alerts.reason import NotifyReason
from alertd.store.store import Store
from tests.cli.request_desk import BEGAN, NOW, RULES, URL, Desk, desk, full
from tests.core.alerts.test_acting import a_resource
from tests.core.builders import usd
from tests.core.test_actions import request

__all__ = ["desk", "full"]
ACTION = """
actions:
  - {name: stop, type: stop_instance, accounts: {default: {api_key_env: STOP_KEY}}, approvers: [U04ABCDEF]}
rules:"""


@dataclass(slots=True)
class Vendor:
    """The instance, and how its API answers."""

    answer: CallResult = CallResult.TAKEN
    status: str = "running"
    calls: list[Verb] = field(default_factory=list)

    async def call(self, verb: Verb, instance_id: str) -> CallAnswer:
        assert instance_id == "gpu-1"
        self.calls.append(verb)
        if self.answer is not CallResult.REFUSED:
            self.status = {Verb.STOP: "exited", Verb.START: "running"}[verb]
        return CallAnswer(result=self.answer, text="the API refused (HTTP 400); nothing was stopped")

    async def look(self, instance_id: str) -> Sight:
        assert instance_id == "gpu-1"
        return Sight(status=self.status)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """Stands in place of the API."""
    made = Vendor()
    monkeypatch.setattr("alertd.daemon.accounts.open_instances", lambda *_a, **_n: {("stop", "default"): made})
    monkeypatch.setattr("alertd.cli.stop._LOOK_S", 0)
    return made


@pytest.fixture
def stopping(desk: Desk, vendor: Vendor) -> Desk:
    """One alert of an instance that runs, and a rule that offers to stop it."""
    rules = RULES.replace("\nrules:", ACTION).replace("group_by: [owner],", "group_by: [owner], actions: [stop],", 1)
    Path("rules.yaml").write_text(rules)
    desk.stage.cycle({"gpu-1": "60"})
    alert = desk.stage.of("gpu-1")
    rate = Rate(per_hour=usd("7.30"), through=BEGAN, is_billed=True)
    desk.stage.alerts[alert.fingerprint] = replace(alert, rate=rate)
    desk.keep()
    store = Store.open(URL, now=BEGAN)
    store.resources.save([a_resource(account=alert.account)])
    store.close()
    assert vendor.calls == []
    return desk


@pytest.mark.parametrize(("is_meant", "code", "calls"), [(False, 1, []), (True, 0, [Verb.STOP])])
def test_stop_when_asked_back_then_done_only_where_it_is_meant(
    stopping: Desk, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, *, is_meant: bool, code: int, calls: list[Verb]
) -> None:
    """A script that goes by the code must not take a no for a stop."""
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return is_meant

    monkeypatch.setattr("click.confirm", confirm)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    found, _, err = stopping.run("stop", stopping.stage.of("gpu-1").fingerprint)
    assert (found, vendor.calls) == (code, calls)
    assert asked == ["Stop notebook-9 (gpu-1)?"]
    assert ("Nothing was asked for." in err) is not is_meant


def test_stop_when_nobody_can_be_asked_back_then_refused_and_nothing_is_called(stopping: Desk, vendor: Vendor) -> None:
    """A script that means it says --yes."""
    code, out, err = stopping.run("stop", stopping.stage.of("gpu-1").fingerprint[:6])
    assert (code, out, vendor.calls) == (1, "", [])
    assert "It is 1 × H100 and costs $7.30 an hour." in err
    assert "Its disk is still billed, and its data is kept for 7 days." in err
    assert "add --yes if you mean it" in err
    assert stopping.run("actions")[1] == "Nothing was asked for.\n"


def test_stop_when_no_daemon_runs_then_carried_out_by_the_command_and_shown_everywhere(
    stopping: Desk, vendor: Vendor
) -> None:
    """The same rows and code as the daemon's."""
    name = stopping.stage.of("gpu-1").fingerprint
    code, out, _ = stopping.run("stop", name, "--yes")
    assert (code, vendor.calls) == (0, [Verb.STOP])
    assert out.splitlines()[-1] == "done: stopped: the API says exited"
    (row,) = json.loads(stopping.run("actions", "--json")[1])
    assert {key: row[key] for key in ("action", "alert", "owner", "name", "requested_by", "state", "detail")} == {
        "action": "stop",
        "alert": name,
        "owner": "gpu-1",
        "name": "notebook-9",
        "requested_by": "dana",
        "state": "done",
        "detail": "stopped: the API says exited",
    }
    assert {key: row[key] for key in ("verb", "account", "requested_at", "finished_at")} == {
        "verb": "stop",
        "account": "default",
        "requested_at": "2026-01-10T14:30:00Z",
        "finished_at": "2026-01-10T14:30:00Z",
    }
    assert len(row["id"]) == 8
    assert "notebook-9 (gpu-1)" in stopping.run("actions")[1]
    explained = stopping.run("explain", name)[1]
    assert "stop of notebook-9 requested by dana" in explained
    assert "stop of notebook-9: done" in explained
    # It is no longer running, whatever the list said before.
    code, _, err = stopping.run("stop", name, "--yes")
    assert (code, vendor.calls) == (1, [Verb.STOP])
    assert "notebook-9 does not run: it is exited" in err
    assert stopping.run("stop", name, "--undo", "--yes")[0] == 0
    assert vendor.calls == [Verb.STOP, Verb.START]


def test_stop_when_refused_by_the_api_then_exit_1_and_it_may_be_asked_anew(stopping: Desk, vendor: Vendor) -> None:
    """Scripts see by the code that nothing was stopped."""
    vendor.answer = CallResult.REFUSED
    name = stopping.stage.of("gpu-1").fingerprint
    code, out, _ = stopping.run("stop", name, "--yes")
    assert (code, out.splitlines()[-1]) == (1, "failed: the API refused (HTTP 400); nothing was stopped")
    assert stopping.run("stop", name, "--yes")[0] == 1
    assert vendor.calls == [Verb.STOP, Verb.STOP]


def test_stop_when_an_earlier_command_was_killed_within_the_call_then_not_called_again(
    stopping: Desk, vendor: Vendor
) -> None:
    """The row says that it may have been called: the next command reads the state."""
    alert = stopping.stage.of("gpu-1")
    left = request(
        fingerprint=alert.fingerprint,
        account=alert.account,
        state=ActionState.CALLING,
        requested_at=NOW,
        called_at=NOW,
    )
    store = Store.open(URL, now=BEGAN)
    store.save_decisions(actions=[left])
    store.close()
    vendor.status = "exited"
    code, out, _ = stopping.run("stop", alert.fingerprint, "--yes")
    assert (code, vendor.calls) == (0, [])
    assert "is being stopped already" in out
    assert out.splitlines()[-1] == "done: stopped: the API says exited"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("ffff",), 'there is no alert "ffff"', id="no such alert"),
        pytest.param(("zzzz",), "there is no alert", id="no fingerprint"),
    ],
)
def test_stop_when_there_is_no_such_alert_then_says_so(
    stopping: Desk, vendor: Vendor, arguments: tuple[str, ...], words: str
) -> None:
    """A mistyped fingerprint stops nothing."""
    code, _, err = stopping.run("stop", *arguments, "--yes")
    assert (code, vendor.calls) == (1, [])
    assert words in err


def test_stop_when_the_rule_names_no_action_then_says_what_is_missing(full: Desk, vendor: Vendor) -> None:
    """The remedy is a line in the rules file."""
    code, _, err = full.run("stop", full.stage.of("plain").fingerprint, "--yes")
    assert (code, vendor.calls) == (1, [])
    assert "its rule needs `actions:` in the rules file" in err


def test_stop_when_no_daemon_runs_then_the_message_shows_it_once_one_does(
    stopping: Desk, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at Slack must not go on to stop what is stopped."""
    monkeypatch.setenv("ALERTD_SLACK_BOT_TOKEN", "xoxb-1")
    name, rules = stopping.stage.of("gpu-1").fingerprint, Path("rules.yaml")
    rules.write_text(
        rules.read_text().replace("{name: oncall, type: console}", "{name: chat, type: slack, channel: C0123456789}")
    )
    store = Store.open(URL, now=NOW)
    alert = store.alerts.alert(name)
    assert alert is not None
    store.save_decisions(alerts=[replace(alert, notified_to=(Address("chat", "C0123456789"),))], events=[], entries=[])
    store.close()
    code, _, err = stopping.run("stop", name, "--yes")
    assert (code, vendor.calls) == (0, [Verb.STOP]), err
    store = Store.open(URL, now=NOW)
    shown = [entry for entry in store.outbox.open_entries() if entry.receiver == "chat"]
    store.close()
    assert [entry.message.reason for entry in shown] == [NotifyReason.ACTION, NotifyReason.UPDATED]
    assert shown[0].message.title == "Stopped by dana: notebook-9"
    assert any(line.startswith("Stopped by dana: notebook-9") for line in shown[1].message.lines)


@pytest.mark.parametrize(
    ("steps", "code", "lines"),
    [
        pytest.param(
            [ActionState.CALLING, ActionState.DONE], 0, ["requested", "calling", "done"], id="done: nothing to wait for"
        ),
        pytest.param([ActionState.FAILED], 1, ["requested", "failed"], id="failed"),
        pytest.param(
            [ActionState.STOPPING, ActionState.UNKNOWN], 1, ["requested", "stopping", "unknown"], id="unknown"
        ),
        pytest.param(
            [ActionState.STOPPING],
            0,
            ["requested", "stopping", "The daemon carries on; `alertd actions` shows the outcome."],
            id="still under way",
        ),
    ],
)
def test_stop_when_a_daemon_does_it_then_watched_to_its_end_or_for_a_while(
    stopping: Desk, monkeypatch: pytest.MonkeyPatch, steps: list[ActionState], code: int, lines: list[str]
) -> None:
    """Each step is shown once, and the exit code is that of the last."""
    rows, seconds = list[ActionRequest](), [0.0]

    def keep(row: ActionRequest) -> None:
        with closing(Store.open(URL, now=BEGAN)) as store:
            if rows:
                assert store.actions.move(rows[-1], row)
            else:
                store.save_decisions(actions=(row,))
        rows.append(row)

    async def ask(_settings: object, asked: Act) -> str:
        keep(request(id=asked.id, fingerprint=asked.fingerprint))
        return "asked"

    def look() -> float:
        is_first, seconds[0] = not seconds[0], seconds[0] + 20
        if steps and not is_first:
            keep(replace(rows[-1], state=steps.pop(0), finished_at=BEGAN))
        return seconds[0]

    monkeypatch.setattr(stop, "ask_daemon", ask)
    monkeypatch.setattr(stop, "_LOOK_S", 0)
    monkeypatch.setattr("alertd.clock.monotonic_s", look)
    found, out, _ = stopping.run("stop", stopping.stage.of("gpu-1").fingerprint, "--yes")
    assert (found, out.splitlines()[-len(lines) :]) == (code, lines)
