"""Every cell of the status page with a value of its own, so that none can stand in the place of another."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from alertd.core.actions import ActionRequest, ActionState, Verb
from alertd.core.alert import Alert, AlertState, Contributor, Unit
from alertd.core.alert_event import Acknowledged, SilenceEnded
from alertd.core.alerts.acting import Acting
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.mutes import silenced
from alertd.core.alerts.silence import Silence
from alertd.core.calendar import CalendarPeriod, Period
from alertd.core.chart import Chart, ChartForm, ChartLimit, ChartPoint
from alertd.core.hours import HourRange
from alertd.core.labels import Patterns
from alertd.core.messages.message import TableRow
from alertd.core.messages.outbox import EntryState
from alertd.core.muted import Muted, MuteKind
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.reports.budget_lines import BudgetFigures, RankedBudgets
from alertd.core.reports.figures import Undecided
from alertd.core.reports.overview import Overview
from alertd.core.reports.running import Running
from alertd.core.rules.runway import Runway
from alertd.core.rules.standing import Forecast, GroupStanding, Standing
from alertd.core.rules.unmatched import Unmatched
from alertd.core.severity import Severity
from alertd.core.spend.bill import Balance, BillPhase, TrackedBill
from alertd.core.spend.lately import Billed
from alertd.core.spend.steps import GroupSteps, SpendSteps, Steps
from alertd.queries.alert_history import AlertHistory, SentNotification
from alertd.queries.status import Status
from alertd.store.alerts import AlertEvent
from alertd.store.cycles import CycleRecord
from alertd.store.outbox import Attempt
from alertd.web.alert_page import EventRow, SendRow, alert_page
from alertd.web.drawing import BudgetBar
from alertd.web.listed_alerts import ListedAlerts
from alertd.web.overview import AlertLine, BalanceLine, BillLine, RunningLine, SilenceLine, overview_page
from alertd.web.overview_budgets import BudgetLine
from alertd.web.overview_tiles import Tile
from alertd.web.page_context import AlertFile, PageFacts
from alertd.web.spend_panel import (
    Choice,
    GroupBy,
    SpendRow,
    StepRow,
    Window,
    months,
    spend_csv,
    spend_panel,
    step_rows,
)
from tests.core.builders import DAY, HOUR, NOW, RUNNING, desk_with, entry, firing, monthly_bill, rolling, row, usd

MINUTE = timedelta(minutes=1)
JANUARY = CalendarPeriod(
    kind=Period.MONTH, first_day=date(2026, 1, 1), hours=HourRange(RUNNING - 228, RUNNING - 228 + 744)
)
OWNERS = OwnerDirectory(
    (
        Owner(match=Patterns(("gpu-1",)), name="trainer-a", team="research"),
        Owner(match=Patterns(("gpu-2",)), name="trainer-b"),
    )
)
SILENCE = Silence(
    id="51133ce0",
    matchers=(("team", Patterns(("research", "x"))), ("rule", Patterns(("gpu-*",)))),
    author="kim",
    comment="run 12",
    created_at=NOW - HOUR,
    ends_at=NOW + DAY,
)


def an_alert(number: int, **changes: object) -> Alert:
    """An alert whose fingerprint is its number."""
    return replace(firing(), fingerprint=f"{number:016x}", **changes)  # type: ignore[arg-type]


def a_standing(budget: str, spent: str, edge: int, **parts: object) -> Standing:
    plain = Standing(
        budget=usd(budget),
        spent=usd(spent),
        expected=usd("9999"),
        period=JANUARY,
        timezone="UTC",
        edge=edge,
        last_day=None,
        forecast=None,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def budget_figures() -> tuple[BudgetFigures, ...]:
    """One budget in each state, each with numbers of its own."""
    start = JANUARY.hours.start
    forecast = Forecast(total=usd("240"), range=(usd("230"), usd("250")))
    standings = (
        (("owner", "gpu-1"), a_standing("100", "125", start + 372), True, ""),
        (("owner", "gpu-2"), a_standing("200", "40", start + 186, forecast=forecast), False, ""),
        (("team", "research"), a_standing("300", "30", start + 93), True, "spent at 12 times the even rate in 1h"),
        (("team", ""), a_standing("400", "20", start + 372), True, ""),
    )
    return tuple(
        BudgetFigures(
            rule=f"rule-{number}",
            of_group=GroupStanding(group=(group,), standing=standing, is_complete=is_complete, fast=fast),
        )
        for number, (group, standing, is_complete, fast) in enumerate(standings)
    )


def a_balance(account: str, available: str, minutes: int) -> Balance:
    return Balance(account=account, available=usd(available), read_at=NOW - minutes * MINUTE)


def a_run(owner: str, **parts: object) -> Running:
    plain = Running(
        account="default",
        owner=owner,
        name="",
        product="H100",
        category="gpu",
        status="running",
        since=NOW - 4 * HOUR,
        rate=usd("7.30"),
        utilization=Decimal("0.83"),
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def a_bill(month: str, account: str, **parts: object) -> TrackedBill:
    bill = monthly_bill(month=month, account=account, bill_id=month, **parts)
    phases = (
        BillPhase(status="pending", owes=False, since=NOW - 9 * DAY),
        BillPhase(status=bill.status, owes=bill.owed > 0, since=NOW - 2 * DAY),
    )
    return TrackedBill(bill=bill, phases=phases, last_seen_at=NOW - DAY)


def known() -> PageFacts:
    """Everything at once, with numbers and names of their own."""
    desk = desk_with(row(RUNNING - 3, "1"))
    balances = (a_balance("prod", "61", 10), a_balance("dev", "5", 11), a_balance("spare", "77", 12))
    cycle = CycleRecord(started_at=NOW - HOUR, finished_at=NOW - MINUTE, is_ok=True)
    runway = Runway(
        balance=balances[0],
        window=24 * HOUR,
        edge=RUNNING - 2,
        spent=usd("12.20"),
        expected=usd("13"),
        is_complete=True,
    )
    window = HourRange(RUNNING - 26, RUNNING - 2)
    day = Billed(window=window, amount=usd("21"), expected=usd("21"), lagging=())
    bills = tuple(a_bill(f"2025-{month:02}", "prod", debt=usd(str(month)), repaid=usd("0")) for month in range(3, 11))
    return PageFacts(
        now=NOW,
        status=Status(
            version="9.9.9",
            problems=("first", "second"),
            last_cycle=cycle,
            last_good=cycle,
            firing=90,
            pending=91,
            open_alerts=(),
            edges=(),
            receivers=(),
            resources=(),
            rules_file=None,
            now=NOW,
        ),
        alerts=ListedAlerts(
            (
                an_alert(
                    1,
                    severity=Severity.INFO,
                    episode=3,
                    fired_at=NOW - 3 * HOUR,
                    labels=(("owner", "gpu-1"), ("team", "research")),
                    headline="trainer-a spent much",
                    value=Decimal("61.25"),
                    expected=Decimal("70.50"),
                    threshold=Decimal(50),
                    caveats=("llm is late",),
                    acknowledged_by="dana",
                    acknowledged_at=NOW - HOUR,
                    muted=silenced(SILENCE),
                ),
                an_alert(2, severity=Severity.CRITICAL, fired_at=NOW - HOUR),
                an_alert(4, state=AlertState.PENDING, fired_at=None, started_at=NOW - 2 * HOUR),
                an_alert(5, state=AlertState.RESOLVED, fired_at=NOW - DAY, resolved_at=NOW - 5 * HOUR),
                an_alert(6, state=AlertState.RESOLVED, fired_at=NOW - DAY, resolved_at=NOW - 4 * HOUR),
                # What only ever waited is of no interest once it has ended.
                an_alert(7, state=AlertState.RESOLVED, fired_at=None, resolved_at=NOW - HOUR),
            )
        ),
        waiting=(entry(4), entry(1, receiver="mail", not_before=NOW + 2 * HOUR)),
        silences=(SILENCE, replace(SILENCE, id="over", ends_at=NOW)),
        bills=bills,
        balances=balances,
        data=desk.facts().data,
        audience=Audience(owners=OWNERS),
        overview=Overview(
            now=NOW,
            spend=(),
            last_day=day,
            month=replace(day, amount=usd("22"), expected=usd("22")),
            budgets=RankedBudgets(figures=budget_figures(), count=7),
            undecided=(Undecided(rule="steps", text="no amount for 2 groups"),),
            runways=(("low", runway),),
            bills=(),
            running=(
                a_run("gpu-1"),
                a_run("gpu-9", product="A100", status="billed", since=None, rate=None, utilization=None),
                *(a_run(f"i-{number}", rate=usd("0.10")) for number in range(10)),
            ),
            unmatched=(Unmatched(rule="gpu", text="nothing fits team x"),),
        ),
    )


def test_overview_when_all_is_known_then_each_cell_of_its_lists_has_its_own_value() -> None:
    """What people see first; the order of each list is a promise too."""
    found = overview_page(known())
    assert found.problems == ("first", "second")
    assert found.hints == ('rule "gpu": nothing fits team x',)
    assert found.tiles == (
        Tile(name="Last 24 hours billed", value="$21.00"),
        Tile(name="January 2026 so far", value="$22.00", note="UTC month"),
        Tile(name="Owed", value="$52.00", note="8 bills overdue", is_bad=True),
        Tile(name="Balance lasts", value="5 d", note="balance of prod $61.00"),
    )
    assert [line.fingerprint for line in found.firing] == [f"{2:016x}", f"{1:016x}"]
    assert found.firing[1] == AlertLine(
        fingerprint=f"{1:016x}",
        episode=3,
        severity="info",
        is_firing=True,
        headline="trainer-a spent much",
        value="$61.25, about $70.50 once billed",
        threshold="info from $50.00",
        team="research",
        age="3 h",
        since=NOW - 3 * HOUR,
        known_to="dana",
        withheld="silenced by kim until 2026-01-11 12:05 UTC (run 12); quiet hours until 2026-01-10 14:05 UTC (mail)",
        caveats=("llm is late",),
    )
    assert [(line.fingerprint, line.age) for line in found.pending] == [(f"{4:016x}", "2 h")]
    assert [(line.fingerprint, line.age) for line in found.ended] == [(f"{6:016x}", "4 h"), (f"{5:016x}", "5 h")]
    assert found.silences == (
        SilenceLine(
            id="51133ce0",
            matches="team=research,x rule=gpu-*",
            until="until 2026-01-11 12:05 UTC",
            author="kim",
            comment="run 12",
        ),
    )
    assert (found.silences_more, found.firing_more) == (0, 0)
    assert (found.billed_through, found.is_new, found.is_starting, found.now) == (
        NOW.replace(minute=0) - 2 * HOUR,
        False,
        False,
        NOW,
    )


def test_overview_when_all_is_known_then_each_cell_about_money_has_its_own_value() -> None:
    """Bills newest first, balances as they were read, what runs with its price, and the sum of all of it."""
    found = overview_page(known())
    assert [line.month for line in found.bills] == [f"2025-{month:02}" for month in range(10, 4, -1)]
    assert found.bills_more == 2
    assert found.bills[0] == BillLine(
        month="2025-10",
        account="prod",
        state="overdue",
        since=NOW - 2 * DAY,
        total="$100.00",
        owed="$10.00",
        invoice_url="https://novita.ai/invoice/b-1",
    )
    assert [(line.headline, line.read_at) for line in found.balances] == [
        (
            "Balance of prod is $61.00, enough for 5 d at the pace of the last 24h (runs out 2026-01-15 11:00 UTC)",
            NOW - 10 * MINUTE,
        ),
        ("Balance of dev is $5.00", NOW - 11 * MINUTE),
        ("Balance of spare is $77.00", NOW - 12 * MINUTE),
    ]
    assert found.balances[1] == BalanceLine(headline="Balance of dev is $5.00", facts=(), read_at=NOW - 11 * MINUTE)
    assert dict(found.balances[0].facts)["Available"] == "$61.00"
    assert found.running[:2] == (
        RunningLine(
            name="trainer-a (gpu-1)",
            product="H100",
            status="running",
            since=NOW - 4 * HOUR,
            rate="$7.30 an hour",
            busy="83 % busy",
            alerts=(f"{1:016x}", f"{2:016x}"),
        ),
        RunningLine(
            name="gpu-9", product="A100", status="billed", since=None, rate="not billed yet", busy="", alerts=()
        ),
    )
    assert (len(found.running), found.running_more, found.running_rate) == (10, 2, "$8.30")


def test_budgets_when_all_are_known_then_each_cell_has_its_own_value() -> None:
    """One in each state; the bar, its words and the forecast agree."""
    found = overview_page(known()).budgets
    assert (found.unlisted, found.folded, found.undecided) == (3, (), ("steps: no amount for 2 groups",))
    assert [(line.name, line.group, line.state, line.word, line.fast, line.is_complete) for line in found.shown] == [
        ("rule-0", "trainer-a (gpu-1)", "over", "spent", "", True),
        ("rule-1", "trainer-b (gpu-2)", "risk", "forecast over", "", False),
        ("rule-2", "research", "risk", "spent fast", "spent at 12 times the even rate in 1h", True),
        ("rule-3", "(no team)", "ok", "on track", "", True),
    ]
    assert found.shown[1] == BudgetLine(
        name="rule-1",
        group="trainer-b (gpu-2)",
        state="risk",
        word="forecast over",
        clause="$40.00 of $200.00 (20 %) with 23 d left",
        fast="",
        period="25 % of January 2026 over",
        forecast="$240.00 (120 %)",
        is_complete=False,
        bar=BudgetBar(spent=166, forecast=1000, elapsed=208, full=833),
        label="20 % of the budget spent, forecast 120 %; 25 % of the month over",
    )
    assert found.shown[0].bar == BudgetBar(spent=1000, forecast=0, elapsed=400, full=800)
    assert found.shown[0].forecast == ""


def test_balance_when_no_rule_says_a_pace_then_the_lowest_of_all_stands_at_the_top() -> None:
    """The account that runs dry first is the one to look at."""
    facts = known()
    assert facts.overview is not None
    found = overview_page(replace(facts, overview=replace(facts.overview, runways=())))
    assert found.tiles[-1] == Tile(name="Balance", value="$5.00", note="lowest of 3 accounts: dev")


# --- an alert's own page ---------------------------------------------------------------------------------------------


def an_attempt(number: int, outcome: str, detail: str) -> Attempt:
    at = NOW - HOUR + number * MINUTE
    return Attempt(entry_id=1, number=number, started_at=at, finished_at=at, outcome=outcome, detail=detail)


def a_stop(**parts: object) -> ActionRequest:
    plain = ActionRequest(
        id="r-1",
        verb=Verb.STOP,
        action="stop",
        fingerprint=f"{1:016x}",
        account="default",
        owner="gpu-1",
        name="trainer-a",
        by="dana",
        person="page:dana",
        requested_at=NOW - 40 * MINUTE,
        state=ActionState.DONE,
        finished_at=NOW - 30 * MINUTE,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def a_file(**changes: object) -> AlertFile:
    """All that can be known of one alert."""
    alert = an_alert(
        1,
        started_at=NOW - 3 * HOUR,
        fired_at=NOW - 2 * HOUR,
        labels=(("owner", "gpu-1"), ("team", ""), ("env", "prod")),
        headline="trainer-a spent much",
        facts=(("First charge", "never"),),
        table_note="24h to now",
        top=(
            Contributor(owner="gpu-1", product="H100", category="gpu", amount=usd("41"), before=usd("20")),
            Contributor(owner="gpu-2", product="", category="llm", amount=usd("19"), before=None),
        ),
        muted=silenced(SILENCE),
    )
    alert = replace(alert, **changes)  # type: ignore[arg-type]
    sent = entry(1, state=EntryState.DELIVERED, recipient="#finops", created_at=NOW - HOUR)
    blocked = entry(2, state=EntryState.BLOCKED, error="invite the bot", receiver="mail", created_at=NOW - MINUTE)
    held = entry(3, receiver="pager", created_at=NOW - 2 * MINUTE, not_before=NOW + HOUR)
    history = AlertHistory(
        alert=alert,
        events=(
            AlertEvent.of(alert, Acknowledged(by="dana"), NOW - 5 * MINUTE),
            AlertEvent.of(alert, SilenceEnded(id="s-9", by="kim"), NOW - 4 * MINUTE),
        ),
        notified=(
            SentNotification(entry=sent, attempts=(an_attempt(1, "not sent", "busy"), an_attempt(2, "delivered", ""))),
            SentNotification(entry=held, attempts=()),
            SentNotification(entry=blocked, attempts=()),
        ),
        silences=(),
        at=NOW,
        is_past=False,
    )
    chart = Chart(
        title="Spend in 24h, rolling",
        unit=Unit.USD,
        form=ChartForm.LINE,
        points=tuple(ChartPoint(at=NOW - (3 - number) * HOUR, value=str(40 + number)) for number in range(3)),
        limits=(
            ChartLimit(name="usual", value="30"),
            ChartLimit(name="warning", value="50", severity=Severity.WARNING),
        ),
        note="so far",
    )
    rule = rolling(description="about it", runbook_url="https://example.com/runbook")
    return AlertFile(known=known(), history=history, rule=rule, chart=chart, acting=Acting(requests=(a_stop(),)))


def test_alert_page_when_all_is_known_then_each_cell_has_its_own_value() -> None:
    """Whoever was woken by it reads here whose it is, since when, and what was sent to whom."""
    found = alert_page(a_file())
    assert found.title == "warning: trainer-a spent much · alertd"
    assert (found.state, found.rule, found.type) == ("firing", "gpu-24h", "rolling_spend")
    assert (found.description, found.runbook_url) == ("about it", "https://example.com/runbook")
    assert found.advice == rolling().ADVICE != ""
    assert (found.facts, found.labels) == ((("First charge", "never"),), (("owner", "gpu-1"), ("env", "prod")))
    assert found.parts == (
        TableRow(who="trainer-a (gpu-1)", what="H100 (gpu)", amount="$41.00", before="$20.00"),
        TableRow(who="trainer-b (gpu-2)", what="llm", amount="$19.00", before="no data"),
    )
    assert (found.parts_note, found.silence_id, found.is_open, found.is_cut) == ("24h to now", "51133ce0", True, False)
    assert found.sends == (
        SendRow(
            at=NOW - MINUTE,
            reason="firing",
            address="mail",
            state="blocked",
            title="alert 2",
            attempts=("invite the bot",),
        ),
        SendRow(
            at=NOW - 2 * MINUTE,
            reason="firing",
            address="pager",
            state="pending, held until 2026-01-10 13:05 UTC",
            title="alert 3",
            attempts=(),
        ),
        SendRow(
            at=NOW - HOUR,
            reason="firing",
            address="slack #finops",
            state="delivered",
            title="alert 1",
            attempts=(
                "attempt 1 at 11:06:00 UTC: not sent: busy",
                "attempt 2 at 11:07:00 UTC: delivered",
            ),
        ),
    )
    assert found.events == (
        EventRow(at=NOW - 4 * MINUTE, kind="silence s-9 ended by kim", detail=""),
        EventRow(at=NOW - 5 * MINUTE, kind="acknowledged by dana", detail=""),
    )
    assert (found.offer, found.now) == (None, NOW)


def test_alert_page_when_it_has_a_chart_then_each_part_of_that_has_its_own_value() -> None:
    """The drawing, its words and what the script gets are of the same points."""
    panel = alert_page(a_file()).chart
    assert panel is not None
    assert (panel.title, panel.note, panel.first, panel.last) == (
        "Spend in 24h, rolling",
        "so far",
        "Jan 10 09:05",
        "Jan 10 11:05 UTC",
    )
    assert panel.limits == (("plain", "usual $30.00"), ("warning", "warning $50.00"))
    assert panel.points == (("Jan 10 09:05", "40"), ("Jan 10 10:05", "41"), ("Jan 10 11:05", "42"))
    start = int((NOW - 3 * HOUR).timestamp())
    assert panel.data == {
        "form": "line",
        "unit": "USD",
        "times": [start, start + 3600, start + 7200],
        "labels": ["Jan 10 09:05", "Jan 10 10:05", "Jan 10 11:05"],
        "values": ["40", "41", "42"],
        "fired": start + 3600,
        "limits": [{"style": "plain", "value": "30"}, {"style": "warning", "value": "50"}],
    }
    assert (panel.drawing.fired, panel.drawing.is_line, panel.drawing.width) == (500, True, 1000)


def test_alert_page_when_something_was_stopped_then_it_may_be_started_again_for_an_hour() -> None:
    """An offer that would be refused is none; what stops an alert's notifications is a silence or is none."""
    found = a_file()
    undo = alert_page(found).undo
    assert undo is not None
    assert (undo.verb, undo.name, undo.request) == (Verb.START, "trainer-a", "r-1")
    just = a_stop(finished_at=NOW - HOUR)
    assert alert_page(replace(found, acting=Acting(requests=(just,)))).undo is not None
    late = a_stop(finished_at=NOW - HOUR - timedelta(microseconds=1))
    assert alert_page(replace(found, acting=Acting(requests=(late,)))).undo is None
    inhibited = Muted(kind=MuteKind.INHIBITION, id=f"{2:016x}", by="other")
    assert alert_page(a_file(muted=inhibited)).silence_id == ""
    ended = alert_page(a_file(state=AlertState.RESOLVED, resolved_at=NOW - MINUTE))
    assert (ended.title, ended.is_open) == ("resolved: trainer-a spent much · alertd", False)


