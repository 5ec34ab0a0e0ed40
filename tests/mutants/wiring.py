"""Bugs in how the parts are connected, and in what is shown but decides nothing."""

from tests.mutants.mutant import planted_bug

_SERVICE = "tests/daemon/test_service.py"
WIRING = (
    planted_bug(
        "summaries left out of the plan",
        "daemon.plan",
        "headline_of=headlines(rules)",
        "headline_of=lambda alert, _rule: alert.headline",
        "a rule's own summary is what its messages say",
        _SERVICE,
    ),
    planted_bug(
        "let everybody ask in Slack",
        "daemon.app",
        "        users=users,\n",
        "",
        "ALERTD_SLACK_USERS says who may ask",
        _SERVICE,
    ),
    planted_bug(
        "let nobody approve",
        "daemon.service",
        "            approvers_of=self._approvers_of,\n",
        "            approvers_of=lambda _action: (),\n",
        "the approvers of an action may press for it",
        _SERVICE,
    ),
    planted_bug(
        "forget why a second edit is bad",
        "daemon.reload",
        "since, failures = before.broken_since or self._app.time.now(), before.failures + 1",
        "since, failures = self._app.time.now(), before.failures + 1",
        "the file is broken since the first bad edit",
        _SERVICE,
    ),
    planted_bug(
        "keep memory after pruning",
        "daemon.service",
        "                if is_pruned:\n                    self._app.cycle.forget()\n",
        "",
        "memory is what is stored, also after deleting what is old",
        _SERVICE,
    ),
    planted_bug(
        "ping although a category failed",
        "daemon.service",
        "if url and report.is_ok and",
        "if url and",
        "the heartbeat stops when alertd is blind",
        _SERVICE,
    ),
    planted_bug(
        "show when a pending alert began as when it fired",
        "queries.alert_json",
        '"fired_at": iso_instant_or_none(alert.fired_at)',
        '"fired_at": iso_instant_or_none(alert.fired_at or alert.started_at)',
        "what waits has not fired",
        "tests/queries/test_json.py",
    ),
)
