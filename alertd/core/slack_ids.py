"""Parsers for Slack ids and for what people paste instead, by syntax alone: no workspace is queried."""

import re

from alertd.core.printable import excerpt

_FORMS = (
    # A bare id, a mention as in the text of messages, and a link as copied from Slack's menus.
    re.compile(r"(?P<id>[A-Z][A-Z0-9]{5,30})", re.ASCII),
    re.compile(r"<(?:@|#|!subteam\^)(?P<id>[A-Z][A-Z0-9]{5,30})(?:\|[^<>]*)?>", re.ASCII),
    re.compile(
        r"https://[a-z0-9.-]*slack\.com/(?:archives|team|client/T[A-Z0-9]+)/(?P<id>[A-Z][A-Z0-9]{5,30})(?:[/?].*)?",
        re.ASCII,
    ),
)
_CHANNEL_NAME = re.compile(r"#?[^\s/,.A-Z<>@#|:]{1,80}")
"""Slack's channel names, in any script, contain no capitals, blanks or dots."""

_MEMBER = 'write one like U04ABCDEF (in Slack: profile, "Copy member ID")'


def _id(text: str) -> str:
    """Return the id in a text, alone or in a pasted mention or link; empty if there is none."""
    found = (form.fullmatch(text.strip()) for form in _FORMS)
    return next((match["id"] for match in found if match is not None), "")


def _id_of(text: str, kinds: str, refusal: str) -> str:
    found = _id(text)
    if found and found[0] in kinds:
        return found
    raise ValueError(f'"{excerpt(text)}" {refusal}')


def parse_owner_id(text: str) -> str:
    """
    Return the id of a member, user group or channel, extracted from a pasted mention or link.

    Raises:
        ValueError: It is none of them; the text says where to find the id.
    """
    return _id_of(text, "UWSCGD", f"is not a Slack id; {_MEMBER} or a channel's like C0123456789")


def parse_approver_id(text: str) -> str:
    """
    Return the id of a member or user group, extracted from a pasted mention or link.

    Raises:
        ValueError: It is neither; the text says where to find the id.
    """
    refusal = f"is not the id of a Slack member or user group; {_MEMBER} or S04TEAM01 (the end of a user group's link)"
    return _id_of(text, "UWS", refusal)


def parse_channel(text: str) -> str:
    """
    Return a channel's name, or its id, extracted from a pasted mention or link.

    Raises:
        ValueError: It is neither; the text says what to write.
    """
    if not _id(text) and _CHANNEL_NAME.fullmatch(text):
        return text
    refusal = 'is not a channel; write its name, like "#finops", or its id, like C0123456789'
    return _id_of(text, "CGDUW", refusal)


def parse_member_id(text: str) -> str:
    """
    Return the id of a member, extracted from a pasted mention or link.

    Raises:
        ValueError: It is not a member's id; the text says where to find it.
    """
    return _id_of(text, "UW", f"is not a member's id; {_MEMBER}")
