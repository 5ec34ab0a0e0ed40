"""The bugs that are planted by name: each breaks a sentence that alertd promises."""

from tests.mutants.again import AGAIN
from tests.mutants.limits import LIMITS
from tests.mutants.money import MONEY
from tests.mutants.mutant import Mutant, planted_bug
from tests.mutants.shown import SHOWN
from tests.mutants.wiring import WIRING

_LIFE = (
    planted_bug(
        "resolve on empty data",
        "core.alerts.lifecycle",
        "if not sample.is_complete:\n        # Missing data",
        "if False:\n        # Missing data",
        "an end comes only from complete data (D5)",
    ),
    planted_bug(
        "drop a pending alert on empty data",
        "core.alerts.lifecycle",
        "    if sample.is_complete:\n        return replace(alert, state=AlertState.RESOLVED, resolved_at=now)\n"
        "    return alert",
        "    return replace(alert, state=AlertState.RESOLVED, resolved_at=now)",
        "what is missing may hold the condition: the wait of `for` goes on",
    ),
    planted_bug(
        "lower a pending severity on empty data",
        "core.alerts.lifecycle",
        "severity = reached if sample.is_complete else max(reached, alert.severity)",
        "severity = reached",
        "a lower severity comes only from complete data (D5)",
    ),
    planted_bug(
        "forget for",
        "core.alerts.lifecycle",
        "if now - alert.started_at >= rule.for_:",
        "if now - now >= rule.for_:",
        "an alert fires once its condition has held for `for`",
    ),
    planted_bug(
        "begin for anew at each evaluation",
        "core.alerts.lifecycle",
        "        return replace(alert, severity=severity)\n",
        "        return replace(alert, severity=severity, started_at=now)\n",
        "`for` counts from when the condition began, over restarts",
    ),
    planted_bug(
        "forget keep_firing_for",
        "core.alerts.lifecycle",
        "if now - ended_at >= rule.keep_firing_for:",
        "if now - ended_at >= rule.keep_firing_for * 0:",
        "an alert fires on for `keep_firing_for`",
    ),
    planted_bug(
        "keep the episode",
        "core.alerts.lifecycle",
        "episode=past.episode + 1 if past is not None else 1",
        "episode=past.episode if past is not None else 1",
        "each episode is notified: its delivery key is its own",
    ),
    planted_bug(
        "judge disabled rules",
        "core.alerts.judge",
        "if not rule.enabled or rule.name in passed_over:",
        "if rule.name in passed_over:",
        "a disabled rule watches nothing",
    ),
    planted_bug(
        "one failing rule ends the cycle",
        "core.alerts.judge",
        "            faults.append((rule.name, error))",
        "            raise error",
        "one rule that fails takes down no other (D9)",
    ),
    planted_bug(
        "repeat what is acknowledged",
        "core.alerts.due",
        "after.acknowledged_by is None and not move.rule.is_event(after)",
        "not move.rule.is_event(after)",
        "an acknowledged alert is neither escalated nor repeated",
    ),
    planted_bug(
        "end what was never notified",
        "core.alerts.due",
        "if was_firing and after.notified_at is not None and wanted else None",
        "if was_firing and wanted else None",
        "an end is notified only where the beginning was (D4)",
    ),
    planted_bug(
        "keep the acknowledgement at a rise",
        "core.alerts.lifecycle",
        "    if after.severity > alert.severity:\n        # An acknowledgement",
        "    if False:\n        # An acknowledgement",
        "a rise is news, repeated until it is acknowledged itself",
    ),
)

