"""Instants in Slack: each reader sees their own clock, and no name gains a style by it."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from alertd.core.messages.message import Field, Message
from alertd.notify.slack.blocks import blocks, notification, plain
from tests.block_kit import texts, violations
from tests.builders import KEY, firing_message

AT = datetime(2026, 3, 11, 19, 0, tzinfo=UTC)
SINCE = "running since 2026-03-10 19:00 UTC"
TOKEN = "<!date^1773169200^{date_short_pretty} {time}|yesterday 20:00 CET>"


def dated_message(line: str, **changes: Any) -> Message:
    message = firing_message(created_at=AT, lines=(line, "No more."), fields=(Field(name="Since", text=SINCE),))
    return replace(message, timezone="Europe/Berlin", footer=f"billed through {SINCE[-20:]}", **changes)


def said(message: Message) -> list[str]:
    return [str(text["text"]) for text in texts(blocks(message, KEY))]


def test_message_when_it_holds_instants_then_tokens_with_the_rules_zone_as_fallback() -> None:
    """A team sits in several zones; who reads a notification without Slack's dates has the rules file's."""
    message = dated_message(f"$7.30 an hour, {SINCE}.")
    assert violations(blocks(message, KEY)) == []
    assert f"$7.30 an hour, running since {TOKEN}.\nNo more." in said(message)
    assert f"running since {TOKEN}" in said(message), "facts too"
    assert f"billed through {TOKEN}" in said(message), "small print too"
    assert "yesterday 20:00 CET" in plain(message)
    assert "UTC" not in json.dumps(blocks(message, KEY))


def test_title_when_it_holds_an_instant_then_by_the_rules_zone() -> None:
    """A header and a phone's notification know no dates."""
    message = dated_message("x", title="runs out 2026-03-12 09:00 UTC")
    assert notification(message).endswith("runs out tomorrow 10:00 CET")
    assert blocks(message, KEY)[0]["text"]["text"].endswith("runs out tomorrow 10:00 CET")  # type: ignore[index]


@pytest.mark.parametrize(
    "name",
    ["*bold*", "_italic_", "~gone~", "`code`", ":moneybag:", "a *b", "my_ job", "> quoted", "10:30:15 x"],
)
def test_name_when_slack_would_style_it_then_its_line_stays_literal(name: str) -> None:
    """Names in bills belong to strangers: the line gives up its date, and the others keep theirs."""
    message = dated_message(f"{name} {SINCE}", history=("Delivered late: firing (warning) 2026-03-10 19:00 UTC.",))
    laid_out = blocks(message, KEY)
    assert violations(laid_out) == []
    (line,) = (text for text in texts(laid_out) if name.replace(">", "&gt;") in text["text"])
    assert line["type"] == "plain_text"
    assert "running since yesterday 20:00 CET" in line["text"]
    assert f"Delivered late: firing (warning) {TOKEN}." in said(message)


@pytest.mark.parametrize("name", ["cloud_storage", "snake_case_name", "a<b>&c", "<!channel> @here", "a:b c:d"])
def test_name_when_slack_would_not_style_it_then_its_line_has_dates(name: str) -> None:
    """An underscore within a word is none of Slack's; brackets are escaped."""
    message = dated_message(f"{name} {SINCE}")
    assert violations(blocks(message, KEY)) == []
    assert any(TOKEN in text and "No more." in text for text in said(message))


def test_text_when_it_is_too_long_then_no_token_is_cut() -> None:
    """Half a token would be read as it is written."""
    for length in range(100, 240):
        message = dated_message("x", fields=(Field(name="n", text=f"{'a' * length} {SINCE} {SINCE}"),))
        assert violations(blocks(message, KEY)) == []
        assert not any(re.search(r"<!date[^>]*$", text) for text in said(message))
