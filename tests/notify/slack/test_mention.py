"""Who owns what an alert is about is named so that Slack notifies them: by the rules file alone, never by a bill."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from alertd.core.alerts.reason import NotifyReason
from alertd.core.labels import Patterns
from alertd.core.messages.compose import compose_alert, compose_undelivered
from alertd.core.messages.message import Message
from alertd.core.owners import Owner, OwnerDirectory, slack_mention
from alertd.core.severity import Severity
from alertd.notify.base import Delivered
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier, payload
from tests.block_kit import texts, violations
from tests.builders import FakeContext, envelope, firing_message, resolved_message, storm_message
from tests.core.builders import NOW, firing, rolling
from tests.doubles import BOT_TOKEN, SlackDouble

MEMBER, GROUP = "U04ABCDEF", "S04ABCDEF"
OWNED = replace(firing_message(), slack_owner=MEMBER)


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble() as double:
        yield double


def notifier_of(slack: SlackDouble, kind: str = "bot", **keys: object) -> SlackNotifier:
    context = FakeContext(
        settings={"slack_bot_token": BOT_TOKEN, "slack_base_url": slack.base_url},
        environment={"HOOK": slack.webhook_url},
    )
    where: dict[str, object] = {"channel": "#finops"} if kind == "bot" else {"webhook_url_env": "HOOK"}
    return SlackNotifier("finops", SlackConfig.model_validate({**where, **keys}), context)


def named(blocks: Any) -> list[str]:
    """Return whom the blocks notify."""
    assert violations(blocks) == []
    found = [text["text"] for text in texts(blocks) if "<@" in text["text"] or "<!subteam" in text["text"]]
    return [text.removeprefix("Owner: ") for text in found]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(OWNED, ["<@U04ABCDEF>"], id="an alert begins"),
        pytest.param(replace(OWNED, slack_owner="W04ABCDEF"), ["<@W04ABCDEF>"], id="a member of an organisation"),
        pytest.param(replace(OWNED, slack_owner=GROUP), ["<!subteam^S04ABCDEF>"], id="a user group"),
        pytest.param(replace(OWNED, severity=Severity.CRITICAL), ["<@U04ABCDEF>"], id="critical"),
        pytest.param(replace(OWNED, severity=Severity.INFO), [], id="info wakes nobody"),
        pytest.param(replace(OWNED, slack_owner=""), [], id="nobody is known"),
        pytest.param(replace(OWNED, slack_owner="C04ABCDEF"), [], id="a channel is no person"),
        pytest.param(replace(OWNED, reason=NotifyReason.RAISED), ["<@U04ABCDEF>"], id="the severity rises"),
        *(
            pytest.param(replace(OWNED, reason=reason), [], id=reason.value)
            for reason in NotifyReason
            if reason not in {NotifyReason.FIRST, NotifyReason.RAISED}
        ),
        pytest.param(replace(resolved_message(), slack_owner=MEMBER), [], id="the end"),
        pytest.param(
            replace(resolved_message(), slack_owner=MEMBER, reason=NotifyReason.FIRST), [], id="begun and ended"
        ),
        pytest.param(replace(storm_message(), slack_owner=MEMBER, reason=NotifyReason.FIRST), [], id="many alerts"),
        pytest.param(compose_undelivered(OWNED, receiver="a", why="b", now=NOW), [], id="a copy for the fallback"),
    ],
)
def test_owner_then_is_notified_where_something_begins_or_gets_worse(message: Message, expected: list[str]) -> None:
    """A name at each repeat is a name that nobody looks up for any more."""
    assert named(payload(envelope(message, recipient="#finops"))["blocks"]) == expected


@pytest.mark.parametrize(
    "slack_id",
    [
        "!channel",
        "<!channel>",
        "U04ABCDEF> <!channel",
        "U04ABCDEF|x",
        "u04abcdef",
        "U04ABCDEF\n",
        " U04ABCDEF",
        "@U04ABCDEF",
        "U04",
        "U" * 40,
        "\uff3504ABCDEF",
        "subteam^S04ABCDEF",
        "dana",
        "",
    ],
)
def test_text_when_it_is_no_id_of_slacks_then_names_nobody(slack_id: str) -> None:
    """The rules file is trusted, and still no typing mistake in it may wake a channel."""
    assert slack_mention(slack_id) == ""
    assert named(payload(envelope(replace(OWNED, slack_owner=slack_id), recipient="#finops"))["blocks"]) == []


def test_owner_then_comes_from_the_rules_file_and_never_from_a_bill() -> None:
    """Whoever names an instance chooses its id in the bill, and with it whom Slack would wake."""
    alert, rule = firing("60", owner="U04STRANGER"), rolling()

    def owner_of(*entries: Owner) -> str:
        directory = OwnerDirectory(entries, {"U04STRANGER": "<@U04STRANGER>"})
        message = compose_alert(alert, rule, NotifyReason.FIRST, headline="x", owners=directory, now=NOW)
        return message.slack_owner

    assert owner_of() == ""
    assert owner_of(Owner(match=Patterns(("U04STRANGER",)), name="U04NAME", team="U04TEAM")) == ""
    assert owner_of(Owner(match=Patterns(("U04*",)), slack=MEMBER)) == MEMBER


def test_user_group_then_has_no_place_to_write_to() -> None:
    """`notify: [owner]` needs a conversation: their mail address, else the routes."""
    group = Owner(match=Patterns(("*",)), slack=GROUP, email="team@example.com")
    assert (group.address("slack"), group.address("email")) == ("", "team@example.com")
    assert replace(group, slack=MEMBER).address("slack") == MEMBER


@pytest.mark.parametrize("kind", ["bot", "webhook"])
@pytest.mark.parametrize(("keys", "count"), [({}, 1), ({"mention_owners": False}, 0)])
async def test_receiver_then_decides_whether_owners_are_named(
    slack: SlackDouble, kind: str, keys: dict[str, object], count: int
) -> None:
    """A channel of the owners themselves needs no further ping; a webhook can ping as well."""
    assert isinstance(await notifier_of(slack, kind, **keys).send(envelope(OWNED, recipient="#finops")), Delivered)
    [message] = slack.shown() if kind == "bot" else slack.webhook_posts
    assert len(named(message["blocks"])) == count


async def test_owner_when_the_message_goes_to_them_then_is_not_named_besides(slack: SlackDouble) -> None:
    """A direct message notifies by itself."""
    sent = envelope(OWNED, recipient=MEMBER)
    assert named(payload(sent)["blocks"]) == []


async def test_edit_then_names_nobody_again(slack: SlackDouble) -> None:
    """What is put right in its place wakes nobody."""
    notifier = notifier_of(slack)
    outcome = await notifier.send(envelope(OWNED, recipient="#finops"))
    assert isinstance(outcome, Delivered)
    changed = envelope(replace(OWNED, reason=NotifyReason.UPDATED), recipient="#finops")
    await notifier.edit(replace(changed, edits=outcome.ref))
    [message] = slack.shown()
    assert named(message["blocks"]) == []


def test_owner_when_there_is_too_much_to_say_then_is_named_all_the_same() -> None:
    """The longest message is about the most money."""
    long = replace(OWNED, lines=("训练" * 500,) * 20)
    assert named(payload(envelope(long, recipient="#finops"))["blocks"]) == ["<@U04ABCDEF>"]
