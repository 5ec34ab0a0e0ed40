"""A Slack message put right in its place, against a Slack on loopback."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from alertd.core.alerts.reason import NotifyReason
from alertd.notify.base import (
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    Envelope,
    NotSent,
    Unknown,
    can_edit,
    contact_kind,
)
from alertd.notify.email.notifier import EmailConfig, EmailNotifier
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier
from alertd.notify.webhook import WebhookConfig, WebhookNotifier
from tests.builders import FakeContext, envelope, firing_message
from tests.doubles import BOT_TOKEN, Fault, SlackDouble, refusal

CORRECTED = firing_message(reason=NotifyReason.CORRECTED, title="gpu-1 spent $63", lines=("was $41, now $63",))


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble() as double:
        yield double


def bot(slack: SlackDouble) -> SlackNotifier:
    settings = {"slack_bot_token": BOT_TOKEN, "slack_base_url": slack.base_url}
    return SlackNotifier("finops", SlackConfig.model_validate({"channel": "#finops"}), FakeContext(settings=settings))


async def sent(slack: SlackDouble, *, thread_ref: str = "") -> str:
    """Post the message that is to be corrected; return its ref."""
    outcome = await bot(slack).send(envelope(recipient="#finops", thread_ref=thread_ref))
    assert isinstance(outcome, Delivered)
    return outcome.ref


def correcting(ref: str, *, is_plain: bool = False) -> Envelope:
    made = envelope(CORRECTED, key="c" * 32, recipient="#finops", is_plain=is_plain)
    return replace(made, edits=ref)


async def test_edit_when_made_then_the_message_stands_corrected_and_no_other_appears(slack: SlackDouble) -> None:
    """In its place, with nobody notified anew; twice is the same as once."""
    ref = await sent(slack)
    for _ in range(2):
        assert await bot(slack).edit(correcting(ref)) == Delivered(ref)
        (message,) = slack.shown()
        assert message["text"] == "WARNING: gpu-1 spent $63"
        assert "was $41, now $63" in str(message["blocks"])
        assert message["metadata"]["event_payload"] == {"key": "c" * 32}


async def test_edit_when_the_message_is_a_reply_then_it_stays_in_its_thread(slack: SlackDouble) -> None:
    """A rise may be notified wrongly too."""
    first = await sent(slack)
    reply = await sent(slack, thread_ref=first)
    assert await bot(slack).edit(correcting(reply)) == Delivered(reply)
    parent, child = slack.shown()
    assert (parent["text"], child["text"]) == (f"WARNING: {firing_message().title}", "WARNING: gpu-1 spent $63")
    assert child["thread_ts"] == first.partition("/")[2]


async def test_edit_when_plain_then_the_old_layout_is_gone(slack: SlackDouble) -> None:
    """Old blocks above the new text would contradict it."""
    ref = await sent(slack)
    assert isinstance(await bot(slack).edit(correcting(ref, is_plain=True)), Delivered)
    assert slack.shown()[0]["blocks"] == []


async def test_edit_when_a_person_deleted_the_message_then_it_is_done(slack: SlackDouble) -> None:
    """There is nothing left to put right, and nothing to tell anew."""
    ref = await sent(slack)
    slack.shown().clear()
    assert isinstance(await bot(slack).edit(correcting(ref)), Delivered)
    assert slack.shown() == []


@pytest.mark.parametrize(
    ("fault", "kind", "word"),
    [
        pytest.param(refusal("cant_update_message"), Delivered, "", id="not ours any more"),
        pytest.param(refusal("edit_window_closed"), Delivered, "", id="the workspace lets nobody edit so late"),
        pytest.param(refusal("not_in_channel"), ConfigurationRefused, "/invite @alertd", id="thrown out"),
        pytest.param(refusal("is_archived"), ConfigurationRefused, "unarchive", id="archived"),
        pytest.param(refusal("msg_too_long"), ContentRefused, "msg_too_long", id="too long"),
        pytest.param(refusal("ratelimited", 429), NotSent, "ratelimited", id="too fast"),
        pytest.param(refusal("internal_error"), Unknown, "internal_error", id="Slack does not know itself"),
        pytest.param(Fault(), Unknown, "lost", id="cut"),
    ],
)
async def test_edit_when_refused_then_the_outcome_says_what_to_do(
    slack: SlackDouble, fault: Fault, kind: type[object], word: str
) -> None:
    """As with a new message."""
    ref = await sent(slack)
    slack.faults.append(fault)
    outcome = await bot(slack).edit(correcting(ref))
    assert isinstance(outcome, kind)
    assert word in str(getattr(outcome, "reason", ""))


@pytest.mark.parametrize("ref", ["", "nonsense", "<id@example.com>", "C0000FINOPS"])
async def test_edit_when_the_place_is_none_of_slacks_then_refused_without_a_call(slack: SlackDouble, ref: str) -> None:
    """Slack would answer with something less clear."""
    assert isinstance(await bot(slack).edit(correcting(ref)), ContentRefused)
    assert slack.calls == []


def test_receivers_when_asked_what_they_can_then_say_so() -> None:
    """Mail and webhooks cannot be taken back; a hook of Slack's writes to one channel."""
    smtp = {"smtp_host": "127.0.0.1", "smtp_from": "alertd@example.com"}
    context = FakeContext(
        environment={"HOOK": "https://hooks.example.com/x"}, settings={**smtp, "slack_bot_token": BOT_TOKEN}
    )
    by_bot = SlackNotifier("a", SlackConfig.model_validate({"channel": "#x"}), context)
    by_hook = SlackNotifier("b", SlackConfig(webhook_url_env="HOOK"), context)
    mail = EmailNotifier("c", EmailConfig.model_validate({"to": "a@example.com"}), context)
    hook = WebhookNotifier("d", WebhookConfig.model_validate({"url_env": "HOOK"}), context)
    notifiers = (by_bot, by_hook, mail, hook)
    assert [(can_edit(one), contact_kind(one)) for one in notifiers] == [
        (True, "slack"),
        (False, ""),
        (False, "email"),
        (False, ""),
    ]


@pytest.mark.parametrize("has_listener", [True, False])
async def test_message_when_sent_and_edited_then_has_buttons_only_where_somebody_listens(
    slack: SlackDouble, *, has_listener: bool
) -> None:
    """A button that nothing answers would only confuse; one that an edit takes away is missed."""
    listener = {"slack_app_token": "xapp-1"} if has_listener else {}
    settings = {"slack_bot_token": BOT_TOKEN, "slack_base_url": slack.base_url, **listener}
    notifier = SlackNotifier(
        "finops", SlackConfig.model_validate({"channel": "#finops"}), FakeContext(settings=settings)
    )
    outcome = await notifier.send(envelope(recipient="#finops"))
    assert isinstance(outcome, Delivered)
    for _ in range(2):
        assert ("alertd_ack" in str(slack.shown()[0]["blocks"])) is has_listener
        assert await notifier.edit(correcting(outcome.ref)) == outcome


async def test_lookup_when_something_was_sent_before_then_goes_to_the_channel_it_went_to(slack: SlackDouble) -> None:
    """A channel may be renamed meanwhile, and a list of thousands is slow."""
    notifier = bot(slack)
    outcome = await notifier.send(envelope(recipient="#finops", key="c" * 32))
    slack.channels["C0000FINOPS"].name = "money"
    found = await notifier.find("c" * 32, recipient="#finops", since=envelope().message.created_at)
    assert found == outcome
    assert "conversations.list" not in [method for method, _ in slack.calls]
