"""Bugs that are planted for the simulation: what people asked for, what mutes, and whose day and money it is."""

from tests.mutants.mutant import planted_bug

PEOPLE = (
    planted_bug(
        "forget silences at a restart",
        "store.silences",
        'return self._read("WHERE expired_at IS NULL ORDER BY created_at, id")',
        'return self._read("WHERE expired_at IS NULL AND 1 = 0 ORDER BY created_at, id")',
        "a silence survives a restart (D1)",
    ),
    planted_bug(
        "forget who acknowledged at a restart",
        "store.alerts",
        'return self._read("ORDER BY fingerprint")',
        'from dataclasses import replace\n\n        known = self._read("ORDER BY fingerprint")\n'
        "        return tuple(replace(one, acknowledged_by=None, acknowledged_at=None) for one in known)",
        "an acknowledgement survives a restart (D1)",
    ),
    planted_bug(
        "end silences an hour early",
        "core.alerts.silence",
        "return self.expired_at is None and (self.ends_at is None or now < self.ends_at)",
        "return self.expired_at is None and (self.ends_at is None or (self.ends_at - now).total_seconds() > 3600)",
        "a silence lasts until its end",
    ),
    planted_bug(
        "inhibit nobody",
        "core.alerts.mutes",
        "source = self._inhibitors.of(alert, labels)",
        "source = self._inhibitors.of(alert, {})",
        "an inhibition mutes an alert while another fires",
    ),
    planted_bug(
        "inhibit other owners",
        "core.alerts.inhibition",
        'return tuple(labels.get(name, "") for name in inhibition.equal)',
        'return tuple("" for name in inhibition.equal)',
        "an inhibition mutes where the labels of `equal` are the same",
    ),
    planted_bug(
        "repeat without backoff",
        "core.alerts.due",
        "factor = rule.repeat_backoff ** min(repeat_count, 64)",
        "factor = rule.repeat_backoff",
        "the interval of repeats grows",
    ),
    planted_bug(
        "count what vouchers pay",
        "novita.amounts",
        "{row.amount_usd},{row.voucher_usd},{row.pay_usd},",
        "{row.amount_usd},{row.voucher_usd},{row.amount_usd},",
        "`metric: pay` is what is left to pay",
    ),
    planted_bug(
        "a week from Sunday",
        "core.calendar",
        "            return day - timedelta(days=day.weekday())",
        "            return day - timedelta(days=(day.weekday() + 1) % 7)",
        "a budget's week begins on Monday",
    ),
    planted_bug(
        "budgets by UTC",
        "core.calendar",
        "midnight = datetime.combine(day, time(), ZoneInfo(timezone))",
        'midnight = datetime.combine(day, time(), ZoneInfo("UTC"))',
        "a budget's day is by its own timezone",
    ),
    planted_bug(
        "wait an hour longer",
        "core.alerts.lifecycle",
        "if now - alert.started_at >= rule.for_:",
        "if now - alert.started_at >= rule.for_ * 1.15:",
        "`for` is as long as the rule says",
    ),
    planted_bug(
        "count an hour that costs too little",
        "core.spend.runs",
        "billed = (np.diff(self.totals, axis=0) >= min_rate)",
        "billed = (np.diff(self.totals, axis=0) > 0)",
        "what runs is billed at `min_rate` or more",
    ),
)
