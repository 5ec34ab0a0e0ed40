"""The Slack notifier against a Slack on loopback: threads, lookups, configuration and what to do about refusals."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from alertd.core.alerts.reason import NotifyReason
from alertd.core.severity import Severity
from alertd.notify.base import (
    CannotLook,
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    NotFound,
    Outcome,
    ReceiverError,
    Unknown,
)
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier, thread_of
from tests.builders import KEY, FakeContext, envelope, firing_message, resolved_message
from tests.doubles import BOT_TOKEN, EPOCH, Fault, SlackDouble, refusal

SINCE = datetime.fromtimestamp(EPOCH, UTC)


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble() as double:
        yield double


def bot(slack: SlackDouble, **keys: object) -> SlackNotifier:
    """A receiver by bot token."""
    settings = {"slack_bot_token": BOT_TOKEN, "slack_base_url": slack.base_url}
    config = SlackConfig.model_validate({"channel": "#finops", **keys})
    return SlackNotifier("finops", config, FakeContext(settings=settings))


def hook(slack: SlackDouble) -> SlackNotifier:
    """A receiver by incoming webhook."""
    context = FakeContext(environment={"HOOK": slack.webhook_url})
    return SlackNotifier("finops", SlackConfig(webhook_url_env="HOOK"), context)


async def test_message_when_posted_then_is_shown_once_with_its_key_and_ref(slack: SlackDouble) -> None:
    """The ref and both places of the key are what threads and lookups hang on."""
    outcome = await bot(slack).send(envelope(recipient="#finops"))
    [shown] = slack.shown()
    assert outcome == Delivered(f"C0000FINOPS/{shown['ts']}")
    assert shown["metadata"] == {"event_type": "alertd_notification", "event_payload": {"key": KEY}}
    assert shown["blocks"][0]["block_id"] == f"alertd-{KEY}"
    assert shown["text"] == f"WARNING: {firing_message().title}"
    _, arguments = slack.calls[0]
    assert arguments["parse"] == "none"
    assert not arguments["unfurl_links"]
    assert not arguments["unfurl_media"]
    assert "link_names" not in arguments


@pytest.mark.parametrize(
    ("reason", "is_resolved", "is_broadcast"),
    [
        pytest.param(NotifyReason.REPEAT, False, False, id="a repeat stays in the thread"),
        pytest.param(NotifyReason.RAISED, False, True, id="a raised severity is shown in the channel too"),
        pytest.param(NotifyReason.ESCALATED, False, True, id="an escalation is shown in the channel too"),
        pytest.param(NotifyReason.RESOLVED, True, True, id="the end is shown in the channel too"),
    ],
)
async def test_message_when_it_continues_another_then_goes_into_its_thread(
    slack: SlackDouble, reason: NotifyReason, is_resolved: bool, is_broadcast: bool
) -> None:
    """What belongs together stands together, and only what matters disturbs the channel."""
    notifier = bot(slack)
    first = await notifier.send(envelope(recipient="#finops"))
    assert isinstance(first, Delivered)
    message = firing_message(reason=reason, is_resolved=is_resolved)
    outcome = await notifier.send(envelope(message, key="b" * 32, recipient="#finops", thread_ref=first.ref))
    _, reply = slack.shown()
    assert outcome == Delivered(f"C0000FINOPS/{reply['ts']}")
    assert (reply["thread_ts"], reply["is_broadcast"]) == (first.ref.partition("/")[2], is_broadcast)


@pytest.mark.parametrize(
    ("reason", "is_resolved"),
    [(NotifyReason.RAISED, False), (NotifyReason.ESCALATED, False), (NotifyReason.RESOLVED, True)],
)
async def test_reply_when_the_channel_wants_none_then_stays_in_its_thread(
    slack: SlackDouble, reason: NotifyReason, is_resolved: bool
) -> None:
    """The first message shows the present state anyway; some channels want nothing more."""
    notifier = bot(slack, reply_broadcast=False)
    first = await notifier.send(envelope(recipient="#finops"))
    assert isinstance(first, Delivered)
    message = firing_message(reason=reason, is_resolved=is_resolved)
    await notifier.send(envelope(message, key="b" * 32, recipient="#finops", thread_ref=first.ref))
    _, reply = slack.shown()
    assert (reply["thread_ts"], reply["is_broadcast"]) == (first.ref.partition("/")[2], False)


async def test_plain_form_then_is_one_escaped_text_outside_the_thread(slack: SlackDouble) -> None:
    """The last resort uses as little of Slack as possible, but can still be found again."""
    message = firing_message(lines=("x <!channel> " * 1000,))
    sent = envelope(message, recipient="#finops", thread_ref="C0000FINOPS/1.000100", is_plain=True)
    assert isinstance(await bot(slack).send(sent), Delivered)
    [(_, arguments)] = slack.calls
    assert "blocks" not in arguments
    assert "thread_ts" not in arguments
    assert arguments["mrkdwn"] is False
    assert len(arguments["text"]) <= 3000
    assert "<" not in arguments["text"]
    assert arguments["text"].startswith("WARNING: ")
    assert isinstance(await bot(slack).find(KEY, recipient="#finops", since=SINCE), Delivered)


@pytest.mark.parametrize("recipient", ["#finops", "finops", "C0000FINOPS", "#secret", "U0000DANA"])
async def test_lost_answer_when_looked_up_then_is_found_under_every_name(slack: SlackDouble, recipient: str) -> None:
    """After a restart only the recipient's name is known; history wants the id."""
    slack.channels["DU0000DANA"] = replace(slack.channels["C0000FINOPS"], name="U0000DANA", messages=[])
    slack.faults.append(Fault(is_accepted=True))
    sent = "DU0000DANA" if recipient.startswith("U") else recipient
    await bot(slack).send(envelope(recipient=sent))
    found = await bot(slack).find(KEY, recipient=recipient, since=SINCE)
    assert isinstance(found, Delivered)
    channel, ts = found.ref.split("/")
    assert slack.channels[channel].messages[-1]["ts"] == ts


