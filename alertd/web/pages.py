"""
The status page for people: the overview, spend as a table, a page for each alert, and requests.

It asks the daemon, lets the models choose the words, and hands them to templates. Nothing is changed but by a POST of
somebody who showed the token, by the same way as the commands'.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus

from aiohttp import web

from alertd.core.actions import Act
from alertd.core.alerts.acting import parse_action
from alertd.core.alerts.requests import (
    Acknowledge,
    AddSilence,
    Request,
    RequestError,
    SilenceText,
    end_parts,
    parse_acknowledgement,
    parse_expiry,
    parse_silence,
)
from alertd.core.alerts.silence import SilenceLength
from alertd.core.local_time import Clock
from alertd.core.spend.steps import SpendSteps, sum_steps
from alertd.errors import AlertdError
from alertd.web.alert_page import alert_page
from alertd.web.guard import Guard, own_path, read_form, see_other
from alertd.web.overview import overview_page
from alertd.web.page_context import PageContext, PageFacts
from alertd.web.session import Notice, Sessions, Visitor, clean_name
from alertd.web.spend_panel import GROUPS_SHOWN, Choice, GroupBy, Window, months, spend_csv, spend_panel, step_rows
from alertd.web.styles import answer_file, page

_MOST_IN_CSV = 100_000
"""Maximum number of groups: as many owners as an account may have."""


class StatusPages:
    """
    Answers people's requests.

    Args:
        refresh_s: Seconds between refreshes of an open page.
    """

    def __init__(self, context: PageContext, *, guard: Guard, sessions: Sessions, refresh_s: int) -> None:
        self._context = context
        self._guard = guard
        self._sessions = sessions
        self._refresh_s = refresh_s

    def routes(self) -> list[web.RouteDef]:
        """Return every path with its handler."""
        return [
            web.get("/", self._overview),
            web.get("/spend", self._spend),
            web.get("/spend.csv", self._spend_csv),
            web.get("/alerts/{fingerprint}", self._alert),
            web.post("/alerts/{fingerprint}/acknowledge", self._acknowledge),
            web.post("/alerts/{fingerprint}/silence", self._silence),
            web.post("/alerts/{fingerprint}/act", self._act),
            web.post("/silences/{id}/expire", self._expire),
            web.get("/static/{digest}/{name}", answer_file),
        ]

    async def _overview(self, request: web.Request) -> web.StreamResponse:
        known = await self._context.look()
        choice = _choice(request)
        found = await self._spent(known, choice)
        owners = known.audience.owners
        return self._page(
            request,
            known,
            "overview.html",
            overview=overview_page(known),
            panel=spend_panel(found, choice, owners) if found is not None else None,
            choice=choice,
            windows=tuple(Window),
            months=months(known.now, known.timezone),
            groupings=tuple(GroupBy),
            status=known.status,
        )

    async def _spend(self, request: web.Request) -> web.StreamResponse:
        known = await self._context.look()
        choice = _choice(request)
        found = await self._spent(known, choice)
        if found is None:
            return see_other("/")
        return self._page(
            request,
            known,
            "spend.html",
            panel=spend_panel(found, choice, known.audience.owners),
            rows=step_rows(found),
            choice=choice,
            windows=tuple(Window),
            months=months(known.now, known.timezone),
            groupings=tuple(GroupBy),
        )

    async def _spend_csv(self, request: web.Request) -> web.StreamResponse:
        known = await self._context.look()
        choice = _choice(request)
        found = await self._spent(known, choice, most=_MOST_IN_CSV)
        text = spend_csv(found, choice, known.audience.owners) if found is not None else ""
        name = f"spend-{choice.month or choice.window}-by-{choice.by}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=headers)

    async def _spent(self, known: PageFacts, choice: Choice, *, most: int = GROUPS_SHOWN) -> SpendSteps | None:
        sums = await self._context.spend(known, choice.steps(known.data, known.timezone))
        if sums is None:
            return None
        owners = known.audience.owners
        return await asyncio.to_thread(sum_steps, sums, known.data, by=choice.by.value, owners=owners, most=most)

    async def _alert(self, request: web.Request) -> web.StreamResponse:
        try:
            found = await self._context.file_of(request.match_info["fingerprint"].lower())
        except RequestError as error:
            raise web.HTTPNotFound(reason="No such alert") from error
        return self._page(request, found.known, "alert.html", page=alert_page(found), lengths=tuple(SilenceLength))

    def _page(self, request: web.Request, known: PageFacts, template: str, **context: object) -> web.Response:
        visitor = self._guard.visitor(request)
        around: dict[str, object] = {
            "visitor": visitor if visitor is not None and visitor.mark else None,
            "can_sign_in": self._sessions.is_possible,
            "notice": self._sessions.take_notice(visitor),
            "refresh_s": self._refresh_s,
            "here": request.path_qs,
            "mark": secrets.token_hex(8),
            "zone": known.timezone,
        }
        clock = Clock(timezone=known.timezone, now=known.now)
        return page(template, {**around, **context}, clock=clock)

    async def _acknowledge(self, request: web.Request) -> web.StreamResponse:
        async def ask(fields: Mapping[str, str], by: str) -> Request:
            return acknowledgement(request.match_info["fingerprint"], fields, by=by)

        return await self._write(request, ask)

    async def _silence(self, request: web.Request) -> web.StreamResponse:
        async def ask(fields: Mapping[str, str], by: str) -> Request:
            known = await self._context.look()
            fingerprint = request.match_info["fingerprint"]
            return silence(fingerprint, fields, by=by, now=self._context.now(), timezone=known.timezone)

        return await self._write(request, ask)

    async def _act(self, request: web.Request) -> web.StreamResponse:
        async def ask(fields: Mapping[str, str], by: str) -> Request:
            return action(request.match_info["fingerprint"], fields, by=by, now=self._context.now())

        return await self._write(request, ask)

    async def _expire(self, request: web.Request) -> web.StreamResponse:
        async def ask(_fields: Mapping[str, str], by: str) -> Request:
            return parse_expiry(request.match_info["id"], by=by)

        return await self._write(request, ask)

    async def _write(
        self, request: web.Request, ask: Callable[[Mapping[str, str], str], Awaitable[Request]]
    ) -> web.StreamResponse:
        """Carry out the request of a form or script, and report the outcome."""
        visitor = await self._guard.require_own(request)
        fields = await read_form(request)
        try:
            wanted = await ask(fields, _author(visitor, fields))
            notice = Notice(text=(await self._context.carry_out(wanted)).text, is_done=True)
        except (RequestError, AlertdError) as error:
            notice = Notice(text=f"Not done: {error}", is_done=False)
        if not visitor.mark:
            status = HTTPStatus.OK if notice.is_done else HTTPStatus.BAD_REQUEST
            return web.Response(status=status, text=f"{notice.text}\n")
        self._sessions.note(visitor, notice)
        return see_other(own_path(fields.get("back", "")))


def _choice(request: web.Request) -> Choice:
    return Choice.of(*(request.query.get(name, "") for name in ("window", "by", "month")))


def _author(visitor: Visitor, fields: Mapping[str, str]) -> str:
    """Return the requester's name, as shown in histories."""
    if visitor.mark:
        return f"{visitor.name or 'somebody'} (status page)"
    return f"{clean_name(fields.get('by', '')) or 'a script'} (HTTP)"


