"""Bugs at limits, the second time, and in what counts as stored or answered."""

from tests.mutants.mutant import planted_bug

LIMITS = (
    planted_bug(
        "quote in full why a login was refused",
        "notify.email.smtp",
        "is_shown=not isinstance(error, SMTPAuthenticationError),",
        "is_shown=True,",
        "what a server says to a login may be the password",
        "tests/notify/email/test_replies.py",
    ),
    planted_bug(
        "count lines alike from the first one on for ever",
        "log.lines",
        "        self._seen[key] = (now_s, 1)\n",
        "        self._seen[key] = (now_s, count + 1)\n",
        "a library's repeated lines are counted anew each time",
        "tests/test_log.py",
    ),
    planted_bug(
        "count a rule that fails twice in a poll twice",
        "daemon.cycle",
        "            if rule not in report.rule_errors:\n                report.rule_errors.append(rule)\n",
        "            report.rule_errors.append(rule)\n",
        "a poll has one failed rule where one failed",
        "tests/daemon/test_intake_failures.py",
    ),
    planted_bug(
        "reload for ever once asked",
        "daemon.reload",
        "                self._asked.clear()\n",
        "",
        "a reload is done once for each time it is asked for",
        "tests/daemon/test_reload.py",
    ),
    planted_bug(
        "take an outcome for stored before it is",
        "daemon.intake",
        "            await self._store.call(lambda store: store.meta.put_last_read(self._last_read))\n"
        "            self._stored = self._last_read\n",
        "            self._stored = self._last_read\n"
        "            await self._store.call(lambda store: store.meta.put_last_read(self._last_read))\n",
        "memory changes after the store agreed",
        "tests/daemon/test_intake_failures.py",
    ),
    planted_bug(
        "end without a beginning by an edit of group_by",
        "core.alerts.lifecycle",
        "moves.append(Move(before=alert, after=ended, rule=rule))",
        "moves.append(Move(before=ended, after=ended, rule=rule))",
        "whoever was notified of an alert hears of its end",
        "tests/core/alerts/test_endings.py",
    ),
    planted_bug(
        "keep a place of the control socket",
        "daemon.control_socket",
        "            if place is not None:\n                self._limit.leave(place)\n",
        "",
        "requests are answered however many came before",
        "tests/daemon/test_control_socket.py",
    ),
    planted_bug(
        "round a value up to its threshold",
        "core.values",
        "rounding = ROUND_CEILING if is_below else ROUND_FLOOR",
        "rounding = ROUND_FLOOR",
        "rounding never makes a value reach a threshold",
        "tests/core/test_values.py",
    ),
    planted_bug(
        "let a read speak for the gap behind it",
        "core.spend.arrival",
        "ReadSpan(max(old.start, span.end), old.end, old.read_at)",
        "ReadSpan(span.end, old.end, old.read_at)",
        "a row's delay is known by the reads that could have had it",
        "tests/core/spend/test_arrival.py",
    ),
    planted_bug(
        "refuse the lease where another replica made its table",
        "store.lease",
        "        if name not in database.tables():\n            raise\n",
        "        raise\n",
        "replicas may start on a new database at once",
        "tests/store/test_store_lease.py",
    ),
    planted_bug(
        "exit 0 where one receiver of two failed",
        "cli.common",
        "return 0 if all(is_delivered for",
        "return 0 if any(is_delivered for",
        "a script hears of either",
        "tests/cli/test_common.py",
    ),
    planted_bug(
        "believe the times of a stop before this one",
        "core.resources",
        "fresh.stopped_at in {None, known.stopped_at}:",
        "fresh.stopped_at is None:",
        "what was asked for is judged by when it happened, the second time too",
        "tests/core/test_resources.py",
    ),
    planted_bug(
        "take the shared amount for each group of the rest",
        "core.rules.budget_amount",
        "        if not self.singles and not isinstance(self.shared, LastSpend):\n            return self.shared * len",
        "        if not isinstance(self.shared, LastSpend):\n            return self.shared * len",
        "a group's own amount counts wherever amounts are added",
        "tests/core/rules/test_budget_amount.py",
    ),
    planted_bug(
        "confirm a request to Slack once it is done",
        "notify.slack.app",
        "            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))\n"
        '            if request.type == "interactive":\n'
        "                await self._on_press(client.web_client, request.payload)\n",
        '            if request.type == "interactive":\n'
        "                await self._on_press(client.web_client, request.payload)\n"
        "            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))\n"
        "            if False:\n"
        "                pass\n",
        "Slack is answered within three seconds, whatever the request waits for",
        "tests/notify/slack/test_app.py",
    ),
)
