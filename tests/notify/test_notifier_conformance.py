"""
What every notifier must make of every answer, over real sockets: the outcome decides about copies and losses.

Each attempt is also searched for secrets: in outcomes, representations and logs.
"""

import asyncio
import base64
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import httpx
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from alertd.notify import webhook_post
from alertd.notify.alertmanager import AlertmanagerConfig, AlertmanagerNotifier
from alertd.notify.apprise import AppriseConfig, AppriseNotifier
from alertd.notify.base import (
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    Notifier,
    NotSent,
    Outcome,
    Unknown,
)
from alertd.notify.console import ConsoleConfig, ConsoleNotifier
from alertd.notify.delivery.backoff import LONGEST_RETRY_AFTER
from alertd.notify.email import smtp
from alertd.notify.email.notifier import EmailConfig, EmailNotifier
from alertd.notify.registry import notifier_class, notifier_names
from alertd.notify.slack import connection as slack_connection
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier
from alertd.notify.webhook import WebhookConfig, WebhookNotifier
from tests.builders import FakeContext, envelope
from tests.doubles import BOT_TOKEN, HOOK_PATH, Fault, SlackDouble, refusal
from tests.mail_double import PASSWORD, USERNAME, MailDouble, scripted_server

# Apprise looks for a module that Python 3.13 took away.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

