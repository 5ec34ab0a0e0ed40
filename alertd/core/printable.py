"""
Text that does no more than be read: in a terminal, a log, a header or a page.

Names in bills belong to strangers. Whatever could forge a line, a colour or the direction of a text is taken out
(`one_line`) or shown by its number (`escape_controls`); each output still escapes for its own format.
"""

import re
import unicodedata

_SPACES = re.compile(r"\s+")
_NO_CHARACTERS = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
# C0, DEL and C1 (escape sequences, line ends), lone surrogates (no UTF-8), marks that turn the reading direction
# (U+202E makes $001 look like $100), line and paragraph separators, tags and other
# marks that are not drawn, and what is no character (an error in HTML).
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u206f\ufeff\ufdd0-\ufdef\ufff9-\ufffb\U000e0000-\U000e007f"
    f"{_NO_CHARACTERS}]"
)


def one_line(text: str) -> str:
    """Return the text as one line without control characters, lone surrogates and direction marks."""
    return _SPACES.sub(" ", UNSAFE.sub(" ", text)).strip()


def escape_controls(text: str) -> str:
    r"""Return the text with what a terminal would obey shown by its number, line ends too: `\x1b`, `\u202e`, `\n`."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable():
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
