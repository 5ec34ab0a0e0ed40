"""The mail: headers that nobody can forge, text and HTML that say the same, and the same bytes at each attempt."""

import re
from collections.abc import Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.message import Field, Link, TableRow
from alertd.core.printable import one_line
from alertd.notify.base import ConfigurationRefused, Delivered, ReceiverError
from alertd.notify.chart_png import chart_png
from alertd.notify.email.notifier import EmailConfig, EmailNotifier, html, payload
from alertd.notify.text import printable
from tests.builders import KEY, FakeContext, envelope, firing_message, resolved_message, rising_chart, storm_message
from tests.examples import examples
from tests.mail_double import MailDouble

SENDER = "alertd <alertd@example.com>"
SETTINGS = {"smtp_host": "mail.test", "smtp_from": SENDER}


def mail(content: bytes) -> EmailMessage:
    parsed = message_from_bytes(content, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def composed(*, subject_prefix: str = "", **parts: object) -> EmailMessage:
    """A mail to Dana, read back as she would."""
    sent = envelope(recipient="dana@example.com", **parts)  # type: ignore[arg-type]
    return mail(payload(sent, sender=SENDER, subject_prefix=subject_prefix, receiver="billing-mail"))


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_mail_then_has_the_headers_that_sort_and_thread_it() -> None:
    """Clients thread by ids, filters sort by List-Id, and robots do not answer."""
    message = composed(subject_prefix="[alertd]", thread_ref="<first@example.com>")
    assert message["Subject"] == f"[alertd] WARNING: {firing_message().title}"
    assert message["From"] == SENDER
    assert message["To"] == "dana@example.com"
    assert message["Date"] == "Sat, 10 Jan 2026 12:05:00 +0000"
    assert message["Message-ID"] == f"<{KEY}@example.com>"
    assert message["References"] == message["In-Reply-To"] == "<first@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Id"] == "<billing-mail.alertd.example.com>"
    assert message["X-Alertd-Key"] == KEY


@pytest.mark.parametrize("ref", ["", "C0000FINOPS/1768046701.000100", "<a@b>\r\nBcc: x@y.example", "<a b@c>"])
def test_ref_when_it_is_no_message_id_then_is_left_out(ref: str) -> None:
    """A receiver whose type was changed keeps refs of the old one."""
    message = composed(thread_ref=ref)
    assert "References" not in message
    assert "Bcc" not in message


def test_text_and_html_then_say_the_same() -> None:
    """Who reads mail as text must miss nothing."""
    message = composed()
    text, page = part(message, "plain"), part(message, "html")
    shown = firing_message()
    facts = [shown.title, *shown.lines, shown.footer, "WARNING", "Next threshold", "$58.00", "no data"]
    assert [fact for fact in facts if fact not in text] == []
    assert [fact for fact in facts if fact not in page] == []
    assert "https://wiki.example.com/gpu?x=1&y=2" in text
    assert 'href="https://wiki.example.com/gpu?x=1&amp;y=2"' in page


def test_html_then_loads_nothing_and_runs_nothing() -> None:
    """No pixel tells a stranger that the mail was read, and no client blocks it."""
    page = html(printable(storm_message()), picture_id="")
    assert not re.search(r"<(?:img|script|link|iframe|object|style)|src=|@import|url\(", page, re.IGNORECASE)


def test_plain_form_then_is_text_only() -> None:
    """The last resort for servers that dislike HTML or length."""
    message = composed(message=firing_message(lines=("x" * 900,) * 20), is_plain=True)
    assert message.get_content_type() == "text/plain"
    text = part(message, "plain").replace("\r\n", "\n").removesuffix("\n")
    assert len(text) <= 3000