BEARER = "canary-bearer-token"
URL_SECRET = "canary-url-path"
SECRETS = (BOT_TOKEN, "canary-webhook-path", BEARER, URL_SECRET, PASSWORD, base64.b64encode(PASSWORD.encode()).decode())
ECHOES = {
    "incoming webhook": f"no {HOOK_PATH}",
    "webhook": f"no {BEARER} at /hook/{URL_SECRET}",
    "alertmanager": f"no {BEARER} at /hook/{URL_SECRET}",
    "apprise": f"no {BEARER} at /hook/{URL_SECRET}",
}
"""What a careless server might repeat."""


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> trustme.CA:
    """An authority that this process trusts."""
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are right in the world are too long for tests."""
    monkeypatch.setattr(slack_connection, "TOTAL_TIMEOUT_S", 1.5)
    monkeypatch.setattr(webhook_post, "_TIMEOUT", httpx.Timeout(1.5))
    monkeypatch.setattr(smtp, "BEFORE_DOT_S", 3.0)
    monkeypatch.setattr(smtp, "AFTER_DOT_S", 1.5)


@pytest.fixture
def attempt(caplog: pytest.LogCaptureFixture) -> "Attempt":
    """Make one attempt, and look for secrets in everything it leaves behind."""
    caplog.set_level(logging.DEBUG)
    for library in ("aiohttp", "httpx", "httpcore", "slack_sdk", "mail.log", "asyncio"):
        caplog.set_level(logging.WARNING, logger=library)

    async def attempt(notifier: Notifier) -> Outcome:
        outcome = await notifier.send(envelope(recipient=notifier.recipients[0]))
        left_behind = f"{outcome!r} {notifier!r} {vars(notifier).get('_account')!r} {caplog.text}"
        assert not [secret for secret in SECRETS if secret in left_behind]
        await notifier.close()
        return outcome

    return attempt


Attempt = Callable[[Notifier], Awaitable[Outcome]]


@dataclass
class Hook:
    """A generic webhook that answers as told and counts what it took."""

    answers: list[Fault] = field(default_factory=list)
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@asynccontextmanager
async def generic_hook(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hook]:
    hook = Hook()
    released = asyncio.Event()

    async def take(request: web.Request) -> web.StreamResponse:
        hook.posts.append((dict(request.headers), await request.read()))
        fault = hook.answers.pop(0) if hook.answers else Fault(status=200)
        if fault.hangs:
            await released.wait()
        if fault.status is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(status=fault.status, body=fault.body, headers=fault.headers)

    application = web.Application()
    application.router.add_post(f"/hook/{URL_SECRET}", take)
    application.router.add_post(f"/hook/{URL_SECRET}/api/v2/alerts", take)
    server = TestServer(application)
    await server.start_server(ssl=tls)
    hook.url = str(server.make_url(f"/hook/{URL_SECRET}"))
    try:
        yield hook
    finally:
        released.set()
        await server.close()


def slack_yes(ok: str, status: int = 200) -> Fault:
    """An answer to a post that appeared, whole but for what it says of itself."""
    body = f'{{"ok": {ok}, "channel": "C0FINOPS000", "ts": "1768046700.000100"}}'
    return Fault(is_accepted=True, status=status, body=body.encode())


def slack_bot(base_url: str) -> SlackNotifier:
    settings = {"slack_bot_token": BOT_TOKEN, "slack_base_url": base_url}
    return SlackNotifier("finops", SlackConfig(channel=("#finops",)), FakeContext(settings=settings))


def slack_hook(url: str) -> SlackNotifier:
    return SlackNotifier("finops", SlackConfig(), FakeContext(settings={"slack_webhook_url": url}))


def webhook(url: str) -> WebhookNotifier:
    config = WebhookConfig(url_env="URL", bearer_token_env="TOKEN")
    return WebhookNotifier("bridge", config, FakeContext(environment={"URL": url, "TOKEN": BEARER}))


def alertmanager(url: str) -> AlertmanagerNotifier:
    config = AlertmanagerConfig(url_env="URL", bearer_token_env="TOKEN")
    return AlertmanagerNotifier("am", config, FakeContext(environment={"URL": url, "TOKEN": BEARER}))


def apprise(url: str) -> AppriseNotifier:
    scheme, _, place = url.partition("://")
    apprise_url = f"json{'s' if scheme == 'https' else ''}://alertd:{BEARER}@{place}?cto=1.5&rto=1.5"
    return AppriseNotifier("any", AppriseConfig(url_env=("URL",)), FakeContext(environment={"URL": apprise_url}))


def email(port: int, *, security: str = "none", host: str = "127.0.0.1", has_login: bool = False) -> EmailNotifier:
    settings = {"smtp_host": host, "smtp_port": str(port), "smtp_security": security, "smtp_from": "alertd@example.com"}
    if has_login:
        settings |= {"smtp_username": USERNAME, "smtp_password": PASSWORD}
    return EmailNotifier("mail", EmailConfig(to=("dana@example.com",)), FakeContext(settings=settings))


HTTP_BUILDERS: dict[str, Callable[[str], Notifier]] = {
    "slack": lambda origin: slack_bot(f"{origin}/api/"),
    "incoming webhook": lambda origin: slack_hook(f"{origin}{HOOK_PATH}"),
    "webhook": lambda origin: webhook(f"{origin}/hook/{URL_SECRET}"),
    "alertmanager": lambda origin: alertmanager(f"{origin}/hook/{URL_SECRET}"),
    "apprise": lambda origin: apprise(f"{origin}/hook/{URL_SECRET}"),
}
NOT_SENT = {"apprise": Unknown}
"""What a notifier says of what certainly did not leave, where it cannot tell that from the rest."""
BUILDERS: dict[str, Callable[[str], Notifier]] = {
    **HTTP_BUILDERS,
    "email": lambda origin: email(int(origin.rpartition(":")[2])),
}


@pytest.mark.parametrize("name", BUILDERS)
async def test_nobody_listens_then_not_sent(name: str, attempt: Attempt) -> None:
    """A refused connection is certain: a later attempt can make no second copy."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert isinstance(await attempt(BUILDERS[name](f"http://127.0.0.1:{port}")), NOT_SENT.get(name, NotSent))


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "apprise"])
async def test_host_without_address_then_not_sent(name: str, attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name servers fail for a while; that is no reason to block a receiver."""

    async def no_address(*args: object, **kwargs: object) -> object:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_address)
    notifier = email(25, host="mail.test") if name == "email" else BUILDERS[name]("https://slack.test:1")
    assert isinstance(await attempt(notifier), NotSent)


@pytest.mark.parametrize("name", HTTP_BUILDERS)
async def test_certificate_that_nobody_trusts_then_not_sent(name: str, attempt: Attempt) -> None:
    """Neither a token nor a message goes to a stranger."""
    async with generic_hook(tls=server_tls(trustme.CA())) as hook:
        origin = hook.url.partition("/hook")[0]
        assert isinstance(await attempt(HTTP_BUILDERS[name](origin)), NOT_SENT.get(name, NotSent))
        assert hook.posts == []


@pytest.mark.parametrize("name", BUILDERS)
async def test_server_that_accepts_and_falls_silent_then_unknown_not_a_second_post(name: str, attempt: Attempt) -> None:
    """The connection stands and the message may be there: only the outbox may decide to send again."""
    connections = 0
    finished = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(10)
        writer.transport.abort()
        finished.set()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        outcome = await attempt(BUILDERS[name](f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        await finished.wait()
    # Mail is the exception: without a greeting not a byte of it has left.
    assert isinstance(outcome, NotSent if name == "email" else Unknown)
    assert connections == 1


ACCEPTED = Fault(is_accepted=True)


def echoing(fault: Fault, name: str) -> Fault:
    """Let the server repeat the secrets that it was sent."""
    return replace(fault, body=fault.body.replace(b"ECHO", ECHOES[name].encode()))


SLACK_TABLE = [
    ("cut after it was posted", Fault(is_accepted=True), Unknown),
    ("cut before it was posted", Fault(), Unknown),
    ("no answer in time", Fault(is_accepted=True, status=200, hangs=True), Unknown),
    ("500", Fault(is_accepted=True, status=500, body=b"{}"), Unknown),
    ("503 as text", Fault(status=503, body=b"busy", content_type="text/plain"), Unknown),
    ("200 that is HTML", Fault(is_accepted=True, status=200, body=b"<html>"), Unknown),
    ("200 that is text", Fault(is_accepted=True, status=200, body=b"ok", content_type="text/plain"), Unknown),
    ("200 that is a list", Fault(is_accepted=True, status=200, body=b"[1]"), Unknown),
    ("200 that is not UTF-8", Fault(is_accepted=True, status=200, body=b'{"ok": "\xff"}'), Unknown),
    ("200 that is empty", Fault(is_accepted=True, status=200), Unknown),
    ("200 whose ok is a word", slack_yes('"true"'), Unknown),
    ("200 whose ok is a number", slack_yes("1"), Unknown),
    ("200 whose ok is no yes", slack_yes("false"), Unknown),
    ("200 whose ok is nothing", slack_yes("null"), Unknown),
    ("200 that says ok and not where", Fault(is_accepted=True, status=200, body=b'{"ok": true}'), Unknown),
    ("206 that says ok", slack_yes("true", 206), Unknown),
    ("202 that says ok", slack_yes("true", 202), Unknown),
    ("internal_error", refusal("internal_error"), Unknown),
    ("fatal_error", refusal("fatal_error"), Unknown),
    ("service_unavailable", refusal("service_unavailable"), Unknown),
    ("429", refusal("ratelimited", 429), NotSent),
    ("429 as text", Fault(status=429, body=b"slow down", content_type="text/plain"), NotSent),
    ("ratelimited", refusal("ratelimited"), NotSent),
    ("request_timeout", refusal("request_timeout"), NotSent),
    ("invalid_auth", refusal("invalid_auth"), ConfigurationRefused),
    ("token_revoked", refusal("token_revoked"), ConfigurationRefused),
    ("missing_scope", refusal("missing_scope", needed="chat:write"), ConfigurationRefused),
    ("channel_not_found", refusal("channel_not_found"), ConfigurationRefused),
    ("not_in_channel", refusal("not_in_channel"), ConfigurationRefused),
    ("is_archived", refusal("is_archived"), ConfigurationRefused),
    ("restricted_action", refusal("restricted_action_read_only_channel"), ConfigurationRefused),
    ("an error not known here", refusal("brand_new_error"), ConfigurationRefused),
    ("an error that repeats the token", refusal(f"bad {BOT_TOKEN[:9]}"), ConfigurationRefused),
    ("404 that is HTML", Fault(status=404, body=b"<html>", content_type="text/html"), ConfigurationRefused),
    ("invalid_blocks", refusal("invalid_blocks"), ContentRefused),
    ("msg_too_long", refusal("msg_too_long"), ContentRefused),
    ("msg_blocks_too_long", refusal("msg_blocks_too_long"), ContentRefused),
]


@pytest.mark.parametrize(("fault", "expected"), [pytest.param(f, e, id=name) for name, f, e in SLACK_TABLE])
async def test_slack_answer_then_outcome(fault: Fault, expected: type[Outcome], attempt: Attempt) -> None:
    """The Web API's row of the table; whatever happens, there is one request and at most one copy."""
    async with SlackDouble() as slack:
        slack.faults.append(fault)
        assert isinstance(await attempt(slack_bot(slack.base_url)), expected)
        assert len(slack.calls) == 1
        assert len(slack.shown()) == fault.is_accepted


SHARED_TABLE = [
    ("cut after it was posted", ACCEPTED, Unknown),
    ("no answer in time", Fault(is_accepted=True, status=200, hangs=True), Unknown),
    ("500", Fault(status=500, body=b"ECHO"), Unknown),
    ("408", Fault(status=408), NotSent),
    ("429", Fault(status=429, body=b"ECHO"), NotSent),
    ("301", Fault(status=301, headers={"Location": "/elsewhere"}), ConfigurationRefused),
    ("403", Fault(status=403, body=b"ECHO"), ConfigurationRefused),
    ("404", Fault(status=404, body=b"ECHO"), ConfigurationRefused),
    ("410", Fault(status=410), ConfigurationRefused),
    ("400", Fault(status=400, body=b"ECHO"), ContentRefused),
]

SIGN_IN = b"\n<!DOCTYPE html><html><form><input type='password'></form></html>"
WEBHOOK_TABLE = [
    *SHARED_TABLE,
    ("ok", Fault(status=200, body=b"ok"), Delivered),
    ("ok with a line end", Fault(status=200, body=b"ok\n"), Delivered),
    ("200 that is empty", Fault(status=200), Unknown),
    ("200 with a sign-in page", Fault(status=200, body=SIGN_IN), Unknown),
    ("200 with another word", Fault(status=200, body=b"okay"), Unknown),
    ("200 in capitals", Fault(status=200, body=b"OK"), Unknown),
    ("200 in JSON", Fault(status=200, body=b'{"ok":true}'), Unknown),
    ("200 that is no text", Fault(status=200, body=b"\xff\xfe"), Unknown),
    ("200 that is deep", Fault(status=200, body=b'{"a":' * 9000), Unknown),
    ("200 with ok false", Fault(status=200, body=b'{"ok":false}'), Unknown),
    ("200 with a refusal", Fault(status=200, body=b'{"ok":false,"error":"channel_not_found"}'), ConfigurationRefused),
    ("200 with no_service", Fault(status=200, body=b"no_service"), ConfigurationRefused),
    ("200 with channel_is_archived", Fault(status=200, body=b"channel_is_archived"), ConfigurationRefused),
    ("200 with invalid_payload", Fault(status=200, body=b"invalid_payload"), ContentRefused),
    ("200 with rate_limited", Fault(status=200, body=b"rate_limited"), NotSent),
    ("202", Fault(status=202, body=b"ok"), Unknown),
    ("204", Fault(status=204), Unknown),
    ("206", Fault(status=206, body=b"ok"), Unknown),
]


@pytest.mark.parametrize(("fault", "expected"), [pytest.param(f, e, id=name) for name, f, e in WEBHOOK_TABLE])
async def test_incoming_webhook_answer_then_outcome(fault: Fault, expected: type[Outcome], attempt: Attempt) -> None:
    """The incoming webhook's row of the table."""
    async with SlackDouble() as slack:
        slack.faults.append(echoing(fault, "incoming webhook"))
        assert isinstance(await attempt(slack_hook(slack.webhook_url)), expected)


GENERIC_TABLE = [
    *SHARED_TABLE,
    ("200", Fault(status=200, body=b"thanks"), Delivered),
    ("202", Fault(status=202), Delivered),
    ("204", Fault(status=204), Delivered),
    ("425", Fault(status=425), NotSent),
    ("401", Fault(status=401, body=b"ECHO"), ConfigurationRefused),
    ("405", Fault(status=405), ConfigurationRefused),
    ("413", Fault(status=413), ContentRefused),
    ("422", Fault(status=422), ContentRefused),
    ("502", Fault(status=502), Unknown),
    ("599", Fault(status=599), Unknown),
    ("1 MiB of error", Fault(status=500, body=b"x" * 2**20), Unknown),
]


NO_PROOF_TABLE = [
    ("203 from a proxy", Fault(status=203, body=b"thanks"), Unknown),
    ("206", Fault(status=206, body=b"thanks"), Unknown),
    ("207", Fault(status=207), Unknown),
    ("200 with a sign-in page", Fault(status=200, body=SIGN_IN), Unknown),
    ("200 with a page and a byte-order mark", Fault(status=200, body=b"\xef\xbb\xbf<HTML>"), Unknown),
    ("200 with ok false", Fault(status=200, body=b'{"ok":false}'), Unknown),
    ("200 with success false", Fault(status=200, body=b' {"success": false}'), Unknown),
    ("200 with status error", Fault(status=200, body=b'{"status":"error","error":"no"}'), Unknown),
    ("200 with status success", Fault(status=200, body=b'{"status":"success"}'), Delivered),
    ("200 with JSON that is cut", Fault(status=200, body=b'{"ok":fal'), Delivered),
    ("200 with a list", Fault(status=200, body=b"[]"), Delivered),
    ("200 with a page behind a comment", Fault(status=200, body=b"<!-- gate -->\n<html>"), Unknown),
    ("200 with XHTML", Fault(status=200, body=b'<?xml version="1.0"?><!DOCTYPE html>'), Unknown),
    ("200 with a script alone", Fault(status=200, body=b'<script>location="/login"</script>'), Unknown),
    ("200 with XML", Fault(status=200, body=b'<?xml version="1.0"?><taken/>'), Delivered),
    ("200 with a word for false", Fault(status=200, body=b'{"ok":"false"}'), Unknown),
    ("200 with an error", Fault(status=200, body=b'{"error":{"message":"no"}}'), Unknown),
    ("200 with no error", Fault(status=200, body=b'{"error":null,"errors":[]}'), Delivered),
    ("200 with another status inside", Fault(status=200, body=b'{"statusCode":401}'), Unknown),
    ("200 with the same status inside", Fault(status=200, body=b'{"code":200}'), Delivered),
    (
        "200 from Teams, which dropped it",
        Fault(status=200, body=b"Webhook message delivery failed with error"),
        Unknown,
    ),
]
"""What a webhook or an Alertmanager behind a gateway may answer; Apprise judges answers itself."""


@pytest.mark.parametrize(
    ("fault", "expected"), [pytest.param(f, e, id=name) for name, f, e in (*GENERIC_TABLE, *NO_PROOF_TABLE)]
)
@pytest.mark.parametrize("name", ["webhook", "alertmanager"])
async def test_webhook_answer_then_outcome(name: str, fault: Fault, expected: type[Outcome], attempt: Attempt) -> None:
    """The generic webhook's row of the table; Alertmanager is posted to in the same way."""
    async with generic_hook() as hook:
        hook.answers.append(echoing(fault, name))
        notifier: Notifier = webhook(hook.url) if name == "webhook" else alertmanager(hook.url)
        assert isinstance(await attempt(notifier), expected)
        assert len(hook.posts) == 1


@pytest.mark.parametrize(("fault", "expected"), [pytest.param(f, e, id=name) for name, f, e in GENERIC_TABLE])
async def test_apprise_answer_then_delivered_or_unknown(
    fault: Fault, expected: type[Outcome], attempt: Attempt
) -> None:
    """Apprise says yes or no; a no may have arrived, and nothing of its own log or of the URL is shown."""
    async with generic_hook() as hook:
        hook.answers.append(echoing(fault, "apprise"))
        assert isinstance(await attempt(apprise(hook.url)), Delivered if expected is Delivered else Unknown)
        assert len(hook.posts) == 1


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        pytest.param("17", timedelta(seconds=17), id="seconds"),
        pytest.param("0", timedelta(0), id="zero"),
        pytest.param("999999999999", timedelta(hours=1), id="more than an hour"),
        pytest.param("Sat, 10 Jan 2026 12:07:00 GMT", timedelta(minutes=2), id="a date, by the server's own clock"),
        pytest.param("Sat, 10 Jan 2026 12:00:00 GMT", timedelta(0), id="a date gone by"),
        pytest.param("Sat, 10 Jan 2099 12:00:00 GMT", timedelta(hours=1), id="a date far away"),
        pytest.param("soon", None, id="neither"),
        pytest.param("-5", None, id="negative"),
        pytest.param("\u0663", None, id="digits that are not ASCII"),
        pytest.param("Sat, 99 Jan 2026 12:00:00 GMT", None, id="a date that does not exist"),
    ],
)
@pytest.mark.parametrize("name", ["slack", "webhook"])
async def test_retry_after_then_is_the_least_wait(
    name: str, header: str, wait: timedelta | None, attempt: Attempt
) -> None:
    """Slack and proxies write seconds or dates; neither may raise, nor silence a receiver for days."""
    fault = Fault(status=429, headers={"Retry-After": header, "Date": "Sat, 10 Jan 2026 12:05:00 GMT"})
    async with AsyncExitStack() as stack:
        if name == "slack":
            slack = await stack.enter_async_context(SlackDouble())
            slack.faults.append(fault)
            outcome = await attempt(slack_bot(slack.base_url))
        else:
            hook = await stack.enter_async_context(generic_hook())
            hook.answers.append(fault)
            outcome = await attempt(webhook(hook.url))
    assert isinstance(outcome, NotSent)
    assert (outcome.retry_after and min(outcome.retry_after, LONGEST_RETRY_AFTER)) == wait


