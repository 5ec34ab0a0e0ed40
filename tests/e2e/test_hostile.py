"""Names that attack whoever shows them, and secrets that must show nowhere."""

import html
import json
import re
import signal
from collections import deque
from decimal import Decimal

import pytest

from tests.doubles import BOT_TOKEN, HOOK_PATH, SlackDouble
from tests.doubles import Fault as SlackFault
from tests.e2e.daemon import PATIENCE_S, Alertd, no_traceback, wait_for
from tests.e2e.test_delivery import ALL_RECEIVERS
from tests.e2e.test_once import RULES
from tests.e2e.world import API_KEY, HTML, BillingWorld, Hook, Reply, Row, refusal
from tests.mail_double import PASSWORD, USERNAME, MailDouble

HOSTILE = {
    "mention": "<!channel> <@U123> <https://evil.example|bank> &lt;",
    "lines": "gpu\r\nBcc: victim@example.com\r\n\r\n<b>hi</b>\x85\u2028x",
    "long": "x" * 5000,
    "right-to-left": "\u202egnp.exe\u202c \u2066abc\u2069",
    "emoji": "👩‍👩‍👧‍👦" * 40,
    "nul": "a\x00b\x1b[31mred\x07",
    "template": "{{ 7*7 }} {% raw %} ${x} %s %(a)s",
    "script": "</script><img src=x onerror=alert(1)>'\"",
    "markdown": "*bold* _it_ ~no~ `code` ```\n[x](y)",
    "half": "\ud800half",
    "csv": '=HYPERLINK("http://evil")',
    "blank": "   ",
}


@pytest.mark.slow
@pytest.mark.parametrize("names", [list(HOSTILE)[:6], list(HOSTILE)[6:]], ids=["first half", "second half"])
def test_hostile_names_when_shown_everywhere_then_are_escaped_and_whole_or_shortened(
    names: list[str], alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble, mail: MailDouble
) -> None:
    """Anybody who can name an instance writes into other people's chat, mail and terminals."""
    alertd.rules(
        ALL_RECEIVERS.format(hook=hook.url)
        .replace("receivers:\n", "receivers:\n  - {name: screen, type: console}\n")
        .replace("[finops, post", "[screen, finops, post")
        .replace("group_by: [owner]", "group_by: [owner, product]")
    )
    with alertd.running():
        # One at a time: a storm would list them without their tables.
        for n, name in enumerate(names):
            alertd.wait_cycles(1)
            text = HOSTILE[name]
            row = Row(category="gpu", start=world.hour(1), owner=text, product=text, subcategory=text, pay=Decimal(9))
            world.add(row)
            _wait_arrived(hook, slack, mail, n + 1)
    assert no_traceback(alertd.log.read_text())
    printed = (alertd.folder / "stdout.log").read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", printed)
    for name, post, shown, received in zip(names, hook.posts, slack.shown(), mail.received, strict=True):
        text = HOSTILE[name].replace("\ud800", "\ufffd")
        (alert,) = json.loads(post.body)["alerts"]
        assert alert["labels"]["owner"] == text, name
        chat = json.dumps(shown, ensure_ascii=False)
        assert not re.search(r"<(!(?!date\^)|@|#|https?://evil)", chat), (name, chat)
        message = received.message
        assert (message["Bcc"], message["To"]) == (None, "a@example.com")
        assert len(message["Subject"]) < 400
        page = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert "<b>hi" not in page
        # Our own chart is the only picture a page may hold, and its alternative text is ours.
        for picture in re.findall(r"<img[^>]*>", page):
            assert re.match(r'<img src="cid:chart\.[0-9a-f]{32}@example\.com"', picture), (name, picture)
        assert "evil.example|bank" not in html.unescape(page) or "&lt;https://evil" in page
    shown_json = alertd.run("alerts", "--all", "--json")
    owners = {alert["labels"]["owner"] for alert in json.loads(shown_json.out)}
    assert owners == {HOSTILE[name].replace("\ud800", "\ufffd") for name in names}
    for arguments in (("alerts",), ("spend", "--by", "owner,product,subcategory"), ("status",)):
        ran = alertd.run(*arguments)
        assert ran.code == 0, (arguments, ran)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", ran.out), arguments


def _wait_arrived(hook: Hook, slack: SlackDouble, mail: MailDouble, count: int) -> None:
    wait_for(lambda: (len(hook.posts), len(slack.shown()), len(mail.received)) == (count,) * 3, why=f"{count} of each")


def _wait_failed(alertd: Alertd, receiver: str) -> None:
    wait_for(
        lambda: receiver in {event["receiver"] for event in alertd.events("notification not delivered yet")},
        why=f"a failure of {receiver}",
    )


