"""The status page over real HTTP, from a real daemon: what it says, what it refuses, what may be asked there."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import html5lib
import pytest

from alertd.core.alert import AlertState
from alertd.core.alert_event import Acknowledged
from alertd.core.local_time import Clock
from alertd.core.rules.records import ReloadOutcome
from alertd.queries.alert_history import read_history
from alertd.store.alerts import AlertEvent
from tests.core.builders import NOW, RUNNING, row
from tests.examples import rest_slow
from tests.web.house import RULES, TOKEN, Account, House, house, usual_rows

HOUR = timedelta(hours=1)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


def require_valid(text: str) -> None:
    """No parse error, as a strict parser sees it."""
    html5lib.HTMLParser(strict=True).parse(text)


async def test_page_when_asked_then_reports_everything_on_one_page(home: House) -> None:
    """Somebody who writes no YAML finds what fires, what it costs and what is owed, in words."""
    status, text = await home.get("/")
    assert status == 200
    require_valid(text)
    for notified in (
        "<title>2 firing · alertd</title>",
        "2 alerts are firing",
        "trainer-a (gpu-1) spent $84.00 on gpu in 24h",
        "warning from $50.00",
        "Bill of 2025-12",
        "$1,200.00",
        "Billed through",
        "Balance of default is $500.00",
        "monthly-budget",
        "of $5,000.00",
        "Nothing is silenced.",
        "Nothing is wrong.",
        "4 in force since",
    ):
        assert notified in text, notified


@pytest.mark.parametrize(
    ("window", "hours"),
    [
        pytest.param("24h", 24, id="a day"),
        pytest.param("7d", 7 * 24, id="a week to the hour"),
        pytest.param("365d", 239, id="as far back as is known"),
    ],
)
async def test_spend_when_any_choice_is_made_then_the_sums_are_exact(home: House, window: str, hours: int) -> None:
    """The figures below the chart are what was billed, whatever is chosen."""
    for by in ("category", "owner", "team", "product", "account"):
        _, text = await home.get(f"/?window={window}&by={by}")
        require_valid(text)
        rows = re.findall(r'class="keyed">.*?<td class="number">(-?)\$([\d,]+)\.(\d\d)', text)
        assert (
            sum(int(f"{sign}{dollars.replace(',', '')}{cents}") for sign, dollars, cents in rows) == hours * 425 - 200
        )


async def test_spend_when_the_choice_makes_no_sense_then_as_if_none_was_made(home: House) -> None:
    """A link that was mistyped shows something."""
    status, text = await home.get("/?window=<b>&by=everything")
    assert (status, "30d</a>" in text, "<b>" in text) == (200, True, False)


async def test_spend_table_then_has_every_day_and_what_is_not_whole(home: House) -> None:
    """Who cannot see the chart reads the same, day by day."""
    status, text = await home.get("/spend?window=7d&by=owner")
    assert status == 200
    require_valid(text)
    assert len(re.findall(r'<th scope="row"[^>]*>Jan ', text)) == 8
    assert text.count("in part") == 2
    assert len(re.findall(r'<td class="number"[^>]*>\$102\.00</td>', text)) == 6


async def test_spend_when_a_month_is_chosen_then_its_days_and_the_same_as_csv(home: House) -> None:
    """Whoever settles a month copies it into a spreadsheet."""
    _, text = await home.get("/?window=30d&by=owner")
    assert "month=2026-01" in text
    status, text = await home.get("/spend?month=2026-01&by=owner")
    assert status == 200
    require_valid(text)
    rows = re.findall(r'<th scope="row"[^>]*>Jan (\d+)</th><td class="number"[^>]*>\$([\d.,]+)', text)
    assert len(rows) == NOW.day
    assert "/spend.csv?month=2026-01&amp;by=owner" in text
    status, text = await home.get("/spend.csv?month=2026-01&by=owner")
    assert status == 200
    found = list(csv.DictReader(io.StringIO(text)))
    assert {row["day"] for row in found} == {f"2026-01-{int(day):02}" for day, _ in rows}
    async with home.session.get(f"{home.url}/spend.csv?month=2026-01&by=owner") as answer:
        assert answer.content_type == "text/csv"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="spend-2026-01-by-owner.csv"'
    async with home.session.get(f"{home.url}/spend.csv?window=7d&by=category") as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="spend-7d-by-category.csv"'
    in_table = sum(Decimal(amount.replace(",", "")) for _, amount in rows)
    assert sum(Decimal(row["amount"]) for row in found) == in_table


@pytest.mark.parametrize("month", rest_slow(["2026-13", "<b>", "2026", "2019-01", "2026-02"], fast=2))
async def test_spend_when_the_month_is_none_or_unknown_then_no_error(home: House, month: str) -> None:
    """A link that was mistyped shows something, and what is not stored is nothing."""
    assert (await home.get(f"/?month={month}"))[0] == 200
    assert (await home.get(f"/spend?month={month}"))[0] in {200, 303}
    assert (await home.get(f"/spend.csv?month={month}"))[0] == 200


async def test_spend_csv_when_an_owner_is_named_like_a_formula_then_it_is_text(tmp_path: Path) -> None:
    """Names come from bills, and a spreadsheet runs what begins with an equals sign."""
    async with house(tmp_path) as home:
        home.account.rows = [*home.account.rows, row(RUNNING - 3, "2", owner="=cmd|x")]
        await home.poll(HOUR)
        _, text = await home.get("/spend.csv?window=7d&by=owner")
        assert "'=cmd|x" in text
        assert ",=cmd" not in text


async def test_page_when_a_category_cannot_be_read_then_says_so_and_shows_a_gap(tmp_path: Path) -> None:
    """Missing bills are no low spend."""
    async with house(tmp_path) as home:
        home.account.broken = {"gpu"}
        home.account.rows = [*home.account.rows, row(RUNNING + 3, "2", category="llm")]
        await home.poll(5 * HOUR)
        _, text = await home.get("/?window=24h")
        assert "gpu could not be read since" in text
        assert "alertd needs attention" in text
        assert "<title>3 firing, 2 problems · alertd</title>" in text
        assert re.search(r'class="unknown" d="M\d', text)
        _, table = await home.get("/spend?window=24h")
        assert "not complete" in table
        # 15:00 was never read of gpu; what was read of it is notified, and nothing as if it were nothing.
        cells = re.findall(r"<td[^>]*>(.*?)</td>", table.partition("Jan 10 15:00</th>")[2].partition("</tr>")[0])
        assert [re.sub(r"<[^>]+>", "", cell) for cell in cells] == ["$2.00", "", "$2.00", "not complete"]


async def test_page_before_the_first_poll_then_says_that_nothing_is_known(tmp_path: Path) -> None:
    """An empty page without a word looks like a broken one."""
    async with house(tmp_path, polls=0) as home:
        status, text = await home.get("/")
        assert status == 200
        require_valid(text)
        assert "<h1>No bills were read yet</h1>" in text
        assert "<title>No bills yet · alertd</title>" in text
        assert "The first poll is under way." in text
        assert "Nothing is wrong." not in text
        assert (await home.get("/spend"))[0] == 303


async def test_pages_after_a_restart_then_show_the_chart_and_say_what_is_not_worked_out_yet(tmp_path: Path) -> None:
    """The first poll after a restart may take long, and somebody may look at an alert meanwhile."""
    async with house(tmp_path) as home:
        path = f"/alerts/{home.alert().fingerprint}"
        _, before = await home.get(path)
        assert "sums, budgets and what runs appear when it is done" not in (await home.get("/"))[1]
    async with house(tmp_path, polls=0) as home:
        _, after = await home.get(path)
        chart = '<section aria-labelledby="chart">'
        assert chart in before
        assert (
            after.partition(chart)[2].partition("</section>")[0]
            == before.partition(chart)[2].partition("</section>")[0]
        )
        _, overview = await home.get("/")
        require_valid(overview)
        assert "The first poll since alertd started is under way: sums, budgets and what runs appear when" in overview


async def test_page_when_the_rules_file_is_broken_then_shows_the_mistake_with_its_place(home: House) -> None:
    """Who edited it looks here first."""
    faults = ("rules.yaml:3:1: what is <this>?",)
    broken = ReloadOutcome(faults=faults, broken_since=NOW, loaded_at=NOW, rules=4)
    await home.app.gateway.call(lambda store: store.meta.put_rules_file(broken))
    _, text = await home.get("/")
    assert "rules.yaml:3:1: what is &lt;this&gt;?" in text


async def test_page_when_names_are_hostile_then_they_are_text(tmp_path: Path) -> None:
    """Owners and products are whatever a customer typed."""
    owner = "</script><script>alert(1)</script><!--'\"&amp;"
    async with house(tmp_path, account=Account(rows=usual_rows(owner))) as home:
        for path in ("/?by=owner", "/spend?by=owner", f"/alerts/{home.alert().fingerprint}"):
            _, text = await home.get(path)
            require_valid(text)
            assert "<script>alert" not in text
            assert "alert(1)" in text


async def test_alert_page_then_reports_its_complete_history(home: House) -> None:
    """What `alertd explain` tells, with a chart and what it consists of."""
    fingerprint = home.alert().fingerprint
    status, text = await home.get(f"/alerts/{fingerprint}")
    assert status == 200
    require_valid(text)
    for notified in (
        "<h1>trainer-a (gpu-1) spent $84.00 on gpu in 24h</h1>",
        "What to do:",
        "https://example.com/runbook",
        "Spend in 24h, rolling",
        "warning $50.00",
        "finops, by defaults: no route matches",
        "none -&gt; firing (warning)",
        "$84.00; warning from $50.00; billed through ",
        'class="limit warning"',
        fingerprint,
    ):
        assert notified in text, notified
    assert (await home.get(f"/alerts/{fingerprint[:6]}"))[0] == 200
    assert (await home.get("/alerts/ffffffffffffffff"))[0] == 404


async def test_alert_page_when_it_has_ended_then_offers_nothing_to_do(home: House) -> None:
    """A link in an old message still tells what it was."""
    fingerprint = home.alert().fingerprint
    await home.sign_in()
    home.account.rows = [row(RUNNING + 20, "1")]
    for _ in range(4):
        await home.poll(15 * HOUR)
    assert home.app.cycle.state.alerts[fingerprint].state is AlertState.RESOLVED
    _, text = await home.get(f"/alerts/{fingerprint}")
    require_valid(text)
    assert "resolved" in text
    assert "/acknowledge" not in text
    assert "ended in the last 7 days" in (await home.get("/"))[1]


async def test_acknowledge_by_form_then_it_is_stored_with_its_name_and_notified(home: House) -> None:
    """The same way as the command's: history, outbox and page agree."""
    csrf = await home.sign_in("Dana <3")
    alert = home.alert()
    path = f"/alerts/{alert.fingerprint}"
    fields = {"csrf": csrf, "episode": str(alert.episode), "back": path}
    async with home.session.post(f"{home.url}{path}/acknowledge", data=fields) as answer:
        text = await answer.text()
    assert (answer.status, answer.url.path) == (200, path)
    require_valid(text)
    assert "is acknowledged" in text
    assert "Dana &lt;3 (status page) acknowledged it" in text
    assert home.alert().acknowledged_by == "Dana <3 (status page)"
    history = await home.app.gateway.call(read_history, home.alert(), at=home.now, is_past=False)
    assert history.events[-1].change == Acknowledged(by="Dana <3 (status page)")
    # What was said once is not said again.
    assert "is acknowledged" not in (await home.get(path))[1]
    fields["undo"] = "1"
    await home.session.post(f"{home.url}{path}/acknowledge", data=fields)
    assert home.alert().acknowledged_by is None


