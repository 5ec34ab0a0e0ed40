"""Which characters no text for people may hold, whoever typed it: names of owners and products come from bills."""

import re

_NO_CHARACTERS = "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
# C0, DEL and C1 (escape sequences, line ends), lone surrogates (no UTF-8), marks that turn the reading direction
# (U+202E makes $001 look like $100), line and paragraph separators, and what is no character (an error in HTML).
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef"
    f"{_NO_CHARACTERS}]"
)