@pytest.mark.parametrize("kept", ["metadata", "blocks"])
async def test_lookup_when_only_one_place_bears_the_key_then_finds_it(slack: SlackDouble, kept: str) -> None:
    """Without the scope for metadata the block's id must do, and the plain form has no block."""
    notifier = bot(slack)
    await notifier.send(envelope(recipient="#finops"))
    slack.shown()[0].pop({"metadata": "blocks", "blocks": "metadata"}[kept])
    assert isinstance(await notifier.find(KEY, recipient="#finops", since=SINCE), Delivered)


async def test_lookup_when_the_reply_was_not_broadcast_then_finds_it_in_the_thread(slack: SlackDouble) -> None:
    """A reply in a thread is no message of the channel's history."""
    notifier = bot(slack)
    first = await notifier.send(envelope(recipient="#finops"))
    assert isinstance(first, Delivered)
    slack.faults.append(Fault(is_accepted=True))
    repeat = firing_message(reason=NotifyReason.REPEAT)
    await notifier.send(envelope(repeat, key="b" * 32, recipient="#finops", thread_ref=first.ref))
    # A thread has pages, too.
    slack.page_size = 1
    found = await notifier.find("b" * 32, recipient="#finops", since=SINCE, thread_ref=first.ref)
    assert found == Delivered(f"C0000FINOPS/{slack.shown()[1]['ts']}")
    assert await notifier.find("b" * 32, recipient="#finops", since=SINCE) == NotFound()


async def test_lookup_when_the_message_is_on_a_later_page_then_follows_the_cursor(slack: SlackDouble) -> None:
    """A busy channel must not make a message look lost."""
    slack.page_size = 2
    notifier = bot(slack)
    for number in range(7):
        await notifier.send(envelope(key=f"{number:032x}", recipient="#finops"))
    assert isinstance(await notifier.find(f"{0:032x}", recipient="#finops", since=SINCE), Delivered)


async def test_lookup_when_there_are_too_many_messages_then_does_not_say_not_found(slack: SlackDouble) -> None:
    """Whoever hears "not found" sends a second copy, so it may only be said of a channel read whole."""
    slack.page_size = 1
    notifier = bot(slack)
    for number in range(11):
        await notifier.send(envelope(key=f"{number:032x}", recipient="#finops"))
    found = await notifier.find("f" * 32, recipient="#finops", since=SINCE)
    assert isinstance(found, CannotLook)


