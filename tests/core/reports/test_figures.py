"""Reports by hand-computed figures, and in words."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import AlertState
from alertd.core.alerts.audience import LinkTargets
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import Period
from alertd.core.chart import chart_line, labels
from alertd.core.hours import HourRange
from alertd.core.labels import Patterns
from alertd.core.messages.message import Link, Message, Section
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.reports.figures import ReportFigures, ReportScope, SpendFigures, report_figures
from alertd.core.reports.words import compose_report
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.severity import Severity
from alertd.core.spend.bill import MonthlyBill
from tests.core.builders import (
    CRITICAL,
    DAY,
    HOUR,
    NOW,
    RUNNING,
    WARNING,
    Desk,
    desk_with,
    firing,
    monthly_bill,
    row,
    tracked,
    usd,
)

EDGE = RUNNING - 2
"""Without newer rows: the read less two hours. 2026-01-10 10:00 UTC."""
OWNERS = OwnerDirectory((Owner(match=Patterns(("gpu-*",)), name="trainer", team="research"),))
SCOPE = ReportScope(name="daily", period=DAY, group_by=("category",), timezone="UTC")


def budget(**parts: object) -> BudgetRule:
    """A week's budget of $100, from Monday the 5th of January."""
    rule = BudgetRule(name="week", period=Period.WEEK, amount=usd("100"), thresholds={WARNING: Share(Fraction(1))})
    return replace(rule, **parts)  # type: ignore[arg-type]


def figures(desk: Desk, scope: ReportScope = SCOPE, **parts: object) -> ReportFigures:
    known = {"alerts": [], "rules": [], **parts}
    return report_figures(scope, desk.facts(owners=OWNERS), **known)  # type: ignore[arg-type]


def spend(desk: Desk, scope: ReportScope = SCOPE) -> SpendFigures:
    found = figures(desk, scope).spend
    assert found is not None
    return found


def notified(desk: Desk, scope: ReportScope = SCOPE, **parts: object) -> Message:
    return compose_report(figures(desk, scope, **parts), owners=OWNERS)


def section(message: Message, title: str) -> Section:
    return next(each for each in message.sections if each.title == title)


def lines(message: Message, title: str) -> list[tuple[str, str, str]]:
    return [(row.name, row.amount, row.note) for row in section(message, title).rows]


TWO_DAYS_ROWS = (
    row(EDGE - 1, "30", owner="gpu-1"),
    row(EDGE - 24, "20", owner="gpu-2"),
    row(EDGE - 25, "10", owner="gpu-1"),
    row(EDGE - 48, "70", owner="gpu-3"),
    row(EDGE - 49, "999", owner="gpu-1"),
    row(EDGE - 3, "5.50", owner="key-1", category="llm"),
    row(EDGE - 30, "5.50", owner="key-1", category="llm"),
)
TWO_DAYS = desk_with(*TWO_DAYS_ROWS)


# --- which hours ------------------------------------------------------------------------------------------------------


def test_period_when_summed_then_both_end_to_end_at_the_edge() -> None:
    """24 hours to the edge against the 24 before; the hour before those counts for neither."""
    found = spend(TWO_DAYS)
    assert found.window == HourRange(EDGE - 24, EDGE)
    assert (found.total.amount, found.total.before) == (usd("55.50"), usd("85.50"))
    assert [(dict(g.group)["category"], g.spend.amount, g.spend.before) for g in found.groups] == [
        ("gpu", usd("50"), usd("80")),
        ("llm", usd("5.50"), usd("5.50")),
    ]
    assert (found.gaps, found.gaps_before) == ((), ())


def test_period_when_the_running_hour_has_rows_then_ends_with_it_as_the_windows_of_rules_do() -> None:
    """A report that leaves out what an alert speaks of would contradict it."""
    assert spend(desk_with(row(RUNNING, "1"), row(RUNNING - 1, "2"))).window.end == RUNNING + 1


def test_bars_when_drawn_then_add_up_to_the_total() -> None:
    """The chart is of the same money, by the zone's days."""
    week = replace(SCOPE, period=7 * DAY, timezone="Asia/Tokyo")
    found = spend(TWO_DAYS, week)
    # 10:00 UTC is 19:00 in Tokyo, so the last day has 19 hours and the first 5.
    assert len(found.points) == 8
    assert [f"{point.at:%d %H}" for point in found.points[:2]] == ["03 10", "03 15"]
    assert sum(found.amounts) == found.total.amount == usd("1140")
    assert [point.value for point in found.points[-3:]] == ["1069", "35.5", "35.5"]


