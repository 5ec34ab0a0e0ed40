"""Which texts are mail addresses that mail can be sent to; no server is asked."""

import re

_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS_PATTERN = rf"^{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*$"
"""RFC 5322 dot-atoms and host names, ASCII only; an ECMA regular expression as well, for editors."""
_ADDRESS = re.compile(ADDRESS_PATTERN)
_LONGEST_LOCAL = 64
_LONGEST = 254
"""Source of both: RFC 5321, 4.5.3.1."""


def is_address(text: str) -> bool:
    """Return whether mail can be sent to an address, judged by its form alone."""
    is_short = len(text) <= _LONGEST and text.find("@") <= _LONGEST_LOCAL
    return is_short and _ADDRESS.fullmatch(text) is not None