def test_alert_page_when_more_is_kept_than_it_shows_then_says_so() -> None:
    """The newest are shown, and `alertd explain` is named for the rest."""
    found = a_file()
    event, sent = found.history.events[0], found.history.notified[0]

    def shown(events: int, sends: int) -> tuple[int, int, bool]:
        history = replace(found.history, events=(event,) * events, notified=(sent,) * sends)
        page = alert_page(replace(found, history=history))
        return len(page.events), len(page.sends), page.is_cut

    assert shown(200, 100) == (200, 100, False)
    assert shown(201, 100) == (200, 100, True)
    assert shown(200, 101) == (200, 100, True)


# --- spend over time -------------------------------------------------------------------------------------------------


def spent() -> SpendSteps:
    """Four days in Berlin: one in part, one whole, one with a gap, one so far; two owners, and two more together."""
    midnight = RUNNING - 13
    groups = (
        GroupSteps(value="gpu-1", total=usd("110"), amounts=(usd("10"), usd("20"), usd("0"), usd("80"))),
        GroupSteps(value="gpu-2", total=usd("30.50"), amounts=(usd("1"), usd("31.50"), usd("0"), usd("-2"))),
    )
    return SpendSteps(
        steps=Steps(
            edges=(midnight - 60, midnight - 48, midnight - 24, midnight, midnight + 12),
            is_by_day=True,
            running=RUNNING,
            timezone="Europe/Berlin",
        ),
        groups=groups,
        rest=GroupSteps(value="", total=usd("9.50"), amounts=(usd("4"), usd("5.50"), usd("0"), usd("0"))),
        others=(("i-3", usd("6")), ("i-4", usd("3.50"))),
        total=usd("150"),
        is_known=(True, True, False, True),
        is_whole=(True, True, False, False),
        gaps=("gpu is late",),
        edge=RUNNING - 2,
    )


