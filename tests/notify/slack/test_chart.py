"""A chart in Slack: drawn where Slack takes it, as text where it does not, and never twice or not at all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alertd.core.chart import Chart, chart_words, marked
from alertd.notify.base import ContentRefused, Delivered, NotSent, Unknown
from alertd.notify.slack.blocks import blocks, native_chart
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier
from tests.block_kit import texts, violations
from tests.builders import (
    KEY,
    FakeContext,
    MessageParts,
    day_chart,
    envelope,
    firing_message,
    report_message,
    rising_chart,
)
from tests.doubles import BOT_TOKEN, Fault, SlackDouble, has_chart, refusal

MESSAGE = firing_message(chart=rising_chart())
WORDS = (
    "From $3.10 (Jan 9 12:00) to $61.25 (Jan 10 12:00 UTC); warning $50.00 reached Jan 10 10:00; "
    "critical $100.00 not reached."
)
LINE = "▂▂▂▂▂▂▃▄▄▅▆▇█ Spend in 24h, rolling"


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble() as double:
        yield double


def notifier_of(slack: SlackDouble, kind: str) -> SlackNotifier:
    settings = {"slack_bot_token": BOT_TOKEN, "slack_base_url": slack.base_url}
    context = FakeContext(settings=settings, environment={"HOOK": slack.webhook_url})
    config = SlackConfig(channel=("#finops",)) if kind == "bot" else SlackConfig(webhook_url_env="HOOK")
    return SlackNotifier("finops", config, context)


def shown(slack: SlackDouble, kind: str) -> list[dict[str, Any]]:
    return slack.shown() if kind == "bot" else slack.webhook_posts


def said(message: dict[str, Any]) -> str:
    return "\n".join(text["text"] for text in texts(message["blocks"]))


SENT = envelope(MESSAGE, recipient="#finops")


# --- the layout -------------------------------------------------------------------------------------------------------


def test_chart_then_is_slacks_own_block_with_its_words_below() -> None:
    """Slack's block has no text for screen readers: the words are there for everybody."""
    laid_out = blocks(MESSAGE, KEY)
    kinds = [block["type"] for block in laid_out]
    assert kinds == [
        "header",
        "section",
        "data_visualization",
        "context",
        "section",
        "section",
        "section",
        "context",
    ]
    chart: Any = laid_out[2]
    assert chart["title"] == "Spend in 24h, rolling"
    assert chart["chart"]["type"] == "line"
    assert [(each["name"], each["data"][-1]) for each in chart["chart"]["series"]] == [
        ("Spend", {"label": "12:00", "value": 61.25}),
        ("warning $50.00", {"label": "12:00", "value": 50.0}),
        ("critical $100.00", {"label": "12:00", "value": 100.0}),
    ]
    assert (chart["chart"]["axis_config"]["x_label"], chart["chart"]["axis_config"]["y_label"]) == ("UTC", "USD")
    words: Any = laid_out[3]
    assert words["elements"][0]["text"] == WORDS
    assert violations(laid_out) == []


def test_report_then_has_bars() -> None:
    """Amounts of days are no line; what is in part is said at the axis."""
    chart: Any = native_chart(day_chart())
    assert chart["chart"]["type"] == "bar"
    assert [point["label"] for point in chart["chart"]["series"][0]["data"]][:2] == ["Jan 3", "Jan 4"]
    assert chart["chart"]["axis_config"]["x_label"] == "UTC; the first and the last day in part"
    assert native_chart(day_chart()) in blocks(report_message(), KEY)


def test_chart_of_many_points_then_keeps_twenty_and_the_last_of_them() -> None:
    """Slack draws no more; the present value is what counts."""
    points = tuple(
        replace(rising_chart().points[0], at=rising_chart().points[0].at + timedelta(hours=n), value=str(n))
        for n in range(48)
    )
    chart: Any = native_chart(rising_chart(points=points))
    (series, *_) = chart["chart"]["series"]
    assert [point["value"] for point in series["data"]] == [float(n) for n in range(2, 48, 3)]


def test_chart_when_all_the_rest_does_not_fit_beside_it_then_is_text() -> None:
    """Who is to be notified loses no sentence for a picture."""
    long = replace(MESSAGE, lines=tuple(f"{number} {'训练' * 80}" for number in range(10)))
    laid_out = blocks(long, KEY)
    assert not has_chart({"blocks": laid_out})
    assert "Shortened" not in said({"blocks": laid_out})
    assert LINE in said({"blocks": laid_out})
    assert has_chart({"blocks": blocks(replace(long, lines=long.lines[:2]), KEY)})


# --- the ladder -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bot", "webhook"])
async def test_slack_when_it_takes_charts_then_one_call(slack: SlackDouble, kind: str) -> None:
    """The usual case costs nothing."""
    assert isinstance(await notifier_of(slack, kind).send(SENT), Delivered)
    [message] = shown(slack, kind)
    assert has_chart(message)
    assert len(slack.calls) <= 1


@pytest.mark.parametrize("kind", ["bot", "webhook"])
async def test_slack_when_it_refuses_charts_then_the_same_message_with_the_chart_as_text(
    slack: SlackDouble, kind: str
) -> None:
    """Nothing but the drawing is lost, and the message stands once."""
    slack.takes_charts = False
    assert isinstance(await notifier_of(slack, kind).send(SENT), Delivered)
    [message] = shown(slack, kind)
    assert not has_chart(message)
    assert LINE in said(message)
    assert WORDS in said(message)
    assert message["blocks"][0]["block_id"] == f"alertd-{KEY}"
    assert "*Next threshold*" in said(message)


