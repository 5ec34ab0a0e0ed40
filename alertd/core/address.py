"""Which texts are valid mail addresses, judged by syntax alone."""

import re

_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS_PATTERN = rf"^{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*$"
"""RFC 5322 dot-atoms and host names, ASCII only; also valid as an ECMA regular expression, for editors."""
_ADDRESS = re.compile(ADDRESS_PATTERN)
_LONGEST_LOCAL = 64
_LONGEST = 254
"""Source of both limits, in characters: RFC 5321, 4.5.3.1."""


def is_address(text: str) -> bool:
    """Return whether a text is a valid mail address."""
    is_short = len(text) <= _LONGEST and text.find("@") <= _LONGEST_LOCAL
    return is_short and _ADDRESS.fullmatch(text) is not None
