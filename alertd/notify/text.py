"""
Text that is safe and plain in any channel: the state in a word, and data without control characters.

Names in bills come from strangers. Whatever could forge a header, a line, a colour or the direction of text is removed
here, once; each notifier still escapes for its own channel.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from alertd.core.alerts.reason import NotifyReason
from alertd.core.chart import Chart, read_by
from alertd.core.http_url import is_link
from alertd.core.messages.message import (
    AlertFacts,
    Field,
    Link,
    Message,
    Section,
    SectionRow,
    TableRow,
    plain_text,
    truncate,
)
from alertd.core.printable import one_line
from alertd.core.times import iso_instant

PartT = TypeVar("PartT", Field, TableRow, SectionRow)

PLAIN_LIMIT = 3000
"""Maximum characters of the plain form: short enough for any channel."""

_QUOTE_LIMIT = 200


_NOTED = frozenset({NotifyReason.RAISED, NotifyReason.REPEAT, NotifyReason.ESCALATED, NotifyReason.CORRECTED})


def state_word(message: Message) -> str:
    """Return the state in capitals, so that it stands out without colour."""
    if message.reason in {NotifyReason.TEST, NotifyReason.REPORT}:
        return message.reason.value.upper()
    return "RESOLVED" if message.is_resolved else message.severity.label.upper()


def headline(message: Message) -> str:
    """Return the title with its state in front: for mail subjects, phone notifications and plain text."""
    return f"{state_word(message)}: {message.title}"


def reason_note(message: Message) -> str:
    """Return why this is notified again; empty if the state says it already."""
    return message.reason.value if message.reason in _NOTED else ""


def printable(message: Message) -> Message:
    """
    Return the message with every displayed text on one safe line; links that are not http(s) are dropped.

    The data for machines (`alerts`) is unchanged. Instants stay in UTC: see `readable`.
    """
    lines = [(text, url) for line, url in message.linked_lines() if (text := one_line(line))]
    return replace(
        message,
        title=one_line(message.title) or "(no title)",
        lines=tuple(text for text, _ in lines),
        lines_below=sum(bool(one_line(line)) for line, _ in message.last_lines),
        line_urls=tuple(url if is_link(url) else "" for _, url in lines) if message.line_urls else (),
        fields=tuple(_each(field, one_line, "name", "text") for field in message.fields),
        table=tuple(_each(row, one_line, "who", "what", "amount", "before") for row in message.table),
        table_note=one_line(message.table_note),
        sections=tuple(_section(section, one_line, "name", "amount", "note") for section in message.sections),
        history=tuple(filter(None, map(one_line, message.history))),
        chart=_printable_chart(message.chart) if message.chart is not None else None,
        links=tuple(
            Link(text=one_line(link.text) or link.url, url=link.url) for link in message.links if is_link(link.url)
        ),
        footer=one_line(message.footer),
    )


def readable(message: Message) -> Message:
    """Like `printable`, with every instant in the reader's time zone."""
    message, said = printable(message), message.clock.localized
    return replace(
        message,
        title=said(message.title),
        lines=tuple(map(said, message.lines)),
        fields=tuple(_each(field, said, "text") for field in message.fields),
        table_note=said(message.table_note),
        sections=tuple(_section(section, said, "name", "note") for section in message.sections),
        history=tuple(map(said, message.history)),
        chart=read_by(message.chart, message.timezone) if message.chart is not None else None,
        footer=said(message.footer),
    )


def _each(part: PartT, said: Callable[[str], str], *names: str) -> PartT:
    """Return a part of a message with some of its texts passed through a function."""
    return replace(part, **{name: said(getattr(part, name)) for name in names})


def _section(section: Section, said: Callable[[str], str], *of_rows: str) -> Section:
    rows = tuple(_each(row, said, *of_rows) for row in section.rows)
    return Section(title=said(section.title), rows=rows, note=said(section.note))


def _printable_chart(chart: Chart) -> Chart:
    limits = tuple(replace(limit, name=one_line(limit.name) or "-") for limit in chart.limits)
    return replace(chart, title=one_line(chart.title) or "-", note=one_line(chart.note), limits=limits)


def plain_with_state(message: Message, *, limit: int = PLAIN_LIMIT) -> str:
    """Render a printable message as plain text of at most *limit* characters, its state first."""
    return plain_text(replace(message, title=headline(message)), limit=limit)


def json_bytes(value: object) -> bytes:
    """Return a value as JSON in UTF-8; half of a surrogate pair, which a bill may hold, has none and becomes a `?`."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def figures_of(facts: AlertFacts) -> dict[str, str]:
    """Return what programs read of an alert's value, by the names of annotations."""
    found = {"value": facts.value, "unit": facts.unit, "as_of": iso_instant(facts.as_of)}
    found |= {"expected": facts.expected} if facts.expected is not None else {}
    return found | ({"threshold": facts.threshold} if facts.threshold is not None else {})


def quoted(text: str) -> str:
    """Return a server's text, in which no secret is left, for an outcome: one short line."""
    return truncate(one_line(text), _QUOTE_LIMIT)
