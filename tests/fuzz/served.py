"""What a running daemon is asked: by Slack, through the control socket and by browsers."""

import asyncio
import itertools
import json

from alertd.core.alert import Alert
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request, RequestError
from alertd.core.calendar import Period
from alertd.daemon.control_socket import answer
from alertd.notify.slack.actions import NotOurs, read_press, request_of
from alertd.notify.slack.commands import SlackCommands
from alertd.notify.slack.errors import outcome_of_answer, outcome_of_webhook
from tests.fuzz.engine import Entrance, plain
from tests.web.house import TOKEN, House

_ANSWERED_S = 1.0
"""Longer than any page takes: what has no answer by then waits for the rest of the request."""
_LETTERS = bytes.maketrans(b"0123456789", b"oabcdefghi")
"""Outcomes are told apart without digits; a status is one by them."""


def _json(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def of_the_daemon(home: House) -> list[Entrance]:
    """Return what is asked of a daemon that runs."""
    return [_slack_presses(home), _slack_commands(home), _slack_answers(), _control(home), _http(home)]


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
    return Entrance(name="slack-answers", seeds=seeds, take=plain(take))


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
    sources = itertools.count(1)

    async def take(data: bytes) -> str:
        # Each comes from somewhere else, as wrong tokens are counted by source. The connection stays open for the
        # answer: who hangs up gets none.
        source = f"127.{next(sources) // 250 % 250}.{next(sources) % 250}.1"
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port, local_addr=(source, 0))
        said = b""
        try:
            writer.write(data)
            async with asyncio.timeout(_ANSWERED_S):
                while more := await reader.read(1 << 16):
                    said += more
        except ConnectionError:
            said = said or b"cut"
        except TimeoutError:
            said = said or b"waits for more"
        finally:
            writer.close()
        status = said.split(b" ", 2)[1:2]
        # Whoever asks for nonsense is at fault, and not alertd.
        assert status != [b"500"], said[:2000]
        words = said.rpartition(b"\r\n\r\n")[2].decode("utf-8", "replace")[-60:]
        return f"{status[0].translate(_LETTERS).decode() if status else said[:20].decode()} {words}"

    bearer, alert = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n", _alert_of(home)
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    pages = ("/", "/spend?window=7d&by=owner", "/spend.csv?window=24h&by=product&category=gpu", "/api/v1/alerts")
    more = (f"/alerts/{alert.fingerprint}", "/api/v1/status", "/metrics", "/readyz", "/login?next=%2Fspend")
    seeds = [f"GET {page} HTTP/1.1\r\n{bearer}Accept: text/html\r\n\r\n".encode() for page in (*pages, *more)]
    for path, body in (
        ("/login", f"token={TOKEN}&name=dana&next=%2F"),
        (f"/alerts/{alert.fingerprint}/acknowledge", "by=x&comment=y"),
        (f"/alerts/{alert.fingerprint}/silence", "length=4h&by=x&comment=y"),
        (f"/alerts/{alert.fingerprint}/act", "action=stop&confirm=1"),
        ("/silences/51133ce0/expire", "by=x"),
    ):
        seeds.append(f"POST {path} HTTP/1.1\r\n{bearer}{form}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    parts = '--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nx\r\n--b--\r\n'
    seeds.append(
        f"POST /login HTTP/1.1\r\n{bearer}Content-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(parts)}\r\n\r\n{parts}".encode()
    )
    return Entrance(name="http", seeds=seeds, take=take, few=8)
