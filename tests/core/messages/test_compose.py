"""The texts of messages, whole, as their readers see them."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from alertd.core.alert import Alert, AlertState, Unit
from alertd.core.alerts.audience import LinkTargets
from alertd.core.alerts.lifecycle import end, step
from alertd.core.alerts.reason import NotifyReason
from alertd.core.hours import HourRange
from alertd.core.labels import Patterns
from alertd.core.messages.compose import (
    compose_alert,
    compose_test,
    compose_undelivered,
    fold,
)
from alertd.core.messages.message import Link, Message, TableRow, plain_text, truncate
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Rule
from alertd.core.rules.monthly_bill import MonthlyBillRule
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.severity import Severity
from alertd.core.values import format_value
from alertd.core.words import format_age, format_duration
from tests.core.builders import (
    DAY,
    HOUR,
    NOW,
    RUNNING,
    Desk,
    Row,
    a_series,
    desk_with,
    group,
    monthly_bill,
    rolling,
    row,
    sample,
    tracked,
    usd,
)

OWNERS = OwnerDirectory((Owner(match=Patterns(("gpu-1",)), name="trainer-a", team="research"),))
RULE = rolling(
    category=Patterns(("gpu",)), description="GPU budget of research.", runbook_url="https://wiki.example.com/gpu"
)
DESK = desk_with(
    row(RUNNING - 3, "58"),
    row(RUNNING - 30, "20"),
    Row(series=a_series(product="disk"), hour=RUNNING - 3, amount=usd("3.25")),
)


def judged(desk: Desk, alert: Alert | None = None, *, rule: RollingSpend = RULE, now: datetime = NOW) -> Alert:
    """The alert of gpu-1 after a real evaluation."""
    (seen,) = rule.evaluate(desk.facts(NOW, owners=OWNERS), (group(),))
    after = step(alert, seen, rule, now)
    assert after is not None
    return after


def compose(alert: Alert, reason: NotifyReason, rule: Rule | None = RULE, *, now: datetime = NOW) -> Message:
    return compose_alert(alert, rule, reason, headline=alert.headline, owners=OWNERS, now=now)


def test_first_message_when_composed_then_every_word_of_it() -> None:
    """What, whose, how much, against which threshold; why; what to do; how sure it is."""
    alert = judged(DESK)
    message = compose(alert, NotifyReason.FIRST)
    assert message.title == "trainer-a (gpu-1) spent $61.25 on gpu in 24h (warning from $50.00)"
    assert message.lines == (
        "Team research · firing since 2026-01-10 12:05 UTC.",
        "GPU budget of research.",
        "What to do: Look at what runs under these names: stop what is not needed, or raise the threshold.",
    )
    assert message.lines_below == 2, "what it says and what to do is read last"
    assert message.fields == (), "the title says all of it"
    assert message.table == (
        TableRow(who="trainer-a (gpu-1)", what="H100 (gpu)", amount="$58.00", before="$20.00"),
        TableRow(who="trainer-a (gpu-1)", what="disk (gpu)", amount="$3.25", before="$0.00"),
    )
    assert message.table_note == "24h to 2026-01-10 10:00 UTC, against the 24h before"
    assert message.links == (Link(text="Runbook", url="https://wiki.example.com/gpu"),)
    assert message.footer == (
        f"billed through 2026-01-10 10:00 UTC · rule gpu-24h · account default · alert {alert.fingerprint}"
    )
    assert (message.severity, message.is_resolved, message.history) == (Severity.WARNING, False, ())


def test_raised_message_when_composed_then_says_since_when_and_the_new_threshold() -> None:
    """The reader saw the milder one."""
    desk = desk_with(row(RUNNING - 3, "120"))
    alert = judged(desk, judged(DESK), now=NOW + 26 * HOUR)
    message = compose(alert, NotifyReason.RAISED, now=NOW + 26 * HOUR)
    assert message.title == "trainer-a (gpu-1) spent $120.00 on gpu in 24h (critical from $100.00)"
    assert message.lines[0] == "Team research · firing for 1 d 2 h, since 2026-01-10 12:05 UTC."


def test_repeat_message_when_composed_then_says_still() -> None:
    """It must not read as a new alert."""
    message = compose(judged(DESK), NotifyReason.REPEAT, now=NOW + 24 * HOUR)
    assert message.title == "Still: trainer-a (gpu-1) spent $61.25 on gpu in 24h (warning from $50.00)"
    assert message.lines[0] == "Team research · firing for 1 d, since 2026-01-10 12:05 UTC."


def test_resolved_message_when_composed_then_how_long_and_how_much_and_no_advice() -> None:
    """Nothing is to be done any more."""
    alert = judged(desk_with(row(RUNNING - 3, "41.50")), judged(DESK), now=NOW + 185 * timedelta(minutes=1))
    message = compose(alert, NotifyReason.RESOLVED, now=NOW + 4 * HOUR)
    assert message.title == "trainer-a (gpu-1) spent $41.50 on gpu in 24h"
    assert message.lines == (
        "It fired for 3 h 5 min, from 2026-01-10 12:05 UTC; at most $61.25. Team research.",
        "GPU budget of research.",
    )
    assert (message.is_resolved, message.table, message.table_note) == (True, (), "")


def test_resolved_message_when_the_rule_was_removed_then_says_why() -> None:
    """Otherwise it reads as if the spend had gone down."""
    alert = end(judged(DESK), reason="rule removed", now=NOW + HOUR)
    message = compose(alert, NotifyReason.RESOLVED, None)
    assert message.lines == (
        "It fired for 1 h, from 2026-01-10 12:05 UTC; at most $61.25. Team research.",
        "Why: rule removed.",
    )
    assert message.links == ()


def test_message_when_data_is_incomplete_then_says_what_is_missing() -> None:
    """The reader must know that the true sum may be higher."""
    desk = desk_with(row(RUNNING - 3, "60"))
    desk.fail(HourRange(RUNNING - 12, RUNNING + 1), NOW)
    message = compose(judged(desk), NotifyReason.FIRST)
    assert message.lines[2] == "Not complete: gpu could not be read since 2026-01-10 12:05 UTC (HTTP 500)."


def test_facts_when_composed_then_machines_get_the_same() -> None:
    """Webhook and Alertmanager formats are made of these."""
    (facts,) = compose(judged(DESK), NotifyReason.FIRST).alerts
    assert dict(facts.labels) == {
        "alertname": "gpu-24h",
        "severity": "warning",
        "account": "default",
        "type": "rolling_spend",
        "owner": "gpu-1",
        "owner_name": "trainer-a",
        "team": "research",
    }
    assert dict(facts.annotations) == {
        "summary": "trainer-a (gpu-1) spent $61.25 on gpu in 24h",
        "description": "GPU budget of research.",
        "runbook_url": "https://wiki.example.com/gpu",
    }
    assert (facts.value, facts.threshold, facts.unit) == ("61.25", "50", "USD")
    assert (facts.starts_at, facts.ends_at, facts.is_resolved) == (NOW, None, False)


def test_facts_when_a_label_has_a_built_in_name_then_the_built_in_one_stays() -> None:
    """A rule's label `severity: low` must not disguise a critical alert to a pager."""
    rule = replace(RULE, labels=(("severity", "low"), ("alertname", "x")))
    (facts,) = compose(judged(DESK, rule=rule), NotifyReason.FIRST, rule).alerts
    assert (dict(facts.labels)["severity"], dict(facts.labels)["alertname"]) == ("warning", "gpu-24h")