BY_OWNER = Choice.of("7d", "owner")


def test_spend_when_all_is_known_then_each_cell_has_its_own_value() -> None:
    """Sums, shares, the days of the zone and what of them is not whole."""
    found = spend_panel(spent(), BY_OWNER, OWNERS)
    assert (found.total, found.unit, found.timezone) == ("$150.00", "day", "Europe/Berlin")
    assert (found.first, found.last, found.gaps, found.unlisted) == ("Jan 7", "Jan 10", ("gpu is late",), 0)
    assert found.words == (
        "$150.00 spent by day from Jan 7 to Jan 10 (Europe/Berlin), at most $78.00 on Jan 10; "
        "the largest owner is trainer-a (gpu-1) with $110.00."
    )
    assert found.styles == ("g0", "g1", "rest")
    assert found.rows == (
        SpendRow(style="g0", name="trainer-a (gpu-1)", total="$110.00", share="73 %"),
        SpendRow(style="g1", name="trainer-b (gpu-2)", total="$30.50", share="20 %"),
        SpendRow(style="rest", name="2 more", total="$9.50", share="6 %"),
    )
    assert found.others == (
        SpendRow(style="", name="i-3", total="$6.00", share="4 %"),
        SpendRow(style="", name="i-4", total="$3.50", share="2 %"),
    )
    assert step_rows(spent()) == (
        StepRow(label="Jan 10", amounts=("$80.00", "-$2.00", ""), total="$78.00", note="so far"),
        StepRow(label="Jan 9", amounts=("", "", ""), total="", note="not known"),
        StepRow(label="Jan 8", amounts=("$20.00", "$31.50", "$5.50"), total="$57.00", note=""),
        StepRow(label="Jan 7", amounts=("$10.00", "$1.00", "$4.00"), total="$15.00", note="in part"),
    )


