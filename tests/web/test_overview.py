"""What the status page says: chosen from what is known, honest about what is not."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import Alert, AlertState, Lag
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.mutes import NO_RECEIVER
from alertd.core.alerts.silence import Silence
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Patterns
from alertd.core.muted import Muted, MuteKind
from alertd.core.reports.overview import CategorySpend, Overview, overview
from alertd.core.rules.balance import BalanceRule
from alertd.core.rules.base import Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.severity import Severity
from alertd.core.spend.bill import Balance, BillPhase, TrackedBill
from alertd.core.spend.lately import Billed
from alertd.queries.status import Status
from alertd.store.cycles import CycleRecord
from alertd.web.listed_alerts import ListedAlerts
from alertd.web.overview import OverviewPage, overview_page
from alertd.web.page_context import PageFacts
from tests.core.builders import DAY, HOUR, NOW, RUNNING, Desk, firing, monthly_bill, row, usd

CYCLE = CycleRecord(started_at=NOW, finished_at=NOW, is_ok=True)
SILENCED = Muted(kind=MuteKind.SILENCE, id="51133ce0", by="kim")


def an_alert(**changes: object) -> Alert:
    """An alert that began to fire now."""
    return replace(firing(), **changes)  # type: ignore[arg-type]


def status(*problems: str) -> Status:
    return Status(
        version="1",
        problems=problems,
        last_cycle=CYCLE,
        last_good=CYCLE,
        firing=0,
        pending=0,
        open_alerts=(),
        edges=(),
        receivers=(),
        resources=(),
        rules_file=None,
        now=NOW,
    )


def a_desk() -> Desk:
    """Sixty days of one instance at a dollar an hour."""
    desk = Desk()
    desk.read([row(RUNNING - ago, "1") for ago in range(1, 1440)], HourRange(RUNNING - 1440, RUNNING + 1))
    return desk


def an_overview(
    desk: Desk | None = None, *, now: datetime = NOW, rules: tuple[BudgetRule | BalanceRule, ...] = (), **parts: object
) -> OverviewPage:
    """The overview of what a desk filed, with the parts that matter replaced."""
    filed = desk or a_desk()
    balances = parts.get("balances", ())
    facts = replace(filed.facts(now), balances={b.account: b for b in balances})  # type: ignore[attr-defined]
    known = PageFacts(
        now=now,
        status=status(),
        alerts=ListedAlerts(()),
        waiting=(),
        silences=(),
        bills=(),
        balances=(),
        data=facts.data,
        audience=Audience(),
        overview=overview(facts, rules),
    )
    return overview_page(replace(known, **parts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("alerts", "problems", "title", "verdict", "state"),
    [
        pytest.param(0, (), "Nothing firing · alertd", "Nothing is firing", "calm", id="all is well"),
        pytest.param(1, (), "1 firing · alertd", "1 alert is firing", "firing", id="one"),
        pytest.param(2, ("a",), "2 firing, 1 problem · alertd", "2 alerts are firing", "firing", id="and a problem"),
        pytest.param(
            0, ("a", "b"), "2 problems · alertd", "Nothing is firing, as far as is known", "unsure", id="blind"
        ),
    ],
)
def test_title_then_says_how_it_stands_before_anything_else(
    alerts: int, problems: tuple[str, ...], title: str, verdict: str, state: str
) -> None:
    """A tab in the background is read by its first letters; green means that somebody looked."""
    firing = tuple(an_alert(fingerprint=f"{n:016x}") for n in range(alerts))
    found = an_overview(alerts=ListedAlerts(firing), status=status(*problems))
    assert (found.title, found.verdict, found.state) == (title, verdict, state)


def test_alerts_then_the_worst_and_the_oldest_first() -> None:
    """What burns longest and worst is on top, on a phone too."""
    alerts = (
        an_alert(fingerprint="a" * 16, severity=Severity.INFO, fired_at=NOW - DAY),
        an_alert(fingerprint="b" * 16, severity=Severity.CRITICAL, fired_at=NOW - HOUR),
        an_alert(fingerprint="c" * 16, severity=Severity.CRITICAL, fired_at=NOW - DAY),
        an_alert(fingerprint="d" * 16, state=AlertState.PENDING, fired_at=None),
        an_alert(fingerprint="e" * 16, state=AlertState.RESOLVED, fired_at=NOW - DAY, resolved_at=NOW - HOUR),
        an_alert(fingerprint="f" * 16, state=AlertState.RESOLVED, fired_at=NOW - 9 * DAY, resolved_at=NOW - 8 * DAY),
    )
    found = an_overview(alerts=ListedAlerts(alerts))
    assert [line.fingerprint[0] for line in found.firing] == ["c", "b", "a"]
    assert [line.fingerprint[0] for line in found.pending] == ["d"]
    assert [line.fingerprint[0] for line in found.ended] == ["e"]
    assert [line.age for line in found.firing] == ["1 d", "1 h", "1 d"]


def test_alerts_when_there_are_very_many_then_counted() -> None:
    """Ten thousand lines are no overview."""
    found = an_overview(alerts=ListedAlerts(tuple(an_alert(fingerprint=f"{n:016x}") for n in range(60))))
    assert (len(found.firing), found.firing_more) == (50, 10)


@pytest.mark.parametrize(
    ("changes", "known_to", "withheld"),
    [
        pytest.param({}, "", "", id="it is told"),
        pytest.param({"acknowledged_by": "dana"}, "dana", "", id="somebody acknowledged it, said once"),
        pytest.param({"muted": SILENCED}, "", "silenced by kim until the alert ends", id="silenced"),
        pytest.param(
            {"acknowledged_by": "dana", "muted": NO_RECEIVER}, "dana", "no route leads to a receiver", id="both"
        ),
    ],
)
def test_alert_then_says_who_knows_and_why_it_is_withheld(
    changes: dict[str, object], known_to: str, withheld: str
) -> None:
    """A second person must not start over, and silence must not look like peace."""
    (line,) = an_overview(alerts=ListedAlerts((replace(an_alert(), **changes),))).firing  # type: ignore[arg-type]
    assert (line.known_to, line.withheld) == (known_to, withheld)


def tiles(found: OverviewPage) -> dict[str, tuple[str, str]]:
    return {tile.name: (tile.value, tile.note) for tile in found.tiles}


def test_tiles_then_report_the_day_and_the_month_exactly() -> None:
    """The first figures that anybody looks at."""
    assert tiles(an_overview()) == {
        "Last 24 hours billed": ("$24.00", ""),
        "January 2026 so far": ("$228.00", "UTC month"),
    }


def test_tiles_when_a_category_lags_into_the_month_before_then_it_adds_nothing_to_this_one() -> None:
    """What belongs to January is no spend of February."""
    first = datetime(2026, 2, 1, 2, tzinfo=NOW.tzinfo)
    spend = (
        CategorySpend(
            account="default", category="gpu", edge=hour_of(first), last_day=usd("24"), month=usd("2"), is_complete=True
        ),
        CategorySpend(
            account="default",
            category="llm",
            edge=hour_of(first) - 5,
            last_day=usd("10"),
            month=usd("0"),
            is_complete=False,
        ),
    )
    desk = Desk()
    desk.read([row(hour_of(first) - 1, "1")], HourRange(hour_of(first) - 30, hour_of(first) + 1), at=first)
    end = hour_of(first)
    day, month = (
        Billed(window=HourRange(end - hours, end), amount=usd(amount), expected=usd(amount), lagging=())
        for hours, amount in ((24, "34"), (2, "2"))
    )
    day = replace(day, expected=usd("58"), lagging=(Lag(stream="llm", through=first, is_by_day=False),))
    known = Overview(now=first, spend=spend, last_day=day, month=month, runways=(), bills=())
    found = tiles(an_overview(desk, now=first, overview=known))
    assert found["February 2026 so far"] == ("$2.00", "UTC month; not complete, may be low")
    assert found["Last 24 hours billed"] == ("$34.00", "about $58 once llm is billed; not complete, may be low")


def test_tiles_when_money_is_owed_then_it_stands_out() -> None:
    """An unpaid bill stops everything."""
    owing = tracked("2025-12", debt=usd("75"), repaid=usd("25"))
    found = an_overview(bills=(owing, tracked("2025-11", status="paid", debt=usd("0"))))
    (tile,) = [tile for tile in found.tiles if tile.name == "Owed"]
    assert (tile.value, tile.note, tile.is_bad) == ("$50.00", "1 bill overdue", True)
    assert [(line.month, line.state, line.owed) for line in found.bills] == [
        ("2025-12", "overdue", "$50.00"),
        ("2025-11", "paid", ""),
    ]
    assert tiles(an_overview(bills=(tracked("2025-11", status="paid"),)))["Owed"] == ("$0.00", "no bill is overdue")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("https://invoices.example.com/1", "https://invoices.example.com/1", id="a link"),
        pytest.param("javascript:alert(1)", "", id="a script"),
        pytest.param("http://x", "", id="in clear"),
    ],
)
def test_bill_then_links_only_what_may_be_opened(url: str, shown: str) -> None:
    """What the API calls a URL is data."""
    (line,) = an_overview(bills=(tracked("2025-12", invoice_url=url),)).bills
    assert line.invoice_url == shown


def tracked(month: str, **changes: object) -> TrackedBill:
    bill = monthly_bill(**{"month": month, "bill_id": month, **changes})
    phase = BillPhase(status=bill.status, owes=bill.owed > 0, since=NOW - DAY)
    return TrackedBill(bill=bill, phases=(phase,), last_seen_at=NOW)


def test_balance_when_a_rule_says_by_which_pace_then_reports_how_long_it_lasts() -> None:
    """The shortest of several accounts is the one to look at."""
    balance = Balance(account="default", available=usd("240"), read_at=NOW)
    rule = BalanceRule(name="low", available_below={Severity.WARNING: usd("1")}, window=timedelta(hours=72))
    found = an_overview(rules=(rule,), balances=(balance,))
    assert tiles(found)["Balance lasts"] == ("10 d", "balance $240.00")
    assert found.balances[0].headline.startswith("Balance of default is $240.00, enough for 10 d")
    without = an_overview(balances=(balance,))
    assert tiles(without)["Balance"] == ("$240.00", "")
    assert without.balances[0].headline == "Balance of default is $240.00"


def budget(amount: str, **changes: object) -> BudgetRule:
    rule = BudgetRule(
        name="monthly",
        period=Period.MONTH,
        amount=usd(amount),
        thresholds={Severity.WARNING: Share(Fraction(4, 5))},
        forecast={Severity.WARNING: Share(Fraction(1))},
    )
    return replace(rule, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "state", "word"),
    [
        pytest.param("200", "over", "spent", id="more than all is spent"),
        pytest.param("228", "over", "spent", id="exactly all is spent"),
        pytest.param("400", "risk", "forecast over", id="it will not last"),
        pytest.param("2000", "ok", "on track", id="enough"),
    ],
)
def test_budget_then_its_state_is_notified_in_a_word(amount: str, state: str, word: str) -> None:
    """Not by colour alone."""
    (line,) = an_overview(rules=(budget(amount),)).budgets.shown
    assert (line.state, line.word) == (state, word)
    assert line.clause.startswith(f"$228.00 of ${float(amount):,.2f}")
    assert line.label.startswith(f"{round(22800 / float(amount), 1):g} % of the budget spent")


def test_budgets_when_there_are_many_then_the_largest_stand_open() -> None:
    """Five hundred owners have a budget each."""
    desk = Desk()
    rows = [row(RUNNING - 2, "1", owner=f"gpu-{n}") for n in range(70)]
    desk.read(rows, HourRange(RUNNING - 1440, RUNNING + 1))
    found = an_overview(desk, rules=(budget("100", group_by=("owner",)),)).budgets
    assert (len(found.shown), len(found.folded), found.unlisted) == (8, 52, 10)


def test_silence_then_names_what_it_withholds() -> None:
    """A fingerprint says nothing to anybody."""
    alert = an_alert()
    silences = (
        Silence(id="1", matchers=(("fingerprint", Patterns((alert.fingerprint,))),), author="dana", created_at=NOW),
        Silence(
            id="2", matchers=(("team", Patterns(("research", "x"))),), author="kim", created_at=NOW, ends_at=NOW + DAY
        ),
        Silence(id="3", matchers=(("fingerprint", Patterns(("0" * 16,))),), author="kim", created_at=NOW),
        Silence(id="4", matchers=(("team", Patterns(("x",))),), author="kim", created_at=NOW - DAY, ends_at=NOW),
    )
    found = an_overview(alerts=ListedAlerts((alert,)), silences=silences).silences
    assert [line.matches for line in found] == [alert.headline, "team=research,x", f"fingerprint={'0' * 16}"]