@pytest.mark.parametrize(
    ("length", "until"),
    [
        pytest.param("1h", "until 2026-01-10 13:05 UTC", id="an hour"),
        pytest.param("24h", "until 2026-01-11 12:05 UTC", id="a day"),
        pytest.param("month-end", "until 2026-02-01 00:00 UTC", id="the month"),
        pytest.param("resolved", "until the alert ends", id="the alert"),
    ],
)
async def test_silence_by_form_then_holds_as_long_as_chosen_and_can_be_ended(
    home: House, length: str, until: str
) -> None:
    """Whoever is on duty chooses from a list; a form sent twice is one silence."""
    csrf = await home.sign_in()
    path = f"/alerts/{home.alert().fingerprint}"
    fields = {"csrf": csrf, "length": length, "comment": "planned\nrun", "mark": "m", "back": path}
    for _ in range(2):
        async with home.session.post(f"{home.url}{path}/silence", data=fields) as answer:
            text = await answer.text()
    require_valid(text)
    (silence,) = home.app.cycle.state.silences.values()
    assert (silence.author, silence.comment, silence.until) == ("dana (status page)", "planned run", until)
    assert Clock(timezone="UTC", now=NOW).localized(until) in (await home.get("/"))[1]
    await home.session.post(f"{home.url}/silences/{silence.id}/expire", data={"csrf": csrf, "back": "/"})
    assert "Nothing is silenced." in (await home.get("/"))[1]