def acknowledgement(fingerprint: str, fields: Mapping[str, str], *, by: str) -> Acknowledge:
    """
    Return the request to acknowledge an alert, or to withdraw the acknowledgement.

    Raises:
        RequestError: The form asks for what cannot be.
    """
    return parse_acknowledgement(fingerprint, by=by, undo=fields.get("undo") == "1", episode=fields.get("episode", ""))


def action(fingerprint: str, fields: Mapping[str, str], *, by: str, now: datetime) -> Act:
    """
    Return the request to have the instance of an alert stopped, or started again.

    Raises:
        RequestError: The form asks for what cannot be, or does not say that it means it.
    """
    if fields.get("confirm") != "1":
        raise RequestError("tick the box first: what runs on the instance ends (confirm=1)")
    mark = "\n".join((fingerprint, fields.get("undo", ""), fields.get("mark", "") or now.isoformat()))
    asked = Act(
        id=hashlib.sha256(mark.encode(errors="surrogateescape")).hexdigest()[:8],
        fingerprint=fingerprint,
        by=by,
        person=f"page:{by}",
        action=fields.get("action", ""),
        undo=fields.get("undo") == "1",
    )
    return parse_action(asked, episode=fields.get("episode", ""))


def silence(fingerprint: str, fields: Mapping[str, str], *, by: str, now: datetime, timezone: str) -> AddSilence:
    """
    Return the request to silence one alert.

    Args:
        timezone: The zone in which a month ends.

    Raises:
        RequestError: The form asks for what cannot be.
    """
    length = fields.get("length", "")
    mark = "\n".join((fingerprint, length, fields.get("mark", "") or now.isoformat()))
    written = SilenceText(
        alert=fingerprint,
        by=by,
        comment=fields.get("comment", ""),
        episode=fields.get("episode", ""),
        timezone=timezone,
        **end_parts(length),
    )
    # The same form, sent twice, makes one silence.
    return parse_silence(written, id=hashlib.sha256(mark.encode(errors="surrogateescape")).hexdigest()[:8], now=now)