CANARIES = {
    "novita": API_KEY,
    "second": "sk-canary-second-account-77aa",
    "slack": BOT_TOKEN,
    "incoming": HOOK_PATH.rsplit("/", 1)[1],
    "smtp": PASSWORD,
    "webhook": "canary-hook-path",
    "bearer": "canary-bearer-token-31",
    "heartbeat": "canary-heartbeat-uuid-9c",
}


def test_secrets_when_everything_fails_at_full_log_then_show_nowhere(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble, mail: MailDouble
) -> None:
    """Errors quote what failed: none may quote the key with it."""
    alertd.rules(
        """version: 1
accounts:
  - {name: one}
  - {name: two, api_key_env: SECOND_KEY}
receivers:
  - {name: finops, type: slack, channel: "#finops"}
  - {name: incoming, type: slack, webhook_url_env: INCOMING_URL}
  - {name: gone, type: slack, webhook_url_env: GONE_URL}
  - {name: post, type: email, to: [a@example.com]}
  - {name: bridge, type: webhook, url_env: BRIDGE_URL, bearer_token_env: BRIDGE_TOKEN}
  - {name: nowhere, type: webhook, url_env: NOWHERE_URL}
defaults: {notify: [finops, incoming, gone, post, bridge, nowhere]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: 5}}
"""
    )
    alertd.env |= {
        "SECOND_KEY": CANARIES["second"],
        "INCOMING_URL": slack.webhook_url,
        "GONE_URL": "http://127.0.0.1:9/services/canary-webhook-path",
        "BRIDGE_URL": hook.url,
        "BRIDGE_TOKEN": CANARIES["bearer"],
        "NOWHERE_URL": "http://127.0.0.1:9/canary-hook-path?canary-bearer-token-31",
        "ALERTD_SMTP_USERNAME": USERNAME,
        "ALERTD_SMTP_PASSWORD": PASSWORD,
        # The server offers none: the password must not leave.
        "ALERTD_SMTP_SECURITY": "starttls",
        "ALERTD_HEARTBEAT_URL": f"http://127.0.0.1:9/{CANARIES['heartbeat']}",
    }
    hook.replies = deque(
        [Reply(status=401, is_accepted=False), Reply(status=302, headers=(("Location", hook.url),), is_accepted=False)]
    )
    slack.faults.extend([SlackFault(status=404, body=HOOK_PATH.encode())] * 9)
    world.add(Row(category="gpu", start=world.hour(1), owner="gpu-1", pay=Decimal(9)))
    world.faults["llm"] = deque([HTML, refusal(403, "ACCESS_DENY", f"token Bearer {API_KEY} is revoked")])
    shown = [str(alertd.run("-v", "check"))]
    child = alertd.start("-v", "run")
    alertd.wait_cycles(2)
    for receiver in ("finops", "incoming", "gone", "post", "bridge", "nowhere"):
        _wait_failed(alertd, receiver)
    child.send_signal(signal.SIGHUP)
    wait_for(lambda: alertd.events("rules reloaded"), why="the reload")
    child.send_signal(signal.SIGTERM)
    assert child.wait(PATIENCE_S) == 0
    shown += [str(alertd.run("-v", "send-test", name)) for name in ("gone", "nowhere", "post")]
    shown += [str(alertd.run("-v", *words)) for words in (("status",), ("status", "--json"))]
    shown += [path.read_bytes().decode("latin-1") for path in alertd.folder.iterdir() if path.name != "rules.yaml"]
    leaks = [
        (name, text[max(0, text.index(secret) - 300) :][:600])
        for name, secret in CANARIES.items()
        for text in shown
        if secret in text
    ]
    assert leaks == []
    assert (mail.logins, mail.received) == ([], [])
    assert any("gone" in text for text in shown)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("alerts",), ("alerts", "--json"), ("spend",), ("spend", "--json"), ("spend", "--csv")], ids=" ".join
)
def test_output_when_the_terminal_knows_no_unicode_then_something_is_shown(
    arguments: tuple[str, ...], alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Cron and old terminals have an ASCII locale, and a name from elsewhere is no reason to fail there."""
    alertd.rules(RULES.format(hook=hook.url))
    world.add(Row(category="gpu", start=world.hour(1), owner="ключ", product="👩‍👩‍👧", pay=Decimal(9)))
    assert alertd.run("run", "--once").code == 0
    ran = alertd.run(*arguments, env={"LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (ran.code, no_traceback(ran.err)) == (0, True), ran
    assert "9" in ran.out