def test_bill_message_when_composed_then_owed_month_and_invoice() -> None:
    """An overdue bill stops everything that runs."""
    rule = MonthlyBillRule(name="bill-overdue")
    bill = tracked((NOW - 3 * DAY, monthly_bill()))
    (seen,) = rule.evaluate(Desk().facts(bills=(bill,)), ())
    alert = step(None, seen, rule, NOW)
    assert alert is not None
    message = compose(alert, NotifyReason.FIRST, rule)
    assert message.title == "Bill of 2025-12 (default) is overdue for 3 d: $80.00 owed of $100.00"
    assert message.fields == (), "the title says all of it"
    assert message.links == (Link(text="Invoice", url="https://novita.ai/invoice/b-1"),)
    over = compose(end(alert, reason="", now=NOW + DAY), NotifyReason.RESOLVED, rule)
    assert over.lines == ("It fired for 1 d, from 2026-01-10 12:05 UTC.",)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        pytest.param(0, "is overdue:", id="new: no number says it"),
        pytest.param(1, "is overdue for 1 d:", id="one"),
        pytest.param(1.5, "is overdue for 1 d 12 h:", id="and a half"),
    ],
)
def test_bill_when_young_then_its_age_reads_well(days: float, words: str) -> None:
    """`0 days` would look like a mistake."""
    rule = MonthlyBillRule(name="bill-overdue")
    (seen,) = rule.evaluate(Desk().facts(bills=(tracked((NOW - days * DAY, monthly_bill())),)), ())
    alert = step(None, seen, rule, NOW)
    assert alert is not None
    message = compose(alert, NotifyReason.FIRST, rule)
    assert words in message.title
    assert message.fields == ()


