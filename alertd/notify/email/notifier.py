"""
The mail notifier: one mail per address, with text and HTML, over an encrypted connection.

It composes mails; `smtp.py` talks to the server and interprets its replies.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from alertd.core.address import ADDRESS_PATTERN, is_address
from alertd.core.chart import Chart, chart_words, fired_words, labels, limit_words, spend_words
from alertd.core.dataclass import dataclass
from alertd.core.messages.message import Message, truncate
from alertd.core.printable import one_line
from alertd.core.severity import Severity
from alertd.core.values import format_value
from alertd.errors import absence
from alertd.notify.base import (
    ConfigurationRefused,
    Envelope,
    NotifierContext,
    Outcome,
    ReceiverError,
    SendsOnly,
)
from alertd.notify.chart_png import FIRED, HEIGHT, SPEND, WIDTH, Colour, chart_png, limit_colour, scale_of
from alertd.notify.config import ONE_OR_MORE, ReceiverConfig, one_or_more_schema, without_repeats
from alertd.notify.text import headline, plain_with_state, readable, reason_note, state_word

if TYPE_CHECKING:
    from jinja2 import Template

    from alertd.notify.email.smtp import SmtpAccount

_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")
_SUBJECT_LIMIT = 200
_TEXT_LIMIT = 50_000

# Dark enough for white text, bright enough to be visible on black.
_COLOURS = {Severity.INFO: "#0b63ce", Severity.WARNING: "#a85d00", Severity.CRITICAL: "#c42b1c"}
_LONGEST_ADDRESS = 400
_LONGEST_SHOWN = 80
_RESOLVED_COLOUR = "#1a7f37"


def _address_alone(value: object) -> object:
    """Refuse anything but a bare address, with a remedy."""
    if not isinstance(value, str | int | float):
        raise ValueError("this is not a mail address; write one like dana@example.com")  # noqa: TRY004 # for pydantic
    text = str(value)
    if is_address(text):
        return text
    # Longer texts cannot be addresses, and the library's recursion depth depends on their nesting.
    parts = [parseaddr(part)[1] if len(part) <= _LONGEST_ADDRESS else "" for part in re.split("[,;]", text)]
    if not all(map(is_address, parts)):
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
        raise ValueError(f'"{shown}" is not a mail address; write one like dana@example.com')
    remedy = f"the address alone: {parts[0]}" if len(parts) == 1 else f"a list: [{', '.join(parts)}]"
    raise ValueError(f'"{text}" is not one mail address; write {remedy}')


class EmailConfig(ReceiverConfig):
    """The recipients; the settings ALERTD_SMTP_* say how mail is sent."""

    to: Annotated[
        tuple[Annotated[str, BeforeValidator(_address_alone)], ...],
        Field(min_length=1),
        ONE_OR_MORE,
        AfterValidator(without_repeats),
        one_or_more_schema(ADDRESS_PATTERN),
    ] = Field(
        description="Mail address, or a list of them; each gets its own mail.",
        examples=["billing@example.com", ["billing@example.com", "cto@example.com"]],
    )
    subject_prefix: Annotated[str, AfterValidator(one_line)] = Field(
        default="", max_length=40, description="Text that every subject begins with.", examples=["[alertd]"]
    )


def payload(envelope: Envelope, *, sender: str, subject_prefix: str, receiver: str) -> bytes:
    """
    Return the mail to send: the same bytes, with the same Message-ID, at every attempt.

    Args:
        sender: The address or "Name <address>" to send from.
    """
    message = readable(envelope.message)
    domain = _address(sender).rpartition("@")[2]
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["Subject"] = _header_text(f"{subject_prefix} {headline(message)}".strip())
    mail["From"] = _mailbox(sender)
    mail["To"] = Address(addr_spec=envelope.recipient)
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = message_id(envelope.key, sender)
    if _MESSAGE_ID.fullmatch(envelope.thread_ref):
        mail["In-Reply-To"] = envelope.thread_ref
        mail["References"] = envelope.thread_ref
    # RFC 3834: vacation notices and ticket systems do not answer such mail.
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Id"] = f"<{re.sub('[^a-z0-9-]', '-', receiver.lower())}.alertd.{domain}>"
    mail["X-Alertd-Key"] = envelope.key
    text = plain_with_state(message) if envelope.is_plain else plain_with_state(message, limit=_TEXT_LIMIT)
    mail.set_content(text, cte="quoted-printable")
    if not envelope.is_plain:
        # The library would use a random one, but the mail must be the same at each attempt.
        mail.make_alternative(boundary=f"=_alertd_{envelope.key}")
        mail.attach(_page(message, envelope.key, domain))
    return mail.as_bytes()


def _page(message: Message, key: str, domain: str) -> EmailMessage:
    """Return the HTML, with the picture of a chart according to RFC 2387 and RFC 2392."""
    picture_id = f"chart.{key}@{domain}"
    page = EmailMessage(policy=SMTP_POLICY)
    page.set_content(html(message, picture_id=picture_id), subtype="html", cte="quoted-printable")
    if message.chart is not None:
        page.make_related(boundary=f"=_alertd_related_{key}")
        page.add_related(
            chart_png(message.chart),
            maintype="image",
            subtype="png",
            cid=f"<{picture_id}>",
            disposition="inline",
            filename="chart.png",
        )
    return page


def _header_text(text: str) -> str:
    """
    Return a text for a header, cut to a length that every client displays.

    The library decodes "encoded words" in its input, including line ends, and would write a name such as
    `=?utf-8?q?=0D=0ABcc:...?=` as a header of its own: they are broken.
    """
    return truncate(text, _SUBJECT_LIMIT).replace("=?", "= ?")


def html(message: Message, *, picture_id: str) -> str:
    """
    Render a printable message as HTML; every text is escaped.

    Args:
        picture_id: The Content-ID of the chart's picture.
    """
    return _template().render(
        message=message,
        headline=headline(message),
        word=state_word(message),
        colour=_RESOLVED_COLOUR if message.is_resolved else _COLOURS[message.severity],
        note=" · ".join(filter(None, (reason_note(message), message.footer))),
        chart=chart_frame(message.chart, picture_id) if message.chart is not None else None,
    )


@cache
def _template() -> "Template":
    # Jinja2 is imported with the first mail: `alertd check` does not need it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("email.html")


def message_id(key: str, sender: str) -> str:
    """Return the Message-ID of a notification."""
    return f"<{key}@{_address(sender).rpartition('@')[2]}>"


def _address(sender: str) -> str:
    return parseaddr(sender)[1]


def _mailbox(sender: str) -> Address:
    name, address = parseaddr(sender)
    return Address(display_name=_header_text(one_line(name)), addr_spec=address)


class EmailNotifier(SendsOnly):
    """Sends one mail per address."""

    Config: ClassVar[type[BaseModel]] = EmailConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=120)
    contact: ClassVar[str] = "email"

    def __init__(self, name: str, config: BaseModel, context: NotifierContext) -> None:
        self.name = name
        self._outgoing = context.outgoing
        email = EmailConfig.model_validate(config)
        self._to = email.to
        self._subject_prefix = email.subject_prefix
        self._sender = context.setting("smtp_from") or ""
        if not self._sender:
            text = "set ALERTD_SMTP_FROM to the address that mail comes from, such as alertd@example.com"
            raise absence(ReceiverError(text))
        self._host = context.setting("smtp_host") or ""
        if not self._host:
            raise absence(ReceiverError("mail needs a server: set ALERTD_SMTP_HOST"))
        self._port = int(context.setting("smtp_port") or "587")
        self._security = context.setting("smtp_security") or "starttls"
        self._username = context.setting("smtp_username")
        self._password = context.setting("smtp_password")
        self._ehlo = context.setting("smtp_ehlo")
        if bool(self._username) != bool(self._password):
            raise absence(ReceiverError("set both ALERTD_SMTP_USERNAME and ALERTD_SMTP_PASSWORD, or neither"))
        if self._username and self._security == "none":
            raise ReceiverError(
                "ALERTD_SMTP_SECURITY=none would send the password in clear; "
                "use starttls or tls, or unset ALERTD_SMTP_USERNAME"
            )

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the addresses."""
        return self._to

    async def send(self, envelope: Envelope) -> Outcome:
        """Send one mail to one address."""
        if not is_address(envelope.recipient):
            return ConfigurationRefused(
                f"{one_line(envelope.recipient)!r} is not a mail address; fix it in the rules file"
            )
        content = payload(envelope, sender=self._sender, subject_prefix=self._subject_prefix, receiver=self.name)
        return await self._account.send(
            content,
            sender=_address(self._sender),
            recipient=envelope.recipient,
            ref=message_id(envelope.key, self._sender),
        )

    async def check(self) -> Sequence[str]:
        """Connect to the mail server, encrypt and log in, without sending."""
        fault = await self._account.check()
        return (fault,) if fault else ()

    @cached_property
    def _account(self) -> "SmtpAccount":
        from alertd.notify.email.smtp import SmtpAccount  # noqa: PLC0415 - aiosmtplib only where mail is sent

        return SmtpAccount(
            outgoing=self._outgoing,
            host=self._host,
            port=self._port,
            security=self._security,
            username=self._username,
            ehlo=self._ehlo,
            password=self._password,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFrame:
    """The texts of one chart, ready to be set."""

    picture_id: str
    width: int
    height: int
    """Size in CSS pixels."""
    title: str
    note: str
    words: str
    """The chart in a sentence, for readers who cannot see the picture."""
    high: str
    low: str
    """The values at the picture's upper and lower edges."""
    first: str
    last: str
    key: tuple[tuple[str, Colour], ...]
    """Legend: what is drawn, and its colour."""


def chart_frame(chart: Chart, picture_id: str) -> ChartFrame:
    """
    Return the texts around a chart.

    Args:
        picture_id: The Content-ID of its picture.
    """
    scale, times = scale_of(chart), labels(chart)
    limits = ((limit_words(chart, limit), limit_colour(limit)) for limit in chart.limits)
    return ChartFrame(
        picture_id=picture_id,
        width=WIDTH,
        height=HEIGHT,
        title=chart.title,
        note=f" · {chart.note}" if chart.note else "",
        words=chart_words(chart),
        high=format_value(scale.high, chart.unit),
        low=format_value(scale.low, chart.unit),
        first=times[0],
        last=f"{times[-1]} {chart.timezone}" if not chart.is_by_day else times[-1],
        key=((spend_words(chart), SPEND), *limits, *(((words, FIRED),) if (words := fired_words(chart)) else ())),
    )
