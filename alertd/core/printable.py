"""
Text that is safe to print in a terminal, a log, a header or a page.

Names in bills are untrusted. Characters that could forge a line, a colour or the direction of a text are removed
(`one_line`) or escaped (`escape_controls`); each output still escapes for its own format.
"""

import re
import unicodedata
from collections.abc import Mapping

_SPACES = re.compile(r"\s+")
_NO_CHARACTERS = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
# C0, DEL and C1 (escape sequences, line ends), lone surrogates (not valid UTF-8), marks that change the reading
# direction (U+202E makes $001 appear as $100), line and paragraph separators, tags and other invisible marks and
# letters (a name made only of these appears empty, and one that contains them appears to be another), and
# noncharacters (an error in HTML). Joiners and variation selectors are allowed: emoji and many scripts need them.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
    f"{_NO_CHARACTERS}]"
)
_ACCENT = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_FLOOD = re.compile(f"({_ACCENT}{{3}}){_ACCENT}+")
"""More accents on one letter than any language uses; they would cover the lines above and below."""
_EXCERPT = 100
_SHORT = 80
"""Characters of foreign text in an error: enough to recognise it, too few to flood a log."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Mn", "Me", "Zl", "Zp", "Zs"})


def one_line(text: str) -> str:
    """Return the text as one line without control and invisible characters; empty if nothing visible is left."""
    line = without_floods(_SPACES.sub(" ", UNSAFE.sub(" ", text)).strip())
    return "" if shows_nothing(line) else line


def without_floods(text: str) -> str:
    """Return the text with at most three accents per letter."""
    return text if text.isascii() else _FLOOD.sub(r"\1", text)


def shows_nothing(text: str) -> bool:
    """Return whether nothing of a text is visible: blanks, joiners, selectors and accents without a letter."""
    return all(unicodedata.category(character) in _UNSEEN or UNSAFE.match(character) for character in text)


def escape_lines(text: str) -> str:
    """Return a text of several lines with `escape_controls` applied to each line."""
    return "\n".join(map(escape_controls, text.split("\n")))


def escape_controls(text: str) -> str:
    r"""Return the text with control and invisible characters escaped, line ends too: `\x1b`, `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    if text.isprintable() and not UNSAFE.search(text) and unicodedata.category(text[0]) not in _UNSEEN:
        return without_floods(text)
    if text and shows_nothing(text):
        return "".join(character if character == " " else ascii(character)[1:-1] for character in text)
    return "".join(map(_escaped, without_floods(text)))


def excerpt(text: str) -> str:
    """Return the beginning of a text for an error message, in one line of at most a hundred characters."""
    shown = escape_controls(text[: 2 * _EXCERPT])
    return shown if len(shown) <= _EXCERPT and len(text) <= _EXCERPT else f"{shown[: _EXCERPT - 1]}…"


def shorten(text: str, limit: int = _SHORT) -> str:
    """Return foreign text for an error: one line, no control characters, at most *limit* characters."""
    clean = one_line(text[: 4 * limit])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _escaped(character: str) -> str:
    if character.isprintable() and not UNSAFE.match(character):
        return character
    return " " if unicodedata.category(character) == "Zs" else ascii(character)[1:-1]


# Includes full-width and small forms, which some spreadsheets accept, and the position after a semicolon, at which many
# of them split columns.
_FORMULA = re.compile(r"(^|;)(?=\s*[-=+@|%＝＋－＠﹦﹢﹣﹫])")  # noqa: RUF001


def spreadsheet_cell(text: str) -> str:
    """
    Return a text that no spreadsheet interprets as a formula, with control characters escaped.

    Source: https://owasp.org/www-community/attacks/CSV_Injection.
    """
    return _FORMULA.sub(r"\1'", escape_controls(text))


def may_be_styled(environment: Mapping[str, str]) -> bool:
    """
    Return whether the user's environment allows escape sequences for terminal styling.

    Source: https://no-color.org: any non-empty value turns colour off.
    """
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