def test_spend_when_it_is_for_the_script_then_each_number_is_of_its_step_and_group() -> None:
    """Amounts in 0.0001 USD, instants as the zone's clock shows them, and null where nothing is known."""
    data = spend_panel(spent(), BY_OWNER, OWNERS).data
    start = int((NOW.replace(hour=12, minute=0) - 3 * DAY).timestamp())
    assert data == {
        "times": [start, start + 12 * 3600, start + 36 * 3600, start + 60 * 3600, start + 72 * 3600],
        "byDay": True,
        "partial": [2, 3],
        "groups": [
            {"style": "g0", "name": "trainer-a (gpu-1)", "amounts": [100_000, 200_000, None, 800_000]},
            {"style": "g1", "name": "trainer-b (gpu-2)", "amounts": [10_000, 315_000, None, -20_000]},
            {"style": "rest", "name": "2 more", "amounts": [40_000, 55_000, None, 0]},
        ],
    }


def test_spend_csv_when_all_is_known_then_each_cell_has_its_own_value() -> None:
    """What is settled by a spreadsheet: exact, with what of each day is not known yet."""
    assert spend_csv(spent(), BY_OWNER, OWNERS).split("\r\n") == [
        "day,owner,name,amount,known",
        "2026-01-07,gpu-1,trainer-a (gpu-1),10,in part",
        "2026-01-07,gpu-2,trainer-b (gpu-2),1,in part",
        "2026-01-08,gpu-1,trainer-a (gpu-1),20,complete",
        "2026-01-08,gpu-2,trainer-b (gpu-2),31.5,complete",
        "2026-01-10,gpu-1,trainer-a (gpu-1),80,so far",
        "2026-01-10,gpu-2,trainer-b (gpu-2),-2,so far",
        "",
    ]


