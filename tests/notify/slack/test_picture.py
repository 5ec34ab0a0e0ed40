"""The chart as a picture in a Slack thread: where Slack draws none, after the message stands, once, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from alertd.core.messages.outbox import EntryState
from alertd.daemon.receivers import send_now
from alertd.notify.base import Delivered, Envelope
from alertd.notify.chart_png import chart_png
from alertd.notify.illustrate import illustrate
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier
from alertd.notify.slack_picture import picture_of
from tests.block_kit import violations
from tests.builders import FakeContext, day_chart, envelope, firing_message, report_message, rising_chart
from tests.core.builders import entry
from tests.doubles import BOT_TOKEN, Fault, SlackDouble, refusal
from tests.outbox_double import MemoryOutbox, ScriptedNotifier, run_for, run_jumping, worker

SENT = envelope(firing_message(chart=rising_chart()), recipient="#finops")


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble() as double:
        double.takes_charts = False
        yield double


def notifier_of(slack: SlackDouble, kind: str = "bot") -> SlackNotifier:
    settings = {"slack_bot_token": BOT_TOKEN, "slack_base_url": slack.base_url}
    context = FakeContext(settings=settings, environment={"HOOK": slack.webhook_url})
    config = SlackConfig(channel=("#finops",)) if kind == "bot" else SlackConfig(webhook_url_env="HOOK")
    return SlackNotifier("finops", config, context)


async def tell(notifier: SlackNotifier, sent: Envelope = SENT) -> Delivered:
    """Send, and add the picture as the delivery does."""
    outcome = await notifier.send(sent)
    assert isinstance(outcome, Delivered)
    await illustrate(notifier, sent, outcome)
    return outcome


def uploads(slack: SlackDouble) -> int:
    return sum(method.startswith("files.") for method, _ in slack.calls)


async def test_message_when_its_chart_was_refused_then_the_picture_stands_in_its_thread(slack: SlackDouble) -> None:
    """The middle rung: who reads it sees the curve, who cannot see it hears its words."""
    notified = await tell(notifier_of(slack))
    [picture] = slack.pictures
    assert picture["content"] == chart_png(rising_chart())
    assert f"C0000FINOPS/{picture['thread_ts']}" == notified.ref
    assert picture["alt_txt"].startswith(
        "From $3.10 (Jan 9 12:00) to $61.25 (Jan 10 12:00 UTC); warning $50.00 reached"
    )
    assert picture["title"] == "Spend in 24h, rolling"
    assert picture["blocks"][0]["text"]["text"].splitlines() == [
        "Spend in 24h, rolling: $0.00 to $110.00, Jan 9 12:00 to Jan 10 12:00 UTC",
        "🟦 From $3.10 (Jan 9 12:00) to $61.25 (Jan 10 12:00 UTC)",
        "🟧 warning $50.00 reached Jan 10 10:00",
        "🟥 critical $100.00 not reached",
    ]
    assert len(slack.shown()) == 1


async def test_reply_then_the_picture_joins_the_thread_of_the_alert(slack: SlackDouble) -> None:
    """Slack takes a thread's first message only, never a reply."""
    notifier = notifier_of(slack)
    first = await tell(notifier)
    await tell(notifier, replace(SENT, key="b" * 32, thread_ref=first.ref))
    root = slack.shown()[0]["ts"]
    assert [picture["thread_ts"] for picture in slack.pictures] == [root, root]


async def test_report_when_sent_by_hand_then_has_its_picture_too(slack: SlackDouble) -> None:
    """`alertd report` goes past the outbox."""
    results = await send_now("finops", notifier_of(slack), report_message())
    assert [(recipient, is_delivered) for recipient, _, is_delivered in results] == [("#finops", True)]
    assert [picture["content"] for picture in slack.pictures] == [chart_png(day_chart())]


async def test_report_then_has_its_picture_too(slack: SlackDouble) -> None:
    """Its bars say what no line of text does."""
    await tell(notifier_of(slack), envelope(report_message(), recipient="#finops"))
    [picture] = slack.pictures
    assert picture["content"] == chart_png(day_chart())
    assert picture["blocks"][0]["text"]["text"].startswith(
        "Spend by day · the first and the last day in part: $0.00 to"
    )


@pytest.mark.parametrize(
    ("sent", "kind", "takes_charts"),
    [
        pytest.param(SENT, "bot", True, id="Slack draws it"),
        pytest.param(SENT, "webhook", False, id="a webhook cannot upload"),
        pytest.param(replace(SENT, message=firing_message()), "bot", False, id="there is no chart"),
        pytest.param(replace(SENT, is_plain=True), "bot", False, id="the last resort stays plain"),
    ],
)
async def test_message_when_no_picture_is_due_then_none_is_uploaded(
    slack: SlackDouble, sent: Envelope, kind: str, takes_charts: bool
) -> None:
    """A picture of what is drawn already would be noise."""
    notifier = notifier_of(slack, kind)
    if kind == "bot" and not takes_charts:
        await notifier.send(SENT)
    slack.takes_charts = takes_charts
    await tell(notifier, sent)
    assert uploads(slack) == 0


