"""What the rules file says of quiet hours and of owners reaches those who decide; what is hardly meant is a warning."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from alertd.cli.root import run
from alertd.core.address import is_address
from alertd.core.alert import Address
from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.quiet_hours import QuietHours
from alertd.core.alerts.reason import NotifyReason
from alertd.daemon.plan import build_plan
from alertd.daemon.receivers import build_notifiers, contacts, owner_warnings
from alertd.daemon.state import Plan
from alertd.errors import RulesError
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import LoadedRules
from alertd.settings.model import Settings, load_settings
from tests.core.builders import firing
from tests.core.stage import match

SECRETS = {
    "ALERTD_SLACK_BOT_TOKEN": "xoxb-canary",
    "ALERTD_SMTP_HOST": "127.0.0.1",
    "ALERTD_SMTP_FROM": "alertd@example.com",
}
SLACK = '  - {name: finops, type: slack, channel: "#finops"}\n'
MAIL = "  - {name: mail, type: email, to: [billing@example.com]}\n"
CONSOLE = "  - {name: ops, type: console}\n"
RULE = "rules: [{name: gpu, type: rolling_spend, group_by: [owner], window: 24h, thresholds: {warning: 50}%s}]\n"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def loaded(text: str, tmp_path: Path) -> LoadedRules:
    file = tmp_path / "rules.yaml"
    file.write_text("version: 1\n" + text)
    return load_rules(file)


def plan_of(rules: LoadedRules, settings: Settings) -> Plan:
    notifiers, problems = build_notifiers(rules, settings)
    assert problems == []
    return build_plan(rules, settings, sources={}, notifiers=notifiers)


def warnings(text: str, tmp_path: Path) -> list[str]:
    return [f"{one.line}:{one.column}: {one.text}" for one in loaded(text, tmp_path).warnings]


def test_audience_keys_when_written_then_the_plan_has_it(tmp_path: Path, settings: Settings) -> None:
    """From text to those who decide, once, whole."""
    rules = loaded(
        "receivers:\n"
        '  - {name: finops, type: slack, channel: "#finops", '
        "quiet_hours: {days: [sat, sun], timezone: Europe/Berlin}}\n"
        "  - name: mail\n    type: email\n    to: [billing@example.com]\n"
        "    quiet_hours: [{hours: 22:00-07:00}, {days: [mon], hours: 12:00-24:00}]\n"
        "owners: [{match: gpu-d*, slack: U04DANA, email: dana@example.com}, {match: gpu-k*, email: kim@example.com}]\n"
        "defaults: {notify: [mail]}\n"
        "inhibitions: [{when: {severity: critical}, equal: [owner], "
        "mute: {rule: [gpu, '!alertd-blind'], severity: warning}}]\n"
        + RULE
        % ", notify: [owner], escalate: {after: 2h, notify: [finops]}",
        tmp_path,
    )
    plan = plan_of(rules, settings)
    audience, rule = plan.audience, plan.rules[0]
    assert rule.escalate is not None
    assert (rule.escalate.after, rule.escalate.notify) == (timedelta(hours=2), ("finops",))
    assert audience.inhibitions == (
        Inhibition(
            when=match(severity="critical"), mute=match(rule="!alertd-blind,gpu", severity="warning"), equal=("owner",)
        ),
    )
    every_day = frozenset(range(7))
    assert audience.quiet_hours == {
        "finops": (QuietHours(days=frozenset({5, 6}), timezone="Europe/Berlin"),),
        "mail": (
            QuietHours(days=every_day, start=time(22), end=time(7)),
            QuietHours(days=frozenset({0}), start=time(12), end=time()),
        ),
    }
    assert (audience.contacts, audience.editors) == ({"slack": "finops", "email": "mail"}, frozenset({"finops"}))
    assert [audience.of(firing(owner=owner), rule, NotifyReason.FIRST) for owner in ("gpu-d1", "gpu-k1", "x")] == [
        (Address("finops", "U04DANA"),),
        (Address("mail", "kim@example.com"),),
        (Address("mail", "billing@example.com"),),
    ]
    assert audience.of(firing(), rule, NotifyReason.ESCALATED) == (Address("finops", "#finops"),)
    assert rules.warnings == ()


def test_contacts_when_several_receivers_can_write_then_the_first_of_each_kind(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incoming webhook writes to its own channel only, and a console to nobody."""
    monkeypatch.setenv("HOOK", "https://hooks.example.com/x")
    text = (
        "receivers:\n" + CONSOLE + MAIL + "  - {name: hook, type: slack, webhook_url_env: HOOK}\n" + SLACK
        + MAIL.replace("name: mail", "name: mail2") + SLACK.replace("finops", "second")
    )  # fmt: skip
    notifiers, problems = build_notifiers(loaded(text, tmp_path), settings)
    assert problems == []
    assert list(contacts(notifiers).items()) == [("slack", "finops"), ("email", "mail")]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("dana@example.com", True),
        ("a.b+c_d'e@x-y.example.co", True),
        ("root@localhost", True),
        ("x" * 64 + "@example.com", True),
        ("x" * 65 + "@example.com", False),
        ("x@" + ".".join(["y" * 63] * 4), False),
        ("dana", False),
        ("dana@", False),
        ("@example.com", False),
        ("dana@example..com", False),
        ("dana.@example.com", False),
        ("da..na@example.com", False),
        ("dana@-example.com", False),
        ("dana@example.com.", False),
        ("dana@exa mple.com", False),
        ("dana@example.com\n", False),
        ("dana@example.com, kim@example.com", False),
        ("Dana <dana@example.com>", False),
        ("däna@example.com", False),
        ("mailto:dana@example.com", False),
    ],
)
def test_address_when_mail_can_be_sent_there_then_is_one(address: str, expected: bool, tmp_path: Path) -> None:
    """What passes here is written into the mail's header as it stands; owners and receivers alike."""
    assert is_address(address) is expected
    written = address.replace("\n", "\\n")
    text = f'owners: [{{match: x, email: "{written}"}}]\n' + RULE % ""
    if expected:
        assert loaded(text, tmp_path).owners.find("x").email == address
        return
    with pytest.raises(RulesError) as caught:
        loaded(text, tmp_path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 28)
    assert problem.text.endswith("is not a mail address; write one like dana@example.com")


