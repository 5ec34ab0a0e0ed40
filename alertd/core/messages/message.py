"""
The content of a message, independent of the channel: texts are chosen here once, channels only lay them out.

All texts are plain: names from bills are data, and each notifier escapes everything for its channel.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import zip_longest

from alertd.core.actions import Offer
from alertd.core.alerts.reason import NotifyReason
from alertd.core.chart import Chart, chart_line, chart_words
from alertd.core.dataclass import dataclass, replace
from alertd.core.local_time import Clock
from alertd.core.muted import Muted
from alertd.core.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A named fact."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link; `url` is http or https."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One contributor, formatted for display."""

    who: str
    """Owner, with its name if known."""
    what: str
    """Product and category."""
    amount: str
    before: str
    """The window before, or "no data"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRow:
    """One line of a section; read as a sentence it is `name: amount note`."""

    name: str
    amount: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled part of a report."""

    title: str
    rows: tuple[SectionRow, ...]
    note: str = ""
    """What is left out, or why there is little to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """One alert for machines, with what the webhook and Alertmanager formats need."""

    fingerprint: str
    rule: str
    is_resolved: bool
    severity: Severity
    labels: tuple[tuple[str, str], ...]
    """Includes alertname, severity, account and the group's labels."""
    annotations: tuple[tuple[str, str], ...]
    starts_at: datetime
    ends_at: datetime | None
    value: str
    threshold: str | None
    unit: str
    as_of: datetime
    expected: str | None = None
    """The estimated value once everything is billed; None if it equals the value."""
    url: str
    episode: int = 0
    """Number of the alert's episode; 0 if not numbered."""
    acknowledged_by: str | None = None
    muted: Muted | None = None
    """What mutes it, except an acknowledgement."""
    offer: Offer | None = None
    """The offered action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    A message for any channel.

    `title` is one line that says what, whose, how much and against which threshold; prefixed with the state, it is
    also the phone notification, the mail subject and the fallback text. `lines` say the rest in sentences, most
    important first. Messages are stored as JSON and sent byte-identical at each attempt.
    """

    reason: NotifyReason
    severity: Severity
    is_resolved: bool
    title: str
    lines: tuple[str, ...] = ()
    line_urls: tuple[str, ...] = ()
    """Links of the first of `lines`, http or https, in order; empty for a line without one."""
    lines_below: int = 0
    """Number of last `lines` shown below chart and contributors: why, what to do, what is missing."""
    lines_of_people: int = 0
    """Number of lines at the end of `first_lines` about people's requests: acknowledged, silenced, stopped."""
    fields: tuple[Field, ...] = ()
    table: tuple[TableRow, ...] = ()
    table_note: str = ""
    """What the table's columns compare, e.g. "last 24 hours against the 24 hours before"."""
    history: tuple[str, ...] = ()
    """Waiting notifications that are included: "fired 10:02 UTC, delivered late"."""
    sections: tuple[Section, ...] = ()
    """The parts of a report; alerts have none."""
    chart: Chart | None = None
    """The chart, if the rule or report has one."""
    links: tuple[Link, ...] = ()
    footer: str = ""
    """Rule, account, fingerprint, in small print."""
    alerts: tuple[AlertFacts, ...] = ()
    """Every alert in this message; more than one in a storm."""
    slack_owner: str = ""
    """The owner's Slack id from the rules file; never from a bill."""
    created_at: datetime
    written_at: datetime | None = None
    """When the text was written, if later: waiting messages are rewritten when they are sent."""
    timezone: str = "UTC"
    """The time zone in which channels show instants in the texts."""

    @property
    def clock(self) -> Clock:
        """The reader's clock."""
        return Clock(timezone=self.timezone, now=self.written_at or self.created_at)

    def linked_lines(self) -> tuple[tuple[str, str], ...]:
        """Return each line with its link or an empty text."""
        return tuple(zip_longest(self.lines, self.line_urls[: len(self.lines)], fillvalue=""))

    @property
    def first_lines(self) -> tuple[tuple[str, str], ...]:
        """The lines before the chart."""
        return self.linked_lines()[: len(self.lines) - self.lines_below]

    @property
    def people_lines(self) -> tuple[str, ...]:
        """The lines about people's requests."""
        end = len(self.lines) - self.lines_below
        return self.lines[end - self.lines_of_people : end]

    @property
    def last_lines(self) -> tuple[tuple[str, str], ...]:
        """The lines after the contributors."""
        return self.linked_lines()[len(self.lines) - self.lines_below :]


def plain_text(message: Message, *, limit: int = 3000) -> str:
    """
    Render the message as plain text of at most *limit* characters: for mail, logs and as the last resort of a channel.

    Nothing is escaped: the caller does that for its channel. If there is not enough room, the lines take precedence
    over their links.
    """
    text = _plain_text(message)
    return truncate(text if len(text) <= limit else _plain_text(replace(message, line_urls=())), limit)


def _plain_text(message: Message) -> str:
    parts: list[str] = [message.title, *message.history]
    parts += _with_urls(message.first_lines)
    if message.chart is not None:
        parts += ["", chart_line(message.chart), chart_words(message.chart)]
    if message.table:
        parts += ["", message.table_note] if message.table_note else [""]
        parts += [f"- {row.who} · {row.what}: {row.amount} (before: {row.before})" for row in message.table]
    if message.last_lines:
        parts += ["", *_with_urls(message.last_lines)]
    if message.fields:
        parts += ["", *(f"{field.name}: {field.text}" for field in message.fields)]
    for section in message.sections:
        parts += ["", f"{section.title}:", *(f"- {section_line(row)}" for row in section.rows)]
        parts += [section.note] if section.note else []
    if message.links:
        parts += ["", *(f"{link.text}: {link.url}" for link in message.links)]
    if message.footer:
        parts += ["", message.footer]
    return "\n".join(parts)


def _with_urls(lines: Iterable[tuple[str, str]]) -> Iterator[str]:
    for line, url in lines:
        yield from (line, url) if url else (line,)


def section_line(row: SectionRow) -> str:
    """Return a row of a section as one line of text."""
    return f"{row.name}: {' '.join(filter(None, (row.amount, row.note)))}"


def truncate(text: str, limit: int) -> str:
    """Cut a text to at most *limit* characters, showing the cut with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
