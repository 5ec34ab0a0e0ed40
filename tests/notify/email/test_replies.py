"""A refusal is explained by what the server said, whatever it had been asked before."""

import pytest

from alertd.notify.base import ConfigurationRefused, ContentRefused, NotSent, Outcome, Unknown
from alertd.notify.email.replies import Parties, Stage, outcome_of_reply
from alertd.notify.email.smtp import SmtpAccount
from alertd.settings.outgoing.connections import Outgoing
from tests.mail_double import scripted_server

PARTIES = Parties(sender="alertd@example.com", recipient="ops@example.net", greeting="host.example.com")
RCPT, SENDER, DATA, DOT, LOGIN = Stage.RECIPIENT, Stage.SENDER, Stage.DATA, Stage.DOT, Stage.LOGIN


@pytest.mark.parametrize(
    ("stage", "code", "said", "kind", "word"),
    [
        pytest.param(RCPT, 550, "5.1.1 no such user", ConfigurationRefused, "check the address ops@", id="no user"),
        pytest.param(RCPT, 550, "", ConfigurationRefused, "check the address ops@", id="no word: by the stage"),
        pytest.param(
            RCPT,
            504,
            "5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname",
            ConfigurationRefused,
            "ALERTD_SMTP_EHLO",
            id="greeting, refused at the recipient",
        ),
        pytest.param(
            RCPT,
            450,
            "4.7.1 <x>: Helo command rejected",
            NotSent,
            "ALERTD_SMTP_EHLO",
            id="the same, 4yz",
        ),
        pytest.param(SENDER, 550, "EHLO invalid", ConfigurationRefused, "ALERTD_SMTP_EHLO", id="at the sender"),
        pytest.param(
            RCPT, 554, "5.7.1 <ops@example.net>: Relay access denied", ConfigurationRefused, "passes on", id="relay"
        ),
        pytest.param(RCPT, 550, "5.7.54 Unable to relay", ConfigurationRefused, "passes on", id="relay, Exchange"),
        pytest.param(
            RCPT,
            553,
            "5.7.1 <a@b>: Sender address rejected: not owned by user x",
            ConfigurationRefused,
            "ALERTD_SMTP_FROM",
            id="sender, refused at the recipient",
        ),
        pytest.param(RCPT, 550, "5.7.60 send as denied", ConfigurationRefused, "ALERTD_SMTP_FROM", id="send as"),
        pytest.param(
            DOT,
            550,
            "5.7.26 SPF",
            ConfigurationRefused,
            "ALERTD_SMTP_FROM",
            id="SPF, after the dot",
        ),
        pytest.param(
            SENDER, 530, "5.7.0 Must issue a STARTTLS command first", ConfigurationRefused, "SECURITY", id="STARTTLS"
        ),
        pytest.param(SENDER, 530, "5.7.0 Authentication required", ConfigurationRefused, "USERNAME", id="login first"),
        pytest.param(RCPT, 550, "5.7.1 Authentication required", ConfigurationRefused, "USERNAME", id="login, at RCPT"),
        pytest.param(SENDER, 550, "5.7.57 not allowed", ConfigurationRefused, "USERNAME", id="login, Exchange"),
        pytest.param(LOGIN, 535, "", ConfigurationRefused, "USERNAME", id="a wrong password"),
        pytest.param(
            RCPT,
            554,
            "5.7.1 Client host [1.2.3.4] is on spamhaus",
            ConfigurationRefused,
            "trust",
            id="list",
        ),
        pytest.param(Stage.CONNECT, 554, "your IP has a bad reputation", ConfigurationRefused, "trust", id="at once"),
        pytest.param(RCPT, 552, "5.2.2 over quota", ConfigurationRefused, "is full", id="a full mailbox"),
        pytest.param(SENDER, 552, "", ContentRefused, "552", id="size, announced"),
        pytest.param(RCPT, 552, "5.3.4 message too big", ContentRefused, "5.3.4", id="size, at the recipient"),
        pytest.param(DOT, 554, "5.6.0 spam", ContentRefused, "spam", id="content"),
        pytest.param(DOT, 550, "", ContentRefused, "550", id="after the dot, without a word"),
        pytest.param(DOT, 550, "5.1.1 User unknown", ConfigurationRefused, "check the address", id="late, no user"),
        pytest.param(RCPT, 451, "4.3.0 try later", NotSent, "try later", id="later"),
        pytest.param(DOT, 299, "what", Unknown, "299", id="no reply in form after the dot"),
        pytest.param(RCPT, 299, "what", NotSent, "299", id="no reply in form before it"),
    ],
)
def test_refusal_then_the_remedy_fits_the_words(
    stage: Stage, code: int, said: str, kind: type[Outcome], word: str
) -> None:
    """It said "check the address", and sent people after an address that was right."""
    outcome = outcome_of_reply(stage, code, said, parties=PARTIES)
    assert isinstance(outcome, kind)
    assert word in getattr(outcome, "reason", "")


def test_reply_when_it_may_hold_a_secret_then_is_read_and_not_shown() -> None:
    """A server that refuses a login may repeat it."""
    outcome = outcome_of_reply(LOGIN, 550, "5.7.1 hunter2: Helo rejected", parties=PARTIES, is_shown=False)
    assert isinstance(outcome, ConfigurationRefused)
    assert "hunter2" not in outcome.reason
    assert "ALERTD_SMTP_EHLO" in outcome.reason


@pytest.mark.parametrize(
    ("command", "is_quoted"),
    [
        pytest.param("AUTH", False, id="a login refused: what is said may be the password, in any spelling"),
        pytest.param("MAIL", True, id="a sender refused: what is said is the reason"),
        pytest.param("RCPT", True, id="a recipient refused"),
    ],
)
async def test_reply_when_a_server_refuses_then_quoted_unless_it_refuses_the_login(
    command: str, is_quoted: bool
) -> None:
    """Masking knows the password as it is set, not as a server may spell it."""
    said = "5.7.8 aHVudGVyMg== is wrong"
    replies = {"EHLO": "250-mail.test\r\n250 AUTH PLAIN LOGIN", "AUTH": "235 OK", command: f"535 {said}"}
    async with scripted_server(replies) as port:
        login = {"username": "alertd", "password": "hunter2"}
        account = SmtpAccount(host="127.0.0.1", port=port, security="none", outgoing=Outgoing(), **login)
        outcome = await account.send(b"x\r\n", sender="a@example.com", recipient="b@example.com", ref="<x@y>")
    assert isinstance(outcome, ConfigurationRefused)
    assert (said in outcome.reason) is is_quoted
    assert outcome.reason.startswith("the mail server says 535 to ")
