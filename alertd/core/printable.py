"""
Text that does no more than be read: in a terminal, a log, a header or a page.

Names in bills belong to strangers. Whatever could forge a line, a colour or the direction of a text is taken out
(`one_line`) or shown by its number (`escape_controls`); each output still escapes for its own format.
"""

import re
import unicodedata
from collections.abc import Mapping

_SPACES = re.compile(r"\s+")
_NO_CHARACTERS = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
# C0, DEL and C1 (escape sequences, line ends), lone surrogates (no UTF-8), marks that turn the reading direction
# (U+202E makes $001 look like $100), line and paragraph separators, tags and other marks and letters that are not drawn
# (a name of nothing else looks like none, one with such in it like another), and what is no character (an error in
# HTML). Joiners and variation selectors stay: emoji and many scripts need them.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
    f"{_NO_CHARACTERS}]"
)
_ACCENT = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_FLOOD = re.compile(f"({_ACCENT}{{3}}){_ACCENT}+")
"""More accents on one letter than any language writes; they cover the lines above and below."""
_EXCERPT = 100
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"})


def one_line(text: str) -> str:
    """Return the text as one line without what is obeyed or not drawn; empty where nothing of it would be seen."""
    line = without_floods(_SPACES.sub(" ", UNSAFE.sub(" ", text)).strip())
    return "" if shows_nothing(line) else line


def without_floods(text: str) -> str:
    """Return the text with at most three accents on a letter."""
    return text if text.isascii() else _FLOOD.sub(r"\1", text)


def shows_nothing(text: str) -> bool:
    """Return whether nothing of a text would be seen: joiners, selectors and accents without a letter."""
    return all(unicodedata.category(character) in _UNSEEN or UNSAFE.match(character) for character in text)


def escape_lines(text: str) -> str:
    """Return a text of several lines with each of them as `escape_controls` returns it."""
    return "\n".join(map(escape_controls, text.split("\n")))


def escape_controls(text: str) -> str:
    r"""Return the text with what a terminal would obey or not draw by its number, line ends too: `\x1b`, `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    if text and shows_nothing(text):
        return "".join(character if character == " " else ascii(character)[1:-1] for character in text)
    return "".join(map(_escaped, without_floods(text)))


def excerpt(text: str) -> str:
    """Return the beginning of a text as an error shows it, in one line of at most a hundred characters."""
    shown = escape_controls(text[: 2 * _EXCERPT])
    return shown if len(shown) <= _EXCERPT and len(text) <= _EXCERPT else f"{shown[: _EXCERPT - 1]}…"


def _escaped(character: str) -> str:
    if character.isprintable() and not UNSAFE.match(character):
        return character
    return " " if unicodedata.category(character) == "Zs" else ascii(character)[1:-1]


# With wide and small forms, which some spreadsheets take too; behind a semicolon, at which many of them split columns.
_FORMULA = re.compile(r"(^|;)(?=\s*[-=+@|%＝＋－＠﹦﹢﹣﹫])")  # noqa: RUF001


def spreadsheet_cell(text: str) -> str:
    """
    Return a text that no spreadsheet takes for a formula, without what a terminal would obey.

    Source: https://owasp.org/www-community/attacks/CSV_Injection.
    """
    return _FORMULA.sub(r"\1'", escape_controls(text))


def may_be_styled(environment: Mapping[str, str]) -> bool:
    """
    Return whether escape sequences may style what a terminal shows, by the variables of its user.

    Source: https://no-color.org: any value that is not empty switches colour off.
    """
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