async def test_silence_until_the_month_ends_when_chosen_then_by_the_zone_of_the_rules(tmp_path: Path) -> None:
    """As in Slack: the same choice ends at the same moment, in the zone whose times the page shows."""
    async with house(tmp_path, rules=RULES.replace("defaults: {", "defaults: {timezone: Europe/Berlin, ")) as home:
        fields = {"csrf": await home.sign_in(), "length": "month-end", "mark": "m", "back": "/"}
        await home.session.post(f"{home.url}/alerts/{home.alert().fingerprint}/silence", data=fields)
        (silence,) = home.app.cycle.state.silences.values()
        assert silence.until == "until 2026-01-31 23:00 UTC"
        assert "by day (Europe/Berlin)" in (await home.get("/?month=2026-01"))[1]


async def test_silence_when_it_cannot_be_then_the_page_says_why(home: House) -> None:
    """A refusal is an answer in words, not a lost click."""
    csrf = await home.sign_in()
    path = f"/alerts/{home.alert().fingerprint}"
    for fields in ({"length": "for ever"}, {"length": "1h", "episode": "7"}):
        async with home.session.post(f"{home.url}{path}/silence", data={"csrf": csrf, "back": "/", **fields}) as answer:
            assert "Not done: " in await answer.text()
    assert home.app.cycle.state.silences == {}


