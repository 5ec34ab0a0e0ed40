"""Every entrance through which alertd takes what others made. A new one is a function here, and a line in `opened`."""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stderr
from datetime import UTC, datetime
from pathlib import Path

from alertd.core.alert import Alert
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request, RequestError
from alertd.core.calendar import Period
from alertd.daemon.control_socket import answer
from alertd.errors import RulesError, SettingsError
from alertd.notify.slack.actions import NotOurs, read_press, request_of
from alertd.notify.slack.commands import SlackCommands
from alertd.notify.slack.errors import outcome_of_answer, outcome_of_webhook
from alertd.novita.balance import decode_balance
from alertd.novita.columns import BillColumns
from alertd.novita.keys import KeyColumns
from alertd.novita.monthly import decode_monthly_bills
from alertd.novita.refusal import read_refusal
from alertd.novita.resources import decode_endpoints, decode_instances
from alertd.novita.shape import UnexpectedShape
from alertd.novita.stream import BillStream
from alertd.novita.subscriptions import decode_terms
from alertd.rules_file.load import load_rules
from alertd.rules_file.summary import SummaryError, compile_summary
from alertd.rules_test.load import load_tests
from alertd.settings.model import load_settings
from tests.core.builders import firing
from tests.fuzz.engine import Entrance
from tests.web.house import TOKEN, House, house

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 1, 10, 12, 5, tzinfo=UTC)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[list[Entrance]]:
    """Open every entrance, those of a running daemon too, with a folder for what they write."""
    for name in ("home", "rules", "settings"):
        (folder / name).mkdir()
    async with house(folder / "home", public_read=False) as home:
        yield [
            *_of_the_api(),
            _rules(folder / "rules"),
            _rules_tests(folder / "rules"),
            _templates(),
            _settings(folder / "settings"),
            _slack_presses(home),
            _slack_commands(home),
            _slack_answers(),
            _control(home),
            _http(home),
        ]


def _plain(take: Callable[[bytes], str]) -> Callable[[bytes], Awaitable[str]]:
    async def taken(data: bytes) -> str:
        return take(data)

    return taken


def _json(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


# --- the billing API ---

_ROW = {
    "startTime": "1764547200",
    "endTime": "1764550799",
    "ownerID": "gpu-1",
    "productName": "H100",
    "amountDecimal": "1.5",
    "voucherAmount": "2500",
    "payAmount": 12_500,
    "apiKey": "sk-1",
    "apiKeyName": "ci",
}
_MONTHLY = {
    "billId": "b-12",
    "billingMonth": "2025-12",
    "totalAmount": "1000000",
    "originTotalAmount": "1200000",
    "voucherPayAmount": "200000",
    "cashPayAmount": "700000",
    "debtAmount": "100000",
    "repaidAmount": "50000",
    "status": "overdue",
    "invoiceUrl": "https://example.com/i.pdf",
}
_TERM = {
    "productName": "H100",
    "ownerID": "inst-9",
    "tradeMode": "monthly",
    "tradeType": "monthly_new_buy",
    "amount": "5000000",
    "voucherAmount": "1000000",
    "payAmount": "4000000",
    "createTime": "1764547200",
    "startTime": "1764547200",
    "endTime": "1767139199",
}
_INSTANCE = {"id": "i-1", "name": "x", "status": "running", "gpuNum": "1", "createdAt": "1764547200"}


def _of_the_api() -> Iterator[Entrance]:
    for name, columns in (("bills", BillColumns), ("key-bills", KeyColumns)):
        yield Entrance(
            name=name, seeds=_json({"bills": [_ROW, _ROW]}, {"code": 0, "bills": []}), take=_plain(_streamed(columns))
        )
    decoders: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
        "monthly": (
            lambda data: len(decode_monthly_bills(data, account="a")),
            _json({"data": [_MONTHLY]}, {"bills": []}),
        ),
        "terms": (lambda data: len(decode_terms(data, account="a", category="gpu")[0]), _json({"bills": [_TERM]})),
        "balance": (
            lambda data: decode_balance(data, account="a", read_at=NOW).account,
            _json({"availableBalance": "100", "cashBalance": "50", "creditLimit": "0", "pendingCharges": 5}),
        ),
        "instances": (decode_instances, _json({"instances": [_INSTANCE], "total": 1, "pageSize": 10})),
        "endpoints": (decode_endpoints, _json({"endpoints": [_INSTANCE | {"workers": 2}], "total": 1})),
        "refusals": (
            lambda data: str(read_refusal(500, data)),
            [*_json({"code": 403, "reason": "INVALID_API_KEY", "message": "no"}), b"<html><body>502</body></html>"],
        ),
    }
    for name, (decode, seeds) in decoders.items():
        yield Entrance(name=name, seeds=seeds, take=_plain(_decoded(decode)))