def test_spend_drawing_when_credits_and_several_groups_are_known_then_piles_stand_on_each_other() -> None:
    """The second group begins where the first ends; credits hang below nothing."""
    drawing = spend_panel(spent(), BY_OWNER, OWNERS).drawing
    assert (drawing.width, drawing.zero, drawing.unknown) == (40, 975, "M20 0h10v1000h-10zM30 0h10v1000h-10z")
    assert (drawing.axis.high, drawing.axis.low) == ("$82.00", "-$2.10")
    first, second, rest = drawing.paths
    assert [part.partition("h")[0] for part in first.split("M")[1:]] == ["1 856", "11 737", "31 23"]
    assert [part.partition("h")[0] for part in second.split("M")[1:]] == ["1 844", "11 362", "31 975"]
    assert [part.partition("h")[0] for part in rest.split("M")[1:]] == ["1 796", "11 297"]


def test_spend_when_many_hours_are_missing_then_the_first_four_and_how_many_more() -> None:
    """Ten clauses would push the figures off the screen."""
    gaps = tuple(f"gap {number}" for number in range(6))
    assert spend_panel(replace(spent(), gaps=gaps[:4]), BY_OWNER, OWNERS).gaps == gaps[:4]
    assert spend_panel(replace(spent(), gaps=gaps), BY_OWNER, OWNERS).gaps == (*gaps[:4], "and 2 more")
    many = tuple((f"i-{number}", usd("1")) for number in range(102))
    panel = spend_panel(replace(spent(), others=many), BY_OWNER, OWNERS)
    assert (len(panel.others), panel.unlisted) == (100, 2)