MAIL_TABLE = [
    ("421 to the sender", {"MAIL": "421 busy"}, NotSent, 0),
    ("550 to the sender", {"MAIL": "550 not you"}, ConfigurationRefused, 0),
    ("552 to the sender", {"MAIL": "552 too big"}, ContentRefused, 0),
    ("450 to the recipient", {"RCPT": "450 greylisted"}, NotSent, 0),
    ("550 to the recipient", {"RCPT": "550 no such user"}, ConfigurationRefused, 0),
    ("553 to the recipient", {"RCPT": "553 not here"}, ConfigurationRefused, 0),
    ("cut at the recipient", {"RCPT": "cut"}, NotSent, 0),
    ("silence at the recipient", {"RCPT": "hang"}, NotSent, 0),
    ("451 after the dot", {"DATA": "451 later"}, NotSent, 0),
    ("552 after the dot", {"DATA": "552 too big"}, ContentRefused, 0),
    ("554 after the dot", {"DATA": "554 looks like spam"}, ContentRefused, 0),
    ("535 after the dot", {"DATA": "535 who are you"}, ConfigurationRefused, 0),
    ("cut after the dot", {"DATA": "cut"}, Unknown, 1),
    ("silence after the dot", {"DATA": "hang"}, Unknown, 1),
    ("accepted", {}, Delivered, 1),
]