async def test_lookup_then_reaches_two_minutes_further_back_and_no_more(slack: SlackDouble) -> None:
    """Slack's clock stamps the messages; ours may be ahead."""
    notifier = bot(slack)
    await notifier.send(envelope(recipient="#finops"))
    at = datetime.fromtimestamp(float(slack.shown()[0]["ts"]), UTC)
    assert isinstance(await notifier.find(KEY, recipient="#finops", since=at + timedelta(seconds=119)), Delivered)
    assert await notifier.find(KEY, recipient="#finops", since=at + timedelta(seconds=121)) == NotFound()


@pytest.mark.parametrize(
    ("fault", "scopes", "recipient"),
    [
        pytest.param(None, {"chat:write", "channels:read"}, "#finops", id="no scope to read history"),
        pytest.param(
            None, {"chat:write", "channels:read", "channels:history"}, "#secret", id="no scope for private ones"
        ),
        pytest.param(None, None, "#nowhere", id="no such channel"),
        pytest.param(refusal("ratelimited", 429), None, "#finops", id="throttled"),
        pytest.param(refusal("internal_error", 500), None, "#finops", id="server error"),
        pytest.param(Fault(), None, "#finops", id="cut"),
        pytest.param(Fault(status=200, body=b"<html>"), None, "#finops", id="not JSON"),
        pytest.param(Fault(status=200, body=b'{"ok": true}'), None, "C0000FINOPS", id="no list of messages"),
        pytest.param(Fault(status=200, body=b"[]"), None, "C0000FINOPS", id="no object"),
        pytest.param(Fault(status=302, headers={"Location": "/"}), None, "C0000FINOPS", id="redirect"),
    ],
)
async def test_lookup_when_it_fails_then_says_so_and_never_not_found(
    slack: SlackDouble, fault: Fault | None, scopes: set[str] | None, recipient: str
) -> None:
    """A failed lookup that passes for "not there" would send a second copy."""
    slack.scopes = scopes or slack.scopes
    # Reads may be repeated, and aiohttp does repeat one that was cut.
    slack.lookup_faults.extend([fault] * 3 if fault else [])
    assert isinstance(await bot(slack).find(KEY, recipient=recipient, since=SINCE), CannotLook)


@pytest.mark.parametrize(
    ("recipient", "remedy"),
    [
        ("#outside", "invite the app: /invite @alertd in #outside"),
        ("#old", "#old is archived"),
        ("#nowhere", "check the name"),
    ],
)
async def test_channel_when_it_does_not_take_messages_then_says_what_to_do(
    slack: SlackDouble, recipient: str, remedy: str
) -> None:
    """Whoever reads the fallback message must know the next step."""
    outcome = await bot(slack).send(envelope(recipient=recipient))
    assert isinstance(outcome, ConfigurationRefused)
    assert remedy in outcome.reason


async def test_refused_scope_then_is_named(slack: SlackDouble) -> None:
    """Slack says which scope is missing; the reader needs just that."""
    slack.faults.append(refusal("missing_scope", needed="chat:write", provided="users:read"))
    outcome = await bot(slack).send(envelope(recipient="#finops"))
    assert isinstance(outcome, ConfigurationRefused)
    assert "chat:write" in outcome.reason
    assert "OAuth" in outcome.reason


async def test_thread_when_its_beginning_is_gone_then_asks_for_the_plain_form(slack: SlackDouble) -> None:
    """Somebody deleted the first message: the plain form goes to the channel, so nothing is lost."""
    sent = envelope(recipient="#finops", thread_ref="C0000FINOPS/1.000100")
    notifier = bot(slack)
    assert isinstance(await notifier.send(sent), ContentRefused)
    assert isinstance(await notifier.send(replace(sent, is_plain=True)), Delivered)


async def test_redirect_then_the_token_goes_nowhere_else(slack: SlackDouble) -> None:
    """A redirect of a POST with a token is a trap or a mistake."""
    slack.faults.append(Fault(status=307, headers={"Location": "/api/chat.postMessage"}))
    assert isinstance(await bot(slack).send(envelope(recipient="#finops")), ConfigurationRefused)
    assert len(slack.calls) == 1


