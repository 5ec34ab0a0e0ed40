"""Bugs in what is shown, chosen and bounded: one member of a table each, of which the others are right."""

from tests.mutants.mutant import planted_bug

_METRICS = "tests/web/test_every_metric.py"
_FORMS = "tests/web/test_request_forms.py"
_GUARD = "tests/web/test_guard.py"
_CELLS = "tests/web/test_every_cell.py"
_REFUSALS = "tests/novita/test_refusal.py"
_BOUNDS = "tests/rules_file/test_bounds.py"
_RULES_FILES = "tests/rules_file/test_whole_files.py"
_RELOAD = "tests/rules_file/test_changes.py"
_PRUNE = "tests/store/test_prune.py"
_ACTING = "tests/core/alerts/test_acting.py"
_ASKED = "tests/daemon/test_asked.py"
_WORKER = "tests/daemon/test_actions.py"
_GAPS = "tests/daemon/test_resource_gaps.py"
_SLACK_APP = "tests/notify/slack/test_app.py"
_OPTIONS = "tests/cli/test_every_option.py"
_STATUS = "tests/queries/test_status_of_store.py"
_HISTORY = "tests/queries/test_alert_history.py"
_GAP_WORDS = "tests/core/spend/test_gap_words.py"
_SETTINGS = "tests/settings/test_model.py"
SHOWN = (
    planted_bug(
        "show the forecast's low end for its high one",
        "web.metrics",
        "BUDGET_FORECAST_HIGH.holding((key, _usd(high))",
        "BUDGET_FORECAST_HIGH.holding((key, _usd(_))",
        "a metric shows what its name says",
        _METRICS,
    ),
    planted_bug(
        "let a label of any length into the metrics",
        "web.metrics",
        "len(value) <= _LONGEST:",
        "len(value) <= _LONGEST * 2:",
        "labels are at most 80 characters",
        _METRICS,
    ),
    planted_bug(
        "stay failing after the next poll",
        "web.figures",
        "        self.is_failing = False\n        self.cycles",
        "        self.cycles",
        "`/readyz` goes by the last poll",
        _METRICS,
    ),
    planted_bug(
        "make two silences of a form sent twice",
        "web.pages",
        'mark = "\\n".join((fingerprint, length, fields.get("mark", "") or now.isoformat()))',
        'mark = "\\n".join((fingerprint, length, now.isoformat()))',
        "the same form, sent twice, is the same silence",
        _FORMS,
    ),
    planted_bug(
        "let any session's form count for any other",
        "web.session",
        'return Visitor(name=name, mark=mark, csrf=self._sign(f"csrf.{mark}"))',
        'return Visitor(name=name, mark=mark, csrf=self._sign("csrf."))',
        "a form counts for the session that it was made for",
        _GUARD,
    ),
    planted_bug(
        "call a day in part complete in the CSV",
        "web.spend_panel",
        '_step_note(found, step) or "complete"',
        '"complete"',
        "what is not whole says so",
        _CELLS,
    ),
    planted_bug(
        "offer to end an inhibition as a silence",
        "web.alert_page",
        'if alert.muted is not None and alert.muted.is_silence else ""',
        'if alert.muted is not None else ""',
        "what is no silence cannot be ended as one",
        _CELLS,
    ),
    planted_bug(
        "take 425 for final",
        "novita.refusal",
        "or status in {408, 425}:",
        "or status in {408}:",
        "only what no wait cures is not tried again",
        _REFUSALS,
    ),
    planted_bug(
        "wait a minute again and again",
        "novita.retry",
        "            waited += wait or timedelta()\n",
        "            waited = wait or timedelta()\n",
        "waits of a call are a minute at most, all together",
        _REFUSALS,
    ),
    planted_bug(
        "let waits grow by steps",
        "novita.retry",
        "doubled_s(failures, first_s=BASE_WAIT_S, longest_s=MAX_WAIT_S)",
        "min(BASE_WAIT_S * failures, MAX_WAIT_S)",
        "waits double",
        _REFUSALS,
    ),
    planted_bug(
        "read a day of the year as day and month",
        "rules_file.moments",
        "return YearDay(month, day)",
        "return YearDay(day, month) if day <= 12 else YearDay(month, day)",
        "04-06 is April 6",
        _BOUNDS,
    ),
    planted_bug(
        "let a month begin on day 0",
        "rules_file.moments",
        "if 1 <= value.native <= _LAST_OF_EACH_MONTH:",
        "if 0 <= value.native <= _LAST_OF_EACH_MONTH:",
        "only a day that every month has begins a period",
        _BOUNDS,
    ),
    planted_bug(
        "let an inhibition mute everything",
        "rules_file.load",
        "                if not matchers:\n",
        "                if not matchers and key == 'when':\n",
        "an empty matcher is refused",
        _RULES_FILES,
    ),
    planted_bug(
        "keep quiet about new default receivers",
        "rules_file.changes",
        '("default receivers", before.default_notify, after.default_notify)',
        '("default receivers", before.default_notify, before.default_notify)',
        "an edit says what it changed",
        _RELOAD,
    ),
    planted_bug(
        "read a file that is half written again",
        "rules_file.watch",
        "            self._unsettled = None\n            return False",
        "            return False",
        "a file is read once it has settled",
        _RELOAD,
    ),
    planted_bug(
        "never delete subscriptions",
        "store.store",
        "            self.terms.prune(start_of(before_hour))\n",
        "",
        "each table has its retention",
        _PRUNE,
    ),
    planted_bug(
        "delete actions with spend",
        "store.store",
        "self.actions.prune(before)",
        "self.actions.prune(start_of(before_hour))",
        "actions are kept as long as messages",
        _PRUNE,
    ),
    planted_bug(
        "count the hour of an undo from the request",
        "core.alerts.acting",
        "since = stopped.finished_at or stopped.requested_at",
        "since = stopped.requested_at",
        "what was stopped may be started again for an hour",
        _ACTING,
    ),
    planted_bug(
        "show what was stopped for an older life of an alert",
        "core.alerts.acting",
        "(one for one in of_alert if one.requested_at >= alert.started_at)",
        "(one for one in of_alert)",
        "what was done counts for the alert's present life",
        _ACTING,
    ),
    planted_bug(
        "offer to stop what was stopped before any list was read",
        "daemon.asked",
        "is_newer = was_read_at is None or request.finished_at > was_read_at",
        "is_newer = was_read_at is not None and request.finished_at > was_read_at",
        "what was stopped since the last list is no longer running",
        _ASKED,
    ),
    planted_bug(
        "let open actions wait when keys come back",
        "daemon.actions",
        "        self._instances = instances\n        self.wake()\n",
        "        self._instances = instances\n",
        "what is open is carried out by new keys at once",
        _WORKER,
    ),
    planted_bug(
        "name gaps of accounts that are watched no more",
        "daemon.resource_intake",
        "            if account in plan.resource_accounts:\n                found.setdefault",
        "            if True:\n                found.setdefault",
        "the status is of the rules in force",
        _GAPS,
    ),
    planted_bug(
        "let other workspaces press",
        "notify.slack.app",
        "if not user_id or team_id != self._team_id:",
        "if not user_id:",
        "only members of the workspace decide",
        _SLACK_APP,
    ),
    planted_bug(
        "name people by their ids",
        "notify.slack.app",
        "self._command(text, name or user)",
        "self._command(text, user or name)",
        "histories name people as the workspace does",
        _SLACK_APP,
    ),
    planted_bug(
        "take two presses for one",
        "notify.slack.actions",
        "mark = f\"{_text(action, 'action_ts')} {_text(user, 'id')} {_text(_part(payload, 'message'), 'ts')}\"",
        "mark = f\"{_text(user, 'id')} {_text(_part(payload, 'message'), 'ts')}\"",
        "a press again is another request",
        _SLACK_APP,
    ),
    planted_bug(
        "list the oldest action first",
        "cli.actions",
        "store.actions.all_requests()[::-1]",
        "store.actions.all_requests()",
        "`alertd actions` shows the newest first",
        _OPTIONS,
    ),
    planted_bug(
        "show when an action was called for when it ended",
        "cli.actions",
        '"finished_at": iso_instant_or_none(request.finished_at)',
        '"finished_at": iso_instant_or_none(request.called_at)',
        "a key shows what its name says",
        _OPTIONS,
    ),
    planted_bug(
        "show the newest of what is due",
        "queries.status",
        "min(entry.due_since, due.get(entry.receiver, now))",
        "max(entry.due_since, due.get(entry.receiver, entry.due_since))",
        "the oldest notification that is due is what counts",
        _STATUS,
    ),
    planted_bug(
        "announce every repeat for the time of the first",
        "queries.alert_history",
        "due = repeat_at(alert, rule)",
        "due = repeat_at(replace(alert, repeat_count=0), rule)",
        "`alertd explain` says when it is repeated",
        _HISTORY,
    ),
    planted_bug(
        "explain the past by the first move",
        "queries.alert_history",
        "for event in reversed(history.events))",
        "for event in history.events)",
        "the last move before a moment says how it was",
        _HISTORY,
    ),
    planted_bug(
        "name the last gap for the first",
        "core.spend.data_state",
        "first = start_of(missing.ranges[0].start)",
        "first = start_of(missing.ranges[-1].start)",
        "a clause says from when on hours are missing",
        _GAP_WORDS,
    ),
    planted_bug(
        "keep the store in the last state directory",
        "settings.asked",
        'os.environ.get("STATE_DIRECTORY", "").split(":")[0]',
        'os.environ.get("STATE_DIRECTORY", "").split(":")[-1]',
        "systemd's first directory is the store's",
        _SETTINGS,
    ),
    planted_bug(
        "prefer the system's rules to those at hand",
        "settings.asked",
        "SYSTEM_RULES if not local.exists() and SYSTEM_RULES.exists() else local",
        "SYSTEM_RULES if SYSTEM_RULES.exists() else local",
        "the rules of this folder come first",
        _SETTINGS,
    ),
    planted_bug(
        "forget when a condition ended where a clock ran ahead",
        "core.alerts.rebase",
        "        condition_ended_at=no_later_if_any(alert.condition_ended_at, now),\n",
        "",
        "what a wrong clock dated into the future is dated to now",
        "tests/core/alerts/test_rebase.py",
    ),
)