@pytest.mark.parametrize(
    ("replies", "expected", "copies"), [pytest.param(r, e, n, id=name) for name, r, e, n in MAIL_TABLE]
)
async def test_mail_reply_then_outcome(
    replies: dict[str, str], expected: type[Outcome], copies: int, attempt: Attempt
) -> None:
    """The mail's row of the table: the final dot parts what is certain from what is not."""
    async with MailDouble(replies=replies) as mail:
        assert isinstance(await attempt(email(mail.port)), expected)
        assert len(mail.received) == copies


SCRIPTED_MAIL_TABLE = [
    ("421 as greeting", "421 too busy", {}, NotSent),
    ("554 as greeting", "554 go away", {}, ConfigurationRefused),
    ("nonsense as greeting", "SSH-2.0-OpenSSH_9.2", {}, NotSent),
    ("cut at EHLO", "220 hi", {"EHLO": "cut"}, NotSent),
    ("502 to EHLO", "220 hi", {"EHLO": "502 what"}, ConfigurationRefused),
    ("cut at DATA", "220 hi", {"DATA": "cut"}, NotSent),
    ("451 to DATA", "220 hi", {"DATA": "451 later"}, NotSent),
    ("554 to DATA", "220 hi", {"DATA": "554 no"}, ContentRefused),
    ("503 to DATA", "220 hi", {"DATA": "503 bad order"}, ConfigurationRefused),
    ("nonsense after the dot", "220 hi", {"DATA": "354 go", ".": "what?"}, Unknown),
    ("cut after the dot", "220 hi", {"DATA": "354 go", ".": "cut"}, Unknown),
    ("cut at QUIT", "220 hi", {"DATA": "354 go", ".": "250 taken", "QUIT": "cut"}, Delivered),
    ("nonsense at QUIT", "220 hi", {"DATA": "354 go", ".": "250 taken", "QUIT": "never"}, Delivered),
]