def _streamed(columns: type[BillColumns]) -> Callable[[bytes], str]:
    def take(data: bytes) -> str:
        stream = BillStream(columns(account="a", category="gpu"))
        try:
            for start in range(0, len(data), 997):
                stream.push(data[start : start + 997])
                stream.decode()
            return str(len(stream.finish()))
        except UnexpectedShape as error:
            return str(error)

    return take


def _decoded(decode: Callable[[bytes], object]) -> Callable[[bytes], str]:
    def take(data: bytes) -> str:
        try:
            return str(decode(data))
        except UnexpectedShape as error:
            return str(error)

    return take


# --- what users write ---


def _read(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / folder).glob("*.yaml"))]


def _rules(folder: Path) -> Entrance:
    path = folder / "rules.yaml"

    def take(data: bytes) -> str:
        path.write_bytes(data)
        try:
            return str(len(load_rules(path).rules))
        except RulesError as error:
            return str(error).partition(": ")[2]

    starter = (ROOT.parent / "alertd/rules_file/starter.yaml").read_bytes()
    return Entrance(name="rules", seeds=[starter, *_read("rules/good")], take=_plain(take))


def _rules_tests(folder: Path) -> Entrance:
    path = folder / "tests.yaml"
    (folder / "tested.yaml").write_bytes((ROOT / "rules/tests/rules.yaml").read_bytes())

    def take(data: bytes) -> str:
        path.write_bytes(data)
        try:
            return str(len(load_tests(path).tests))
        except RulesError as error:
            return str(error).partition(": ")[2]

    seeds = [seed.replace(b"../rules.yaml", b"tested.yaml") for seed in _read("rules/tests/good")]
    return Entrance(name="rules-tests", seeds=seeds, take=_plain(take))


def _templates() -> Entrance:
    alert = firing("61.25")

    def take(data: bytes) -> str:
        try:
            compiled = compile_summary(data.decode("utf-8", "replace"))
            return f"rendered {len(compiled.render(alert)) > 0}"
        except SummaryError as error:
            return str(error)

    seeds = [
        b"{{ owner_name }} spent {{ value }} of {{ threshold }}",
        b"{% if value > threshold %}{{ labels['team'] | upper }}{% else %}{{ '%.2f' | format(value) }}{% endif %}",
        b"{{ value | usd }} {{ (value / threshold) | pct }} {{ [1, 2] | join(',') }} {{ top[0].owner }}",
        b"{{ value * 3 + 1 - threshold // 2 }} {{ owner ~ '!' }} {{ labels.x or 'none' }}",
    ]
    return Entrance(name="templates", seeds=seeds, take=_plain(take))


def _settings(folder: Path) -> Entrance:
    """As lines of `.env`, and the same as variables."""

    def take(data: bytes) -> str:
        (folder / ".env").write_bytes(data)
        lines = data.decode("utf-8", "replace").replace("\0", "").splitlines()
        pairs = dict(line.split("=", 1) for line in lines if line.startswith("ALERTD_") and "=" in line)
        outcomes = list[str]()
        with _in(folder):
            for variables in ({}, pairs):
                try:
                    with _environment(variables), redirect_stderr(io.StringIO()):
                        outcomes.append(load_settings().log_level)
                except SettingsError as error:
                    outcomes.append(str(error))
        return " ".join(outcomes)

    seeds = [
        b"ALERTD_POLL_INTERVAL=10m\nALERTD_SMTP_HOST=smtp.example.com\nALERTD_SMTP_PORT=587\nALERTD_LOG_LEVEL=info\n",
        b"export ALERTD_HTTP_LISTEN='[::1]:9464'\nALERTD_EXTERNAL_URL=\"https://a.example.com/x\" # why\n\nOTHER=1\n",
        b"ALERTD_SLACK_USERS=U04ABCDEF,<@U04ABCDEG|ann>\nALERTD_SMTP_FROM=B <a@b.org>\nALERTD_SMTP_EHLO=[::1]\n",
        b"ALERTD_DATABASE_URL=postgresql://u:p@[::1]:5432/x?sslmode=require\nALERTD_NOVITA_BASE_URL=https://api.novita.ai\n",
    ]
    return Entrance(name="settings", seeds=seeds, take=_plain(take))


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update({name: value for name, value in variables.items() if name})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# --- Slack, the control socket and the page ---


def _alert_of(home: House) -> Alert:
    return home.app.cycle.open_alerts()[0]


