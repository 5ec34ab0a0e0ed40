"""
The layout of a message in Slack's Block Kit: pure, and within Slack's limits by construction.

Whatever comes from a message stands in `plain_text` objects, where Slack forms no mention, link or style, and is
escaped besides; `mrkdwn` holds only the names of facts and sections, the links, the owner by the rules file, and texts
with instants in which nothing could be styled: only there does Slack show an instant by each reader's own clock.

The state is shown by a word, and by a circle before it whose colour repeats it: it changes with the message, grey while
somebody looks after the alert or silenced it, green at its end. A coloured bar is to be had only around an attachment,
which always stands below the blocks: it would hold either the message, which clients fold there and charts and buttons
may not bear, or a line of small print that nobody looks at. Slack calls attachments legacy, with less visibility to
come: https://docs.slack.dev/messaging/formatting-message-text#when-to-use-attachments.

Source of the limits: https://docs.slack.dev/reference/block-kit/blocks; lengths are counted in UTF-16 units of the
escaped text, the strictest reading. `msg_blocks_too_long` comes at about 13,200 characters, which is not documented.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from alertd.core.alerts.reason import NotifyReason
from alertd.core.chart import (
    Chart,
    ChartForm,
    ChartLimit,
    axis_labels,
    chart_line,
    chart_words,
    fired_point,
    limit_text,
    read_by,
    thinned,
    values,
)
from alertd.core.local_time import Clock, parts_of
from alertd.core.messages.message import Field, Message, Section, section_line
from alertd.core.owners import slack_mention
from alertd.core.severity import Severity
from alertd.notify.slack.actions import Block, buttons
from alertd.notify.slack.text import dated, escaped, escaped_units, is_styled, shortened, units
from alertd.notify.text import headline, plain_with_state, printable, readable, reason_note

BLOCKS_LIMIT = 50
SERIALIZED_LIMIT = 12_000
HEADER_LIMIT = 150
PLAIN_LIMIT = 3000
_NOTIFICATION_LIMIT = 300

# Small blocks, so that a message with too much to say loses little.
_TEXT_LIMIT = 1000
_NAME_LIMIT = 75
_FACT_LIMIT = 200
_FACTS_PER_SECTION = 5
_COLUMN = 60
"""Longer values stand on lines of their own: in half of a phone's width they are a column of single words."""
_FOOTER_LIMIT = 300
_LINKS = 4
_LINK_TEXT_LIMIT = 60
_URL_LIMIT = 500
_SHORTENED = "Shortened to fit into Slack: the status page and `alertd explain` show everything."

_CLAUSES = (re.compile("; "), re.compile(r" (?=\()"))
"""Where a title is best broken, and where it may be."""
_MENTIONING = frozenset({NotifyReason.FIRST, NotifyReason.RAISED})
_MUTED = "⚪"
_REASON_MARKS = {NotifyReason.TEST: "⚪", NotifyReason.REPORT: "📊"}
_MARKS = {Severity.INFO: "🔵", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}
_ENDED = "🟢"
_STATE_MARKS = {"RESOLVED": _ENDED, **{severity.label.upper(): mark for severity, mark in _MARKS.items()}}


def block_id(key: str) -> str:
    """Return the id of a message's first block, by which it is found again."""
    return f"alertd-{key}"


def notification(message: Message) -> str:
    """Return the top-level text: what phones and screen readers say."""
    return escaped(headline(readable(message)), _NOTIFICATION_LIMIT)


def plain(message: Message) -> str:
    """Return the whole message as escaped plain text of at most 3,000 characters."""
    return escaped(plain_with_state(readable(message)), PLAIN_LIMIT)


def blocks(
    message: Message, key: str, *, has_buttons: bool = False, has_chart: bool = True, has_mention: bool = True
) -> list[Block]:
    """
    Lay the message out: header, what waited, sentences, facts, chart, contributors, links and small print.

    What does not fit is left out, with a note that says so; header, links, buttons and small print always stand. A
    chart is drawn where all the rest fits beside it, else it is a line of text.

    Args:
        has_chart: False where Slack is known to refuse charts.
        has_mention: False where the owner is not to be notified, or is who gets the message.
    """
    message = printable(message)
    head = [_header(message, key), *(_owner(message) if has_mention else ())]
    tail = [*_links(message), *(buttons(message) if has_buttons else ()), *_small_print(message)]
    if message.chart is not None and has_chart:
        drawn, is_whole = _laid_out(message, head, tail, has_chart=True)
        if is_whole:
            return drawn
    return _laid_out(message, head, tail, has_chart=False)[0]