@pytest.mark.parametrize(
    ("greeting", "replies", "expected"), [pytest.param(g, r, e, id=name) for name, g, r, e in SCRIPTED_MAIL_TABLE]
)
async def test_odd_mail_server_then_outcome(
    greeting: str, replies: dict[str, str], expected: type[Outcome], attempt: Attempt
) -> None:
    """What no decent server does, and some do."""
    async with scripted_server(replies, greeting=greeting) as port:
        assert isinstance(await attempt(email(port)), expected)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_over_tls_then_logs_in_encrypted_and_delivers(
    security: str, authority: trustme.CA, attempt: Attempt
) -> None:
    """Both ways of encrypting, with a login."""
    is_implicit = security == "tls"
    async with MailDouble(tls=server_tls(authority), is_implicit_tls=is_implicit, needs_login=True) as mail:
        assert isinstance(await attempt(email(mail.port, security=security, has_login=True)), Delivered)
        assert mail.logins == [True]
        assert mail.received[0].is_encrypted


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_server_with_a_wrong_certificate_then_is_blocked_without_a_login(
    security: str, authority: trustme.CA, attempt: Attempt
) -> None:
    """A certificate does not mend itself, and the password must not go to a stranger."""
    tls = server_tls(authority, name="other.test")
    async with MailDouble(tls=tls, is_implicit_tls=security == "tls", needs_login=True) as mail:
        outcome = await attempt(email(mail.port, security=security, has_login=True))
        assert isinstance(outcome, ConfigurationRefused)
        assert "certificate of 127.0.0.1" in outcome.reason
        assert (mail.logins, mail.received) == ([], [])


