"""
The console notifier: prints messages for people at a terminal; used by the demo and the dry run.

It only lays out and prints.
"""

import codecs
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from textwrap import wrap
from typing import ClassVar, TextIO

from pydantic import BaseModel
from wcwidth import wcswidth

from alertd.core.chart import chart_line, chart_words
from alertd.core.messages.message import Message, Section
from alertd.core.printable import may_be_styled
from alertd.core.severity import Severity
from alertd.core.sparkline import BLOCKS, levels_in
from alertd.notify.base import Delivered, Envelope, NotifierContext, Outcome, SendsOnly, Unknown
from alertd.notify.config import ReceiverConfig
from alertd.notify.text import readable, reason_note, state_word

WIDTH = 80
_BAR = "│ "
_INNER = WIDTH - len(_BAR)
_COLUMN_LIMIT = 30

_RESET = "\x1b[0m"
_DIM = "\x1b[2m"
_BOLD = "\x1b[1m"
_GREEN = "\x1b[32m"
_COLOURS = {Severity.INFO: "\x1b[36m", Severity.WARNING: "\x1b[33m", Severity.CRITICAL: "\x1b[31m"}


class ConsoleConfig(ReceiverConfig):
    """A console receiver has no keys of its own: it prints to standard output."""


def payload(message: Message, *, has_colour: bool, levels: str = BLOCKS) -> str:
    """
    Lay the message out for an 80-column terminal; ends with a blank line.

    Args:
        levels: The bars of a chart, lowest first.
    """
    message = readable(message)
    colour = _GREEN if message.is_resolved else _COLOURS[message.severity]
    word = state_word(message)
    title, *title_rest = wrap(message.title, _INNER - len(word) - 2)
    indent = " " * (len(word) + 2)
    lines = [
        _styled(word, f"{_BOLD}{colour}", has_colour=has_colour) + "  " + _styled(title, _BOLD, has_colour=has_colour),
        *(indent + _styled(part, _BOLD, has_colour=has_colour) for part in title_rest),
        *_body(message, levels),
        *(_styled(part, _DIM, has_colour=has_colour) for part in _small_print(message)),
    ]
    bar = _styled(_BAR.rstrip(), colour, has_colour=has_colour)
    return "".join(f"{bar} {line}".rstrip() + "\n" for line in lines) + "\n"


def _body(message: Message, levels: str) -> Iterator[str]:
    for text in message.history:
        yield from wrap(text, _INNER)
    yield from _lines(message.first_lines)
    if message.chart is not None:
        yield ""
        yield from wrap(chart_line(message.chart, levels), _INNER)
        yield from wrap(chart_words(message.chart), _INNER)
    if message.table:
        yield ""
        rows = [(row.who, row.what, row.amount, row.before) for row in message.table]
        yield from _aligned(rows, note=message.table_note)
    if message.last_lines:
        yield ""
        yield from _lines(message.last_lines)
    if message.fields:
        yield ""
        yield from _aligned([(field.name, field.text) for field in message.fields], note="")
    for section in message.sections:
        yield ""
        yield from _section(section)
    if message.links:
        yield ""
        yield from (f"{link.text}: {link.url}" for link in message.links)


def _lines(lines: Iterable[tuple[str, str]]) -> Iterator[str]:
    for text, url in lines:
        yield from wrap(text, _INNER)
        # URLs are never wrapped, so that they can be opened.
        yield from [f"  {url}"] if url else []