def test_movers_when_listed_then_rises_first_and_falls_last() -> None:
    """What changed is by owner and product; what did not is no news."""
    moved = [(part.owner, part.amount - (part.before or 0)) for part in spend(TWO_DAYS).movers]
    assert moved == [("gpu-1", usd("20")), ("gpu-2", usd("20")), ("gpu-3", usd("-70"))]


# --- what is missing --------------------------------------------------------------------------------------------------


def test_period_when_a_category_cannot_be_read_then_says_that_the_sum_may_be_low() -> None:
    """The failing hours are newer than the edge: the report must say so all the same."""
    desk = desk_with(row(EDGE - 1, "30"), row(EDGE - 1, "1", category="llm"))
    desk.fail(HourRange(RUNNING - 1, RUNNING + 1), NOW - HOUR, category="llm")
    message = notified(desk)
    assert message.lines[0] == (
        "Not complete: llm could not be read since 2026-01-10 11:05 UTC (HTTP 500): the sum may be low."
    )
    assert message.title.startswith("daily: $31.00 spent in 24h")


def test_spend_when_incomplete_then_rises_are_notified_and_falls_are_not() -> None:
    """What is missing may be all of a fall, and can only add to a rise."""
    desk = desk_with(
        row(EDGE - 1, "30", owner="gpu-1"),
        row(EDGE - 25, "10", owner="gpu-1"),
        row(EDGE - 25, "90", owner="key-1", category="llm"),
    )
    desk.fail(HourRange(EDGE - 6, RUNNING + 1), NOW - HOUR, category="llm")
    message = notified(desk)
    assert message.title == "daily: $30.00 spent in 24h (not complete)"
    assert lines(message, "By category") == [("gpu", "$30.00", "up $20.00 (200 %)")]
    assert [line[1] for line in lines(message, "What moved most")] == ["+$20.00"]


def test_period_before_when_not_wholly_known_then_nothing_is_compared() -> None:
    """Data that is missing would make a rise of nothing."""
    desk = Desk()
    desk.read([row(EDGE - 1, "30")], HourRange(EDGE - 40, RUNNING + 1), NOW)
    found = spend(desk)
    assert (found.total.before, found.groups[0].spend.before, found.movers) == (None, None, ())
    message = notified(desk)
    assert message.title == "daily: $30.00 spent in 24h"
    assert message.lines[0] == (
        "Not compared with the 24h before: gpu was not read yet for 8 hours from 2026-01-08 10:00 UTC."
    )
    assert lines(message, "By category") == [("gpu", "$30.00", "")]


def test_everything_when_nothing_was_read_then_says_so() -> None:
    """A report of $0.00 would be a lie."""
    message = notified(Desk())
    assert message.title == "daily: no bills were read yet"
    assert message.chart is None


# --- words ------------------------------------------------------------------------------------------------------------


def test_report_when_shown_then_reads_like_this() -> None:
    """The words of the whole report, as every channel lays them out."""
    message = notified(TWO_DAYS)
    assert (message.reason, message.severity, message.alerts) == (NotifyReason.REPORT, Severity.INFO, ())
    assert message.title == "daily: $55.50 spent in 24h, $30.00 (35.1 %) less than in the 24h before"
    assert message.lines == ("From 2026-01-09 10:00 UTC to 2026-01-10 10:00 UTC.",)
    assert message.chart is not None
    assert chart_line(message.chart) == "▆▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▂▁█ Spend by hour"
    assert message.chart.points[-1].value == "30"
    assert [(field.name, field.text) for field in message.fields] == [
        ("Spent in 24h", "$55.50"),
        ("The 24h before", "$85.50"),
        ("Change", "down $30.00 (35.1 %)"),
        ("Largest hour", "Jan 10 09:00 UTC: $30.00"),
        ("Billed through", "2026-01-10 10:00 UTC"),
    ]
    assert lines(message, "By category") == [("gpu", "$50.00", "down $30.00 (37.5 %)"), ("llm", "$5.50", "unchanged")]
    assert lines(message, "What moved most") == [
        ("trainer (gpu-1) · H100 (gpu)", "+$20.00", "from $10.00 to $30.00"),
        ("trainer (gpu-2) · H100 (gpu)", "+$20.00", "from $0.00 to $20.00"),
        ("trainer (gpu-3) · H100 (gpu)", "-$70.00", "from $70.00 to $0.00"),
    ]
    assert section(message, "Alerts").note == "Nothing is firing."
    assert [s.title for s in message.sections] == ["By category", "What moved most", "Alerts"]


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        pytest.param("10", "10", ", as much as in the 24h before", id="the same"),
        pytest.param("12", "10", ", $2.00 (20 %) more than in the 24h before", id="more"),
        pytest.param("101", "10", ", $91.00 more than in the 24h before", id="more than tenfold: no percent"),
        pytest.param("10", "0", ", $10.00 more than in the 24h before", id="from nothing"),
        pytest.param("-1", "10", ", $11.00 less than in the 24h before", id="a credit"),
    ],
)
def test_title_when_compared_then_says_by_how_much(now: str, before: str, words: str) -> None:
    """The first line is what a phone shows."""
    message = notified(desk_with(row(EDGE - 1, now), row(EDGE - 25, before)))
    assert message.title.endswith(f" spent in 24h{words}")