async def test_mail_server_without_starttls_then_is_blocked_and_hears_nothing(attempt: Attempt) -> None:
    """Somebody between may take STARTTLS away to read the password."""
    async with MailDouble() as mail:
        outcome = await attempt(email(mail.port, security="starttls", has_login=True))
        assert isinstance(outcome, ConfigurationRefused)
        assert "STARTTLS" in outcome.reason
        assert (mail.logins, mail.received) == ([], [])


async def test_mail_server_that_refuses_the_password_then_is_blocked(authority: trustme.CA, attempt: Attempt) -> None:
    """A wrong password tried again and again locks the account."""
    async with MailDouble(tls=server_tls(authority), needs_login=True) as mail:
        notifier = email(mail.port, security="starttls", has_login=True)
        notifier._password = "wrong"
        outcome = await attempt(notifier)
        assert isinstance(outcome, ConfigurationRefused)
        assert "ALERTD_SMTP_PASSWORD" in outcome.reason
        assert mail.received == []


async def test_console_then_delivers() -> None:
    """The one notifier without a network."""
    stream = StringIO()
    notifier: Notifier = ConsoleNotifier("console", ConsoleConfig(), FakeContext(), stream=stream)
    assert await notifier.send(envelope()) == Delivered("")
    assert "WARNING" in stream.getvalue()


@pytest.mark.parametrize("name", ["alertmanager", "apprise", "console", "email", "pagerduty", "slack", "webhook"])
def test_receiver_type_then_is_registered_with_a_schema_that_explains_itself(name: str) -> None:
    """The editor shows what each key means; a key without a description is a riddle."""
    assert name in notifier_names()
    kind = notifier_class(name)
    schema = kind.Config.model_json_schema()
    assert schema["additionalProperties"] is False
    assert all(key["description"] and key["examples"] for key in schema.get("properties", {}).values())
    assert timedelta(0) < kind.deadline <= timedelta(seconds=120)


@pytest.mark.parametrize("name", BUILDERS)
async def test_lookup_where_there_is_none_then_says_so(name: str) -> None:
    """A notifier that cannot look must never say "not found"."""
    notifier: Notifier = BUILDERS[name]("http://127.0.0.1:1")
    if not notifier.can_look_up:
        found = await notifier.find("0" * 32, recipient="", since=datetime(2026, 1, 1, tzinfo=UTC))
        assert type(found).__name__ == "CannotLook"