async def test_edit_then_adds_no_further_picture(slack: SlackDouble) -> None:
    """What is put right in its place comes often; its thread would fill with pictures."""
    notifier = notifier_of(slack)
    notified = await tell(notifier)
    edited = replace(SENT, edits=notified.ref)
    await illustrate(notifier, edited, await notifier.edit(edited))
    assert len(slack.pictures) == 1


async def test_app_without_the_scope_then_says_so_once_and_asks_no_more(slack: SlackDouble) -> None:
    """An admin who granted less gets every message, one line in the log, and no request more."""
    slack.scopes.discard("files:write")
    notifier = notifier_of(slack)
    with capture_logs() as logs:
        for number in range(3):
            await tell(notifier, replace(SENT, key=f"{number:032x}"))
    notified = [line for line in logs if line["event"] == "charts come as words only"]
    assert [(line["receiver"], "needed: files:write" in line["error"]) for line in notified] == [("finops", True)]
    assert "add the scope files:write" in notified[0]["remedy"]
    assert uploads(slack) == 1
    assert len(slack.shown()) == 3


@pytest.mark.parametrize("step", ["getUploadURLExternal", "put", "completeUploadExternal"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(), id="cut"),
        pytest.param(Fault(status=500, body=b"<html>", content_type="text/html"), id="broken"),
        pytest.param(Fault(status=302, headers={"Location": "https://evil.example/"}), id="led astray"),
        pytest.param(refusal("ratelimited", 429), id="too fast"),
        pytest.param(Fault(status=403, body=b"[]"), id="refused"),
    ],
)
async def test_upload_when_it_fails_anywhere_then_the_message_stands_once_and_the_log_says_why(
    slack: SlackDouble, step: str, fault: Fault
) -> None:
    """The picture is an extra: it is tried once, and never costs or repeats the message."""
    notifier = notifier_of(slack)
    slack.upload_faults[step] = fault
    with capture_logs() as logs:
        await tell(notifier)
    [line] = [line for line in logs if line["event"] == "picture not added"]
    assert line["error"]
    assert BOT_TOKEN not in str(logs)
    assert (len(slack.shown()), slack.pictures) == (1, [])
    del slack.upload_faults[step]
    await tell(notifier, replace(SENT, key="b" * 32))
    assert len(slack.pictures) == 1


@pytest.mark.parametrize("url", ["", "ftp://files.example/x", "/upload"])
async def test_upload_when_slack_names_no_place_then_nothing_is_sent_there(slack: SlackDouble, url: str) -> None:
    """An answer that is not Slack's must not choose where bytes go."""
    body = f'{{"ok": true, "file_id": "F1", "upload_url": "{url}"}}'.encode()
    slack.upload_faults["getUploadURLExternal"] = Fault(status=200, body=body)
    with capture_logs() as logs:
        await tell(notifier_of(slack))
    assert [line["error"] for line in logs if line["event"] == "picture not added"] == [
        "Slack named no place to upload to"
    ]


def test_caption_then_pings_nobody_whatever_it_says() -> None:
    """The note and the limits' names are alertd's own today; nothing depends on that."""
    limits = tuple(replace(limit, name="<!channel> @here") for limit in rising_chart().limits)
    picture = picture_of(rising_chart(title="<@U1>", note="&" * 3000, limits=limits))
    assert violations(list(picture.caption)) == []
    assert len(picture.title) <= 100


# --- the delivery -----------------------------------------------------------------------------------------------------


class Painter(ScriptedNotifier):
    """Notes how the entry was stored when the picture was asked for."""

    paints: str = ""
    seen: list[tuple[EntryState, str]]

    async def illustrate(self, envelope: Envelope, ref: str) -> None:
        self.seen.append((self._outbox.by_key(envelope.key).state, ref))
        if self.paints == "hang":
            await asyncio.sleep(10**9)
        if self.paints:
            raise RuntimeError(self.paints)


@pytest.mark.parametrize("paints", ["", "hang", "a plugin's fault"])
def test_delivery_then_asks_for_the_picture_once_the_message_is_recorded(paints: str) -> None:
    """A crash in between costs a picture, never a second message; nor does a picture that hangs or fails."""
    outbox = MemoryOutbox()
    outbox.add(entry())
    painter = Painter(outbox, Delivered("C1/1.2"))
    painter.paints, painter.seen = paints, []
    with capture_logs():
        run_jumping(run_for(worker(outbox, {"slack": painter}), 90))
    assert painter.seen == [(EntryState.DELIVERED, "C1/1.2")]
    assert outbox.history == ["1 sending", "1 delivered (Delivered)"]