def test_groups_when_there_are_many_then_the_rest_is_one_sum() -> None:
    """Twelve lines are read; the thirteenth and later ones are counted, so that the sums still agree."""
    desk = desk_with(*(row(EDGE - 1, str(100 - n), owner=f"key-{n:02}") for n in range(15)))
    message = notified(desk, replace(SCOPE, group_by=("owner",)))
    assert [row.name for row in section(message, "By owner").rows] == [f"key-{n:02}" for n in range(12)]
    assert section(message, "By owner").note == "And 3 more: $261.00 together."
    assert len(section(message, "What moved most").rows) == 5


def test_groups_when_none_are_asked_for_then_there_is_no_such_section() -> None:
    """`group_by` is optional."""
    assert [s.title for s in notified(TWO_DAYS, replace(SCOPE, group_by=())).sections] == ["What moved most", "Alerts"]


def test_teams_when_grouped_then_by_the_owners_of_the_rules_file() -> None:
    """Ids without a team are shown as such."""
    message = notified(TWO_DAYS, replace(SCOPE, group_by=("category", "team")))
    assert [row[0] for row in lines(message, "By category and team")] == ["gpu · research", "llm · (no team)"]


def test_days_when_the_period_is_longer_then_the_chart_is_by_the_day_in_the_zone() -> None:
    """A week has eight days where it does not begin at midnight, and says so."""
    message = notified(TWO_DAYS, replace(SCOPE, period=7 * DAY, timezone="Asia/Tokyo"))
    assert message.lines[0] == "From 2026-01-03 19:00 JST to 2026-01-10 19:00 JST."
    assert message.chart is not None
    assert chart_line(message.chart) == "▁▁▁▁▁█▂▂ Spend by day; the first and the last day in part"
    assert labels(message.chart)[:2] == ["Jan 3", "Jan 4"]
    assert ("Largest day", "Jan 8: $1,069.00") in [(field.name, field.text) for field in message.fields]


# --- budgets, alerts, bills -------------------------------------------------------------------------------------------


def test_budgets_when_enabled_then_each_group_stands_by_its_share() -> None:
    """Hand-computed: Monday to the edge is 130 of 168 hours; gpu-1 has spent 1,039 of 100."""
    rules: list[Rule] = [
        budget(group_by=("owner",)),
        budget(name="all", amount=usd("2000")),
        budget(name="off", enabled=False),
    ]
    # key-0 was charged in the week before, and nothing since Monday.
    desk = desk_with(*TWO_DAYS_ROWS, row(EDGE - 131, "3", owner="key-0"))
    told_lines = lines(notified(desk, rules=rules), "Budgets")
    assert [line[:2] for line in told_lines] == [
        ("week · trainer (gpu-1)", "$1,039.00"),
        ("week · trainer (gpu-3)", "$70.00"),
        ("all", "$1,140.00"),
        ("week · trainer (gpu-2)", "$20.00"),
        ("week · key-1", "$11.00"),
    ]
    assert told_lines[0][2].startswith("of $100.00 (1,039 %) with 1 d 14 h left")
    assert told_lines[1][2].startswith("of $100.00 (70 %) with 1 d 14 h left")