async def test_slack_when_it_refused_a_chart_then_is_asked_again_after_an_hour(
    slack: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message of a workspace without charts would cost two calls; and it may get them one day."""
    slack.takes_charts = False
    notifier, loop = notifier_of(slack, "bot"), asyncio.get_running_loop()
    calls = []
    begun = loop.time()
    for late in (0, 1, 3590, 3610, 3620):
        monkeypatch.setattr(loop, "time", lambda late=late: begun + late)
        before = len(slack.calls)
        outcome = await notifier.send(replace(SENT, key=f"{late:032x}"))
        calls.append(len(slack.calls) - before)
        assert isinstance(outcome, Delivered)
    assert calls == [2, 1, 1, 2, 1]
    assert len(slack.shown()) == 5


async def test_edit_when_charts_are_refused_then_is_made_without(slack: SlackDouble) -> None:
    """What changes a message in its place climbs down the same ladder."""
    notifier = notifier_of(slack, "bot")
    first = await notifier.send(replace(SENT, message=firing_message()))
    assert isinstance(first, Delivered)
    slack.takes_charts = False
    assert isinstance(await notifier.edit(replace(SENT, edits=first.ref)), Delivered)
    [message] = slack.shown()
    assert LINE in said(message)


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        pytest.param("invalid_blocks", 2, id="refused as it is documented"),
        pytest.param("invalid_blocks_format", 2, id="refused as it is not"),
        pytest.param("unsupported_block_type", 2, id="an unknown type of block"),
        pytest.param("msg_blocks_too_long", 2, id="too long"),
        pytest.param("channel_not_found", 1, id="the channel is at fault"),
        pytest.param("ratelimited", 1, id="too fast"),
        pytest.param("internal_error", 1, id="perhaps posted"),
    ],
)
async def test_message_when_refused_then_goes_again_only_where_the_content_was(
    slack: SlackDouble, code: str, calls: int
) -> None:
    """A message that may stand already must not be posted a second time."""
    slack.faults.append(refusal(code))
    await notifier_of(slack, "bot").send(SENT)
    assert len(slack.calls) == calls
    assert [has_chart(arguments) for _, arguments in slack.calls] == [True, False][:calls]


@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        pytest.param(refusal("invalid_blocks"), ContentRefused, id="refused for something else: plain text is next"),
        pytest.param(refusal("ratelimited", 429), NotSent, id="too fast: the outbox comes again"),
        pytest.param(Fault(), Unknown, id="lost: the outbox looks it up"),
    ],
)
async def test_second_call_when_it_fails_then_its_outcome_counts_and_nothing_is_learnt(
    slack: SlackDouble, second: Fault, outcome: type
) -> None:
    """That it was the chart is known only when the message is taken without it."""
    notifier = notifier_of(slack, "bot")
    slack.faults.extend([refusal("invalid_blocks"), second])
    assert isinstance(await notifier.send(SENT), outcome)
    assert slack.shown() == []
    assert isinstance(await notifier.send(SENT), Delivered)
    assert has_chart(slack.shown()[0])


@pytest.mark.parametrize("chart", [None, rising_chart()])
async def test_refused_content_when_there_was_no_chart_drawn_then_is_not_sent_again_at_once(
    slack: SlackDouble, chart: Chart | None
) -> None:
    """The plain form and messages without a chart have nothing to leave out."""
    parts: MessageParts = {"chart": chart}
    slack.faults.append(refusal("invalid_blocks"))
    sent = envelope(firing_message(**parts), recipient="#finops", is_plain=chart is not None)
    assert isinstance(await notifier_of(slack, "bot").send(sent), ContentRefused)
    assert len(slack.calls) == 1


async def test_plain_form_then_reports_the_chart_in_words(slack: SlackDouble) -> None:
    """The last resort has no blocks at all."""
    assert isinstance(await notifier_of(slack, "bot").send(replace(SENT, is_plain=True)), Delivered)
    [message] = slack.shown()
    assert LINE in message["text"]
    assert WORDS in message["text"]


assert MESSAGE.chart is not None
LAST = MESSAGE.chart.points[-1].at


@pytest.mark.parametrize(
    ("fired_at", "place", "label"),
    [
        pytest.param(LAST - timedelta(minutes=20), -1, "▲ fired", id="between points: the next"),
        pytest.param(LAST + timedelta(hours=2), -1, "▲ fired", id="after the last point, as bills are late"),
    ],
)
def test_chart_when_its_alert_fired_then_a_label_and_words_mark_the_moment(
    fired_at: datetime, place: int, label: str
) -> None:
    """The eye looks for where it began to be too much."""
    assert MESSAGE.chart is not None
    chart = marked(MESSAGE.chart, fired_at)
    drawn: Any = native_chart(chart)
    categories = drawn["chart"]["axis_config"]["categories"]
    assert categories[place] == f"{label} {fired_at:%H:%M}"
    assert chart_words(chart).endswith(f"; fired Jan {fired_at.day} {fired_at:%H:%M}.")
    assert violations(blocks(replace(MESSAGE, chart=chart), KEY)) == []
    assert marked(MESSAGE.chart, MESSAGE.chart.points[0].at - timedelta(hours=1)) == MESSAGE.chart, "it fired before"
