"""The Slack layout: readable, within every limit, and deaf to what names try to do."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alert import Unit
from alertd.core.alerts.reason import NotifyReason
from alertd.core.chart import Chart, ChartForm, ChartLimit, ChartPoint
from alertd.core.messages.message import Field, Link, Message, Section, SectionRow, TableRow
from alertd.core.muted import Muted, MuteKind
from alertd.core.severity import Severity
from alertd.notify.slack.blocks import blocks, notification, plain
from alertd.notify.slack.notifier import payload
from alertd.notify.slack.text import escaped
from tests.block_kit import markup_problems, texts, units, violations
from tests.builders import KEY, alert_facts, envelope, firing_message, report_message, resolved_message, storm_message
from tests.examples import examples

EXAMPLES = Path(__file__).parent.parent / "examples"
SILENCED = Muted(kind=MuteKind.SILENCE, id="51133ce0", by="kim")

HOSTILE = [
    "<!channel>",
    "<!here|x>",
    "<!subteam^S0123>",
    "<@U04ABCDEF>",
    "<#C0123>",
    "@here @channel @everyone",
    "<https://evil.example|click>",
    "&lt;!channel&gt; & <",
    "*bold* _italic_ ~gone~ `code` > quote",
    ":moneybag:",
    "line\r\nbreak\u2028and\u0085more",
    "\u202egnirts\u2066x",
    "\x1b[31mred\x07",
    "\ud800 half a pair",
    "\ufdd0 no \U0001fffe character",
    "训练" * 2000,
    "🔥" * 4000,
    "a" * 5000,
    "&" * 3000,
    "",
    " ",
]
hostile_text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=()), max_size=120),
    st.lists(st.sampled_from(HOSTILE), max_size=3).map(" ".join),
)
urls = st.one_of(
    st.sampled_from(
        [
            "https://a.example/?x=1&y=<2>",
            "https://a.example/|evil",
            "javascript:alert(1)",
            "https://a.example/\nx",
            "https://a.example/" + "&" * 480,
            "https://a.example/" + "x" * 5000,
            "https://bücher.example/",
        ]
    ),
    hostile_text,
)
numbers = st.one_of(
    st.decimals(min_value=-922_000_000, max_value=922_000_000, places=10).map(lambda number: f"{number:f}"),
    st.sampled_from(["0", "0.0000000001", "-3", "61.25"]),
)
charts = st.builds(
    Chart,
    title=hostile_text,
    unit=st.sampled_from(Unit),
    form=st.sampled_from(ChartForm),
    points=st.tuples(st.lists(numbers, min_size=1, max_size=96), st.sampled_from([1, 4, 24])).map(
        lambda drawn: tuple(
            ChartPoint(at=datetime(2026, 10, 24, tzinfo=UTC) + n * drawn[1] * timedelta(hours=1), value=value)
            for n, value in enumerate(drawn[0])
        )
    ),
    limits=st.lists(
        st.builds(ChartLimit, name=hostile_text, value=numbers, severity=st.none() | st.sampled_from(Severity)),
        max_size=7,
    ).map(tuple),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe"]),
    note=hostile_text,
)
messages = st.builds(
    Message,
    reason=st.sampled_from(NotifyReason),
    severity=st.sampled_from(Severity),
    is_resolved=st.booleans(),
    title=hostile_text,
    lines=st.lists(hostile_text, max_size=12).map(tuple),
    fields=st.lists(st.builds(Field, name=hostile_text, text=hostile_text), max_size=12).map(tuple),
    table=st.lists(
        st.builds(TableRow, who=hostile_text, what=hostile_text, amount=hostile_text, before=hostile_text), max_size=12
    ).map(tuple),
    table_note=hostile_text,
    sections=st.lists(
        st.builds(
            Section,
            title=hostile_text,
            rows=st.lists(
                st.builds(SectionRow, name=hostile_text, amount=hostile_text, note=hostile_text), max_size=12
            ).map(tuple),
            note=hostile_text,
        ),
        max_size=6,
    ).map(tuple),
    chart=st.none() | charts,
    history=st.lists(hostile_text, max_size=5).map(tuple),
    links=st.lists(st.builds(Link, text=hostile_text, url=urls), max_size=8).map(tuple),
    footer=hostile_text,
    slack_owner=st.sampled_from([*HOSTILE, "U04ABCDEF", "S04ABCDEF", "C04ABCDEF", "U04ABCDEF> <!channel", "U04ABC\n"]),
    alerts=st.sampled_from([(), (alert_facts(),)]),
    created_at=st.just(firing_message().created_at),
)


@examples(5, thorough=50)
@given(messages)
def test_any_message_then_keeps_every_limit_and_pings_nobody(message: Message) -> None:
    """A message that Slack refuses, or that wakes a whole channel, must not be writable from a bill."""
    laid_out = blocks(message, KEY)
    assert violations(laid_out) == []
    for text in (notification(message), plain(message)):
        assert list(markup_problems(text)) == []
        assert 1 <= units(text) <= 3000
    assert laid_out[0]["type"] == "header"


@examples(5, thorough=100)
@given(hostile_text, st.integers(min_value=2, max_value=200))
def test_escaped_then_is_a_cut_of_the_whole_escape(text: str, limit: int) -> None:
    """A cut inside `&amp;` would show half an escape, and one too long would be refused."""
    cut = escaped(text, limit)
    whole = escaped(text, 10**9)
    assert units(cut) <= limit
    assert cut == whole or (cut.endswith("…") and whole.startswith(cut[:-1]))
    assert list(markup_problems(cut)) == []


@pytest.mark.parametrize("name", HOSTILE[:12])
def test_hostile_name_then_stands_in_plain_text_only(name: str) -> None:
    """In `plain_text` Slack forms no mention, link or style, whatever stands there."""
    row = TableRow(who=f"MARK{name}", what=f"MARK{name}", amount="$1", before="$2")
    message = firing_message(title=f"MARK{name}", lines=(f"MARK{name}",), table=(row,), footer=f"MARK{name}")
    message = replace(message, fields=(Field(name="Owner", text=f"MARK{name}"),))
    marked = [text for text in texts(blocks(message, KEY)) if "MARK" in text["text"]]
    assert len(marked) == 5
    assert {text["type"] for text in marked} == {"plain_text"}
    assert not any(text["emoji"] for text in marked)


@pytest.mark.parametrize(
    ("message", "start"),
    [
        pytest.param(firing_message(severity=Severity.INFO), "🔵 INFO: ", id="info"),
        pytest.param(firing_message(), "🟠 WARNING: ", id="warning"),
        pytest.param(firing_message(severity=Severity.CRITICAL), "🔴 CRITICAL: ", id="critical"),
        pytest.param(
            firing_message(alerts=(replace(alert_facts(), acknowledged_by="dana"),)), "⚪ WARNING: ", id="ack"
        ),
        pytest.param(firing_message(alerts=(replace(alert_facts(), muted=SILENCED),)), "⚪ WARNING: ", id="mute"),
        pytest.param(
            storm_message(alerts=(replace(alert_facts(), muted=SILENCED), alert_facts(2))),
            "🔴 CRITICAL: ",
            id="partly",
        ),
        pytest.param(firing_message(alerts=()), "🟠 WARNING: ", id="about no alert"),
        pytest.param(
            resolved_message(alerts=(replace(alert_facts(is_resolved=True), acknowledged_by="dana"),)),
            "🟢 RESOLVED: ",
            id="ended though acknowledged",
        ),
        pytest.param(resolved_message(severity=Severity.CRITICAL), "🟢 RESOLVED: ", id="resolved"),
        pytest.param(firing_message(reason=NotifyReason.TEST), "⚪ TEST: ", id="test"),
        pytest.param(report_message(), "📊 REPORT: ", id="report"),
    ],
)
def test_header_then_says_the_state_in_a_word(message: Message, start: str) -> None:
    """Who cannot tell red from green reads the word; a phone shows only the text."""
    header: Any = blocks(message, KEY)[0]
    assert header["text"]["text"].startswith(start)
    assert notification(message).startswith(start[2:])


def test_storm_then_lists_all_twenty_and_each_links_its_alert() -> None:
    """The largest twenty are the message; the layout must not cut them, with the buttons of the worst below."""
    message = storm_message(lines=(*storm_message().lines, "… and 30 more; `alertd alerts` lists all."))
    laid_out = blocks(message, KEY, has_buttons=True)
    shown = [text["text"] for text in texts(laid_out)]
    for line, url in message.linked_lines()[:20]:
        assert shown[shown.index(line) + 1] == f"<{url}|Open the alert>"
    assert message.lines[20] in shown
    assert not any("Shortened" in text for text in shown)
    assert violations(laid_out) == []


def test_storm_when_a_link_cannot_stand_in_slack_then_its_line_is_still_there() -> None:
    """A link that is cut leads nowhere."""
    urls = (
        "https://a.example/" + "x" * 600,
        "javascript:alert(1)",
        "https://a.example/ä",
        "https://a.example/?a=1&b=2",
    )
    message = storm_message(lines=("WARNING: a", "WARNING: b", "WARNING: c", "WARNING: *d*", "e"), line_urls=urls)
    shown = [text["text"] for text in texts(blocks(message, KEY))]
    linked = ["🟠 WARNING: *d*", "<https://a.example/?a=1&amp;b=2|Open the alert>"]
    assert shown[1:5] == ["🟠 WARNING: a\n🟠 WARNING: b\n🟠 WARNING: c", *linked, "e"]


def test_report_then_shows_every_section_under_its_title() -> None:
    """A report is read in Slack from top to bottom: nothing of an ordinary one is cut."""
    laid_out = blocks(report_message(), KEY)
    shown = [text["text"] for text in texts(laid_out)]
    start = shown.index("*By category*")
    (long,) = report_message().sections[1].rows
    assert shown[start : start + 7] == [
        "*By category*",
        "• gpu: $90.00 up $20.00 (28.6 %)\n• llm: $10.00 unchanged\nAnd 3 more: $0.10 together.",
        "*Budgets*",
        f"• {long.name}: {long.amount} {long.note}",
        "*Alerts*",
        "Nothing is firing.",
        "report weekly",
    ]


def test_name_in_a_section_when_hostile_then_stands_in_plain_text_only() -> None:
    """A report's rows are data as an alert's are."""
    rows = (SectionRow(name="MARK<!channel>", amount="MARK*$1*", note="MARK<@U1>"),)
    message = report_message(sections=(Section(title="By owner", rows=rows, note="MARK@here"),))
    marked = [text for text in texts(blocks(message, KEY)) if "MARK" in text["text"]]
    assert [text["type"] for text in marked] == ["plain_text"]


def test_message_with_too_much_then_says_that_it_was_shortened_and_keeps_links() -> None:
    """Whoever sees a part must know it, and find the rest."""
    laid_out = blocks(firing_message(lines=("训练" * 500,) * 20), KEY)
    shown = [text["text"] for text in texts(laid_out)]
    assert any("Shortened" in text for text in shown)
    assert any("|Status page>" in text for text in shown)
    assert violations(laid_out) == []


def test_long_title_then_stands_whole_below_the_header() -> None:
    """A header holds 150 characters; the amount may stand behind them."""
    title = "trainer " * 20 + "spent $61.25"
    shown = [text["text"] for text in texts(blocks(firing_message(title=title), KEY))]
    assert shown[0].endswith("…")
    assert shown[1].startswith(title)


@pytest.mark.parametrize(
    ("title", "header", "below"),
    [
        pytest.param(
            f"Budget x: $2,094.64 of $6,000{' with room' * 6}; out on Mar 22; forecast to end at $6,020.73 (100.3 %)",
            f"🟠 WARNING: Budget x: $2,094.64 of $6,000{' with room' * 6}; out on Mar 22",
            "Forecast to end at $6,020.73 (100.3 %)",
            id="after the last semicolon that fits",
        ),
        pytest.param("a; b", "🟠 WARNING: a; b", None, id="whole where it fits"),
        pytest.param(
            f"{'x' * 60}{'&' * 14}; a; rest", f"🟠 WARNING: {'x' * 60}{'&amp;' * 14}; a", "Rest", id="as it is sent"
        ),
        pytest.param(
            f"{'x' * 99} (runs out) (warning at or below $10,000.00)",
            f"🟠 WARNING: {'x' * 99} (runs out)",
            "(warning at or below $10,000.00)",
            id="before the last bracket that fits",
        ),
        pytest.param(f"x; {'y' * 150}", f"🟠 WARNING: x; {'y' * 134}…", f"x; {'y' * 150}", id="not for the first word"),
        pytest.param(
            f"{'x' * 136} {'y' * 9}", f"🟠 WARNING: {'x' * 136}…", f"{'x' * 136} {'y' * 9}", id="cut before a blank"
        ),
        pytest.param("x" * 138, f"🟠 WARNING: {'x' * 138}", None, id="whole to the last character"),
        pytest.param("x" * 139, f"🟠 WARNING: {'x' * 137}…", "x" * 139, id="cut where there is none"),
    ],
)
def test_title_when_too_long_for_the_header_then_goes_on_below_it(title: str, header: str, below: str | None) -> None:
    """A budget's line has three clauses: said once, not cut and said again."""
    message = firing_message(title=title, lines=("first",))
    shown = [text["text"] for text in texts(blocks(message, KEY))]
    assert shown[0] == header
    assert shown[1] == ("first" if below is None else f"{below}\nfirst")