async def test_post_with_the_token_itself_then_scripts_need_no_session(home: House) -> None:
    """A runbook acknowledges with one line of curl."""
    path = f"{home.url}/alerts/{home.alert().fingerprint}/acknowledge"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with home.session.post(path, data={"by": "runbook"}, headers=bearer) as answer:
        assert (answer.status, "is acknowledged" in await answer.text()) == (200, True)
    assert home.alert().acknowledged_by == "runbook (HTTP)"
    async with home.session.post(f"{home.url}/silences/ffffffff/expire", headers=bearer) as answer:
        assert (answer.status, (await answer.text()).startswith("Not done: ")) == (400, True)


async def test_alert_page_when_its_history_is_very_long_then_shows_the_newest(home: House) -> None:
    """An alert that was acknowledged a thousand times has a page that opens all the same."""
    alert = home.alert()
    events = [
        AlertEvent.of(alert, Acknowledged(by=f"person {number}"), NOW + timedelta(seconds=number))
        for number in range(300)
    ]
    await home.app.gateway.call(lambda store: store.alerts.add_events(events))
    home.now += HOUR
    _, text = await home.get(f"/alerts/{alert.fingerprint}")
    require_valid(text)
    assert len(re.findall(r"<td[^>]*>acknowledged by person ", text)) == 200
    assert re.search(r"<td[^>]*>acknowledged by person 299</td>", text)
    assert f"alertd explain {alert.fingerprint}" in text


async def test_status_when_no_poll_has_ended_then_names_no_category(tmp_path: Path) -> None:
    """What was never asked for is neither billed through some hour nor late."""
    async with house(tmp_path, polls=0) as home:
        _, before = await home.get("/api/v1/status")
        await home.poll()
        _, after = await home.get("/api/v1/status")
    assert json.loads(before)["data_edges"] == []
    assert {"gpu", "llm"} <= {edge["category"] for edge in json.loads(after)["data_edges"]}