def test_owner_when_its_email_is_empty_then_has_none(tmp_path: Path) -> None:
    """A generated file may leave it empty."""
    assert loaded('owners: [{match: x, email: ""}]\n' + RULE % "", tmp_path).owners.find("x").email == ""


@pytest.mark.parametrize(
    ("hours", "is_always"),
    [
        pytest.param("{}", True, id="every day, the whole day"),
        pytest.param("{hours: 00:00-24:00}", True, id="the same in words"),
        pytest.param("[{days: [mon, tue, wed, thu, fri]}, {days: [sat, sun]}]", True, id="in two parts"),
        pytest.param("{hours: 00:00-23:59}", False, id="all but a minute"),
        pytest.param("{days: [sat, sun]}", False, id="weekends"),
    ],
)
def test_quiet_hours_when_they_never_end_then_a_warning(tmp_path: Path, hours: str, is_always: bool) -> None:
    """Nobody means never; at its place, with what follows from it."""
    text = f"receivers: [{{name: ops, type: console, quiet_hours: {hours}}}]\n" + RULE % ", notify: [ops]"
    expected = (
        '2:53: receiver "ops": quiet_hours: these cover the whole week, so nothing below critical would ever be sent '
        "in time; leave a gap"
    )
    assert warnings(text, tmp_path) == ([expected] if is_always else [])


