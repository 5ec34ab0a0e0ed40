"""
Tables for people: aligned columns that fit the terminal.

If a table is too wide, the longest columns are cut; if that would leave too little, dispensable columns
are left out, and finally each row is shown in full, line by line. Output to a pipe or a file is never cut.
"""

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from alertd.core.printable import escape_controls

_BETWEEN = "  "
_LEAST = 12
"""Minimum width of a cut column in terminal cells, enough to distinguish names."""
_NARROWEST = 20
"""Minimum width in cells at which text is wrapped, however narrow the terminal."""


def table(
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = frozenset(),
    whole: Collection[int] = frozenset(),
    optional: Sequence[int] = (),
    colours: Mapping[int, str] = MappingProxyType({}),
    coloured: Collection[int] = frozenset(),
) -> str:
    """
    Lay out rows in aligned columns, two blanks apart.

    Args:
        rows: The rows; the first is the heading.
        right: Right-aligned columns (numbers).
        whole: Further columns that would be useless when cut, such as times.
        optional: Columns that may be left out on a narrow terminal, the least important first.
        colours: Colour parameters by row.
        coloured: The columns that are coloured.
    """
    clean = [[escape_controls(cell) for cell in row] for row in rows]
    room = _room()
    shown, widths = _fitted(clean, {*right, *whole}, optional, room)
    if not widths:
        return _line_by_line(clean, room or _NARROWEST, colours, coloured)
    lines, last = [], shown[-1]
    padded = [n for n in shown if n != last or n in right or n in coloured]
    for number, row in enumerate(clean):
        # Names often differ only at the end; of a sentence, in the last column, the beginning matters most.
        texts = row if room is None else [_cut(text, widths.get(n, 0), at_end=n == last) for n, text in enumerate(row)]
        cells = [_padded(texts[n], widths[n], is_right=n in right) if n in padded else texts[n] for n in shown]
        if number and colours.get(number):
            cells = [
                _styled(cell, colours[number]) if n in coloured else cell for n, cell in zip(shown, cells, strict=True)
            ]
        lines.append(_BETWEEN.join(cells).rstrip())
    return "\n".join(lines)


def _room() -> int | None:
    """Return the maximum width of a line; None if unknown. `watch` sets COLUMNS for the pipe it reads."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def _fitted(
    rows: Sequence[Sequence[str]], whole: Collection[int], optional: Sequence[int], room: int | None
) -> tuple[list[int], dict[int, int]]:
    """Return the columns to show and their widths; no widths if no choice of columns fits."""
    natural = {n: max(map(_width, column)) for n, column in enumerate(zip(*rows, strict=True))}
    if room is None:
        return list(natural), natural
    for left_out in range(len(optional) + 1):
        shown = [n for n in natural if n not in optional[:left_out]]
        widths = _cut_evenly({n: natural[n] for n in shown}, whole, room - len(_BETWEEN) * (len(shown) - 1))
        if widths:
            return shown, widths
    return list(natural), {}


def _cut_evenly(natural: Mapping[int, int], whole: Collection[int], room: int) -> dict[int, int]:
    """Return widths that fit, with the longest columns cut to the same length; empty if that is too short."""
    most = max(natural.values())
    while True:
        widths = {n: width if n in whole else min(width, most) for n, width in natural.items()}
        over = sum(widths.values()) - room
        if over <= 0:
            return widths
        if most <= _LEAST:
            return {}
        most -= max(1, over // len(widths))
        most = max(most, _LEAST)


def _line_by_line(
    rows: Sequence[Sequence[str]], room: int, colours: Mapping[int, str], coloured: Collection[int]
) -> str:
    heading, *body = rows
    name_width = max(map(_width, heading))
    blocks = []
    for number, row in enumerate(body, 1):
        lines = []
        for n, cell in enumerate(row):
            first, *more = _broken(cell, max(_NARROWEST, room - name_width - len(_BETWEEN)))
            if not first:
                continue
            text = _styled(first, colours[number]) if n in coloured and colours.get(number) else first
            lines.append(_padded(heading[n], name_width, is_right=False) + _BETWEEN + text)
            lines += [" " * (name_width + len(_BETWEEN)) + line for line in more]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _broken(text: str, width: int) -> list[str]:
    """Wrap a text between words, and within words longer than a line."""
    lines, line = [], ""
    for word in text.split(" "):
        rest = f"{line} {word}" if line else word
        if line and _width(rest) > width:
            lines.append(line)
            rest = word
        while _width(rest) > width:
            head = _head(rest, width)
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line]


def _cut(text: str, width: int, *, at_end: bool) -> str:
    """Return as much of a text as fits, with an ellipsis where it was cut: at the end or in the middle."""
    if _width(text) <= width:
        return text
    mark = "…" if (sys.stdout.encoding or "").lower().startswith("utf") else "..."
    room = width - len(mark)
    end = "" if at_end else _tail(text, room // 2)
    return _head(text, room - _width(end)) + mark + end


def _tail(text: str, width: int) -> str:
    """Return the longest end of a text that fits, starting at a letter with its combining marks."""
    start = len(text)
    while start and _width(text[start - 1 :]) <= width:
        start -= 1
    while start < len(text) and not _width(text[start]):
        start += 1
    return text[start:]


def _head(text: str, width: int) -> str:
    """Return the longest beginning of a text that fits, at least one letter, with its combining marks."""
    taken = 0
    for position, letter in enumerate(text):
        taken += _width(letter)
        if taken > width and position:
            return text[:position]
    return text


def _width(text: str) -> int:
    """Return a text's width in terminal cells: wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    return max(0, wcswidth(text))


def _padded(text: str, width: int, *, is_right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if is_right else text + space


def _styled(text: str, parameters: str) -> str:
    return f"\x1b[{parameters}m{text}\x1b[0m"