# --- the rest -------------------------------------------------------------------------------------------------------


def test_undelivered_when_composed_then_who_missed_what_and_why() -> None:
    """The fallback's reader must see the alert and what to mend."""
    first = compose(judged(DESK), NotifyReason.FIRST)
    copy = compose_undelivered(first, receiver="slack", why="channel_not_found; invite the bot", now=NOW + HOUR)
    assert copy.title == f"{first.title} [undelivered to slack]"
    assert copy.history == ('Receiver "slack" did not get this: channel_not_found; invite the bot',)
    assert (copy.reason, copy.created_at, copy.lines) == (NotifyReason.UNDELIVERED, NOW + HOUR, first.lines)


def test_test_message_when_composed_then_nobody_takes_it_for_an_alert() -> None:
    """Its kind and its text both say so."""
    message = compose_test("bridge", now=NOW)
    assert (message.title, message.reason) == ('alertd can reach receiver "bridge"', NotifyReason.TEST)
    assert message.lines == ("This is a test message: nothing is wrong, nothing is to be done.",)
    assert message.alerts == ()


def test_fold_when_what_waited_had_a_history_then_all_of_it_in_order() -> None:
    """A message that folded others may itself be folded."""
    first = compose(judged(DESK), NotifyReason.FIRST)
    raised = replace(first, reason=NotifyReason.RAISED, severity=Severity.CRITICAL, created_at=NOW + HOUR)
    repeat = replace(first, reason=NotifyReason.REPEAT, created_at=NOW + 2 * HOUR)
    twice = fold([fold([first], raised)], repeat)
    assert twice.history == (
        "Delivered late: firing (warning) 2026-01-10 12:05 UTC.",
        "Delivered late: firing (critical) 2026-01-10 13:05 UTC.",
    )
    assert twice.reason is NotifyReason.FIRST


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("61.25", Unit.USD, "$61.25"),
        ("0.0000000001", Unit.USD, "$0.0000000001"),
        ("922337203.6854775807", Unit.USD, "$922,337,203.69"),
        ("0.834", Unit.RATIO, "83.4 %"),
        ("1", Unit.RATIO, "100 %"),
        ("10", Unit.RATIO, "1,000 %"),
        ("10.01", Unit.RATIO, "1,001 %"),
        ("19.99", Unit.RATIO, "1,999 %"),
        ("412.57", Unit.RATIO, "41,257 %"),
        ("99.99", Unit.RATIO, "9,999 %"),
        ("1000", Unit.RATIO, "100,000 %"),
        ("-0.0001", Unit.RATIO, "0 %"),
        ("7.5", Unit.DAYS, "7 d 12 h"),
        ("8.958333", Unit.DAYS, "8 d 23 h"),
        ("2.3333333333", Unit.HOURS, "2 h 20 min"),
    ],
)
def test_format_value_when_units_differ_then_for_people(value: str, unit: Unit, text: str) -> None:
    """One form for titles, fields and storms."""
    assert format_value(Decimal(value), unit) == text