OWNERS = "owners: [{match: x, slack: U04DANA, email: x@example.com}]\n"
WHERE = "; alerts go where routes and defaults lead instead"
NO_WAY = (
    "notify: owner reaches nobody: only a Slack receiver with a bot token and an email receiver can write to people, "
    f"and there is none{WHERE}"
)
NO_OWNER = f"notify: owner reaches nobody: no owner has a slack id or an email that some receiver writes to{WHERE}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("receivers:\n" + SLACK + OWNERS + RULE % ", notify: [owner]", [], id="Slack, and an owner in it"),
        pytest.param("receivers:\n" + MAIL + OWNERS + RULE % ", notify: [owner]", [], id="mail, and an owner with it"),
        pytest.param(
            "receivers:\n" + CONSOLE + OWNERS + RULE % ", notify: [owner]", [f'5:9: rule "gpu": {NO_WAY}'], id="no way"
        ),
        pytest.param(
            "receivers:\n" + SLACK + RULE % ", notify: [owner]", [f'4:9: rule "gpu": {NO_OWNER}'], id="no owner"
        ),
        pytest.param(
            "receivers:\n" + SLACK + OWNERS.replace("slack: U04DANA, ", "") + RULE % ", notify: [owner, finops]",
            [f'5:9: rule "gpu": {NO_OWNER}'],
            id="owners with mail, receivers with Slack",
        ),
        pytest.param(
            "receivers:\n" + CONSOLE + RULE % ", notify: [ops], escalate: {after: 1h, notify: [owner]}",
            [f'4:9: rule "gpu": escalate: {NO_WAY}'],
            id="an escalation",
        ),
        pytest.param(
            "receivers:\n" + CONSOLE + "routes: [{notify: [owner]}]\n" + RULE % "",
            [f"1:1: routes and defaults: {NO_WAY}"],
            id="a route",
        ),
        pytest.param(
            "receivers:\n" + CONSOLE + "defaults: {notify: [owner, ops]}\n" + RULE % "",
            [f"1:1: routes and defaults: {NO_WAY}"],
            id="by default",
        ),
        pytest.param(
            "receivers:\n" + CONSOLE + RULE % ", notify: [owner], enabled: false", [], id="a rule that is switched off"
        ),
        pytest.param(
            "receivers:\n"
            + CONSOLE
            + "  - {name: later, type: webhook, url_env: NOT_SET}\n"
            + RULE % ", notify: [owner]",
            [],
            id="a receiver that cannot be built here may be the one",
        ),
        pytest.param("receivers:\n" + CONSOLE + RULE % ", notify: [ops]", [], id="nobody names the owner"),
    ],
)
def test_owner_in_notify_when_none_can_be_reached_then_a_warning(
    tmp_path: Path, settings: Settings, text: str, expected: list[str]
) -> None:
    """It would look as if people were notified."""
    rules = loaded(text, tmp_path)
    notifiers, _ = build_notifiers(rules, settings)
    found = [f"{one.line}:{one.column}: {one.text}" for one in owner_warnings(rules, notifiers)]
    assert found == expected


def test_report_when_the_default_names_the_owner_too_then_goes_to_the_others(tmp_path: Path) -> None:
    """The default is about alerts; a report takes from it whom it can."""
    text = "receivers:\n" + CONSOLE + "defaults: {notify: [owner, ops]}\n" + RULE % ""
    text += 'reports: [{name: weekly, schedule: "0 9 * * mon"}]\n'
    assert loaded(text, tmp_path).reports[0].notify == ("ops",)


def test_check_when_it_finds_them_then_prints_each_as_a_warning(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where people look before they deploy; warnings do not fail it."""
    never_ends = CONSOLE.replace("console}", "console, quiet_hours: {}}")
    loaded("receivers:\n" + never_ends + RULE % ", notify: [owner]", tmp_path)
    assert run(["check"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": warning: ")[0] for line in lines][:2] == ["rules.yaml:3:45", "rules.yaml:4:9"]
    assert "these cover the whole week" in lines[0]
    assert NO_WAY in lines[1]
