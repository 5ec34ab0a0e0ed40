"""Bugs that show the second time, or in what is not shown: of fresh sets that the tests had not found."""

from tests.mutants.mutant import planted_bug

AGAIN = (
    planted_bug(
        "close replaced connections under a call",
        "daemon.reload",
        "        await self._app.actions.settled()\n",
        "",
        "what is called through a connection ends before it is closed",
    ),
    planted_bug(
        "hear no date after a reload",
        "daemon.reload",
        "opening, hear=app.time.hear, elapsed=app.clock.elapsed_s)",
        "opening, elapsed=app.clock.elapsed_s)",
        "an edit opens its clients by the clocks of the start",
    ),
    planted_bug(
        "start without the rest of an earlier process",
        "daemon.service",
        "        await self._app.delivery.recover()\n",
        "",
        "a row found `sending` at start is of unknown outcome",
        "tests/daemon/test_service_parts.py",
    ),
    planted_bug(
        "end an alert before all is read",
        "daemon.cycle",
        "if not only_rises or move.is_rise]",
        "if True]",
        "while a read goes on an alert may begin or rise only",
        "tests/daemon/test_poll.py",
    ),
    planted_bug(
        "take a recorded attempt for one under way",
        "notify.delivery.deliver",
        "                self._leaving.discard(before.id)\n",
        "",
        "a claim without an answer is taken back, the second time too",
        "tests/notify/delivery/test_deliver_again.py",
    ),
    planted_bug(
        "send copies to the fallback of before",
        "notify.delivery.deliver",
        "        self._notifiers = notifiers\n        self._fallback = fallback\n        self.wake()",
        "        self._notifiers = notifiers\n        self.wake()",
        "an edit swaps fallbacks too",
        "tests/notify/delivery/test_deliver_again.py",
    ),
    planted_bug(
        "let a group in that cannot be read any more",
        "notify.slack.approvers",
        "        except (aiohttp.ClientError, OSError, TimeoutError) as error:\n"
        "            return type(error).__name__\n",
        "        except (aiohttp.ClientError, OSError, TimeoutError) as error:\n"
        "            return known[1] if known else type(error).__name__\n",
        "a group that cannot be read admits nobody",
        "tests/notify/slack/test_approvers.py",
    ),
    planted_bug(
        "show spend of an older poll",
        "daemon.page_data",
        "key = (last.started_at if last is not None else None, steps)",
        "key = (None, steps)",
        "the page shows what the last poll brought",
        "tests/web/test_page_wiring.py",
    ),
    planted_bug(
        "count a wait from before the condition held again",
        "core.alerts.lifecycle",
        "return replace(alert, severity=reached, condition_ended_at=None)",
        "return replace(alert, severity=reached)",
        "`keep_firing_for` counts from the last end of the condition",
        "tests/core/alerts/test_observed.py",
    ),
    planted_bug(
        "undo the first stop of two",
        "core.alerts.acting",
        "for one in reversed(of_alert) if one.may_be_undone",
        "for one in of_alert if one.may_be_undone",
        "who stopped last may start again",
        "tests/core/alerts/test_acting.py",
    ),
)