def test_plain_text_when_rendered_then_in_the_order_of_importance() -> None:
    """Mail, logs and the last resort of a channel."""
    message = replace(compose(judged(DESK), NotifyReason.FIRST), history=("Delivered late.",))
    assert plain_text(message).splitlines() == [
        "trainer-a (gpu-1) spent $61.25 on gpu in 24h (warning from $50.00)",
        "Delivered late.",
        "Team research · firing since 2026-01-10 12:05 UTC.",
        "",
        "24h to 2026-01-10 10:00 UTC, against the 24h before",
        "- trainer-a (gpu-1) · H100 (gpu): $58.00 (before: $20.00)",
        "- trainer-a (gpu-1) · disk (gpu): $3.25 (before: $0.00)",
        "",
        "GPU budget of research.",
        "What to do: Look at what runs under these names: stop what is not needed, or raise the threshold.",
        "",
        "Runbook: https://wiki.example.com/gpu",
        "",
        f"billed through 2026-01-10 10:00 UTC · rule gpu-24h · account default · alert {message.alerts[0].fingerprint}",
    ]
    assert len(plain_text(message, limit=101)) <= 101
    assert truncate("abc def", 5) == "abc…"
    assert truncate("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("duration", "written", "age"),
    [
        (timedelta(minutes=90), "90m", "1 h 30 min"),
        (timedelta(hours=24), "24h", "1 d"),
        (timedelta(hours=48), "48h", "2 d"),
        (timedelta(days=7), "7d", "7 d"),
        (timedelta(hours=76), "76h", "3 d 4 h"),
        (timedelta(hours=13, minutes=5), "785m", "13 h"),
        (timedelta(seconds=59), "59s", "0 min"),
        (timedelta(0), "0s", "0 min"),
    ],
)
def test_duration_when_shown_then_as_the_rules_file_writes_it_or_as_an_age(
    duration: timedelta, written: str, age: str
) -> None:
    """A window is exact, an age is about."""
    assert (format_duration(duration), format_age(duration)) == (written, age)


def test_sample_builder_when_used_here_then_agrees_with_the_rule() -> None:
    """The lifecycle's tables use made samples: they must be what the rule itself would say."""
    for value in ("44.99", "45", "50", "89.99", "90", "100"):
        (seen,) = rolling().evaluate(desk_with(row(RUNNING - 3, value)).facts(), (group(),))
        made = sample(value)
        assert (seen.reached, seen.held, seen.thresholds, seen.value) == (
            made.reached, made.held, made.thresholds, made.value,
        )  # fmt: skip


# --- where to read on -------------------------------------------------------------------------------------------------

TARGETS = LinkTargets(status="https://alertd.example.com/x", billing={"default": "https://vendor.example.com/billing"})


def test_message_when_alertd_has_pages_then_links_the_alerts_own() -> None:
    """Who is woken by it has one click to all that is known of it; machines get the same page."""
    alert = judged(DESK)
    page = f"https://alertd.example.com/x/alerts/{alert.fingerprint}"
    message = compose_alert(
        alert, RULE, NotifyReason.FIRST, headline=alert.headline, owners=OWNERS, now=NOW, targets=TARGETS
    )
    assert message.links == (
        Link(text="Status page", url=page),
        Link(text="Runbook", url="https://wiki.example.com/gpu"),
    )
    assert message.alerts[0].url == page


def test_unpaid_bill_then_links_where_it_is_paid_until_it_is() -> None:
    """The invoice says what is owed, the console takes the money; machines keep the invoice."""
    rule = MonthlyBillRule(name="bill-overdue")
    (seen,) = rule.evaluate(Desk().facts(bills=(tracked((NOW - 3 * DAY, monthly_bill())),)), ())
    alert = step(None, seen, rule, NOW)
    assert alert is not None

    def links(alert: Alert, targets: LinkTargets) -> list[str]:
        reason = NotifyReason.RESOLVED if alert.state is AlertState.RESOLVED else NotifyReason.FIRST
        message = compose_alert(alert, rule, reason, headline="", owners=OWNERS, now=NOW, targets=targets)
        assert message.alerts[0].url == "https://novita.ai/invoice/b-1"
        return [link.url.removeprefix("https://") for link in message.links]

    page, invoice, console = (
        f"alertd.example.com/x/alerts/{alert.fingerprint}",
        "novita.ai/invoice/b-1",
        "vendor.example.com/billing",
    )
    assert links(alert, TARGETS) == [page, invoice, console]
    assert links(alert, replace(TARGETS, billing={"other": "https://x.example.com"})) == [page, invoice]
    assert links(end(alert, reason="", now=NOW), TARGETS) == [page, invoice]
    assert links(alert, LinkTargets()) == [invoice]