def _laid_out(
    message: Message, head: Sequence[Block], tail: Sequence[Block], *, has_chart: bool
) -> tuple[list[Block], bool]:
    """Return the blocks, and whether nothing had to be left out."""
    note = _text(_SHORTENED, message.clock)
    body = list(_body(message, has_chart=has_chart))
    count = BLOCKS_LIMIT - len(head) - len(tail) - 1
    kept = list(_fitting(body, room=SERIALIZED_LIMIT - _size([*head, note, *tail]), count=count))
    is_whole = len(kept) == len(body)
    return [*head, *kept, *([] if is_whole else [note]), *tail], is_whole


def _fitting(body: Sequence[Block], *, room: int, count: int) -> Iterator[Block]:
    for block in body[:count]:
        # Each block costs its own text and the comma and blank before it.
        cost = _size(block) + 2
        if cost <= room:
            room -= cost
            yield block


def _size(value: object) -> int:
    # As slack-sdk writes it: beyond ASCII each character costs six.
    return len(json.dumps(value))


def _header(message: Message, key: str) -> Block:
    text = escaped(f"{_mark(message)} {message.clock.localized(_title(message)[0])}", HEADER_LIMIT)
    return {"type": "header", "block_id": block_id(key), "text": _plain_text(text)}


def _title(message: Message) -> tuple[str, str]:
    """
    Return what stands in the header, and what of the title must stand below it.

    A title that is too long goes on below after its last clause that fits; where that leaves little in the header, it
    is cut, and stands whole below.
    """
    whole = headline(message)
    if _fits_header(whole):
        return whole, ""
    for clauses in _CLAUSES:
        for clause in reversed(list(clauses.finditer(whole, HEADER_LIMIT // 2))):
            if _fits_header(whole[: clause.start()]):
                rest = whole[clause.end() :]
                return whole[: clause.start()], rest[:1].upper() + rest[1:]
    return whole, message.title


def _fits_header(text: str) -> bool:
    # No mark is longer than this one.
    marked = f"{_ENDED} {text}"
    return escaped(marked, HEADER_LIMIT) == escaped(marked, _TEXT_LIMIT)


def _mark(message: Message) -> str:
    if message.reason in _REASON_MARKS:
        return _REASON_MARKS[message.reason]
    if message.is_resolved:
        return _ENDED
    return _MUTED if _is_muted(message) else _MARKS[message.severity]


def _is_muted(message: Message) -> bool:
    """Return whether somebody acknowledged or silenced every alert that the message is about."""
    return bool(message.alerts) and all(
        alert.acknowledged_by or (alert.muted is not None and alert.muted.is_silence) for alert in message.alerts
    )


def _owner(message: Message) -> Iterator[Block]:
    """Name the owner where something begins or gets worse, so that Slack notifies them; else it is only shown."""
    mention = slack_mention(message.slack_owner)
    is_news = message.reason in _MENTIONING and not message.is_resolved
    if mention and is_news and message.severity >= Severity.WARNING and len(message.alerts) == 1:
        yield {"type": "section", "text": _mrkdwn(f"Owner: {mention}")}


def _body(message: Message, *, has_chart: bool) -> Iterator[Block]:
    clock = message.clock
    before = [(text, "") for text in (_title(message)[1], *message.history) if text]
    for is_linked, group in groupby([*before, *_lines(message)], key=lambda each: bool(each[1])):
        lines = list(group)
        yield from _linked(lines, clock) if is_linked else _paragraphs([line for line, _ in lines], clock)
    if message.chart is not None:
        yield from _chart(read_by(message.chart, message.timezone), clock, is_drawn=has_chart)
    if message.table:
        note = [f"{message.table_note[0].upper()}{message.table_note[1:]}:"] if message.table_note else []
        rows = [f"• {row.amount}  {row.who} · {row.what} (before: {row.before})" for row in message.table]
        yield from _paragraphs([*note, *rows], clock)
    yield from _paragraphs([line for line, _ in message.last_lines], clock)
    for is_long, group_of in groupby(message.fields, key=lambda field: len(field.text) > _COLUMN):
        fields = list(group_of)
        if is_long:
            yield from _paragraphs([f"{field.name}: {field.text}" for field in fields], clock)
            continue
        for start in range(0, len(fields), _FACTS_PER_SECTION):
            yield _facts(fields[start : start + _FACTS_PER_SECTION], clock)
    for section in message.sections:
        yield from _section(section, clock)


def _lines(message: Message) -> Iterator[tuple[str, str]]:
    """Yield the first sentences and where they lead; those of a storm begin with an alert's state, and get its mark."""
    for line, url in message.first_lines:
        mark = _STATE_MARKS.get(line.partition(":")[0]) if message.reason is NotifyReason.STORM else None
        yield f"{mark} {line}" if mark else line, url if _is_linkable(url) else ""


def _linked(lines: Sequence[tuple[str, str]], clock: Clock) -> Iterator[Block]:
    """Set sentences in the left and the links to what they are about in the right column: none can be styled."""
    for start in range(0, len(lines), _FACTS_PER_SECTION):
        cells: list[Block] = []
        for line, url in lines[start : start + _FACTS_PER_SECTION]:
            cells += [_said(line, clock, _FACT_LIMIT), _mrkdwn(_link(url, "Open the alert"))]
        yield {"type": "section", "fields": cells}


def _chart(chart: Chart, clock: Clock, *, is_drawn: bool) -> Iterator[Block]:
    words = chart_words(chart)
    if is_drawn:
        yield native_chart(chart)
        yield {"type": "context", "elements": [_plain_text(escaped(words, _TEXT_LIMIT))]}
    else:
        yield from _paragraphs([chart_line(chart), words], clock)


def _section(section: Section, clock: Clock) -> Iterator[Block]:
    title = escaped(clock.localized(section.title).replace("*", ""), _NAME_LIMIT) or "-"
    yield {"type": "section", "text": _mrkdwn(f"*{title}*")}
    lines = [f"• {section_line(row)}" for row in section.rows]
    yield from _paragraphs([*lines, *([section.note] if section.note else [])], clock)


def _paragraphs(sentences: Iterable[str], clock: Clock) -> Iterator[Block]:
    """
    Set sentences on lines of their own, as many to a section as its limit allows.

    What could be styled stands in a section of its own where others hold instants.
    """
    for _, group in groupby(_kinds(list(sentences)), key=lambda each: each[0]):
        lines: list[str] = []
        length = 0
        for _, sentence in group:
            cost = units(str(_said(sentence, clock, _TEXT_LIMIT)["text"])) + 1
            if lines and length + cost > _TEXT_LIMIT:
                yield _text("\n".join(lines), clock)
                lines, length = [], 0
            lines.append(sentence)
            length += cost
        if lines:
            yield _text("\n".join(lines), clock)


def _kinds(sentences: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Yield each sentence, and whether it must be apart from those with instants."""
    has_instants = any(not isinstance(part, str) for sentence in sentences for part in parts_of(sentence))
    return ((has_instants and is_styled(sentence), sentence) for sentence in sentences)


def _facts(fields: Sequence[Field], clock: Clock) -> Block:
    """Set names in the left and values in the right column; a value stays literal, so it cannot be styled."""
    cells: list[Block] = []
    for field in fields:
        name = escaped(field.name.replace("*", ""), _NAME_LIMIT) or "-"
        cells += [
            _mrkdwn(f"*{name}*"),
            _said(field.text, clock, _FACT_LIMIT),
        ]
    return {"type": "section", "fields": cells}


def _links(message: Message) -> Iterator[Block]:
    links = [link for link in message.links if _is_linkable(link.url)][:_LINKS]
    if links:
        yield {"type": "section", "text": _mrkdwn(" · ".join(_link(link.url, link.text) for link in links))}


def _is_linkable(url: str) -> bool:
    # As it is sent: an ampersand costs five, and a link that is cut leads nowhere.
    return bool(url) and url.isascii() and escaped_units(url) <= _URL_LIMIT


def _link(url: str, text: str) -> str:
    return f"<{escaped(url, 2 * _URL_LIMIT)}|{escaped(text.replace('|', '/'), _LINK_TEXT_LIMIT)}>"


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _small_print(message: Message) -> Iterator[Block]:
    note = " · ".join(filter(None, (reason_note(message), message.footer)))
    if note:
        yield {"type": "context", "elements": [_said(note, message.clock, _FOOTER_LIMIT)]}


def _text(text: str, clock: Clock) -> Block:
    return {"type": "section", "text": _said(text, clock, _TEXT_LIMIT)}


def _said(text: str, clock: Clock, limit: int) -> Block:
    """Return a text with its instants by each reader's clock, or by the rules file's where Slack would style it."""
    if found := dated(text, clock, limit):
        return _mrkdwn(found)
    return _plain_text(escaped(clock.localized(text), limit) or "-")


def _plain_text(text: str) -> Block:
    # Without `emoji`, ":moneybag:" in a name stays what it is.
    return {"type": "plain_text", "text": text, "emoji": False}


_TITLE_LIMIT = 50
_POINTS = 20
_POINT_NAME_LIMIT = 20
_AXIS_LIMIT = 50
_LIMITS = 4
"""Lines besides the value: each costs as many points, and a message has limited room."""
_FIRED = "▲ fired"
_DIGITS = 4
"""Decimal places: the drawing need not be exact, the text is."""


def native_chart(chart: Chart) -> Block:
    """
    Return a printable chart as a Slack block: bars, or a line if there are thresholds to draw.

    The block has no alternative text for screen readers, so a text is shown below it for everybody.

    Sources: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block (since 2026-06-16; no scope but
    `chat:write`): a title of 50 characters, 1 to 6 series of 1 to 20 points, names and labels of 20, a point per
    category, axis labels of 50. That a message holds at most two is not documented:
    https://github.com/vercel/chat/pull/696.
    """
    drawn = thinned(chart, _POINTS)
    categories = [shortened(label, _POINT_NAME_LIMIT) for label in axis_labels(drawn)]
    if (fired := fired_point(drawn)) is not None and drawn.fired_at is not None:
        # Slack cannot draw a vertical line: the label of the nearest point marks it, with the time.
        at = drawn.fired_at.astimezone(ZoneInfo(drawn.timezone))
        categories[fired] = f"{_FIRED} {at:%H:%M}"
    limits = drawn.limits[:_LIMITS]
    # Slack draws several series of bars side by side, so a threshold would become bars too.
    kind = "bar" if drawn.form is ChartForm.BARS and not limits else "line"
    series = [_series("Spend", categories, values(drawn))]
    for limit in limits:
        name = _name(drawn, limit, {str(each["name"]) for each in series})
        series.append(_series(name, categories, [Decimal(limit.value)] * len(categories)))
    return {
        "type": "data_visualization",
        "title": shortened(chart.title, _TITLE_LIMIT),
        "chart": {
            "type": kind,
            "series": series,
            "axis_config": {
                "categories": categories,
                "x_label": shortened("; ".join(filter(None, (drawn.timezone, drawn.note))), _AXIS_LIMIT),
                "y_label": drawn.unit.value,
            },
        },
    }


def _series(name: str, categories: Sequence[str], numbers: Sequence[Decimal]) -> Block:
    points = [
        {"label": label, "value": float(round(number, _DIGITS))}
        for label, number in zip(categories, numbers, strict=True)
    ]
    return {"name": name, "data": points}


def _name(chart: Chart, limit: ChartLimit, taken: set[str]) -> str:
    """Return the name of a line, with its value if that fits; Slack refuses duplicate names."""
    whole = limit_text(chart, limit)
    name = whole if units(whole) <= _POINT_NAME_LIMIT else shortened(limit.name, _POINT_NAME_LIMIT)
    return name if name not in taken else f"{shortened(name, _POINT_NAME_LIMIT - 2)} {len(taken) + 1}"