_DECISIONS = (
    planted_bug(
        "forget decisions in memory",
        "daemon.cycle",
        "        self.state.alerts.update({alert.fingerprint: alert for alert in decisions.alerts})\n",
        "",
        "what is due is notified once",
    ),
    planted_bug(
        "remember a request before the store does",
        "daemon.cycle",
        "            try:\n                await self._store.save_request(outcome, entries, now)\n",
        "            state.alerts.update({alert.fingerprint: alert for alert in outcome.alerts})\n"
        "            try:\n                await self._store.save_request(outcome, entries, now)\n",
        "what the store refused is not done",
    ),
    planted_bug(
        "keep memory after a failed request",
        "daemon.cycle",
        "                # It may be stored although its answer was lost, or its requester is gone.\n"
        "                self.forget()\n",
        "",
        "what is stored is the truth, also where its answer was lost",
        "tests/daemon/test_memory_and_store.py",
    ),
    planted_bug(
        "keep memory after a failed cycle",
        "daemon.cycle",
        "so reload it.\n            self.forget()\n",
        "so reload it.\n",
        "what is stored is the truth, also where its answer was lost",
        "tests/daemon/test_memory_and_store.py",
    ),
    planted_bug(
        "lift quiet hours at an unsure time",
        "daemon.cycle",
        "return decisions if is_whole else replace(decisions, held={})",
        "return decisions",
        "what quiet hours hold waits on where the time is not sure",
    ),
    planted_bug(
        "conclude after the clock moved",
        "daemon.cycle",
        "if verdict is Verdict.CHECKED and (self._intake.is_left_out or await self._rebase(now)):",
        "if False:",
        "nothing is decided by an instant that was not right",
    ),
    planted_bug(
        "watch by old views after a reload",
        "daemon.cycle",
        "        self._plan = plan\n        self._views.clear()\n",
        "        self._plan = plan\n",
        "an edited rule judges from the next cycle on",
        "tests/daemon/test_service.py",
    ),
    planted_bug(
        "fold in memory alone",
        "daemon.store_gateway",
        "after=replace(by_id[number], state=EntryState.FOLDED, finished_at=now),",
        "after=replace(by_id[number], finished_at=now),",
        "what a later message takes over is not sent by itself too",
    ),
    planted_bug(
        "release nothing from quiet hours",
        "daemon.store_gateway",
        "EntryUpdate(before=by_id[number], after=replace(by_id[number], not_before=until))",
        "EntryUpdate(before=by_id[number], after=by_id[number])",
        "what is held is sent when nothing withholds it any more",
    ),
    planted_bug(
        "withhold the end of a muted alert",
        "core.messages.dispatch",
        "return None if move.after.muted is not None else reason",
        "return None if (move.before or move.after).muted is not None else reason",
        "an end is never withheld",
    ),
    planted_bug(
        "custom summaries ignored",
        "core.messages.dispatch",
        "        headline = self.headline_of(move.after, move.rule)\n",
        "        headline = move.after.headline\n",
        "a rule's own summary is what its messages say",
    ),
    planted_bug(
        "call what quiet hours hold late",
        "core.messages.holding",
        "        if is_held(entry, now):\n            places.update(",
        "        if False:\n            places.update(",
        "what is held is not overdue in metrics, health or exit codes",
    ),
)

_INTAKE = (
    planted_bug(
        "drop a category that was known",
        "daemon.intake",
        "if is_lacking and not reading.book(key).covered:",
        "if is_lacking:",
        "a category that vanishes is a failure, not the end of its spend",
        "tests/daemon/test_intake_failures.py",
    ),
    planted_bug(
        "never drop a category that the account lacks",
        "daemon.intake",
        "                    self._dropped.add((reading.view, *key))\n",
        "",
        "what an account does not have is not asked for again in a run",
        "tests/daemon/test_intake_failures.py",
    ),
    planted_bug(
        "take a failed read for an empty one",
        "daemon.intake",
        "            book = file_failure(reading.book(key), span, error=brief, failed_at=reading.now)\n"
        "            reading.facts.books[key] = book\n",
        "            return\n",
        "blindness is reported (D6)",
        "tests/daemon/test_intake_failures.py",
    ),
    planted_bug(
        "file by an unchecked time",
        "daemon.intake",
        "        if self._time.verdict() is Verdict.CHECKED:\n            return True\n",
        "        return True\n",
        "nothing is filed by a time that nobody has checked",
    ),
    planted_bug(
        "remember books before the store does",
        "daemon.intake",
        "        before = await self._store.save_facts(\n",
        "        shelf.books.update(facts.books)\n        before = await self._store.save_facts(\n",
        "memory changes after the store agreed",
        "tests/daemon/test_memory_and_store.py",
    ),
    planted_bug(
        "forget vanished monthly bills",
        "daemon.intake",
        "        reading.facts.bills += gone_from(known, bills, start_month=start, at=reading.now)\n",
        "",
        "a monthly bill that vanishes is noted",
    ),
    planted_bug(
        "keep a gap after a good read",
        "daemon.intake",
        "        self._bill_gaps.pop(account, None)\n",
        "",
        "what reads again is not reported as a gap",
        "tests/daemon/test_intake_failures.py",
    ),
    planted_bug(
        "learn a longer range",
        "novita.ranges",
        "self.days = min(self.days, days)",
        "self.days = max(self.days, days)",
        "a range that was refused is not asked for again",
    ),
)

