"""Databases that released versions left behind, opened by today's alertd; and steps that never change once released."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import psycopg
import pytest

from alertd.core.alert import AlertState
from alertd.core.alerts.mutes import NO_RECEIVER, silenced
from alertd.core.messages.outbox import EntryState
from alertd.core.muted import Muted, MuteKind
from alertd.core.spend.lists import View
from alertd.queries.event_words import event_detail, event_text
from alertd.store.migrate import migrate, shipped_migrations
from alertd.store.postgres import PostgresDatabase
from alertd.store.store import Store
from alertd.store.url import PostgresUrl, parse_database_url
from tests.examples import rest_slow
from tests.store.keep_database import FOLDER
from tests.store.life import LATER, restore
from tests.store.places import Place

# A new store is part of what is tested here.
pytestmark = pytest.mark.usefixtures("every_step")

RELEASED = {
    "0001_initial.sql": "6e89091991fe5eb23b20c46f3488e8263f44f3455738680f86c73a70e25618c3",
    "0002_notified.sql": "ae528c81af8ccf11ae2cdba1a28551fab5360016f27e6894a42ba1fa9db729bd",
    "0003_arrival.sql": "3973cbceaa6da4f6ce5633b1f0739cfcd6d690c695b0ee4ffe0acd3dd03cc5c8",
    "0004_muted.sql": "088b4a6643abd09c462fda10d7941d8bfc90f1c75cb0e7617b211bbd22acd2fa",
    "0005_term.sql": "d14a0b569e0d92fac0293a2d192cd2ff533d00a5d4600827938456976564f241",
    "0006_resource.sql": "ef7ff9cf75e51ddb4ca2fff6e80c6d5082094820c8d831baa9d30a34088208a1",
    "0007_action.sql": "b35f93dd78e2bf359ca4b6365fba13e97f781fb786e95783b1f7954cfd90e08d",
    "0008_utilization.sql": "b0c8be8576d0d91c6531c15e23d227017f7310d563056b937b865399d4d5e22a",
    "0009_packed.sql": "c335769f194b144610df3614dc94cf48664eb1467d8e0604dd1d033269c3af01",
    "0010_plain_blocks.sql": "d0a99417e48d8c617d577e22768910c649ef3ba736c27cd6184a184bd43c0592",
}
"""SHA-256 of every step that was released."""
KEPT = sorted(FOLDER.glob("*.sql"))
RULES = {"gpu", "slow", "by-key", "overdue", "low"}


@pytest.mark.parametrize("name", RELEASED)
def test_step_when_released_then_never_edited(name: str) -> None:
    """Databases in use have taken that step already, and would differ from new ones without anybody noticing."""
    text = (resources.files("alertd.store") / "migrations" / name).read_bytes()
    assert hashlib.sha256(text).hexdigest() == RELEASED[name], (
        f"{name} is released: leave it as it is and add a new migration with what is to change"
    )


def test_steps_when_all_are_listed_then_each_has_its_digest_and_its_database() -> None:
    """A step that is shipped without either could be edited later, or never be tried on what users have."""
    numbers = [step.number for step in shipped_migrations()]
    assert [int(name[:4]) for name in RELEASED] == numbers, "add the new step's SHA-256 to RELEASED before its release"
    assert [int(path.stem) for path in KEPT] == numbers, "run `python -m tests.store.keep_database` before a release"


@pytest.fixture
def blank(place: Place) -> Iterator[str]:
    """A database without the tables of today's schema, which those have that another test used before."""
    with place.blank() as url:
        yield url


@pytest.fixture(params=rest_slow([KEPT[-1], KEPT[0], *KEPT[1:-1]], fast=2), ids=lambda path: path.stem)
def kept(request: pytest.FixtureRequest, place: Place, blank: str, tmp_path: Path) -> str:
    """The URL of a database of each released schema, of each kind."""
    _restore(request.param.read_text(encoding="utf-8"), int(request.param.stem), place, blank, tmp_path)
    return blank


def _restore(text: str, version: int, place: Place, url: str, folder: Path) -> None:
    path = Path(url.removeprefix("sqlite:///")) if place.name == "sqlite" else folder / "kept.db"
    restore(text, path)
    with closing(sqlite3.connect(path)) as connection:
        held = connection.execute("SELECT content FROM meta WHERE name = 'schema_version'").fetchone()
        assert held == (str(version),), "it is of the schema that its name says"
        if place.name == "postgres":
            _into_postgres(connection, url, version)