async def test_attempts_then_never_share_a_connection_that_may_have_died(slack: SlackDouble) -> None:
    """A dead kept connection would turn "not sent" into "unknown"."""
    notifier = bot(slack)
    for _ in range(3):
        assert isinstance(await notifier.send(envelope(recipient="#finops")), Delivered)
    slack.faults.append(Fault())
    await notifier.send(envelope(recipient="#finops"))
    assert isinstance(await notifier.send(envelope(recipient="#finops")), Delivered)
    assert len(slack.shown()) == 4


async def test_incoming_webhook_then_posts_blocks_and_has_nothing_to_look_up(slack: SlackDouble) -> None:
    """The simple mode: no token, no threads, no ref."""
    notifier = hook(slack)
    assert notifier.recipients == ("",)
    assert not notifier.can_look_up
    assert await notifier.send(envelope(thread_ref="C0000FINOPS/1.000100")) == Delivered("")
    [post] = slack.webhook_posts
    assert "thread_ts" not in post
    assert post["blocks"][0]["block_id"] == f"alertd-{KEY}"
    assert isinstance(await notifier.find(KEY, recipient="", since=SINCE), CannotLook)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        pytest.param(b"", Unknown, "Slack's answer was lost", id="none at all"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\no", Unknown, "Slack's answer was lost", id="cut 200"
        ),
        pytest.param(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno_",
            ConfigurationRefused,
            "answered 404",
            id="404",
        ),
        pytest.param(b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n", Unknown, "answered 503", id="503"),
    ],
)
async def test_incoming_webhook_when_its_answer_is_cut_then_its_status_counts_unless_it_may_be_a_refusal_in_words(
    answer: bytes, kind: type[Outcome], words: str
) -> None:
    """Slack says in the text of a 200 whether it took the message; any other status says enough."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        context = FakeContext(environment={"HOOK": f"http://127.0.0.1:{port}/services/T0/B0/x"})
        outcome = await SlackNotifier("finops", SlackConfig(webhook_url_env="HOOK"), context).send(envelope())
    assert isinstance(outcome, kind)
    assert words in getattr(outcome, "reason", "")


async def test_incoming_webhook_when_plain_then_posts_text_only(slack: SlackDouble) -> None:
    """The last resort holds for the simple mode too."""
    await hook(slack).send(envelope(is_plain=True))
    assert set(slack.webhook_posts[0]) == {"text", "mrkdwn", "unfurl_links", "unfurl_media"}


async def test_repeated_attempt_then_is_byte_identical(slack: SlackDouble) -> None:
    """A copy that cannot be notified from its twin can be recognised as one."""
    notifier = bot(slack)
    for _ in range(2):
        await notifier.send(envelope(resolved_message(severity=Severity.CRITICAL), recipient="#finops"))
    first, second = (json.dumps(arguments) for _, arguments in slack.calls)
    assert first == second


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        pytest.param({"channel": "#a", "webhook_url_env": "X"}, "keep either channel", id="both forms"),
        pytest.param({"webhook_url_env": "X", "webhook_url_file": "x"}, "exclude each other", id="two webhooks"),
        pytest.param({"channel": "#a", "bot_token_env": "X", "bot_token_file": "x"}, "exclude", id="two tokens"),
        pytest.param({"bot_token_env": "X"}, "needs a channel", id="token without channel"),
        pytest.param({"channel": "#a b"}, "is not a channel", id="blank in a name"),
        pytest.param({"channel": "#a", "icon": "x"}, "Extra inputs", id="unknown key"),
    ],
)
def test_config_when_wrong_then_is_refused(keys: dict[str, object], text: str) -> None:
    """Mistakes are notified by `alertd check`, not by the first alert."""
    with pytest.raises(ValidationError, match=text):
        SlackConfig.model_validate(keys)


@pytest.mark.parametrize(
    ("keys", "settings", "text"),
    [
        pytest.param({}, {}, "needs channel", id="nothing given"),
        pytest.param({"channel": "#a"}, {}, "needs a bot token", id="channel without token"),
        pytest.param(
            {"channel": "#a"}, {"slack_webhook_url": "https://x.test/y"}, "leave channel out", id="webhook only"
        ),
        pytest.param({"channel": "#a", "bot_token_env": "NOT_SET"}, {}, "NOT_SET is not set", id="variable not set"),
        pytest.param({"channel": "#a"}, {"slack_bot_token": "xapp-1"}, "is of another kind", id="app-level token"),
        pytest.param({"channel": "#a"}, {"slack_bot_token": "xoxb-\u00e9"}, "copy it again", id="broken token"),
        pytest.param({}, {"slack_webhook_url": "hooks.slack.test/x"}, "not an http", id="webhook without scheme"),
    ],
)
def test_receiver_when_it_cannot_be_built_then_says_what_to_set(
    keys: Mapping[str, object], settings: dict[str, str], text: str
) -> None:
    """The secret's name is notified, never its value."""
    with pytest.raises(ReceiverError, match=text) as caught:
        SlackNotifier("finops", SlackConfig.model_validate(keys), FakeContext(settings=settings))
    assert all(value not in str(caught.value) for value in settings.values())


