"""What `alertd status`, `/readyz` and the page say is wrong: once, shortly, with what to do."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from alertd.core.spend.ledger import CategoryBook, SeriesTable
from alertd.queries.status import read_status
from alertd.store.bills import BookChange
from alertd.store.cycles import CycleRecord
from alertd.store.store import Store
from tests.core.builders import HOUR as POLL
from tests.core.builders import NOW, SETTLE

REFUSED = "key refused (403 INVALID_API_KEY); set ALERTD_NOVITA_API_KEY to a valid key"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/alertd.db", now=NOW)
    yield opened
    opened.close()


def problems(store: Store, errors: Mapping[tuple[str, str], str], *, notified: str = "a; b") -> tuple[str, ...]:
    """What is wrong where the books of some (account, category) hold an error, after one cycle that was not good."""
    books = [
        CategoryBook(account=account, category=category, error=error) for (account, category), error in errors.items()
    ]
    store.save_facts(SeriesTable(), books=[BookChange(book=book, blocks={}) for book in books])
    store.cycles.add(CycleRecord(started_at=NOW, finished_at=NOW, is_ok=False, summary=(("errors", notified),)))
    return read_status(store, now=NOW, poll_interval=POLL, settle_delay=SETTLE).problems


@pytest.mark.parametrize(
    ("errors", "notified"),
    [
        pytest.param(
            {("default", "gpu"): REFUSED, ("default", "llm"): REFUSED},
            ("no complete cycle yet", f"default: every category: {REFUSED}"),
            id="a refused key is one mistake, not one for each category",
        ),
        pytest.param(
            {("default", "gpu"): "HTTP 500", ("default", "llm"): "HTTP 500", ("default", "serverless"): ""},
            ("no complete cycle yet", "default: gpu, llm: HTTP 500"),
            id="some categories are named",
        ),
        pytest.param(
            {("dev", "gpu"): REFUSED, ("prod", "gpu"): "", ("prod", "llm"): "HTTP 502"},
            ("no complete cycle yet", f"dev: gpu: {REFUSED}", "prod: llm: HTTP 502"),
            id="accounts are told apart",
        ),
        pytest.param(
            {("default", "gpu"): ""},
            ("no complete cycle yet: a; b",),
            id="what no category explains is told as the poll told it",
        ),
    ],
)
def test_problems_when_reads_fail_then_the_same_is_notified_once(
    errors: Mapping[tuple[str, str], str], notified: tuple[str, ...], store: Store
) -> None:
    """Ten lines of the same would hide what is different."""
    assert problems(store, errors) == notified


def test_problems_when_the_poll_met_many_errors_then_shortened(store: Store) -> None:
    """The log has the whole."""
    (found,) = problems(store, {("default", "gpu"): ""}, notified="monthly bills: HTTP 500; " * 40)
    assert len(found) < 350
    assert found.endswith("…")