def _section(section: Section) -> Iterator[str]:
    """Lay out name, amount and note in columns; long names and notes continue below."""
    yield from wrap(f"{section.title}:", _INNER)
    texts = [(row.name, row.amount, row.note) for row in section.rows] or [("", "", "")]
    names_width, amounts_width, notes_width = (max(map(_width, column)) for column in zip(*texts, strict=True))
    amount_width = min(_SECTION_AMOUNT_LIMIT, amounts_width)
    room = _INNER - amount_width - 4
    # Each of the two texts gets half, plus whatever the other leaves.
    name_width = max(1, min(names_width, max(room // 2, room - notes_width)))
    for row in section.rows:
        names = wrap(row.name, name_width) or [""]
        notes = wrap(row.note, room - name_width) or [""]
        for n in range(max(len(names), len(notes))):
            cells = (
                _padded(names[n] if n < len(names) else "", name_width),
                _padded(row.amount if n == 0 else "", amount_width, is_right=True),
                notes[n] if n < len(notes) else "",
            )
            yield "  ".join(cells).rstrip()
    yield from wrap(section.note, _INNER)


def _small_print(message: Message) -> Iterator[str]:
    note = " · ".join(filter(None, (reason_note(message), message.footer)))
    if note:
        yield ""
        yield from wrap(note, _INNER)


def _aligned(rows: Sequence[tuple[str, ...]], *, note: str) -> Iterator[str]:
    """Lay out rows in columns: texts left-aligned, and in tables of four the two amounts right-aligned."""
    if note:
        yield from wrap(note[0].upper() + note[1:] + ":", _INNER)
    if len(rows[0]) == 2:
        name_width = min(_COLUMN_LIMIT, max(_width(name) for name, _ in rows))
        for name, text in rows:
            first, *rest = wrap(text, _INNER - name_width - 2) or [""]
            yield _padded(name, name_width) + "  " + first
            yield from (" " * (name_width + 2) + part for part in rest)
        return
    widths = [
        min(limit, max(map(_width, column)))
        for limit, column in zip(_TABLE_LIMITS, zip(*rows, strict=True), strict=True)
    ]
    for who, what, amount, before in rows:
        cells = (
            _padded(who, widths[0]),
            _padded(what, widths[1]),
            _padded(amount, widths[2], is_right=True),
            _padded(before, widths[3], is_right=True),
        )
        yield "  ".join(cells)


# Four columns and three gaps of two fill the inner width.
_TABLE_LIMITS = (24, 24, 12, 12)
_SECTION_AMOUNT_LIMIT = 14


def _padded(text: str, width: int, *, is_right: bool = False) -> str:
    """Pad or cut the text to *width* terminal cells."""
    if _width(text) > width:
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    space = " " * (width - _width(text))
    return space + text if is_right else text + space


def _width(text: str) -> int:
    """Return the text's width in terminal cells: wide characters take two, combining ones none."""
    return max(0, wcswidth(text))


def _styled(text: str, style: str, *, has_colour: bool) -> str:
    return f"{style}{text}{_RESET}" if has_colour and text else text


def _encoding(stream: TextIO) -> str:
    """Return the encoding of a stream; ASCII if its name is unknown, such as the one that commands use for it."""
    name = getattr(stream, "encoding", None) or "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "ascii"


class ConsoleNotifier(SendsOnly):
    """Prints each message at once."""

    Config: ClassVar[type[BaseModel]] = ConsoleConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=5)

    def __init__(
        self,
        name: str,
        config: BaseModel,
        context: NotifierContext,
        *,
        stream: TextIO | None = None,
        stands_in: bool = False,
    ) -> None:
        self.name = name
        self._stands_in = stands_in
        ConsoleConfig.model_validate(config)
        self._stream = stream
        self._environment = context.environment

    @property
    def stands_in(self) -> bool:
        """Whether it prints the messages for another receiver."""
        return self._stands_in

    async def send(self, envelope: Envelope) -> Outcome:
        """Print the message."""
        stream = self._stream or sys.stdout
        encoding, has_colour = _encoding(stream), stream.isatty() and may_be_styled(self._environment)
        text = payload(envelope.message, has_colour=has_colour, levels=levels_in(encoding))
        try:
            # A terminal without UTF-8 shows "?" for unsupported characters.
            stream.write(text.encode(encoding, "replace").decode(encoding))
            stream.flush()
        except OSError as error:
            return Unknown(f"standard output: {error.strerror or error}")
        return Delivered()