def _into_postgres(file: sqlite3.Connection, url: str, version: int) -> None:
    """Make the same database in PostgreSQL, by the steps up to that version alone."""
    address = parse_database_url(url)
    assert isinstance(address, PostgresUrl)
    with closing(PostgresDatabase(address)) as database:
        migrate(database, shipped_migrations()[:version])
        tables = sorted(name for name in database.tables() if not name.startswith("alertd_"))
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SET session_replication_role = replica")
        server.execute("DELETE FROM meta")
        for table in tables:
            cursor = file.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            marks = ", ".join("%s" for _ in names)
            insert = f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE VALUES ({marks})"
            server.cursor().executemany(insert.encode(), cursor.fetchall())


def test_database_when_of_a_released_schema_then_every_fact_is_still_there(kept: str) -> None:
    """An update forgets neither money, nor what was notified, nor what somebody asked for."""
    with closing(Store.open(kept, now=LATER)) as store:
        assert store.check() == []
        assert store.meta.get("schema_version") == str(len(shipped_migrations()))
        assert store.meta.created_at < datetime(2026, 1, 10, 12, 6, tzinfo=UTC)
        assert store.views == frozenset(View)
        spent = {
            (category, hour): summary.total
            for (_, category), book in store.bills.load_books().items()
            for hour, summary in book.hours.items()
        }
        assert spent == {
            ("gpu", 491122): 90_000_000_001,
            ("gpu", 491152): 612_500_000_000,
            ("gpu", 491153): 80_000_000_000,
            ("llm", 491152): 85_000_000_000,
        }
        assert sum(block.total for _, block in store.bills.iter_blocks(0)) == sum(spent.values())
        assert [b.total for _, b in store.key_bills.iter_blocks(0)] == [85_000_000_000]
        assert [(key.key_id, key.name) for key in store.key_bills.load_keys()] == [("key-7", "ci")]
        assert [(t.bill.month, t.bill.owed) for t in store.bills.load_monthly()] == [
            ("2025-11", 0),
            ("2025-12", 1_230_000_000_000),
        ]
        assert [b.available for b in store.balances.since(store.meta.created_at)] == [5 * 10**12, 96 * 10**10]
        assert len(store.cycles.last(9)) == 2
        alerts = store.alerts.all_alerts()
        assert {alert.rule for alert in alerts} == RULES
        assert sorted(alert.state for alert in alerts) == sorted(
            [*[AlertState.FIRING] * 5, AlertState.PENDING, AlertState.RESOLVED]
        )
        events = [event for alert in alerts for event in store.alerts.events(alert.fingerprint)]
        assert {event.fingerprint for event in events} == {alert.fingerprint for alert in alerts}
        assert {event_text(event.change) for event in events} == {
            "none -> pending (warning)",
            "none -> firing (warning)",
            "none -> firing (critical)",
            "firing (warning) -> resolved",
            "silenced by kim until 2026-04-11 18:05 UTC (run 12)",
            "acknowledged by dana",
        }
        assert [event_detail(event.change) for event in store.alerts.events("1c00c82c6fe2430d")] == [
            "$61.25; warning from $5.00; billed through 2026-01-11 18:00 UTC, complete",
            "",
        ]
        silences = store.silences.unended()
        assert [s.author for s in silences] == ["kim", "dana"]
        assert [alert.muted for alert in alerts if alert.muted is not None] == [silenced(silences[0])]
        states = [store.outbox.entry(number) for number in range(1, 14)]
        assert {entry.state for entry in states if entry is not None} == set(EntryState)
        assert all(store.outbox.attempts(number) for number in range(1, 7))


def test_database_when_alerts_were_muted_in_words_then_by_values(place: Place, blank: str, tmp_path: Path) -> None:
    """Until schema 2 the words for people were stored; none is lost, and none is parsed again."""
    before = (FOLDER / "0002.sql").read_text(encoding="utf-8")
    fingerprints = ("58c6f7344ccf0e27", "c039d74df0ababc6")
    lines = before.splitlines(keepends=True)
    for fingerprint, words in zip(
        fingerprints, ("inhibited by low (23d90eb40276dd8c): less than", "no route leads to a receiver"), strict=True
    ):
        start = f"INSERT INTO \"alert\" VALUES('{fingerprint}'"
        lines = [x.replace('"withheld":""', f'"withheld":"{words}"') if x.startswith(start) else x for x in lines]
    _restore("".join(lines), 2, place, blank, tmp_path)
    with closing(Store.open(blank, now=LATER)) as store:
        assert store.check() == []
        found = [store.alerts.alert(fingerprint) for fingerprint in fingerprints]
        (low,) = [alert for alert in store.alerts.all_alerts() if alert.rule == "low"]
    assert [alert.muted for alert in found if alert is not None] == [
        Muted(kind=MuteKind.INHIBITION, id=low.fingerprint, by="low", comment=low.headline),
        NO_RECEIVER,
    ]