def test_storm_and_resolved_then_are_composed_whole() -> None:
    """Twenty lines are no reason to cut a mail; a resolved one tells what waited."""
    mail = composed(message=storm_message())
    line, url = storm_message().linked_lines()[-1]
    assert f"{line}\n{url}\n" in part(mail, "plain").replace("\r\n", "\n")
    assert re.search(rf'<a href="{re.escape(url)}"[^>]*>{re.escape(line)}</a>', part(mail, "html"))
    resolved = composed(message=resolved_message())
    assert resolved["Subject"].startswith("RESOLVED: ")
    assert "delivered late" in part(resolved, "html")


def test_repeated_attempt_then_is_byte_identical() -> None:
    """A server that keeps ids drops the second; a reader sees one mail twice, not two mails."""
    sent = envelope(recipient="dana@example.com")
    first, second = (payload(sent, sender=SENDER, subject_prefix="", receiver="m") for _ in range(2))
    assert first == second


def test_chart_then_is_a_picture_in_the_mail_with_its_words_beside_it() -> None:
    """Nothing is loaded from elsewhere, and who sees no picture misses nothing."""
    message = composed(message=firing_message(chart=rising_chart()))
    plain, related = message.iter_parts()
    page, picture = related.iter_parts()
    kinds = [each.get_content_type() for each in (message, plain, related, page, picture)]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    assert picture["Content-ID"] == f"<chart.{KEY}@example.com>"
    assert picture.get_content() == chart_png(rising_chart())
    shown, text = page.get_content(), part(message, "plain")
    words = "From $3.10 (Jan 9 12:00) to $61.25 (Jan 10 12:00 UTC)"
    assert f'src="cid:chart.{KEY}@example.com"' in shown
    assert f'alt="{words}; warning $50.00 reached Jan 10 10:00; critical $100.00 not reached."' in shown
    for said in (
        words,
        "warning $50.00 reached Jan 10 10:00",
        "critical $100.00 not reached",
        "Jan 9 12:00",
        "$110.00",
    ):
        assert f">{said}<" in shown or f"</span> {said}</span>" in shown
    assert "▂▂▂▂▂▂▃▄▄▅▆▇█ Spend in 24h, rolling" in text
    assert words in text


def test_mail_with_a_chart_when_repeated_then_is_byte_identical_and_small() -> None:
    """A picture is drawn anew at each attempt; a mail above 100 kB is cut by Gmail."""
    sent = envelope(firing_message(chart=rising_chart()), recipient="dana@example.com")
    first, second = (payload(sent, sender=SENDER, subject_prefix="", receiver="m") for _ in range(2))
    assert first == second
    assert len(first) < 30_000


def test_plain_form_of_a_chart_then_is_text_only() -> None:
    """The last resort carries no picture."""
    message = composed(message=firing_message(chart=rising_chart()), is_plain=True)
    assert message.get_content_type() == "text/plain"
    assert "Spend in 24h, rolling" in part(message, "plain")


hostile = st.one_of(
    st.sampled_from(
        [
            "x\r\nBcc: victim@evil.example",
            "x\nContent-Type: text/html\n\n<b>",
            "</td></table><script>alert(1)</script>",
            "{{ 7*7 }}",
            '" onmouseover="x',
            "=?utf-8?q?=0D=0ABcc:_x=40y?=",
            ".\r\n.\r\nQUIT",
            "\x00\x1b[31m",
            "\ud800",
            "训练 🔥",
        ]
    ),
    st.text(st.characters(exclude_categories=()), max_size=80),
)