_CLAIM = (
    '            if not await self._outbox.replace_entry(entry, claimed, add=(), outcome=""):\n'
    "                return False\n"
)
_DELIVERY = (
    planted_bug(
        "send before commit",
        "notify.delivery.deliver",
        _CLAIM,
        "",
        "`sending` commits before the first byte leaves",
    ),
    planted_bug(
        "send what another has claimed",
        "notify.delivery.deliver",
        _CLAIM,
        '            await self._outbox.replace_entry(entry, claimed, add=(), outcome="")\n',
        "nothing is sent twice (D3)",
    ),
    planted_bug(
        "forget an outcome that was not stored",
        "notify.delivery.deliver",
        "                await asyncio.sleep(_STORE_RETRY_S)\n        if copies:",
        "                break\n        if copies:",
        "every notification ends delivered or given up (D2)",
    ),
    planted_bug(
        "one failing lane holds up all",
        "notify.delivery.deliver",
        '                self._on_fault("delivery attempt")\n',
        "                raise fault\n",
        "an attempt that fails holds up no other lane",
    ),
    planted_bug(
        "count downtime as attempts",
        "notify.delivery.deliver",
        "first_attempt_at=entry.first_attempt_at + (now - entry.not_before))",
        "first_attempt_at=entry.first_attempt_at)",
        "time in which alertd did not run does not count towards giving up",
    ),
    planted_bug(
        "leave a cut attempt as it was",
        "notify.delivery.deliver",
        "            if entry.state is EntryState.SENDING:\n                await self._record_cut(entry)\n",
        "            if entry.state is EntryState.SENDING:\n                pass\n",
        "a row found `sending` at start is of unknown outcome",
    ),
    planted_bug(
        "ask before the deadline whether it arrived",
        "notify.delivery.settle",
        "due = min(entry.started_at or now, now) + deadline",
        "due = min(entry.started_at or now, now)",
        "only after the send deadline does `not found` mean what it says",
    ),
    planted_bug(
        "no fallback at a wrong configuration",
        "notify.delivery.settle",
        "            return replace(settled, escalates=True)\n",
        "            return settled\n",
        "giving up and being blocked are never quiet (D2)",
    ),
    planted_bug(
        "fallback at each refusal",
        "notify.delivery.settle",
        "return settled.escalates and own and not entry.fallback_sent",
        "return settled.escalates and own",
        "the fallback receiver hears once of an entry",
    ),
    planted_bug(
        "send for ever without an answer",
        "notify.delivery.settle",
        "entry = replace(entry, unknowns=entry.unknowns + 1, error=reason)",
        "entry = replace(entry, error=reason)",
        "at most two attempts of unknown outcome, then blocked (D3)",
    ),
    planted_bug(
        "count any 2xx as success",
        "notify.http_answer",
        '        return Unknown(f"{said}, {why}; check the URL and what stands before it") if why else Delivered()\n',
        "        return Delivered()\n",
        "an unreadable 200 is unknown, not delivered",
    ),
    planted_bug(
        "give up at 429",
        "notify.http_answer",
        "if status in {408, 425, 429}:",
        "if status in {408, 425}:",
        "429 is not sent: it is tried again",
    ),
)

_ACTIONS = (
    planted_bug(
        "call stop before it is stored",
        "daemon.actions",
        "        if not await self._requests.move_action(request, calling, self._now()):\n            return request\n",
        "",
        "an action is called at most once a request (D8)",
    ),
    planted_bug(
        "call stop that another has claimed",
        "daemon.actions",
        "        if not await self._requests.move_action(request, calling, self._now()):\n            return request\n",
        "        await self._requests.move_action(request, calling, self._now())\n",
        "an action is called at most once a request (D8)",
    ),
    planted_bug(
        "call stop twice after a crash",
        "daemon.actions",
        "            return await self._move(request, interrupted(request, now))\n",
        "            return await self._call(request)\n",
        "a crash between any two steps calls nothing twice (D8)",
    ),
    planted_bug(
        "call after a long wait",
        "daemon.actions",
        "if self._elapsed() - began_s > STALE_S:",
        "if False:",
        "an action that was held up is not called late",
    ),
)

_ALL = (*_LIFE, *_DECISIONS, *_INTAKE, *_DELIVERY, *_ACTIONS, *MONEY, *WIRING, *SHOWN, *LIMITS, *AGAIN)
TABLE: dict[str, Mutant] = {mutant.name: mutant for mutant in _ALL}