def _slack_presses(home: House) -> Entrance:
    async def take(data: bytes) -> str:
        try:
            payload = json.loads(data)
        except (ValueError, RecursionError):
            return "no JSON"
        if not isinstance(payload, dict):
            return "no payload"
        try:
            outcome = await home.app.cycle.carry_out(request_of(read_press(payload), now=home.now), home.now)
        except NotOurs:
            return "not ours"
        except RequestError as error:
            return str(error)
        return outcome.text

    alert = _alert_of(home)
    about = f"{alert.fingerprint}|{alert.episode}"
    option = {"action_id": "alertd_silence", "selected_option": {"value": f"4h|{about}"}, "action_ts": "1.2"}
    user, channel = {"id": "U1", "username": "dana", "team_id": "T1"}, {"id": "C1"}
    seeds = _json(
        *(
            {"type": "block_actions", "user": user, "channel": channel, "actions": [action], "message": {"ts": "1.2"}}
            for action in ({"action_id": "alertd_ack", "value": about, "action_ts": "1.1"}, option)
        )
    )
    return Entrance(name="slack-presses", seeds=seeds, take=take)


def _slack_commands(home: House) -> Entrance:
    async def carry_out(request: Request) -> RequestOutcome:
        return await home.app.cycle.carry_out(request, home.now)

    async def spent(_period: Period) -> None:
        return None

    commands = SlackCommands(
        alerts=lambda: home.app.gateway.call(lambda store: store.alerts.open_alerts()),
        spent=spent,
        carry_out=carry_out,
        now=lambda: home.now,
    )

    async def take(data: bytes) -> str:
        return await commands.answer(data.decode("utf-8", "replace"), "dana")

    seeds = [
        b"alerts",
        b"spend month",
        b"silence owner=gpu-* rule=gpu-24h 4h migration of the week",
        b"silence x=y until=resolved",
    ]
    return Entrance(name="slack-commands", seeds=seeds, take=take)


def _slack_answers() -> Entrance:
    def take(data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        status = 200 if len(data) % 3 else 400
        outcomes = (
            outcome_of_webhook(status=status, headers={"Retry-After": text[:40]}, body=text),
            outcome_of_answer(
                status=status, headers={"Retry-After": text[:40]}, code=text[:60], detail=text, channel="#a"
            ),
        )
        return " ".join(type(outcome).__name__ for outcome in outcomes)

    seeds = [b"ok", b"no_service", b'{"ok":false,"error":"ratelimited"}', b"<html>", b"invalid_blocks", b"30"]
    return Entrance(name="slack-answers", seeds=seeds, take=_plain(take))


def _control(home: House) -> Entrance:
    async def carry_out(request: Request) -> RequestOutcome:
        return await home.app.cycle.carry_out(request, home.now)

    async def take(data: bytes) -> str:
        said = json.loads(await answer(data, carry_out))
        return " ".join(said.values())

    alert = _alert_of(home)
    silence = {
        "id": "51133ce0",
        "matchers": [["owner", ["gpu-*", "!gpu-7"]], ["rule", ["gpu-24h"]]],
        "by": "dana",
        "comment": "x",
        "ends_at": "2026-01-11T12:05:00Z",
        "until_resolved": True,
        "until_spend": 2_000_000_000_000,
    }
    seeds = _json(
        {"kind": "acknowledge", "request": {"fingerprint": alert.fingerprint, "by": "dana"}},
        {"kind": "add_silence", "request": silence},
        {"kind": "expire_silence", "request": {"id": "5113", "by": "kim"}},
    )
    return Entrance(name="control", seeds=seeds, take=take)


def _http(home: House) -> Entrance:
    async def take(data: bytes) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        try:
            writer.write(data)
            writer.write_eof()
            said = await reader.read()
        except ConnectionError:
            return "cut"
        finally:
            writer.close()
        status = said.split(b" ", 2)[1:2]
        # Whoever asks for nonsense is at fault, and not alertd.
        assert status != [b"500"], said[:2000]
        return f"{said[:40].partition(b'Content')[0]!s} {said[-60:]!s}".replace("'", "")

    bearer, alert = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n", _alert_of(home)
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    pages = ("/", "/?hours=24&by=owner", f"/alerts/{alert.fingerprint}", "/api/v1/alerts?all=1", "/metrics", "/readyz")
    seeds = [f"GET {page} HTTP/1.1\r\n{bearer}Accept: text/html\r\n\r\n".encode() for page in pages]
    for path, body in (
        ("/login", f"token={TOKEN}&name=dana&next=%2F"),
        (f"/alerts/{alert.fingerprint}/acknowledge", "by=x&comment=y"),
    ):
        seeds.append(f"POST {path} HTTP/1.1\r\n{bearer}{form}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    parts = '--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nx\r\n--b--\r\n'
    seeds.append(
        f"POST /login HTTP/1.1\r\n{bearer}Content-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(parts)}\r\n\r\n{parts}".encode()
    )
    return Entrance(name="http", seeds=seeds, take=take)