class Tags(HTMLParser):
    """Every tag and attribute name of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"{tag}.{name}" for name, _ in attrs)}


ALLOWED = {
    tag
    for message in (resolved_message(), firing_message())
    for tag in Tags(html(printable(message), picture_id="")).found
}


@examples(5, thorough=60)
@given(hostile, hostile, hostile)
def test_hostile_names_then_forge_no_header_and_no_tag(title: str, name: str, prefix: str) -> None:
    """Names in bills are strangers' text."""
    row = TableRow(who=name, what=name, amount=name, before=name)
    message = firing_message(
        title=title,
        lines=(name,),
        fields=(Field(name=name, text=name),),
        table=(row,),
        footer=name,
        links=(Link(text=name, url="javascript:alert(1)"), Link(text=name, url="https://a.example/")),
    )
    config = EmailConfig.model_validate({"to": "dana@example.com", "subject_prefix": one_line(prefix)[:40]})
    sent = composed(message=message, subject_prefix=config.subject_prefix)
    assert set(sent.keys()) == {
        "Subject",
        "From",
        "To",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "List-Id",
        "X-Alertd-Key",
        "MIME-Version",
        "Content-Type",
    }
    assert sent["To"] == "dana@example.com"
    assert not sent.defects
    page = part(sent, "html")
    assert Tags(page).found <= ALLOWED
    assert "javascript:" not in re.sub(r">[^<]*<", "><", page)


async def test_line_of_one_dot_then_arrives_whole() -> None:
    """A dot alone ends a mail in SMTP, unless it is doubled."""
    async with MailDouble() as server:
        settings = {**SETTINGS, "smtp_host": "127.0.0.1", "smtp_port": str(server.port), "smtp_security": "none"}
        notifier = EmailNotifier("m", EmailConfig(to=("dana@example.com",)), FakeContext(settings=settings))
        sent = envelope(firing_message(lines=(".", "..", "after")), recipient="dana@example.com")
        assert await notifier.send(sent) == Delivered(f"<{KEY}@example.com>")
    [received] = server.received
    assert received.recipients == ("dana@example.com",)
    assert "\n.\n..\nafter\n" in part(received.message, "plain").replace("\r\n", "\n")


async def test_owner_address_when_it_is_none_then_is_refused_without_a_connection() -> None:
    """Owners' addresses are not checked by this receiver's configuration."""
    notifier = EmailNotifier("m", EmailConfig(to=("dana@example.com",)), FakeContext(settings=SETTINGS))
    outcome = await notifier.send(envelope(recipient="dana@example.com>\r\nRCPT TO:<x@evil.example"))
    assert isinstance(outcome, ConfigurationRefused)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"smtp_host": ""}, "set ALERTD_SMTP_HOST", id="no server"),
        pytest.param({"smtp_from": ""}, "set ALERTD_SMTP_FROM", id="no sender"),
        pytest.param({"smtp_username": "u"}, "SMTP_PASSWORD, or neither", id="name without password"),
        pytest.param({"smtp_password": "hush"}, "SMTP_USERNAME and", id="password without name"),
        pytest.param(
            {"smtp_username": "u", "smtp_password": "hush", "smtp_security": "none"}, "in clear", id="login in clear"
        ),
    ],
)
def test_settings_when_wrong_then_say_what_to_set(changes: Mapping[str, str], text: str) -> None:
    """They are notified before the first alert, and without the password."""
    with pytest.raises(ReceiverError, match=text) as caught:
        EmailNotifier("m", EmailConfig(to=("dana@example.com",)), FakeContext(settings={**SETTINGS, **changes}))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "to", [[], "dana", "dana@", "Dana <dana@example.com>", ["dana@example.com", "x\r\n@y"], "dänä@example.com"]
)
def test_addresses_when_wrong_then_are_refused(to: object) -> None:
    """One address each, plain and ASCII: what every server takes."""
    with pytest.raises(ValidationError):
        EmailConfig.model_validate({"to": to})


def test_address_when_given_once_or_twice_then_is_one_recipient() -> None:
    """Each address is a recipient with an outcome of its own, and none twice."""
    for to in ("dana@example.com", ["dana@example.com", "dana@example.com"]):
        assert EmailConfig.model_validate({"to": to}).to == ("dana@example.com",)


def test_repeat_then_says_so_in_the_small_print() -> None:
    """A repeat looks like its first message otherwise."""
    assert "still firing · " in part(composed(message=firing_message(reason=NotifyReason.REPEAT)), "html")
