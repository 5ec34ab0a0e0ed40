"""`alertd backfill` against a billing API on loopback: what is asked for, what stays, and what is said."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from alertd.cli.root import run
from alertd.clock import utc_now
from alertd.store.store import Store
from tests.e2e.world import API_KEY, CATEGORIES, DAY, BillingWorld, Row, refusal

URL = "sqlite:///./alertd.db"
RULES = """
version: 1
receivers: [{name: finops, type: console}]
rules:
  - {name: gpu-24h, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: 50}}
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BillingWorld]:
    """An API with 20 days of one instance at a dollar an hour, and a folder with rules."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    with BillingWorld() as billing:
        monkeypatch.setenv("ALERTD_DATABASE_URL", URL)
        monkeypatch.setenv("ALERTD_NOVITA_API_KEY", API_KEY)
        monkeypatch.setenv("ALERTD_NOVITA_BASE_URL", billing.url)
        billing.add(
            *(Row(category="gpu", start=billing.hour(ago), owner="gpu-1", pay=Decimal(1)) for ago in range(480))
        )
        yield billing


def stored_hours() -> int:
    """How many hours of GPU spend are stored."""
    store = Store.open_read_only(URL)
    try:
        return len(store.bills.load_books()["default", "gpu"].hours)
    finally:
        store.close()


def categories_asked(world: BillingWorld) -> set[str]:
    """The categories of usage asked for: not the balance, whose answer checks the clock, nor subscriptions."""
    return {asked.name for asked in world.asked} & set(CATEGORIES)


def asked_for(world: BillingWorld, name: str = "gpu") -> list[tuple[int, int]]:
    """The ranges that were asked for of a category, in Unix seconds, end exclusive."""
    queries = [asked.query for asked in world.asked if asked.name == name]
    return [(int(query["startTime"]), int(query["endTime"]) + 1) for query in queries]


def test_backfill_when_nothing_is_stored_then_reads_all_newest_first_from_midnights(
    world: BillingWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows billed by the day are read whole, and a stop leaves the days that matter most."""
    assert run(["backfill", "--since", "40d"]) == 0

    ranges = asked_for(world)
    assert all(start % DAY == 0 and end - start <= 31 * DAY for start, end in ranges)
    assert ranges == sorted(ranges, reverse=True)
    assert [start for start, _ in ranges[:-1]] == [end for _, end in ranges[1:]]
    assert ranges[-1][0] == (world.hour(40 * 24)) // DAY * DAY
    assert stored_hours() == 480
    assert "Read 480 rows; complete since" in capsys.readouterr().out


def test_backfill_when_run_again_then_asks_for_nothing(world: BillingWorld, capsys: pytest.CaptureFixture[str]) -> None:
    """What was read once is history."""
    world.terms = []
    assert run(["backfill", "--since", "40d"]) == 0
    world.asked.clear()

    assert run(["backfill", "--since", "40d"]) == 0

    assert categories_asked(world) == set()
    assert "Nothing is missing since" in capsys.readouterr().out


def test_backfill_when_more_is_wanted_then_reads_only_what_lies_before(world: BillingWorld) -> None:
    """A longer look back costs only its own part."""
    assert run(["backfill", "--since", "10d"]) == 0
    known_from = min(start for start, _ in asked_for(world))
    world.asked.clear()

    assert run(["backfill", "--since", "30d"]) == 0

    assert max(end for _, end in asked_for(world)) == known_from


def test_backfill_when_one_category_fails_then_the_others_go_on_and_it_goes_on_later(
    world: BillingWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """One broken category is no reason to have no history of the rest."""
    world.broken["llm"] = refusal(400, "INVALID_BILL_CYCLE", "broken")

    assert run(["backfill", "--since", "9d"]) == 1

    said = capsys.readouterr()
    assert 'account "default": llm bills' in said.err
    assert "not everything was read" in said.out
    assert stored_hours() > 200
    world.broken.clear()
    world.asked.clear()
    assert run(["backfill", "--since", "9d"]) == 0
    assert categories_asked(world) == {"llm"}


def test_backfill_when_the_account_lacks_a_category_then_says_so_and_is_content(
    world: BillingWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is missing where nothing can be."""
    world.broken["bare_metal"] = refusal(400, "INVALID_PRODUCT_CATEGORY")

    assert run(["backfill", "--since", "2d"]) == 0

    assert 'account "default" has no category bare_metal' in capsys.readouterr().out


def test_backfill_when_the_key_is_refused_then_says_it_once(
    world: BillingWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine categories with one wrong key are one mistake."""
    monkeypatch.setenv("ALERTD_NOVITA_API_KEY", "sk-wrong")

    assert run(["backfill", "--since", "2d"]) == 1

    assert capsys.readouterr().err.count("key refused") == 1
    assert max(Counter(asked.name for asked in world.asked).values()) <= 2


def test_backfill_when_one_account_has_no_key_then_the_other_is_read(
    world: BillingWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says which setting is missing, and fails in the end."""
    accounts = "accounts: [{name: lab, api_key_env: NO_SUCH_KEY}, {name: default}]\n"
    (tmp_path / "rules.yaml").write_text(RULES + accounts, encoding="utf-8")

    assert run(["backfill", "--since", "2d"]) == 1

    assert "NO_SUCH_KEY is not set" in capsys.readouterr().err
    assert stored_hours() > 40


def test_backfill_when_a_daemon_runs_then_says_to_stop_it(
    world: BillingWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two writers would each believe what the other does not know."""
    daemon = Store.open(URL, now=utc_now())
    try:
        assert run(["backfill"]) == 1
    finally:
        daemon.close()

    assert "stop it first" in capsys.readouterr().err
    assert categories_asked(world) == set()


@pytest.mark.parametrize(
    ("since", "words"),
    [
        pytest.param("401d", "the store keeps 400 days", id="longer than is kept"),
        pytest.param("5m", "at least 1h", id="less than an hour"),
        pytest.param("tomorrow", '"tomorrow" is not a duration', id="no duration"),
    ],
)
def test_backfill_when_asked_wrongly_then_usage_error(
    since: str, words: str, world: BillingWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the value and the reason, and nothing is read."""
    assert run(["backfill", "--since", since]) == 2

    assert words in " ".join(capsys.readouterr().err.split())
    assert categories_asked(world) == set()