def test_storm_then_marks_each_alert_by_its_state() -> None:
    """Twenty lines are scanned by colour, and read by word."""
    lines = (
        "CRITICAL: a",
        "WARNING: b: c",
        "INFO: d",
        "RESOLVED: e",
        "… and 4 more; `alertd alerts` lists all.",
        "why: x",
    )
    shown = [text["text"] for text in texts(blocks(storm_message(lines=lines, line_urls=()), KEY))]
    marked = ["🔴 CRITICAL: a", "🟠 WARNING: b: c", "🔵 INFO: d", "🟢 RESOLVED: e"]
    assert shown[1].splitlines() == [*marked, "… and 4 more; `alertd alerts` lists all.", "why: x"]
    plain_lines = [text["text"] for text in texts(blocks(firing_message(lines=lines), KEY))]
    assert plain_lines[1].splitlines()[0] == "CRITICAL: a"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(NotifyReason.RAISED, "severity raised"), (NotifyReason.REPEAT, "still firing"), (NotifyReason.FIRST, None)],
)
def test_small_print_then_says_why_it_is_notified_again(reason: NotifyReason, expected: str | None) -> None:
    """A repeat looks like its first message otherwise."""
    context: Any = blocks(firing_message(reason=reason), KEY)[-1]
    assert context["elements"][0]["text"].startswith(expected or firing_message().footer)