@pytest.mark.parametrize(
    ("written", "choice"),
    [
        pytest.param(("7d", "owner", ""), (Window.WEEK, GroupBy.OWNER, ""), id="as written"),
        pytest.param(("", "", ""), (Window.MONTH, GroupBy.CATEGORY, ""), id="nothing"),
        pytest.param(("8d", "owners", "2026-13"), (Window.MONTH, GroupBy.CATEGORY, ""), id="what names nothing"),
        pytest.param(("24h", "team", "2026-01"), (Window.DAY, GroupBy.TEAM, "2026-01"), id="a month beside a window"),
        pytest.param(("", "", "1999-12"), (Window.MONTH, GroupBy.CATEGORY, ""), id="before there were bills"),
        pytest.param(("", "", "2026"), (Window.MONTH, GroupBy.CATEGORY, ""), id="a year"),
    ],
)
def test_choice_when_read_from_a_link_then_what_it_names(
    written: tuple[str, str, str], choice: tuple[Window, GroupBy, str]
) -> None:
    """A link that was mistyped shows something; a month counts before the window."""
    found = Choice.of(*written)
    assert (found.window, found.by, found.month) == choice
    assert found.query == (f"month={found.month}" if found.month else f"window={found.window}")


def test_months_when_it_is_new_year_somewhere_then_by_the_clock_of_the_zone() -> None:
    """The month that is under way where the reader is."""
    eve = NOW.replace(year=2025, month=12, day=31, hour=23, minute=30)
    assert months(eve, "UTC") == ("2025-12", "2025-11", "2025-10", "2025-09", "2025-08", "2025-07")
    assert months(eve, "Europe/Berlin")[0] == "2026-01"
