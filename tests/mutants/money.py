"""Bugs in what counts as money, and in what is taken over, sent first or sent at which time."""

from tests.mutants.mutant import planted_bug

MONEY = (
    planted_bug(
        "lose the last hour of a month",
        "core.calendar",
        "    hours = HourRange(_first_hour(first, timezone), _first_hour(following, timezone))\n",
        "    hours = HourRange(_first_hour(first, timezone), _first_hour(following, timezone) - 1)\n",
        "a period ends where the next one begins",
        "tests/core/test_calendar.py",
    ),
    planted_bug(
        "count summary",
        "core.spend.bill",
        '    "bare_metal",\n)',
        '    "bare_metal",\n    "summary",\n)',
        "the control total of all categories is no category",
        "tests/core/spend/test_categories.py",
    ),
    planted_bug(
        "count expected money as known",
        "core.rules.budget",
        "            reached=worst(criterion.highest() for criterion in sure),\n",
        "            reached=worst(criterion.highest() for criterion in expected),\n",
        "what is expected and not billed fires nothing",
        "tests/core/reports/test_budget_lines.py",
    ),
    planted_bug(
        "wall clock in the outbox",
        "daemon.app",
        "            now=time.now,\n            jitter=random.random,",
        "            now=clock.wall,\n            jitter=random.random,",
        "nothing is sent, held or given up by a clock that was not checked",
        "tests/daemon/test_clock_life.py",
    ),
    planted_bug(
        "fold a fresh alert away",
        "core.messages.ahead",
        "        if old.fingerprints == entry.fingerprints:\n            if _may_join",
        "        if True:\n            if _may_join",
        "an entry takes over only what speaks of its own alerts",
        "tests/core/messages/test_dispatch.py",
    ),
    planted_bug(
        "fold what may have been sent",
        "core.messages.outbox",
        "EntryState.BLOCKED} and not self.unknowns",
        "EntryState.BLOCKED}",
        "what may have arrived is not taken over",
        "tests/core/messages/test_dispatch.py",
    ),
    planted_bug(
        "edit before news",
        "notify.delivery.order",
        "(first is None or free.rank < first.rank)",
        "(first is None or free.rank > first.rank)",
        "news leave before edits",
        "tests/notify/delivery/test_order.py",
    ),
)
