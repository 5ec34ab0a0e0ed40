"""
Markdown of the help pages -> text for a terminal. Pure.

Supports only what the pages use: headings, paragraphs, flat lists, tables, fenced blocks; pictures and comments
are left out. Within a line: code, bold, emphasis and links.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

_BOLD, _ITALIC, _CODE = "1", "3", "36"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*|(?<![\w*])\*(?P<italic>[^*\s][^*]*)\*(?!\w)"
    r"|\[(?P<text>[^\]]+)\]\((?P<target>[^)]+)\)|<(?P<url>https?://[^>]+)>"
)
_ITEM = re.compile(r"(?P<mark>-|\d+\.) +(?P<text>.*)")
_NARROWEST = 30
"""Minimum width of a column of sentences; a table that cannot keep it is laid out row by row."""
_NARROWEST_PAGE = 40


def render(markdown: str, *, width: int, has_colour: bool) -> str:
    """
    Lay out a page.

    Args:
        width: Columns of the terminal; below 40 the lines are longer than it.
        has_colour: Whether escape sequences style headings, code and bold text.

    Returns:
        The lines, including the final line end.
    """
    width = max(width, _NARROWEST_PAGE)
    blocks = [_block(kind, lines, width, has_colour=has_colour) for kind, lines in _blocks(markdown)]
    return "\n\n".join(blocks) + "\n"


def styled(text: str, style: str, *, has_colour: bool) -> str:
    """Style each word of a text separately, so that it can be wrapped; return it unchanged without colour."""
    if not has_colour:
        return text
    return " ".join(f"\x1b[{style}m{word}\x1b[0m" if word else "" for word in text.split(" "))


def _blocks(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the blocks of a page: `heading`, `text`, `list`, `table` or `code`, with their lines."""
    lines = iter(markdown.splitlines())
    found: list[str] = []
    for line in lines:
        if line.startswith("```"):
            yield from _of_text(found)
            found = []
            yield "code", list(iter(lambda: next(lines, "```"), "```"))
        else:
            found.append("" if line.startswith(("<!--", "<img")) else line)
    yield from _of_text(found)


def _of_text(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    for is_filled, group in groupby(lines, key=bool):
        block = list(group)
        if not is_filled:
            continue
        if block[0].startswith("#"):
            yield "heading", block
        elif block[0].startswith("|"):
            yield "table", block
        else:
            yield ("list" if _ITEM.match(block[0]) else "text"), block


def _block(kind: str, lines: list[str], width: int, *, has_colour: bool) -> str:
    def inline(text: str) -> str:
        return _inline(text, has_colour=has_colour)

    match kind:
        case "heading":
            return _heading(lines[0], has_colour=has_colour)
        case "code":
            return "\n".join(f"    {line}".rstrip() for line in lines)
        case "table":
            return _table([[inline(cell) for cell in _cells(line)] for line in (lines[0], *lines[2:])], width)
        case "list":
            return "\n".join(_item(mark, inline(text), width) for mark, text in _items(lines))
        case _:
            return "\n".join(_wrap(inline(" ".join(lines)), width))


def _heading(line: str, *, has_colour: bool) -> str:
    level, text = line.split(" ", 1)
    if has_colour:
        return styled(text, _BOLD if level != "#" else f"{_BOLD};4", has_colour=True)
    return f"{text}\n{('=' if level == '#' else '-') * len(text)}"


def _inline(text: str, *, has_colour: bool) -> str:
    def shown(found: re.Match[str]) -> str:
        if found["code"]:
            # Without colour the backquotes stay, to set code apart from the sentence.
            return styled(found["code"], _CODE, has_colour=True) if has_colour else f"`{found['code']}`"
        if found["bold"] or found["italic"]:
            style = _BOLD if found["bold"] else _ITALIC
            inner = _inline(found["bold"] or found["italic"], has_colour=False)
            return styled(inner.replace("`", ""), style, has_colour=has_colour)
        if found["url"]:
            return found["url"]
        return _link(found["text"], found["target"], has_colour=has_colour)

    return _INLINE.sub(shown, text)


def _link(text: str, target: str, *, has_colour: bool) -> str:
    """Return a link in a form that can be followed from a terminal: a topic, a path of the repository or a URL."""
    shown = _inline(text, has_colour=has_colour)
    if target.endswith(".md") and "/" not in target:
        topic = styled(f"alertd help {target.removesuffix('.md')}", _CODE, has_colour=has_colour)
        return f"{shown} ({topic})"
    place = target.removeprefix("../../")
    return shown if place == text.strip("`") else f"{shown} ({place})"


def _items(lines: list[str]) -> Iterator[tuple[str, str]]:
    mark, text = "", ""
    for line in lines:
        item = _ITEM.match(line)
        if item is None:
            text += f" {line.strip()}"
            continue
        if mark:
            yield mark, text
        mark, text = item["mark"], item["text"]
    yield mark, text


def _item(mark: str, text: str, width: int) -> str:
    first, *rest = _wrap(text, width - len(mark) - 3)
    indent = " " * (len(mark) + 3)
    return "\n".join([f"  {mark} {first}", *(indent + line for line in rest)])


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _table(rows: Sequence[Sequence[str]], width: int) -> str:
    """Lay out a table in columns if its sentences fit, else row by row."""
    columns = range(len(rows[0]))
    natural = [max(_length(row[n]) for row in rows) for n in columns]
    least = [max(_length(word) for row in rows for word in (row[n].split() or [""])) for n in columns]
    widths = list(natural)
    floor = [min(size, max(word, _NARROWEST)) for size, word in zip(natural, least, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max(columns, key=lambda n: widths[n] - floor[n])
        if widths[widest] == floor[widest]:
            return _row_by_row(rows, width)
        widths[widest] -= 1
    rule = ["-" * n for n in widths]
    return "\n".join(_row(row, widths) for row in (rows[0], rule, *rows[1:]))


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [_wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = []
    for n in range(max(map(len, cells))):
        parts = [cell[n] if n < len(cell) else "" for cell in cells]
        padded = (part + " " * (width - _length(part)) for part, width in zip(parts, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _row_by_row(rows: Sequence[Sequence[str]], width: int) -> str:
    heading, *body = rows
    longest = max(range(1, len(heading)), key=lambda n: max(_length(row[n]) for row in body))
    lines = []
    for row in body:
        lines += _wrap(row[0], width)
        others = [n for n in range(1, len(row)) if row[n] and n != longest]
        texts = [row[longest], "; ".join(f"{heading[n]}: {row[n]}" for n in others)]
        lines += [f"    {line}" for text in texts if text for line in _wrap(text, width - 4)]
    return "\n".join(lines)


def _wrap(text: str, width: int) -> list[str]:
    """Wrap a text that may hold styled words; a word longer than *width* gets its own line."""
    lines, line, length = [], "", 0
    for word in text.split():
        size = _length(word)
        if line and length + 1 + size > width:
            lines.append(line)
            line, length = "", 0
        line, length = (f"{line} {word}", length + 1 + size) if line else (word, size)
    return [*lines, line]


def _length(text: str) -> int:
    return len(_STYLE.sub("", text))