def test_budget_when_its_period_has_a_gap_then_says_that_it_may_be_low() -> None:
    """The gap may lie before the report's own period."""
    desk = desk_with(row(EDGE - 1, "30"))
    desk.fail(HourRange(EDGE - 100, EDGE - 99), NOW - 90 * HOUR)
    [(_, _, note)] = lines(notified(desk, rules=[budget()]), "Budgets")
    assert note.endswith("not complete, may be low")


def test_alerts_when_firing_then_the_worst_and_oldest_first_with_their_age() -> None:
    """What is pending or over is not open."""
    young = firing(owner="gpu-2", now=NOW - 5 * HOUR)
    alerts = [
        young,
        firing(owner="gpu-1", now=NOW - 28 * HOUR),
        firing("120", owner="gpu-3", now=NOW - HOUR),
        replace(young, fingerprint="p", state=AlertState.PENDING),
        replace(young, fingerprint="r", state=AlertState.RESOLVED),
    ]
    assert lines(notified(TWO_DAYS, alerts=alerts), "Alerts: 3 firing") == [
        ("gpu-3 spent $120", "critical", "for 1 h"),
        ("gpu-1 spent $60", "warning", "for 1 d 4 h"),
        ("gpu-2 spent $60", "warning", "for 5 h"),
    ]
    assert alerts[2].severity is CRITICAL


def monthly(month: str, **parts: object) -> MonthlyBill:
    return replace(monthly_bill(), bill_id=f"b-{month}", month=month, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        pytest.param(
            monthly("2025-11", status="overdue", total=usd("90"), debt=usd("90"), repaid=usd("30")),
            ("2025-11", "$60.00", "owed of $90.00; seen as overdue for 2 d"),
            id="overdue, in part repaid",
        ),
        pytest.param(
            monthly("2025-12", status="outed", total=usd("90"), debt=usd("0")),
            ("2025-12", "$90.00", "in all; seen as issued for 2 d"),
            id="issued",
        ),
        pytest.param(
            monthly("2025-12", status="frozen", total=usd("90"), debt=usd("0")),
            ("2025-12", "$90.00", "in all; seen as frozen for 2 d"),
            id="a state nobody knows",
        ),
        pytest.param(monthly("2026-01", status="pending", debt=usd("0")), None, id="the month is running"),
        pytest.param(
            monthly("2026-01", status="pending", total=usd("90"), debt=usd("9"), repaid=usd("0")),
            ("2026-01", "$9.00", "owed of $90.00; seen as pending for 2 d"),
            id="the month is running and owes already",
        ),
        pytest.param(monthly("2025-12", status="paid", debt=usd("9")), None, id="paid"),
        pytest.param(monthly("2025-12", status="voided", debt=usd("9")), None, id="voided"),
    ],
)
def test_bill_when_it_waits_for_payment_then_is_listed(found: MonthlyBill, line: tuple[str, str, str] | None) -> None:
    """Whoever reads the week's spend is the one who pays the month's bill."""
    facts = TWO_DAYS.facts(bills=(tracked((NOW - 2 * DAY, found)),))
    message = compose_report(report_figures(SCOPE, facts, alerts=(), rules=()), owners=OWNERS)
    titles = [s.title for s in message.sections]
    assert ("Monthly bills to be paid" in titles) == (line is not None)
    if line is not None:
        assert lines(message, "Monthly bills to be paid") == [line]


def test_bills_when_unreadable_then_says_so() -> None:
    """No bill in the list must not be read as nothing owed."""
    facts = TWO_DAYS.facts(bill_gaps={"default": "monthly bills could not be read (HTTP 500)"})
    message = compose_report(report_figures(SCOPE, facts, alerts=(), rules=()), owners=OWNERS)
    assert message.lines[-1] == "Not complete: monthly bills could not be read (HTTP 500)."


def test_report_when_alertd_has_pages_then_links_the_overview() -> None:
    """What is firing is notified in one line each; the page has the rest."""
    found = report_figures(SCOPE, TWO_DAYS.facts(), alerts=(), rules=())
    message = compose_report(found, owners=OWNERS, targets=LinkTargets(status="https://alertd.example.com"))
    assert message.links == (Link(text="Status page", url="https://alertd.example.com/"),)
    assert compose_report(found, owners=OWNERS).links == ()


def test_scope_when_asked_then_reaches_back_two_periods() -> None:
    """The period before must have been read."""
    assert SCOPE.reach == timedelta(hours=48)
