"""
What a mail server's reply means for a mail, and the remedy; pure.

Servers check greeting, login and sender at any time, most of them only at the recipient, so the last command
says little: the reply's enhanced code and text come first.

Sources: RFC 5321, section 4.2.1 (4yz transient, 5yz permanent); RFC 3463 and the IANA registry of enhanced codes.
"""

import re
from enum import Enum, auto

from alertd.core.dataclass import dataclass
from alertd.notify.base import ConfigurationRefused, ContentRefused, NotSent, Outcome, Unknown
from alertd.notify.text import quoted


class Stage(Enum):
    """The last command."""

    CONNECT = "the connection"
    STARTTLS = "STARTTLS"
    LOGIN = "the login"
    SENDER = "the sender"
    RECIPIENT = "the recipient"
    DATA = "the message"
    DOT = "the complete message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """What a reply may be about."""

    sender: str
    recipient: str
    greeting: str = ""


class _Subject(Enum):
    """What a reply complains of."""

    GREETING = auto()
    ENCRYPTION = auto()
    LOGIN = auto()
    SENDER = auto()
    RELAY = auto()
    REPUTATION = auto()
    MAILBOX_FULL = auto()
    RECIPIENT = auto()
    CONTENT = auto()
    OTHER = auto()


_ENHANCED = re.compile(r"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_BY_ENHANCED = {
    "7.4": _Subject.ENCRYPTION,
    "7.10": _Subject.ENCRYPTION,
    "7.8": _Subject.LOGIN,
    "7.9": _Subject.LOGIN,
    "7.11": _Subject.LOGIN,
    "7.57": _Subject.LOGIN,
    "7.139": _Subject.LOGIN,
    "1.7": _Subject.SENDER,
    "1.8": _Subject.SENDER,
    "7.26": _Subject.SENDER,
    "7.27": _Subject.SENDER,
    "7.60": _Subject.SENDER,
    "7.54": _Subject.RELAY,
    "7.64": _Subject.RELAY,
    "7.25": _Subject.REPUTATION,
    "1.1": _Subject.RECIPIENT,
    "1.2": _Subject.RECIPIENT,
    "1.3": _Subject.RECIPIENT,
    "1.6": _Subject.RECIPIENT,
    "1.10": _Subject.RECIPIENT,
    "2.1": _Subject.RECIPIENT,
    "2.2": _Subject.MAILBOX_FULL,
    "2.3": _Subject.CONTENT,
    "3.4": _Subject.CONTENT,
    "6.0": _Subject.CONTENT,
    "6.1": _Subject.CONTENT,
    "6.3": _Subject.CONTENT,
}
"""By subject and detail, independent of the class; 5.7.0 and 5.7.1 mean "policy", which only the text explains."""
_BY_WORDS = tuple(
    (re.compile(words, re.IGNORECASE), subject)
    for words, subject in (
        (r"\b(?:helo|ehlo)\b", _Subject.GREETING),
        (r"start ?tls|encrypt|tls (?:is )?required|secure connection|without tls", _Subject.ENCRYPTION),
        (
            (
                "authenticat\\w* (?:is )?required|auth(?:entication)? (?:failed|required)|log ?in first"
                "|must (?:first )?(?:authenticate|log ?in)|not authenticated|credentials|password"
            ),
            _Subject.LOGIN,
        ),
        (
            r"sender|send ?as|not owned by|from (?:address|header)|return path|mail from|\bspf\b|\bdmarc\b|\bdkim\b",
            _Subject.SENDER,
        ),
        (r"\brelay", _Subject.RELAY),
        (
            (
                r"black ?list|block ?list|spamhaus|barracuda|\brbl\b|dnsbl|reputation|reverse dns|\bptr\b|client host"
                "|your (?:ip|host|network|server)|listed (?:at|in|by)"
            ),
            _Subject.REPUTATION,
        ),
        (r"mailbox (?:is )?full|over ?quota|quota exceeded|insufficient (?:system )?storage", _Subject.MAILBOX_FULL),
        (r"too (?:large|big|long)|size (?:limit|exceed)|exceeds? .*size|virus|spam|malware|content", _Subject.CONTENT),
        (
            (
                "recipient|no such|user unknown|unknown (?:user|address|local|mailbox)|does ?n[o']t exist|mailbox"
                "|invalid address|address rejected"
            ),
            _Subject.RECIPIENT,
        ),
    )
)
_LOGIN_CODES = frozenset({530, 534, 535, 538})


def outcome_of_reply(stage: Stage, code: int, said: str, *, parties: Parties, is_shown: bool = True) -> Outcome:
    """
    Return the outcome for a refusing reply.

    Args:
        said: The server's text; without secrets if it is shown.
        is_shown: Whether the text may be part of the outcome.
    """
    reply = f"the mail server says {code} to {stage.value}" + (f" ({quoted(said)})" if said and is_shown else "")
    subject = _subject(stage, code, said)
    remedy = _remedy(subject, parties)
    if 400 <= code < 500:
        return NotSent(f"{reply}; {remedy}" if subject in _FIXED_HERE else reply)
    if not 500 <= code < 600:
        # Not a valid SMTP reply: after the dot it may hide an acceptance.
        return Unknown(reply) if stage is Stage.DOT else NotSent(reply)
    if subject is _Subject.CONTENT:
        return ContentRefused(reply)
    return ConfigurationRefused(f"{reply}; {remedy}")


_FIXED_HERE = frozenset({_Subject.GREETING, _Subject.ENCRYPTION, _Subject.LOGIN, _Subject.RELAY})
"""Faults that retries do not cure, although some servers call them transient."""


def _subject(stage: Stage, code: int, said: str) -> _Subject:
    """Return the subject of a reply: by its enhanced code, else its text, else its code, else the stage."""
    enhanced = _ENHANCED.match(said)
    if enhanced and (known := _BY_ENHANCED.get(enhanced[1].partition(".")[2])):
        return known
    words = _ENHANCED.sub("", said, count=1)
    if found := next((subject for pattern, subject in _BY_WORDS if pattern.search(words)), None):
        return found
    if code in _LOGIN_CODES:
        return _Subject.LOGIN
    # 552 to MAIL FROM and 552 or 554 to DATA are about the mail's size or policy, not about an address.
    if stage is Stage.DOT or (stage is Stage.DATA and code in {552, 554}) or (stage is Stage.SENDER and code == 552):
        return _Subject.CONTENT
    return {
        Stage.LOGIN: _Subject.LOGIN,
        Stage.SENDER: _Subject.SENDER,
        Stage.RECIPIENT: _Subject.RECIPIENT,
        Stage.STARTTLS: _Subject.ENCRYPTION,
    }.get(stage, _Subject.OTHER)


def _remedy(subject: _Subject, parties: Parties) -> str:
    return {
        _Subject.GREETING: "set ALERTD_SMTP_EHLO to the full name of this host as others know it"
        + (f" (it greeted as {parties.greeting})" if parties.greeting else ""),
        _Subject.ENCRYPTION: "set ALERTD_SMTP_SECURITY to starttls or tls, and ALERTD_SMTP_PORT to its port",
        _Subject.LOGIN: "check ALERTD_SMTP_USERNAME and ALERTD_SMTP_PASSWORD",
        _Subject.SENDER: f"check that ALERTD_SMTP_FROM ({parties.sender}) may send here",
        _Subject.RELAY: f"the server passes on no mail from here to {parties.recipient}: set ALERTD_SMTP_USERNAME and "
        "ALERTD_SMTP_PASSWORD, or ALERTD_SMTP_HOST to a server that does",
        _Subject.REPUTATION: "the server does not trust this host's address: set ALERTD_SMTP_HOST to your mail "
        "provider's server for submission",
        _Subject.MAILBOX_FULL: f"the mailbox of {parties.recipient} is full",
        _Subject.RECIPIENT: f"check the address {parties.recipient}",
    }.get(subject, "check ALERTD_SMTP_HOST, ALERTD_SMTP_PORT and ALERTD_SMTP_SECURITY")