@pytest.mark.parametrize(
    ("name", "message"), [("firing", firing_message()), ("resolved", resolved_message()), ("storm", storm_message())]
)
def test_stored_example_then_is_what_is_sent(name: str, message: Message) -> None:
    """A change of the layout shows in review as a change of these files."""
    sent = payload(envelope(message, recipient="#finops"))
    assert sent == json.loads((EXAMPLES / f"slack_{name}.json").read_text(encoding="utf-8"))


def test_field_when_its_value_is_long_then_has_the_whole_width() -> None:
    """On a phone half of the width is a column of single words; and what to do must not be cut."""
    remedy = "key refused (401 FAILED_TO_AUTH): " + "set NOVITA_PROD_KEY and wait for the next poll; " * 8
    fields = (
        Field(name="Value", text="5 h"),
        Field(name="What to do", text=remedy),
        Field(name="gpu", text="HTTP 500"),
    )
    found: Any = blocks(firing_message(fields=fields), KEY)
    columns = [cell["text"] for block in found for cell in block.get("fields", ())]
    texts = [block["text"]["text"] for block in found if block["type"] == "section" and "text" in block]
    assert [text for text in texts if text.startswith("What to do: ")] == [f"What to do: {remedy}".strip()]
    assert [text for text in columns if text in {"*Value*", "5 h", "*gpu*", "HTTP 500"}] == [
        "*Value*",
        "5 h",
        "*gpu*",
        "HTTP 500",
    ]
    assert not [text for text in columns if "NOVITA_PROD_KEY" in text]


@pytest.mark.parametrize(
    ("lengths", "sections"),
    [
        pytest.param([300] * 7, [3, 3, 1], id="three at a time"),
        pytest.param([499] * 4, [2, 2], id="each section full to the last letter but one"),
        pytest.param([500] * 3, [1, 1, 1], id="a letter too many for two"),
        pytest.param([900, 50, 60, 40], [2, 2], id="short ones behind a long one"),
    ],
)
def test_sentences_then_stand_together_as_far_as_a_section_has_room(lengths: list[int], sections: list[int]) -> None:
    """A section has a limit, and a message has one of sections: neither many small ones nor one too long."""
    sentences = tuple(f"{letter * length}" for letter, length in zip("abcdefg", lengths, strict=False))
    found = blocks(firing_message(lines=sentences, fields=(), table=(), chart=None), key=KEY)
    held = [sum(sentence in text for sentence in sentences) for text in map(json.dumps, found)]
    assert [count for count in held if count] == sections
