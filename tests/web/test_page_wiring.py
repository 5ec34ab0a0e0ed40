"""What the page takes from the daemon behind it: its settings, the zone of its rules, and each poll anew."""

import csv
import gc
import io
import re
from datetime import timedelta
from pathlib import Path

import pytest

from alertd.core.local_time import Clock
from alertd.core.spend.steps import StepSums
from tests.core.builders import HOUR, NOW, RUNNING, row
from tests.web.house import RULES, House, house

IN_BERLIN = RULES.replace("defaults: {", "defaults: {timezone: Europe/Berlin, ")


async def csv_of(home: House, query: str) -> list[dict[str, str]]:
    _, text = await home.get(f"/spend.csv?{query}")
    return list(csv.DictReader(io.StringIO(text)))


async def test_page_when_polled_again_then_spend_is_what_came_since_and_no_older_sums_are_kept(tmp_path: Path) -> None:
    """Sums are kept for all viewers of one poll; those of a year are megabytes."""
    async with house(tmp_path) as home:
        others = sum(isinstance(thing, StepSums) for thing in gc.get_objects())
        totals = []
        for turn in range(3):
            for _viewer in range(2):
                found = await csv_of(home, "window=24h&by=owner")
            totals.append([row["amount"] for row in found if row["owner"] == f"late-{turn}"])
            home.account.rows = [*home.account.rows, row(RUNNING - 3, "2.5", owner=f"late-{turn + 1}")]
            await home.poll(timedelta(minutes=10))
        gc.collect()
        kept = sum(isinstance(thing, StepSums) for thing in gc.get_objects()) - others
    assert [any(float(amount) == 2.5 for amount in amounts) for amounts in totals] == [False, True, True]
    assert kept == 1


async def test_csv_when_there_are_more_owners_than_the_page_shows_then_each_has_its_own_lines(tmp_path: Path) -> None:
    """Whoever settles a month needs them all; teams are those of the rules."""
    owners = {f"gpu-{number}" for number in range(20, 60)}
    async with house(tmp_path) as home:
        home.account.rows = [*home.account.rows, *(row(RUNNING - 3, "2", owner=owner) for owner in owners)]
        await home.poll(HOUR)
        assert {found["owner"] for found in await csv_of(home, "window=7d&by=owner")} >= owners
        assert "research" in {found["team"] for found in await csv_of(home, "window=7d&by=team")}


async def test_page_when_the_rules_have_a_zone_then_its_instants_and_charts_are_by_it(tmp_path: Path) -> None:
    """As in messages: one zone for the team, wherever the server stands."""
    async with house(tmp_path, rules=IN_BERLIN) as home:
        _, text = await home.get(f"/alerts/{home.alert().fingerprint}")
    said = Clock(timezone="Europe/Berlin", now=NOW).localized(f"{NOW:%Y-%m-%d %H:%M} UTC")
    assert said == "13:05 CET"
    assert said in text
    assert " Europe/Berlin" in text.partition("<figure")[2].partition("</figure>")[0]
    assert " UTC" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


async def test_alert_page_when_its_fingerprint_is_in_capitals_then_it_is_found(tmp_path: Path) -> None:
    """As it comes from a mail client or a spreadsheet."""
    async with house(tmp_path) as home:
        assert (await home.get(f"/alerts/{home.alert().fingerprint.upper()}"))[0] == 200


async def test_page_when_served_then_is_renewed_with_each_poll_and_metrics_have_the_size_of_the_file(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as home:
        _, text = await home.get("/")
        _, metrics = await home.get("/metrics")
        interval_s = home.app.settings.poll_interval.total_seconds()
        size = (tmp_path / "alertd.db").stat().st_size
    assert f'data-refresh="{interval_s:.0f}"' in text
    assert f"alertd_store_bytes {float(size)}" in metrics


@pytest.mark.parametrize(("episode", "kind"), [("1", "done"), ("7", "failed")])
async def test_form_when_answered_then_the_notice_looks_like_what_it_says(
    tmp_path: Path, episode: str, kind: str
) -> None:
    """Read at a glance, and by a screen reader's class of it."""
    async with house(tmp_path) as home:
        fields = {"csrf": await home.sign_in(), "episode": episode, "back": "/"}
        path = f"{home.url}/alerts/{home.alert().fingerprint}/acknowledge"
        async with home.session.post(path, data=fields) as answer:
            assert f'class="notice {kind}"' in await answer.text()
