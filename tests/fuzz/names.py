"""Names that bills bring: kept in the store, in alerts and messages of every kind, on the page and in its answers."""

import email
import email.policy
import json
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import BaseModel

from alertd.core.hours import hour_of
from alertd.notify.alertmanager import payload as alertmanager_payload
from alertd.notify.base import CannotLook, Delivered, Envelope, Lookup, NotifierContext, Outcome
from alertd.notify.console import ConsoleConfig
from alertd.notify.console import payload as console_payload
from alertd.notify.email.notifier import html
from alertd.notify.email.notifier import payload as email_payload
from alertd.notify.pagerduty import events
from alertd.notify.slack.blocks import blocks, notification
from alertd.notify.webhook import payload as webhook_payload
from tests.block_kit import violations
from tests.core.builders import Row, a_series, usd
from tests.fuzz.engine import Entrance
from tests.web.house import TOKEN, House

_PAGES = ("/", "/spend?by=owner", "/spend?by=product&window=7d", "/spend.csv?by=owner", "/api/v1/alerts", "/metrics")
_SPENT_HOURS = 3


class Every:
    """A receiver that is of all types at once: it lays each message out in every way and checks what can be checked."""

    Config: ClassVar[type[BaseModel]] = ConsoleConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=30)
    pace: ClassVar[timedelta] = timedelta(0)
    can_look_up = False

    def __init__(self, name: str = "", config: BaseModel | None = None, context: NotifierContext | None = None) -> None:
        self.problem: Exception | None = None
        self.messages = 0

    @property
    def recipients(self) -> tuple[str, ...]:
        """There is the receiver itself."""
        return ("",)

    async def send(self, envelope: Envelope) -> Outcome:
        """Lay a message out; what goes wrong is kept, for delivery would go on."""
        self.messages += 1
        try:
            _lay_out(envelope)
        except Exception as problem:  # noqa: BLE001 -- raised again where the input is known
            self.problem = problem
        return Delivered("")

    async def find(self, key: str, *, recipient: str, since: datetime, thread_ref: str = "") -> Lookup:
        """Never: what is delivered here is known."""
        return CannotLook("nothing is kept")

    async def close(self) -> None:
        """Nothing is open."""


def _lay_out(envelope: Envelope) -> None:
    message = envelope.message
    assert violations(json.loads(json.dumps(blocks(message, envelope.key, has_buttons=True)))) == []
    assert "<!" not in notification(message)
    json.loads(webhook_payload(envelope, receiver="all"))
    json.dumps(list(events(envelope)))
    json.dumps(alertmanager_payload(envelope, labels={}, now=message.created_at))
    shown = console_payload(message, has_colour=False)
    assert all(letter.isprintable() or letter == "\n" for letter in shown), shown
    to = Envelope(message=message, key=envelope.key, recipient="dana@example.com")
    sent = email_payload(to, sender="alertd <a@example.com>", subject_prefix="", receiver="all")
    mail = email.message_from_bytes(sent, policy=email.policy.SMTP)
    assert mail["To"] == "dana@example.com", mail["To"]
    assert mail["Bcc"] is None
    assert "<script" not in html(message, picture_id="").lower()


def stored_names(home: House, every: Every) -> Entrance:
    """Bills whose names are the input's lines: owner, product, subcategory and billing method."""

    async def take(data: bytes) -> str:
        names = [line.decode("utf-8", "replace") for line in data.split(b"\n")]
        owner, product, subcategory, method = (names + [""] * 4)[:4]
        series = a_series(owner, product=product)._replace(subcategory=subcategory, billing_method=method)
        running, every.messages = hour_of(home.now), 0
        rows = [Row(series=series, hour=running - ago, amount=usd("40")) for ago in range(_SPENT_HOURS)]
        home.account.rows = rows
        await home.poll(timedelta(minutes=10))
        await home.app.delivery.drain(patience=timedelta(seconds=10))
        if every.problem is not None:
            problem, every.problem = every.problem, None
            raise problem
        statuses = [(await home.get(page, Authorization=f"Bearer {TOKEN}"))[0] for page in await _pages(home)]
        assert 500 not in statuses, statuses
        return f"{every.messages} {sorted(set(statuses))} {len(owner)}"

    seeds = [
        b"gpu-7f3a\nH100 80GB\nCompute\non-demand",
        b"<!channel> *bold* `code`\n<script>alert(1)</script>\n&amp;\n\"'",
        '训练 💩 \u202egpu\n=HYPERLINK("x")\n\x1b[31m\n'.encode(),
        b"\n\n\n",
    ]
    return Entrance(name="stored-names", seeds=seeds, take=take, few=1)


async def _pages(home: House) -> list[str]:
    return [*_PAGES, *(f"/alerts/{alert.fingerprint}" for alert in home.app.cycle.open_alerts()[:3])]
