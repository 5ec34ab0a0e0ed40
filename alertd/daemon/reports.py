"""
The daemon's reports: determines which are due, composes them, and files them for delivery.

The marks of sent reports are stored together with the messages, so a report is sent exactly once. It sends
nothing itself.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from alertd.core.alert import Alert
from alertd.core.messages.message import Message
from alertd.core.messages.outbox import OutboxEntry, delivery_key
from alertd.core.reports.due import Mark, Timetable, Trigger, take_turn
from alertd.core.reports.figures import report_figures
from alertd.core.reports.words import compose_report
from alertd.core.rules.facts import Facts
from alertd.daemon.state import Plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.watching import scope_of
from alertd.errors import StoreError
from alertd.log import get_logger
from alertd.rules_file.model import Report
from alertd.store.store import Store

_SENT = "report_sent:"
"""Name under which the marks of reports are stored."""


class FactSource(Protocol):
    """The facts about bills and alerts."""

    async def look(self, now: datetime) -> Facts:
        """Return the facts, without reading or judging anything."""

    def open_alerts(self) -> list[Alert]:
        """Return what is pending or firing; only after `look`."""


def cron_trigger(schedule: str) -> Trigger:
    """Return the iterator of a cron schedule's local times, independent of the zone."""
    # `report_due` decides what clock changes mean for a schedule.
    from alertd.rules_file.schedule import next_time  # noqa: PLC0415 # for files with reports only

    return lambda face: next_time(schedule, face)


def timetables(reports: Sequence[Report]) -> list[tuple[Report, Timetable]]:
    """Return each report with its times."""
    return [
        (report, Timetable(schedule=report.schedule, timezone=report.timezone, trigger=cron_trigger(report.schedule)))
        for report in reports
    ]


class Reporter:
    """
    Files due reports, for the life of the service.

    Args:
        install_id: Part of the delivery keys.
        reports: Replaced, like the plan, by `use` at a reload.
    """

    def __init__(
        self,
        *,
        store: StoreGateway,
        source: FactSource,
        install_id: str,
        reports: Sequence[tuple[Report, Timetable]],
        plan: Plan,
    ) -> None:
        self._store = store
        self._source = source
        self._install_id = install_id
        self._log = get_logger()
        self.use(reports, plan)

    def use(self, reports: Sequence[tuple[Report, Timetable]], plan: Plan) -> None:
        """Use other reports from now on; existing ones keep their marks."""
        self._plan = plan
        self._reports = reports

    async def run(self, now: datetime) -> bool:
        """
        File every due report; a failure does not block others and is retried at the next call.

        Returns:
            Whether all succeeded.

        Raises:
            StoreError: The store failed; reports are filed completely or not at all.
        """
        if not self._reports:
            return True
        marks = await self._store.call(lambda store: store.meta.with_prefix(_SENT))
        is_ok = True
        for report, timetable in self._reports:
            try:
                text = marks.get(report.name)
                await self._take_turn(report, timetable, Mark.of(text) if text else None, now)
            except StoreError:
                raise
            except Exception:  # noqa: BLE001 -- as with rules: logged with its traceback, the others continue
                self._log.exception("report failed", report=report.name)
                is_ok = False
        return is_ok

    async def _take_turn(self, report: Report, timetable: Timetable, mark: Mark | None, now: datetime) -> None:
        turn = take_turn(timetable, mark, now)
        if turn.mark == mark:
            return
        entries = await self._entries(report, turn.scheduled, now) if turn.scheduled is not None else []
        await self._store.call(_save, report.name, turn.mark.text, entries)
        if turn.scheduled is not None:
            self._log.info(
                "report filed", report=report.name, scheduled=turn.scheduled.isoformat(), notifications=len(entries)
            )
        elif turn.skipped is not None:
            self._log.warning(
                "report skipped", report=report.name, scheduled=turn.skipped.isoformat(), why="more than a day late"
            )

    async def _entries(self, report: Report, scheduled: datetime, now: datetime) -> list[OutboxEntry]:
        facts = await self._source.look(now)
        alerts = self._source.open_alerts()
        message = await asyncio.to_thread(self._compose, report, facts, alerts)
        recipients = self._plan.audience.recipients
        return [
            OutboxEntry(
                key=delivery_key(self._install_id, "report", report.name, scheduled.isoformat(), receiver, recipient),
                receiver=receiver,
                recipient=recipient,
                group=f"report {report.name}",
                fingerprints=(),
                message=message,
                created_at=now,
                not_before=now,
            )
            for receiver in report.notify
            for recipient in recipients.get(receiver, ())
        ]

    def _compose(self, report: Report, facts: Facts, alerts: Sequence[Alert]) -> Message:
        figures = report_figures(scope_of(report), facts, alerts=alerts, rules=self._plan.rules)
        return compose_report(figures, owners=facts.owners, targets=self._plan.audience.targets)


def _save(store: Store, name: str, mark: str, entries: Sequence[OutboxEntry]) -> None:
    """Store a report's marks and its notifications together."""
    with store.transaction():
        store.outbox.add(entries)
        store.meta.put(f"{_SENT}{name}", mark)