@pytest.mark.parametrize(
    ("keys", "secret", "text"),
    [
        (
            "bot_token",
            "xoxp-canary",
            "bot_token_{} names is not a token of this kind; copy the one that begins with xoxb-",
        ),
        ("bot_token", "xapp-canary", "bot_token_{} names is of another kind"),
        ("bot_token", '"xoxb-canary"', "bot_token_{} names is not a token"),
        ("bot_token", "xoxb-canary\u201d", "bot_token_{} names has blanks or characters"),
        ("bot_token", "xoxb-canary'", "bot_token_{} names is not a token"),
        ("bot_token", "xoxb-", "bot_token_{} names is not a token"),
        ("bot_token", "xoxb-ca nary", "bot_token_{} names has blanks"),
        ("bot_token", "Bearer xoxb-canary", "bot_token_{} names has blanks"),
        ("bot_token", "https://hooks.slack.com/services/canary", "bot_token_{} names is not a token of this kind"),
        ("webhook_url", "hooks.slack.com/services/canary", "webhook_url_{} names is not an http or https address"),
        ("webhook_url", "https://hooks.slack.com/", "webhook_url_{} names has no path"),
        ("webhook_url", "xoxb-canary", "webhook_url_{} names is not an http"),
    ],
)
def test_secret_when_a_receiver_names_it_then_has_the_form_that_a_setting_has(
    tmp_path: Path, keys: str, secret: str, text: str
) -> None:
    """A wrong token would be found out by the first alert that nobody is notified of."""
    (tmp_path / "secret").write_text(f"{secret}\n")
    channel = {"channel": "#a"} if keys == "bot_token" else {}
    for kind, named in (("env", "TOKEN"), ("file", "secret")):
        config = SlackConfig.model_validate({**channel, f"{keys}_{kind}": named})
        context = FakeContext(environment={"TOKEN": secret}, base_dir=tmp_path)
        with pytest.raises(ReceiverError, match=re.escape(text.format(kind))) as caught:
            SlackNotifier("finops", config, context)
        assert caught.value.key == f"{keys}_{kind}"
        assert "canary" not in str(caught.value)


def test_config_then_takes_one_channel_or_several(tmp_path: Path) -> None:
    """Each channel is a recipient with an outcome of its own, and none twice."""
    (tmp_path / "token").write_text("xoxb-1\n")
    config = SlackConfig.model_validate({"channel": ["#a", "#b", "#a"], "bot_token_file": "token"})
    assert SlackNotifier("x", config, FakeContext(base_dir=tmp_path)).recipients == ("#a", "#b")
    schema = SlackConfig.model_json_schema()["properties"]["channel"]
    assert [each["type"] for each in schema["anyOf"]] == ["string", "array"]
    assert schema["description"]
    assert schema["examples"]


@pytest.mark.parametrize("ref", ["", "C1", "C1/", "<key@example.com>", "C1/now", "C1/1.0/2"])
def test_ref_when_it_is_none_of_slacks_then_starts_no_thread(ref: str) -> None:
    """A receiver whose type was changed keeps refs of the old one."""
    assert thread_of(ref) is None
